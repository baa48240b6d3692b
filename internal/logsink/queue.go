package logsink

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// maxQueued is the number of lines that may wait for a slow output.
const maxQueued = 4096

// Queue keeps the server from waiting for an output, such as a log server behind a network that is down. Lines that do not fit, and
// lines that the output refuses, are counted, and told of once it takes lines again.
type Queue struct {
	out      LeveledCloser
	patience time.Duration // of Close
	lines    chan queuedLine
	waiting  atomic.Int64 // lines that are queued or being written
	dropped  atomic.Int64 // lines that did not fit and were not told of
	failed   atomic.Int64 // lines that could not be written and were not told of
	closing  sync.Once
	given    atomic.Bool   // up: Close waits no longer
	done     chan struct{} // closed when run has ended
	outcome  error         // of closing the output; set before done is closed
}

// LeveledCloser is a Leveled that can be closed.
type LeveledCloser interface {
	Leveled
	io.Closer
}

type queuedLine struct {
	level zerolog.Level
	text  string
}

// NewQueue returns a queue in front of out, which belongs to it. Close ends its goroutine, and waits for patience at most.
func NewQueue(out LeveledCloser, patience time.Duration) *Queue {
	q := &Queue{out: out, patience: patience, lines: make(chan queuedLine, maxQueued), done: make(chan struct{})}
	go q.run()
	return q
}

// run writes the lines, and closes the output.
func (q *Queue) run() {
	defer close(q.done)
	for line := range q.lines {
		if q.given.Load() {
			break
		}
		// Where the notice fails the line would fail as well, after the same time.
		if !q.tell() || q.out.WriteText(line.level, line.text) != nil {
			q.failed.Add(1)
		}
		q.waiting.Add(-1)
	}
	if !q.given.Load() {
		q.tell()
	}
	q.outcome = q.out.Close()
}

// tell says how many lines are missing, and reports whether the output takes that. What could not be told is told the next time.
func (q *Queue) tell() bool {
	return q.tellOf(&q.dropped, "%d lines of the log were dropped, its output was too slow") &&
		q.tellOf(&q.failed, "%d lines of the log could not be written to its output")
}

// tellOf says text with a count, unless it is 0.
func (q *Queue) tellOf(count *atomic.Int64, text string) bool {
	n := count.Swap(0)
	if n == 0 {
		return true
	}
	if err := q.out.WriteText(zerolog.WarnLevel, fmt.Sprintf(text, n)); err != nil {
		count.Add(n)
		return false
	}
	return true
}

// WriteText queues a line.
func (q *Queue) WriteText(level zerolog.Level, text string) error {
	q.waiting.Add(1)
	select {
	case q.lines <- queuedLine{level, text}:
	default:
		q.waiting.Add(-1)
		q.dropped.Add(1)
	}
	return nil
}

// Write queues a line of information.
func (q *Queue) Write(p []byte) (int, error) {
	return len(p), q.WriteText(zerolog.InfoLevel, string(p))
}

// Close writes what waits and closes the output. When that takes too long it gives the rest up: the output is closed once it has
// returned from the line it is at. Nothing may be written after Close. Source: docs/spec/cli.md §8.3.
func (q *Queue) Close() error {
	q.closing.Do(func() { close(q.lines) })
	timer := time.NewTimer(q.patience)
	defer timer.Stop()
	select {
	case <-q.done:
		return q.outcome
	case <-timer.C:
		q.given.Store(true)
		return nil
	}
}

// Lost returns how many lines nobody has seen or was told of. After Close it is final.
func (q *Queue) Lost() int64 { return q.dropped.Load() + q.failed.Load() + q.waiting.Load() }

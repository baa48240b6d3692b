package logsink

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"
)

// maxQueued is the number of lines that may wait for a slow output.
const maxQueued = 4096

// Queue keeps the server from waiting for an output, such as a log server behind a network that is down. Lines that do not fit are
// dropped, counted, and told of once there is room again.
type Queue struct {
	out     LeveledCloser
	lines   chan queuedLine
	dropped atomic.Int64
	done    chan struct{}
	closing sync.Once
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

// NewQueue returns a queue in front of out, which belongs to it. Close ends its goroutine.
func NewQueue(out LeveledCloser) *Queue {
	q := &Queue{out: out, lines: make(chan queuedLine, maxQueued), done: make(chan struct{})}
	go q.run()
	return q
}

// run writes the lines.
func (q *Queue) run() {
	defer close(q.done)
	for line := range q.lines {
		if n := q.dropped.Swap(0); n > 0 {
			_ = q.out.WriteText(zerolog.WarnLevel, fmt.Sprintf("%d lines of the log were dropped, its output was too slow", n))
		}
		if q.out.WriteText(line.level, line.text) != nil {
			q.dropped.Add(1)
		}
	}
}

// WriteText queues a line.
func (q *Queue) WriteText(level zerolog.Level, text string) error {
	select {
	case q.lines <- queuedLine{level, text}:
	default:
		q.dropped.Add(1)
	}
	return nil
}

// Write queues a line of information.
func (q *Queue) Write(p []byte) (int, error) {
	return len(p), q.WriteText(zerolog.InfoLevel, string(p))
}

// Close writes what waits and closes the output. Nothing may be written after it.
func (q *Queue) Close() error {
	q.closing.Do(func() { close(q.lines) })
	<-q.done
	return q.out.Close()
}

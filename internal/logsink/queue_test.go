package logsink_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/logsink"
	"github.com/natsd/natsd/internal/testutil"
	"github.com/rs/zerolog"
)

// output is one that write stands for.
type output struct {
	write  func(text string) error
	closed atomic.Bool
}

func (o *output) Write(p []byte) (int, error)                  { return len(p), o.write(string(p)) }
func (o *output) WriteText(_ zerolog.Level, text string) error { return o.write(text) }
func (o *output) Close() error                                 { o.closed.Store(true); return nil }

// TestQueueOfAnOutputThatHangs: closing gives up what such an output does not take, and says how much that is.
func TestQueueOfAnOutputThatHangs(t *testing.T) {
	testutil.CheckLeaks(t)
	entered, gate := make(chan struct{}, 100), make(chan struct{})
	out := &output{write: func(string) error {
		entered <- struct{}{}
		<-gate
		return nil
	}}
	queue := logsink.NewQueue(out, time.Millisecond)
	for i := range 10 {
		if err := queue.WriteText(zerolog.InfoLevel, fmt.Sprintf("line %d\n", i)); err != nil {
			t.Fatal(err)
		}
	}
	<-entered
	closed := make(chan error)
	go func() { closed <- queue.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("closing waits for the output")
		close(gate)
		<-closed
		return
	}
	if n := queue.Lost(); n != 10 {
		t.Errorf("%d lines are lost, want all 10", n)
	}
	close(gate) // what has hung so far goes on
	for deadline := time.Now().Add(20 * time.Second); !out.closed.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the output is never closed")
		}
	}
	if n := len(entered); n != 0 {
		t.Errorf("%d more lines are written after closing", n)
	}
}

// TestQueueOfAnOutputThatFails: lines that cannot be written are told of with their number, once the output works again or in the end.
func TestQueueOfAnOutputThatFails(t *testing.T) {
	testutil.CheckLeaks(t)
	const lines = 1000
	for _, atTheEnd := range []bool{false, true} {
		var fails atomic.Bool
		var attempts atomic.Int64
		var text strings.Builder // of the goroutine of the queue until Close has returned
		fails.Store(true)
		queue := logsink.NewQueue(&output{write: func(line string) error {
			failing := fails.Load()
			attempts.Add(1)
			if failing {
				return errors.New("no route to host")
			}
			text.WriteString(line + "|")
			return nil
		}}, time.Minute)
		for i := range lines {
			_ = queue.WriteText(zerolog.InfoLevel, fmt.Sprintf("line %d", i))
		}
		for deadline := time.Now().Add(20 * time.Second); queue.Lost() < lines || attempts.Load() < lines; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d attempts for %d lines", attempts.Load(), lines)
			}
		}
		fails.Store(false)
		want := "1000 lines of the log could not be written to its output|"
		if !atTheEnd {
			_ = queue.WriteText(zerolog.InfoLevel, "at last")
			want += "at last|"
		}
		if err := queue.Close(); err != nil {
			t.Fatal(err)
		}
		if text.String() != want || queue.Lost() != 0 {
			t.Errorf("written is %q, want %q; %d lines are lost", text.String(), want, queue.Lost())
		}
	}
}

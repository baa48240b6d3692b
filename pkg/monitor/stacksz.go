package monitor

import (
	"bytes"
	"net/http"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
)

const (
	// stacksAge is how long a dump is good for: making one stops everything else.
	stacksAge = time.Second
	// maxStacks is the number of goroutines up to which each is shown. With more, equal ones are counted, which stops nothing.
	maxStacks = 10000
)

// stacks are those of all goroutines, as they were a moment ago.
type stacks struct {
	mu struct { // guards everything inside it, and callers of dumps
		sync.Mutex
		last *dump // nil: none so far
	}
}

// dump is what the goroutines were at, once.
type dump struct {
	at      time.Time
	text    []byte
	callers int // to whom it is being written
}

// get returns a dump that is not older than stacksAge, and nil if it finds no room in a budget: one that several callers get is held
// there once. put gives it back.
func (s *stacks) get(room *budget) *dump {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.last == nil || time.Since(s.mu.last.at) >= stacksAge {
		text := dumpStacks()
		s.mu.last = &dump{at: time.Now(), text: text}
	}
	d := s.mu.last
	if d.callers == 0 && !room.take(cap(d.text)) {
		return nil
	}
	d.callers++
	return d
}

// put gives back what get returned.
func (s *stacks) put(room *budget, d *dump) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.callers--; d.callers == 0 {
		room.give(cap(d.text))
	}
}

func dumpStacks() []byte {
	if runtime.NumGoroutine() > maxStacks {
		var text bytes.Buffer
		_ = pprof.Lookup("goroutine").WriteTo(&text, 1) // a buffer takes everything
		return text.Bytes()
	}
	const most = 64 << 20 // bytes
	for size := 1 << 20; ; size *= 2 {
		buffer := make([]byte, size)
		if n := runtime.Stack(buffer, true); n < size || size >= most {
			return buffer[:n]
		}
	}
}

// serveStacks is /stacksz. It takes no lock of the broker. Source: docs/spec/monitoring.md §8.
func (s *Server) serveStacks(w http.ResponseWriter, _ *http.Request) {
	d := s.stacks.get(&s.large)
	if d == nil {
		fail(w, errCrowded)
		return
	}
	defer s.stacks.put(&s.large, d)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(d.text) // nobody is there to be told
}

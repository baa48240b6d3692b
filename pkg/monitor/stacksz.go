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
	mu struct { // guards everything inside it
		sync.Mutex
		at   time.Time
		text []byte // nil: none so far. Never written again
	}
}

// get returns a dump that is not older than stacksAge.
func (s *stacks) get() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.mu.at) < stacksAge {
		return s.mu.text
	}
	s.mu.text = dumpStacks()
	s.mu.at = time.Now()
	return s.mu.text
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
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(s.stacks.get()) // nobody is there to be told
}

package iostreams

import (
	"bytes"
	"strings"
	"sync"
	"time"
)

// Buffer is an output stream in memory. All methods may be called from any goroutine.
type Buffer struct {
	mu struct {
		sync.Mutex
		bytes.Buffer
		written chan struct{} // closed and replaced at every Write
	}
}

// NewBuffer returns an empty Buffer.
func NewBuffer() *Buffer {
	b := &Buffer{}
	b.mu.written = make(chan struct{})
	return b
}

// Write appends p and wakes every WaitFor. It never fails. Locks: takes b.mu.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.mu.written)
	b.mu.written = make(chan struct{})
	return b.mu.Write(p)
}

// String returns everything written so far. Locks: takes b.mu.
func (b *Buffer) String() string {
	text, _ := b.state()
	return text
}

// WaitFor blocks until the buffer contains text or the timeout has passed, and reports whether it
// contains it. Locks: none while it waits.
func (b *Buffer) WaitFor(text string, timeout time.Duration) bool {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		have, written := b.state()
		if strings.Contains(have, text) {
			return true
		}
		select {
		case <-written:
		case <-timer.C:
			return false
		}
	}
}

// state returns the content and a channel that is closed at the next Write. Locks: takes b.mu.
func (b *Buffer) state() (string, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.String(), b.mu.written
}

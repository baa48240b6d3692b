package monitor

import (
	"errors"
	"sync/atomic"
)

// What may wait in memory for callers to take it, in bytes. Answers of one piece have a budget of their own, so that those who do
// not read large ones keep nobody from /varz. Source: docs/spec/monitoring.md §1.
const (
	maxLarge = 64 << 20
	maxSmall = 16 << 20
)

// retryAfter is when to ask again for an answer that found no room, in seconds.
const retryAfter = "5"

// errCrowded says that an answer was put together and found no room.
var errCrowded = errors.New("too many answers wait for callers to read them; ask again later, or for less")

// budget bounds how many bytes are held.
type budget struct {
	most int64
	held atomic.Int64
}

// take holds n bytes and reports whether there was room. More than the budget has is held when nothing else is.
func (b *budget) take(n int) bool {
	for {
		held := b.held.Load()
		if held > 0 && held+int64(n) > b.most {
			return false
		}
		if b.held.CompareAndSwap(held, held+int64(n)) {
			return true
		}
	}
}

// give lets n bytes go that were held.
func (b *budget) give(n int) { b.held.Add(-int64(n)) }

// budgetFor returns where an answer of n bytes is held.
func (s *Server) budgetFor(n int) *budget {
	if n <= writeChunk {
		return &s.small
	}
	return &s.large
}

package permission

import (
	"hash/maphash"
	"sync/atomic"
)

// Bounds of a cache, in answers. Its size is a power of two and doubles when as many answers were missing.
const (
	minCache = 64
	maxCache = 1 << 16
	// longestCached is the length in bytes of the longest subject that is cached.
	longestCached = 256
)

// cache remembers answers about subjects: two slots for every hash, where the latest answers stay. Reading and
// writing take no lock, and a client that asks about ever new subjects pushes out only what it, or others with the same
// Set, asked before. The zero value is an empty cache.
type cache struct {
	slots  atomic.Pointer[[]atomic.Pointer[answer]]
	misses atomic.Int64
}

// answer is never changed.
type answer struct {
	subject string
	allowed bool
}

var seed = maphash.MakeSeed()

// place returns the first of the two slots for text; the other is its neighbour.
func place(slots []atomic.Pointer[answer], text []byte) uint64 {
	return maphash.Bytes(seed, text) & uint64(len(slots)-1)
}

// get returns the answer about text if it is known.
func (c *cache) get(text []byte) (allowed, known bool) {
	slots := c.slots.Load()
	if slots == nil {
		return false, false
	}
	at := place(*slots, text)
	for range 2 {
		if a := (*slots)[at].Load(); a != nil && a.subject == string(text) {
			return a.allowed, true
		}
		at ^= 1
	}
	return false, false
}

// put remembers an answer.
func (c *cache) put(text []byte, allowed bool) {
	if len(text) > longestCached {
		return
	}
	slots := c.slots.Load()
	if slots == nil || c.misses.Add(1) > int64(len(*slots)) && len(*slots) < maxCache {
		size := minCache
		if slots != nil {
			size = 2 * len(*slots)
		}
		larger := make([]atomic.Pointer[answer], size)
		c.slots.CompareAndSwap(slots, &larger) // somebody else may have been faster
		c.misses.Store(0)
		slots = c.slots.Load()
	}
	at := place(*slots, text)
	if (*slots)[at].Load() != nil && (*slots)[at^1].Load() == nil {
		at ^= 1
	}
	(*slots)[at].Store(&answer{string(text), allowed})
}

package sublist

import (
	"strings"
	"sync/atomic"
	"unsafe"
)

// entry is what a table holds: a key that never changes, and a payload that looks after itself.
type entry[P any] struct {
	key     string
	hash    uint32        // slotHash of the key, zero only for a tombstone
	mark    atomic.Uint32 // lowest bits: markUsed or markDead, of cache entries; the others: a stamp
	payload P
}

const (
	markBits = 2
	markMask = 1<<markBits - 1
)

// dead reports whether e, a cache entry, has left the table.
func (e *entry[P]) dead() bool { return e.mark.Load()&markMask == markDead }

// use notes that e was used.
func (e *entry[P]) use() {
	if mark := e.mark.Load(); mark&markMask == markIdle {
		e.mark.CompareAndSwap(mark, mark|markUsed) // if that fails, somebody else did it, or it does not matter
	}
}

// unuse reports whether e was used since the last call.
func (e *entry[P]) unuse() bool {
	mark := e.mark.Load()
	return mark&markMask == markUsed && e.mark.CompareAndSwap(mark, mark&^markMask)
}

// stamp sets the stamp of e, unless e has left the table or is changed at the same time.
func (e *entry[P]) stamp(stamp uint32) {
	if mark := e.mark.Load(); mark&markMask != markDead {
		e.mark.CompareAndSwap(mark, mark&markMask|stamp<<markBits)
	}
}

// newEntry returns an entry with a copy of key. Short keys lie behind the entry in the same piece of memory, where a
// lookup finds them in the processor's cache: with many subjects that is a quarter of its time.
func newEntry[P any](key string, hash uint32) *entry[P] {
	var (
		e    *entry[P]
		text []byte
	)
	switch n := len(key); {
	case n <= 16:
		short := new(struct {
			entry[P]
			text [16]byte
		})
		e, text = &short.entry, short.text[:n]
	case n <= 32:
		medium := new(struct {
			entry[P]
			text [32]byte
		})
		e, text = &medium.entry, medium.text[:n]
	case n <= 48:
		long := new(struct {
			entry[P]
			text [48]byte
		})
		e, text = &long.entry, long.text[:n]
	default:
		return &entry[P]{key: strings.Clone(key), hash: hash}
	}
	copy(text, key)
	e.key, e.hash = unsafe.String(unsafe.SliceData(text), len(text)), hash
	return e
}

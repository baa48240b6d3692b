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
	mark    atomic.Uint32 // cache entries: markUsed, markDead
	payload P
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

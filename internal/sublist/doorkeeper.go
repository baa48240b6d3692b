package sublist

import (
	"math/rand/v2"
	"sync/atomic"
)

const (
	minPrints = 1 << 8  // 1 KiB
	maxPrints = 1 << 14 // 64 KiB
)

// doorkeeper lets a subject into the cache when it has been seen before, not long ago. Subjects that are used once, as
// the inbox of a request is, neither allocate nor push others out.
//
// It remembers a fingerprint of 32 bits per subject, in a table where a newer subject overwrites an older one, but only
// every other time: else two that come in turn would keep each other out for ever. The table starts small and doubles
// as fingerprints collide, up to maxPrints. That is less than the cache has entries, so that a stream of more
// subjects than the cache can hold is mostly turned away instead of churning it.
// Any goroutine may ask; a lost or a mixed-up fingerprint only delays or hastens an admission.
type doorkeeper struct {
	prints atomic.Pointer[[]atomic.Uint32] // length a power of two; nil: nothing seen
}

// admit reports whether the subject with this hash was seen lately, and remembers it if not. grow asks the caller to
// call grow. Locks: none.
func (d *doorkeeper) admit(hash uint64) (seen, grow bool) {
	table := d.prints.Load()
	if table == nil {
		return false, true
	}
	prints := *table
	slot := &prints[(hash>>32)&uint64(len(prints)-1)]
	print := uint32(hash) | 1 // never zero: that is an empty slot
	old := slot.Load()
	if old == print {
		return true, false
	}
	if old == 0 {
		slot.Store(print)
		return false, false
	}
	dice := rand.Uint32()
	if dice&1 == 0 {
		slot.Store(print)
	}
	// About every (len/4)th collision makes the table grow.
	return false, len(prints) < maxPrints && (dice>>1)&uint32(len(prints)/4-1) == 0
}

// grow makes the table twice as large and forgets what it held. Locks: needs Index.mu.
func (d *doorkeeper) grow() {
	size := minPrints
	if table := d.prints.Load(); table != nil {
		size = min(2*len(*table), maxPrints)
	}
	prints := make([]atomic.Uint32, size)
	d.prints.Store(&prints)
}

// forget gives the memory back. Locks: needs Index.mu.
func (d *doorkeeper) forget() { d.prints.Store(nil) }

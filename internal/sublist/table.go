package sublist

import "sync/atomic"

const (
	smallTable = 8 // slots; up to here a table is a list that may be full, beyond it is hashed

	// Bounds of the load of a hashed table: it is rebuilt when entries and tombstones together would take more than a
	// share of 1/maxLoad of the slots, twice as large if the entries alone take more than half of that; and half
	// as large when the entries take less than 1/minLoad. So an entry costs two to four slots while a table grows, and
	// a lookup looks at 1.5 entries at most on average: each is a cache miss, more expensive than 8 bytes.
	maxLoad = 2
	minLoad = 8
)

// table is a set of entries by key that is read without a lock while one writer, who holds Index.mu, changes it.
//
// It is a power of two of slots with linear probing. An entry, once in a slot, stays there until it is removed or the
// whole table is replaced, so that a reader never misses an entry that is there for as long as it looks. A removed
// entry leaves a tombstone when the probe of another may pass over it, and tombstones go when the table is rebuilt.
//
// A table is reached through an atomic pointer (tableRef), nil when empty. A reader that holds an old table sees
// the state at the time it was replaced, at least: no newer change is visible there, but also none that was complete
// when the reader began.
type table[P any] struct {
	slots  []atomic.Pointer[entry[P]]
	hasher hasher

	// Writer only.
	live      int // entries
	occupied  int // entries and tombstones
	tombstone *entry[P]
}

// tableRef is where a table is published.
type tableRef[P any] struct{ atomic.Pointer[table[P]] }

// find returns the entry for key, nil if there is none. It hashes only if the table is large. Locks: none.
func (t *table[P]) find(key string) *entry[P] {
	if t == nil {
		return nil
	}
	if len(t.slots) > smallTable {
		return t.findHash(slotHash(t.hasher.hash(key)), key)
	}
	for i := range t.slots {
		if e := t.slots[i].Load(); e != nil && e.key == key {
			return e
		}
	}
	return nil
}

// findHash returns the entry for key, whose hash the caller knows, nil if there is none. Locks: none.
func (t *table[P]) findHash(hash uint32, key string) *entry[P] {
	if t == nil {
		return nil
	}
	slots := t.slots
	if len(slots) <= smallTable {
		for i := range slots {
			if e := slots[i].Load(); e != nil && e.hash == hash && e.key == key {
				return e
			}
		}
		return nil
	}
	mask := uint32(len(slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		e := slots[i].Load()
		if e == nil {
			return nil
		}
		if e.hash == hash && e.key == key {
			return e
		}
	}
}

// add puts e, whose key must not be in the table, into the table. Amortised O(1). Locks: needs Index.mu.
func (r *tableRef[P]) add(hasher hasher, e *entry[P]) {
	t := r.Load()
	switch {
	case t == nil:
		t = newTable[P](1, hasher)
		t.put(e)
		r.Store(t)
		return
	case !t.hasRoom():
		t = t.rebuilt(t.sizeFor(t.live + 1))
		t.put(e)
		r.Store(t)
		return
	}
	t.put(e)
}

// remove takes e, which must be in the table, out of it. Amortised O(1). Locks: needs Index.mu.
func (r *tableRef[P]) remove(e *entry[P]) {
	t := r.Load()
	if t.live == 1 {
		r.Store(nil)
		return
	}
	t.clear(e)
	if len(t.slots) > smallTable && t.live < len(t.slots)/minLoad {
		r.Store(t.rebuilt(len(t.slots) / 2))
	}
}

func newTable[P any](slots int, hasher hasher) *table[P] {
	return &table[P]{slots: make([]atomic.Pointer[entry[P]], slots), hasher: hasher}
}

func (t *table[P]) hasRoom() bool {
	if len(t.slots) <= smallTable {
		return t.live < len(t.slots)
	}
	return t.occupied < len(t.slots)/maxLoad
}

// sizeFor returns the number of slots for a rebuilt table: the same if most of what fills this one are tombstones.
func (t *table[P]) sizeFor(live int) int {
	if len(t.slots) <= smallTable || live > len(t.slots)/maxLoad/2 {
		return len(t.slots) * 2
	}
	return len(t.slots)
}

func (t *table[P]) rebuilt(slots int) *table[P] {
	next := newTable[P](slots, t.hasher)
	for i := range t.slots {
		if e := t.slots[i].Load(); e != nil && e.hash != 0 {
			next.put(e)
		}
	}
	return next
}

// put stores e in the first slot of its probe that no entry holds.
func (t *table[P]) put(e *entry[P]) {
	i := uint32(0)
	if len(t.slots) > smallTable {
		i = e.hash
	}
	for mask := uint32(len(t.slots) - 1); ; i++ {
		slot := &t.slots[i&mask]
		held := slot.Load()
		if held != nil && held.hash != 0 {
			continue
		}
		if held == nil {
			t.occupied++
		}
		t.live++
		slot.Store(e)
		return
	}
}

// clear empties the slot of e. Where the next slot is empty no probe goes on behind this one, so no tombstone is
// needed, nor are those just before it.
func (t *table[P]) clear(e *entry[P]) {
	mask := uint32(len(t.slots) - 1)
	i := uint32(0)
	if len(t.slots) > smallTable {
		i = e.hash & mask
	}
	for t.slots[i].Load() != e {
		i = (i + 1) & mask
	}
	t.live--
	if len(t.slots) > smallTable && t.slots[(i+1)&mask].Load() != nil {
		if t.tombstone == nil {
			t.tombstone = new(entry[P])
		}
		t.slots[i].Store(t.tombstone)
		return
	}
	t.slots[i].Store(nil)
	t.occupied--
	if t.tombstone == nil {
		return
	}
	for i = (i - 1) & mask; t.slots[i].Load() == t.tombstone; i = (i - 1) & mask {
		t.slots[i].Store(nil)
		t.occupied--
	}
}

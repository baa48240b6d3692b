package sublist

import "slices"

const (
	maxCacheEntries  = 1 << 16 // subjects without subscriptions of their own that have a cached result
	maxCachedSubject = 256     // bytes; longer subjects are matched anew each time

	// A cache entry spares a walk through the trie, which is cheap while there are few patterns. Beyond this many entries,
	// a subject that needs no merge is matched by walking.
	minAllowance        = 128 // entries
	allowancePerPattern = 64
	maxTrim             = 2 * allowancePerPattern // entries that go with a pattern while there are more than that

	maxClockSteps = 128 // entries that an eviction looks at before it takes whatever comes next
	minClock      = 64  // entries; below, dead ones in the clock are not worth a copy

	// Debt is counted in units of about the size of a T, see oweLocked.
	minDebt     = 1 << 19
	debtPerSlot = 32
	setUnits    = 8
	mergeUnits  = 32
)

// Values of the lowest bits of entry.mark. The others are the stamp, see Reader.Stamp.
const (
	markIdle uint32 = iota // not used since the clock hand passed
	markUsed               // used; stored by readers
	markDead               // no longer in the table
)

// cacheState is what the cache needs besides the table of leaves. Guarded by Index.mu.
//
// Cached results live in the leaves. A leaf without subscriptions of its own exists for its cached result only and is
// a cache entry; the number of those is bounded, the CLOCK algorithm picks the one that has to go.
type cacheState[T comparable] struct {
	limit   int
	entries int                   // cache entries in the table
	clock   []*entry[leaf[T]]     // every cache entry, and entries that have become something else since
	hand    int                   // index into clock
	merges  map[uint64]*merged[T] // by mergeKey: subjects that match the same sets share one merge
	debt    int
}

// fillLocked computes what matches text, whose full hash is hash, and caches it, in a new cache entry if need be.
// It returns the entry as well, nil if there is none. A nil result is one too large to be kept.
func (x *Index[T]) fillLocked(hash uint64, text string) (*entry[leaf[T]], *Result[T]) {
	var buffer [16]*Result[T]
	sets := buffer[:0]
	e := x.leaves.Load().findHash(slotHash(hash), text)
	if e != nil {
		if own := e.payload.set.Load(); own != nil {
			sets = append(sets, own)
		}
	}
	switch root := x.root.Load(); {
	case root != nil:
		sets = root.collect(text, sets)
	case e == nil:
		return nil, &x.none // the last wildcard pattern has just gone, and with it the need for cache entries
	}
	result := x.joinLocked(sets)
	if result == nil {
		return nil, nil
	}
	if e != nil {
		// cached first: a reader that sees the generation then sees a result at least as new.
		e.payload.cached.Store(result)
		e.payload.generation.Store(x.generation.Load())
		return e, result
	}
	e = newEntry[leaf[T]](text, slotHash(hash))
	e.payload.cached.Store(result)
	e.payload.generation.Store(x.generation.Load())
	x.admitLocked(e)
	return e, result
}

// joinLocked returns the one result for sets, nil if it is too large to be kept.
func (x *Index[T]) joinLocked(sets []*Result[T]) *Result[T] {
	switch len(sets) {
	case 0:
		return &x.none
	case 1:
		return sets[0]
	}
	key := mergeKey(sets)
	if m := x.mu.cache.merges[key]; m != nil && slices.Equal(m.sources, sets) {
		return &m.Result
	}
	units := mergeUnits
	for _, s := range sets {
		units += s.size()
	}
	if units > x.maxDebtLocked()/4 {
		return nil
	}
	x.oweLocked(units)
	m := newMerged(sets)
	if x.mu.cache.merges == nil {
		x.mu.cache.merges = make(map[uint64]*merged[T])
	}
	x.mu.cache.merges[key] = m
	return &m.Result
}

// admitLocked puts the new cache entry e into the table, in the place of another one if there are too many.
func (x *Index[T]) admitLocked(e *entry[leaf[T]]) {
	c := &x.mu.cache
	if len(c.clock) < c.limit {
		c.clock = append(c.clock, e)
	} else {
		c.clock[x.vacateLocked()] = e
	}
	c.entries++
	x.leaves.add(x.hasher, e)
	x.weighLocked()
}

// allowanceLocked is the number of cache entries that the patterns deserve.
func (x *Index[T]) allowanceLocked() int {
	return min(max(minAllowance, allowancePerPattern*x.mu.patterns), x.mu.cache.limit)
}

// weighLocked decides whether matches that miss the cache ask for an entry. It follows every change of the numbers of
// patterns and of cache entries.
func (x *Index[T]) weighLocked() {
	allowance := x.allowanceLocked()
	if walk := x.mu.cache.entries >= allowance && allowance < x.mu.cache.limit; walk != x.walk.Load() {
		x.walk.Store(walk)
	}
}

// trimLocked evicts some of the entries that are too many since patterns have gone. Amortised O(1): each was
// admitted before.
func (x *Index[T]) trimLocked() {
	c := &x.mu.cache
	for range maxTrim {
		if c.entries <= x.allowanceLocked() {
			break
		}
		i, last := x.vacateLocked(), len(c.clock)-1
		c.clock[i] = c.clock[last]
		c.clock[last] = nil
		c.clock = c.clock[:last]
	}
	if cap(c.clock) > minClock && cap(c.clock) > 4*len(c.clock) {
		c.clock = slices.Clone(c.clock)
	}
	x.weighLocked()
}

// vacateLocked returns an index of the clock that is free for a new entry, and evicts the entry that was there.
func (x *Index[T]) vacateLocked() int {
	c := &x.mu.cache
	for step := 0; ; step++ {
		if c.hand++; c.hand >= len(c.clock) {
			c.hand = 0
		}
		e := c.clock[c.hand]
		switch {
		case !isCacheEntry(e):
			return c.hand
		case step < maxClockSteps && e.unuse():
		default:
			c.entries--
			x.killLocked(e)
			x.weighLocked()
			return c.hand
		}
	}
}

func isCacheEntry[T comparable](e *entry[leaf[T]]) bool {
	return !e.dead() && e.payload.set.Load() == nil
}

// promotedLocked notes that a cache entry is about to get subscriptions of its own.
func (x *Index[T]) promotedLocked() {
	c := &x.mu.cache
	c.entries--
	x.weighLocked()
	if len(c.clock) <= minClock || len(c.clock) <= 2*c.entries {
		return
	}
	// The entry itself still counts as one; it will be dropped the next time.
	c.clock = slices.Clip(slices.DeleteFunc(c.clock, func(e *entry[leaf[T]]) bool { return !isCacheEntry(e) }))
	c.hand = 0
}

// killLocked takes e out of the table for good. Readers that hold on to it find no cached result there.
func (x *Index[T]) killLocked(e *entry[leaf[T]]) {
	e.payload.cached.Store(nil)
	e.payload.set.Store(nil)
	e.mark.Store(markDead)
	x.leaves.remove(e)
}

// dropCacheLocked removes all that the cache holds because of wildcard patterns, after the last of them has gone.
func (x *Index[T]) dropCacheLocked() {
	c := &x.mu.cache
	for _, e := range c.clock {
		if isCacheEntry(e) {
			x.killLocked(e)
		}
	}
	*c = cacheState[T]{limit: c.limit}
	x.sweepLocked()
	x.doorkeeper.forget()
}

// oweLocked accounts for memory that the cache may keep alive without need: a merge, which outlives its sets, or a
// replaced set, which outlives its pattern in leaves that no one has looked up since. When the debt has grown beyond
// a share of the table's size, everything in question is let go. So such memory is bounded by some 256 bytes per slot of
// the table and 4 MiB, for a T of 8 bytes, and the work is O(1) per unit.
func (x *Index[T]) oweLocked(units int) {
	if x.mu.cache.debt += units; x.mu.cache.debt > x.maxDebtLocked() {
		x.sweepLocked()
	}
}

func (x *Index[T]) maxDebtLocked() int {
	if t := x.leaves.Load(); t != nil {
		return minDebt + debtPerSlot*len(t.slots)
	}
	return minDebt
}

// sweepLocked lets go of all merges, and of results that are older than the remembered changes.
func (x *Index[T]) sweepLocked() {
	x.mu.cache.merges, x.mu.cache.debt = nil, 0
	t := x.leaves.Load()
	if t == nil {
		return
	}
	generation := x.generation.Load()
	for i := range t.slots {
		e := t.slots[i].Load()
		if e == nil {
			continue
		}
		cached := e.payload.cached.Load()
		if cached == nil || cached == e.payload.set.Load() {
			continue
		}
		if cached.kind == merge || generation-e.payload.generation.Load() >= recentChanges {
			e.payload.cached.Store(nil)
		}
	}
}

package sublist

import "github.com/natsd/natsd/internal/subject"

// Reader matches subjects for one goroutine at a time. The zero value is ready. It is five words until its first
// match of a subject that is not cached, and must not be copied after use.
//
// A Reader remembers its last subject's entry, so that a run of messages on one subject skips the lookup.
type Reader[T comparable] struct {
	index   *Index[T]       // last belongs to it
	last    *entry[leaf[T]] // entry of the last subject that had one; may have left the table since
	scratch *scratchpad[T]

	missed struct { // not counted in the index yet, see Settle
		index *Index[T]
		n     int64
	}
}

// scratchpad is the memory for results that are not cached.
type scratchpad[T comparable] struct {
	sets   []*Result[T]
	result Result[T]
	merger merger[T]
}

// Reset drops every reference to an index and its subscriptions, and all memory, for a Reader that is put aside.
func (r *Reader[T]) Reset() {
	r.Settle()
	*r = Reader[T]{}
}

// Match returns the subscriptions in x that match subject, never nil. If exactly one pattern matches, that is the
// pattern's own set, the same pointer for every subject and every Reader. subject is not kept. Bytes '*' and '>' in it
// have no special meaning; if it has an empty token, nobody matches (docs/spec/client-protocol.md §6.3).
//
// The result reflects every Insert and Remove that returned before Match was called, and any part of those under way.
//
// Hot path: once per message. 0 allocs/op in steady state (TestMatchAllocs, BenchmarkMatch).
// Fast path: same subject as the last time. Slow path: lookup, then miss. Locks: none that it would wait for.
func (r *Reader[T]) Match(x *Index[T], subject []byte) *Result[T] {
	// The order of loads matters: a leaf whose generation is at least the one of the index, loaded before, holds
	// a result that was right at some time since this match began.
	generation := x.generation.Load()
	if e := r.last; e != nil && r.index == x && e.key == string(subject) && e.payload.generation.Load() >= generation {
		if cached := e.payload.cached.Load(); cached != nil {
			return cached
		}
	}
	return r.lookup(x, view(subject), generation)
}

// MaxStamp is the largest stamp.
const MaxStamp = 1<<(32-markBits) - 1

// Stamp returns the stamp of the subject that was matched last, 0 if it has none, and whether it can have one.
//
// A stamp is a number that the caller leaves with a subject, up to MaxStamp, to find it again without a lookup of its own:
// it lies where Match has just read. It belongs to the subject alone, whatever is subscribed to it, and is lost when the
// index forgets the subject. Readers overwrite each other's.
//
// Hot path: once per message of a user with permissions. 0 allocs/op.
func (r *Reader[T]) Stamp(x *Index[T], subject []byte) (stamp uint32, possible bool) {
	e := r.last
	if e == nil || r.index != x || e.key != string(subject) {
		return 0, false // nothing matches it, or its matches are not cached
	}
	return e.mark.Load() >> markBits, true
}

// SetStamp sets the stamp of a subject for which Stamp has just said that it can have one.
func (r *Reader[T]) SetStamp(stamp uint32) { r.last.stamp(stamp) }

// lookup is Match by way of the table.
func (r *Reader[T]) lookup(x *Index[T], text string, generation uint64) *Result[T] {
	leaves := x.leaves.Load()
	if leaves == nil && x.root.Load() == nil {
		return &x.none
	}
	walk := x.walk.Load()
	bare := walk && !x.literal.Load()
	if bare {
		if result := r.walk(x, text); result != nil {
			return result
		}
	}
	hash := x.hasher.hash(text)
	e := leaves.findHash(slotHash(hash), text)
	if e == nil {
		if x.root.Load() == nil {
			return &x.none
		}
		if walk && !bare {
			if result := r.walk(x, text); result != nil {
				return result
			}
		}
		return r.missing(x, text, hash)
	}
	if cached := e.payload.current(x, text, generation); cached != nil {
		r.index, r.last = x, e
		e.use()
		return cached
	}
	return r.fill(x, e, text, hash)
}

// walk is Match for a subject without an entry of its own by way of the trie; nil if there is no result that may be kept.
func (r *Reader[T]) walk(x *Index[T], text string) *Result[T] {
	if !subject.WellFormed(text) {
		return nil
	}
	switch sets := r.collect(x, nil, text); len(sets) {
	case 0:
		r.miss(x)
		return &x.none
	case 1:
		r.miss(x)
		return sets[0]
	}
	return nil // a merge, which belongs into the cache
}

// missing is Match for a subject that has no entry while there are wildcard patterns, and that a walk has no answer for.
func (r *Reader[T]) missing(x *Index[T], text string, hash uint64) *Result[T] {
	if !subject.WellFormed(text) {
		return &x.none
	}
	if len(text) <= maxCachedSubject {
		seen, grow := x.doorkeeper.admit(hash)
		if seen {
			return r.fill(x, nil, text, hash)
		}
		if grow && x.tryLock() {
			x.doorkeeper.grow()
			x.mu.Unlock()
		}
	}
	return r.uncached(x, nil, text)
}

// fill computes the result for text and caches it, unless a writer is busy: a match does not wait.
func (r *Reader[T]) fill(x *Index[T], e *entry[leaf[T]], text string, hash uint64) *Result[T] {
	if x.tryLock() {
		entry, result := x.fillLocked(hash, text)
		x.mu.Unlock()
		if result != nil {
			r.miss(x)
			r.index, r.last = x, entry
			return result
		}
	}
	return r.uncached(x, e, text)
}

// miss counts a match in x that found no result at hand.
func (r *Reader[T]) miss(x *Index[T]) {
	if r.missed.index != x {
		r.Settle()
		r.missed.index = x
	}
	r.missed.n++
}

// Settle makes Index.Usage see what r has done. Between batches is a good time.
func (r *Reader[T]) Settle() {
	if r.missed.n > 0 {
		r.missed.index.misses.Add(r.missed.n)
		r.missed.n = 0
	}
}

// uncached computes the result for text, whose entry is e, nil if it has none.
func (r *Reader[T]) uncached(x *Index[T], e *entry[leaf[T]], text string) *Result[T] {
	r.miss(x)
	sets := r.collect(x, e, text)
	switch len(sets) {
	case 0:
		return &x.none
	case 1:
		return sets[0]
	}
	r.scratch.merger.merge(&r.scratch.result, sets)
	return &r.scratch.result
}

// collect returns the sets that match text, whose entry is e, nil if it has none. They are good until the next match.
func (r *Reader[T]) collect(x *Index[T], e *entry[leaf[T]], text string) []*Result[T] {
	if r.scratch == nil {
		r.scratch = &scratchpad[T]{sets: make([]*Result[T], 0, 8)}
	}
	sets := r.scratch.sets[:0]
	if e != nil {
		if own := e.payload.set.Load(); own != nil {
			sets = append(sets, own)
		}
	}
	if root := x.root.Load(); root != nil {
		sets = root.collect(text, sets)
	}
	r.scratch.sets = sets
	return sets
}

// current returns the cached result of e, nil if it may be out of date. A result that is older than the latest
// wildcard changes, none of which concerns the subject, is marked as up to date.
//
// The store races with those of other readers and of fillLocked, and may set the generation back. That does no harm:
// a result is right for all generations from when it was filled until the stored one, as long as fillLocked stores
// the generation of its time, which cannot be below one loaded earlier.
func (l *leaf[T]) current(x *Index[T], text string, generation uint64) *Result[T] {
	known := l.generation.Load()
	if known >= generation {
		return l.cached.Load()
	}
	if !x.unaffected(text, known, generation) {
		return nil
	}
	cached := l.cached.Load()
	if cached != nil {
		l.generation.Store(generation)
	}
	return cached
}

package sublist

import (
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/natsd/natsd/internal/subject"
)

// Index finds the subscriptions that match a subject. One serves one account. Any number of Readers match at the same
// time as any number of goroutines insert and remove. New makes one; the zero value is of no use.
type Index[T comparable] struct {
	hasher hasher                    // set by New, never written again
	none   Result[T]                 // the empty result; set by New, never written again
	told   func(v T, pattern string) // see NewTelling; nil: nobody wants to know

	// Loaded by every match without a lock; stored with mu held. Only changes of wildcard patterns and growth store
	// here, so that a SUB or UNSUB on a literal subject leaves the cache line of other cores alone.
	generation atomic.Uint64              // number of wildcard changes announced
	leaves     tableRef[leaf[T]]          // by literal subject: subscriptions and cached results
	root       atomic.Pointer[branch[T]]  // wildcard patterns; nil: there are none
	changes    atomic.Pointer[changeRing] // the latest wildcard changes; nil: there were none
	doorkeeper doorkeeper                 // decides which subjects are worth a cache entry
	walk       atomic.Bool                // the cache is as large as so few patterns deserve, see cache.go
	literal    atomic.Bool                // a literal subject has a subscription

	_ [64]byte // keeps what follows off the cache line above

	count   atomic.Int64 // subscriptions; stored with mu held
	misses  atomic.Int64 // matches that found no result at hand
	waiting atomic.Int32 // goroutines in Insert and Remove that want mu
	mu      struct {     // guards everything inside it, and every store to the table, the trie and their sets
		sync.Mutex
		literals int    // literal subjects with a subscription
		patterns int    // wildcard patterns with a subscription
		lastID   uint32 // Result.id given out last
		inserts  int64  // so far
		removes  int64
		cache    cacheState[T]
	}
}

// leaf is what the index knows about one literal subject: it has subscriptions, or a cached result, or both.
type leaf[T comparable] struct {
	set atomic.Pointer[Result[T]] // subscriptions on just this subject, nil if there are none

	// cached is everything that matches the subject, wildcards included; nil if unknown. It takes account of all
	// wildcard changes up to generation, and of set always.
	cached     atomic.Pointer[Result[T]]
	generation atomic.Uint64
}

// Stats is a snapshot of the size of an Index.
type Stats struct {
	Subscriptions int    // what Count returns
	Literals      int    // literal subjects that have subscriptions
	Patterns      int    // wildcard patterns that have subscriptions
	CacheEntries  int    // subjects without subscriptions of their own for which a result is cached
	Generation    uint64 // changes of wildcard patterns so far

	Inserts, Removes int64 // so far
	Misses           int64 // matches so far that found no result at hand, see Reader.Settle
}

// New returns an empty index, which takes some 300 bytes. Tables come with the first subscriptions.
func New[T comparable]() *Index[T] { return newLimited[T](maxCacheEntries) }

// NewTelling is New for values that keep their pattern: told is called with every value and the pattern as all values on it
// share it, before a Match can return the value. It runs with a lock held, and must not use the index.
func NewTelling[T comparable](told func(v T, pattern string)) *Index[T] {
	x := New[T]()
	x.told = told
	return x
}

func newLimited[T comparable](cacheEntries int) *Index[T] {
	x := &Index[T]{hasher: newHasher()}
	x.none.kind = set
	x.mu.cache.limit = cacheEntries
	return x
}

// Insert adds v under pattern, as a member of the queue group named queue or, if that is "", as a plain subscription.
// The same v may be added more than once and then counts as often. pattern must pass subject.ValidSubscription; it
// is copied if it is not known yet, queue is kept as it is.
//
// Insert returns the pattern as a string that all subscriptions on it share, so that the caller needs no copy. Every
// Match that starts after Insert has returned sees v. Locks: takes x.mu.
func (x *Index[T]) Insert(pattern []byte, queue string, v T) (canonical string) {
	text := view(pattern)
	wildcard := subject.HasWildcard(text)
	x.lock()
	defer x.mu.Unlock()
	x.count.Add(1)
	x.mu.inserts++
	if wildcard {
		return x.insertWildcardLocked(text, queue, v)
	}
	return x.insertLiteralLocked(text, queue, v)
}

// Remove takes one v under pattern and queue out of the index and reports whether it was there. No Match that starts
// after Remove has returned finds it. Cost: O(subscriptions on the pattern); RemoveAll is for many. Locks: takes x.mu.
func (x *Index[T]) Remove(pattern string, queue string, v T) bool {
	x.lock()
	defer x.mu.Unlock()
	found, _ := x.removeLocked(pattern, queue, v, math.MaxInt)
	return found
}

// removeLocked is Remove, unless v is among more than few: then it does nothing and reports a crowd.
func (x *Index[T]) removeLocked(pattern, queue string, v T, few int) (found, crowd bool) {
	if subject.HasWildcard(pattern) {
		found, crowd = x.removeWildcardLocked(pattern, queue, v, few)
	} else {
		found, crowd = x.removeLiteralLocked(pattern, queue, v, few)
	}
	if found {
		x.removedLocked(1)
	}
	return found, crowd
}

// removedLocked counts n subscriptions that have gone.
func (x *Index[T]) removedLocked(n int) {
	x.mu.removes += int64(n)
	x.count.Add(-int64(n))
}

// lock locks x.mu for a change. Matches that would like to fill the cache stand back as long as one waits: they
// come so thick and fast that a change would lose the race for the mutex for up to a millisecond.
func (x *Index[T]) lock() {
	x.waiting.Add(1)
	x.mu.Lock()
	x.waiting.Add(-1)
}

// tryLock locks x.mu for the cache if nobody else needs it.
func (x *Index[T]) tryLock() bool { return x.waiting.Load() == 0 && x.mu.TryLock() }

// Count returns the number of subscriptions. Locks: none.
func (x *Index[T]) Count() int { return int(x.count.Load()) }

// Stats returns the sizes of x. Locks: takes x.mu.
func (x *Index[T]) Stats() Stats {
	x.mu.Lock()
	defer x.mu.Unlock()
	return Stats{
		Subscriptions: x.Count(),
		Literals:      x.mu.literals,
		Patterns:      x.mu.patterns,
		CacheEntries:  x.mu.cache.entries,
		Generation:    x.generation.Load(),
		Inserts:       x.mu.inserts,
		Removes:       x.mu.removes,
		Misses:        x.misses.Load(),
	}
}

// tell tells v its pattern.
func (x *Index[T]) tell(v T, pattern string) {
	if x.told != nil {
		x.told(v, pattern)
	}
}

func (x *Index[T]) insertLiteralLocked(text, queue string, v T) string {
	hash := slotHash(x.hasher.hash(text))
	e := x.leaves.Load().findHash(hash, text)
	if e != nil {
		old := e.payload.set.Load()
		if old == nil {
			x.countLiteralLocked(1)
			x.promotedLocked()
		}
		x.tell(v, e.key)
		x.replaceLocked(&e.payload, old.with(queue, v, x.nextIDLocked()))
		return e.key
	}
	e = newEntry[leaf[T]](text, hash)
	x.tell(v, e.key)
	x.replaceLocked(&e.payload, (*Result[T])(nil).with(queue, v, x.nextIDLocked()))
	x.countLiteralLocked(1)
	x.leaves.add(x.hasher, e)
	return e.key
}

func (x *Index[T]) removeLiteralLocked(text, queue string, v T, few int) (found, crowd bool) {
	e := x.leafLocked(text)
	if e == nil {
		return false, false
	}
	old := e.payload.set.Load()
	if old.crowded(queue, few) {
		return false, true
	}
	next, found := old.without(queue, v, x.nextIDLocked())
	if found {
		x.shrinkLiteralLocked(e, next)
	}
	return found, false
}

// leafLocked returns the entry of a literal subject, nil if there is none.
func (x *Index[T]) leafLocked(text string) *entry[leaf[T]] {
	return x.leaves.Load().findHash(slotHash(x.hasher.hash(text)), text)
}

// shrinkLiteralLocked makes next, which is less than before and nil if nobody is left, the set of e.
func (x *Index[T]) shrinkLiteralLocked(e *entry[leaf[T]], next *Result[T]) {
	if next == nil {
		x.killLocked(e)
		x.countLiteralLocked(-1)
		return
	}
	x.replaceLocked(&e.payload, next)
}

// replaceLocked makes next the set of l. The store to l.set is the moment of the change: no cached result is in the
// way of it before or after. If no wildcard pattern had a part in the cached result, next is the new one at once,
// otherwise the next match merges again.
func (x *Index[T]) replaceLocked(l *leaf[T], next *Result[T]) {
	alone := x.aloneLocked(l)
	l.cached.Store(nil)
	l.set.Store(next)
	if alone {
		l.cached.Store(next)
		l.generation.Store(x.generation.Load())
	}
}

// aloneLocked reports whether it is known that no wildcard pattern matches the subject of l.
func (x *Index[T]) aloneLocked(l *leaf[T]) bool {
	if x.root.Load() == nil {
		return true
	}
	cached, old := l.cached.Load(), l.set.Load()
	return cached != nil && l.generation.Load() >= x.generation.Load() &&
		(cached == old || (old == nil && cached == &x.none))
}

func (x *Index[T]) insertWildcardLocked(text, queue string, v T) string {
	root := x.root.Load()
	if root == nil {
		root = new(branch[T])
		x.root.Store(root)
	}
	place := root.grow(x.hasher, text)
	old := place.set.Load()
	if old == nil {
		x.mu.patterns++
		x.weighLocked()
		*place.pattern = strings.Clone(text)
	}
	x.tell(v, *place.pattern)
	x.announceLocked(*place.pattern)
	place.set.Store(old.with(queue, v, x.nextIDLocked()))
	x.oweLocked(setUnits)
	return *place.pattern
}

func (x *Index[T]) removeWildcardLocked(text, queue string, v T, few int) (found, crowd bool) {
	place, found := x.root.Load().find(text)
	if !found {
		return false, false
	}
	old := place.set.Load()
	if old.crowded(queue, few) {
		return false, true
	}
	next, found := old.without(queue, v, x.nextIDLocked())
	if found {
		x.shrinkWildcardLocked(place, text, next)
	}
	return found, false
}

// shrinkWildcardLocked makes next, which is less than before and nil if nobody is left, the set at place, which is that of the
// pattern text.
func (x *Index[T]) shrinkWildcardLocked(place slotOf[T], text string, next *Result[T]) {
	old := place.set.Load()
	x.announceLocked(*place.pattern)
	place.set.Store(next)
	x.oweLocked(setUnits + old.size())
	if next != nil {
		return
	}
	x.mu.patterns--
	*place.pattern = ""
	if x.root.Load().prune(text) {
		x.root.Store(nil)
		x.dropCacheLocked()
	}
	x.trimLocked()
}

func (x *Index[T]) nextIDLocked() uint32 {
	x.mu.lastID++
	return x.mu.lastID
}

// view returns b as a string without a copy. The string is good only until b is written to: what is kept is cloned.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// countLiteralLocked counts n more literal subjects that have subscriptions. It comes before the first of them can be matched, and after the
// last can be: see Own.
func (x *Index[T]) countLiteralLocked(n int) {
	x.mu.literals += n
	if some := x.mu.literals > 0; some != x.literal.Load() {
		x.literal.Store(some)
	}
}

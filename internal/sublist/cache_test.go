package sublist

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// warm matches each subject until all are cached, or a number of rounds that no test should need.
func warm(t *testing.T, r *Reader[*member], x *Index[*member], subjects [][]byte) {
	t.Helper()
	for range 100 {
		for _, s := range subjects {
			r.Match(x, s)
		}
		if x.Stats().CacheEntries == len(subjects) {
			return
		}
	}
	t.Fatalf("%d of %d subjects are cached", x.Stats().CacheEntries, len(subjects))
}

// cachedResult returns what is cached for subject and up to date, nil if nothing is.
func cachedResult(x *Index[*member], subject string) *Result[*member] {
	e := x.leaves.Load().find(subject)
	if e == nil {
		return nil
	}
	return e.payload.current(x, subject, x.generation.Load())
}

func TestAdmittedOnSecondSight(t *testing.T) {
	x := New[*member]()
	x.Insert([]byte("a.*"), "", &member{})
	var r Reader[*member]
	r.Match(x, []byte("a.first")) // makes the doorkeeper's table
	for i, want := range []int{0, 1, 1} {
		r.Match(x, []byte("a.b"))
		if got := x.Stats().CacheEntries; got != want {
			t.Fatalf("%d cache entries after match %d, want %d", got, i+1, want)
		}
	}
}

// TestUniqueSubjectsStayOut: subjects that are used once neither enter the cache nor make it grow, and the doorkeeper
// stays within its bound.
func TestUniqueSubjectsStayOut(t *testing.T) {
	x := New[*member]()
	x.Insert([]byte("_INBOX.*.*"), "", &member{})
	var r Reader[*member]
	for i := range 300_000 {
		r.Match(x, fmt.Append(nil, "_INBOX.client.", i))
	}
	if got := x.Stats().CacheEntries; got > 10 {
		t.Errorf("%d of 300000 subjects seen once are cached", got)
	}
	if got := len(*x.doorkeeper.prints.Load()); got != maxPrints {
		t.Errorf("doorkeeper has %d fingerprints, want the bound of %d", got, maxPrints)
	}
}

// TestDoorkeeperStartsSmall: a few subjects do not pay for the full table.
func TestDoorkeeperStartsSmall(t *testing.T) {
	x := New[*member]()
	x.Insert([]byte(">"), "", &member{})
	var r Reader[*member]
	for range 3 {
		for i := range 20 {
			r.Match(x, fmt.Append(nil, "a.", i))
		}
	}
	if got := len(*x.doorkeeper.prints.Load()); got > 4*minPrints {
		t.Errorf("doorkeeper has %d fingerprints after 20 subjects", got)
	}
}

// TestCollidingSubjectsAreAdmitted: two subjects with the same doorkeeper slot, used in turn, do not lock each other out.
func TestCollidingSubjectsAreAdmitted(t *testing.T) {
	var d doorkeeper
	d.grow()
	for range 1000 {
		if seen, _ := d.admit(7<<32 | 1); seen {
			return
		}
		if seen, _ := d.admit(7<<32 | 3); seen {
			return
		}
	}
	t.Error("neither of two subjects was admitted in 1000 rounds")
}

func TestLongSubjectsAreNotCached(t *testing.T) {
	x := New[*member]()
	x.Insert([]byte(">"), "", &member{})
	var r Reader[*member]
	for _, n := range []int{maxCachedSubject, maxCachedSubject + 1} {
		for range 4 {
			if len(r.Match(x, bytes.Repeat([]byte("x"), n)).Plain) != 1 {
				t.Fatalf("a subject of %d bytes reaches nobody", n)
			}
		}
	}
	if got := x.Stats().CacheEntries; got != 1 {
		t.Errorf("%d cache entries, want only that of the shorter subject", got)
	}
}

// TestEvictionIsBounded: the cache holds no more than its limit, and what is used often stays.
func TestEvictionIsBounded(t *testing.T) {
	const limit = 100
	x := newLimited[*member](limit)
	x.Insert([]byte("a.*"), "", &member{})
	var r Reader[*member]
	hot := []byte("a.hot")
	warm(t, &r, x, [][]byte{hot})
	evicted := 0
	for i := range 5000 {
		for range 2 {
			r.Match(x, fmt.Append(nil, "a.", i))
		}
		if cachedResult(x, "a.hot") == nil {
			evicted++
		}
		r.Match(x, hot)
		r.Match(x, hot)
	}
	if got := x.Stats().CacheEntries; got != limit {
		t.Errorf("%d cache entries, want %d", got, limit)
	}
	if evicted > 0 {
		t.Errorf("a subject in constant use was evicted %d times", evicted)
	}
	checkStructure(t, x)
}

// deserve adds patterns, none of which matches much, until the cache may have n entries.
func deserve(x *Index[*member], n int) {
	for i := range n / allowancePerPattern {
		x.Insert(fmt.Appendf(nil, "pattern.%d.*", i), "", &member{})
	}
}

// TestFewPatternsAreWalked: with few patterns the cache stays small, whatever the number of subjects, except for
// those that need a merge; when patterns go, so do the entries they deserved.
func TestFewPatternsAreWalked(t *testing.T) {
	x := New[*member]()
	v := &member{}
	x.Insert([]byte("a.*"), "", v)
	var r Reader[*member]
	match := func(format string, n int) {
		for range 20 {
			for _, s := range subjects(n, format) {
				if got := len(r.Match(x, s).Plain); got == 0 {
					t.Fatalf("nobody matches %s", s)
				}
			}
		}
	}
	match("a.%d", 1000)
	if got := x.Stats().CacheEntries; got != minAllowance {
		t.Errorf("%d cache entries with one pattern, want %d", got, minAllowance)
	}
	x.Insert([]byte("b.*"), "", v)
	x.Insert([]byte("*.7"), "", v)
	match("b.%d", 8)
	if cachedResult(x, "b.7") == nil {
		t.Error("a merge was not cached")
	}
	var patterns []string
	for i := range 100 {
		patterns = append(patterns, x.Insert(fmt.Appendf(nil, "c.%d.*", i), "", v))
	}
	match("a.%d", 1000)
	if got := x.Stats().CacheEntries; got < 900 {
		t.Errorf("%d cache entries with many patterns, want most of 1000", got)
	}
	for _, pattern := range patterns {
		x.Remove(pattern, "", v)
	}
	if got, most := x.Stats().CacheEntries, allowancePerPattern*3; got > most {
		t.Errorf("%d cache entries after the patterns have gone, want at most %d", got, most)
	}
	checkStructure(t, x)
}

// TestWalksAreMisses: what is matched by walking found no result at hand.
func TestWalksAreMisses(t *testing.T) {
	x := New[*member]()
	x.Insert([]byte("a.b.*"), "", &member{})
	var r Reader[*member]
	for _, s := range subjects(100, "a.b.%d") {
		r.walk(x, string(s))
	}
	r.Settle()
	if got := x.Stats().Misses; got != 100 {
		t.Errorf("%d misses, want 100", got)
	}
}

// TestEvictionWhenAllAreInUse: the clock hand does not go round in search of an idle entry for ever.
func TestEvictionWhenAllAreInUse(t *testing.T) {
	const limit = 4 * maxClockSteps
	x := newLimited[*member](limit)
	x.Insert([]byte("a.*"), "", &member{})
	deserve(x, limit)
	var r Reader[*member]
	list := subjects(limit, "a.%d")
	warm(t, &r, x, list)
	for _, s := range list {
		r.Match(x, s)
	}
	for range 64 { // the doorkeeper remembers a subject that collides every other time
		r.Match(x, []byte("a.new"))
	}
	if cachedResult(x, "a.new") == nil || x.Stats().CacheEntries != limit {
		t.Errorf("the new subject was not cached, stats %+v", x.Stats())
	}
	checkStructure(t, x)
}

// TestCacheEntriesBecomeLiterals: promotions leave nothing behind in the clock that would add up.
func TestCacheEntriesBecomeLiterals(t *testing.T) {
	x := newLimited[*member](1000)
	x.Insert([]byte("a.*"), "", &member{})
	var r Reader[*member]
	for round := range 20 {
		list := subjects(500, fmt.Sprintf("a.%d-%%d", round))
		for range 50 {
			for _, s := range list {
				r.Match(x, s)
			}
		}
		for _, s := range list {
			x.Insert(s, "", &member{})
		}
		checkStructure(t, x)
	}
	if got := len(x.mu.cache.clock); got > minClock+1 {
		t.Errorf("clock has %d entries, of which none is a cache entry", got)
	}
}

// TestUnrelatedChangesKeepTheCache: a change leaves alone what it cannot match, merged results included.
func TestUnrelatedChangesKeepTheCache(t *testing.T) {
	x := New[*member]()
	v := &member{}
	x.Insert([]byte("a.*"), "", v)
	x.Insert([]byte("a.>"), "", v)
	var r, other Reader[*member]
	warm(t, &r, x, [][]byte{[]byte("a.b")})
	want := r.Match(x, []byte("a.b"))
	for i := range 10 * recentChanges {
		for _, pattern := range []string{"b.*", "a.c", "a.*.x", "b", "*.c", "a"} {
			x.Insert([]byte(pattern), "", v)
			if i%2 == 0 {
				if cachedResult(x, "a.b") != want {
					t.Fatalf("SUB %s dropped the result for a.b", pattern)
				}
			}
			x.Remove(pattern, "", v)
		}
		if cachedResult(x, "a.b") != want || other.Match(x, []byte("a.b")) != want {
			t.Fatal("UNSUB dropped the result for a.b")
		}
	}
	for range 10 * recentChanges { // so many that the patterns are forgotten
		x.Insert([]byte("b.*"), "", v)
		x.Remove("b.*", "", v)
	}
	if cachedResult(x, "a.b") != nil {
		t.Error("a result older than the remembered changes counts as current")
	}
	if r.Match(x, []byte("a.b")) != want {
		t.Error("the same sets were merged anew")
	}
}

// TestChangesReachTheCache: every kind of change that matches a cached subject shows at the next match.
func TestChangesReachTheCache(t *testing.T) {
	x := New[*member]()
	var r Reader[*member]
	var o oracle
	stay := &member{0}
	x.Insert([]byte("a.>"), "", stay)
	o.insert("a.>", "", stay)
	warm(t, &r, x, [][]byte{[]byte("a.b.c")})
	for _, pattern := range []string{"a.b.c", "a.*.c", "a.>", ">", "*.*.*", "a.b.>", "*.b.c"} {
		for _, queue := range []string{"", "q"} {
			v := &member{1}
			x.Insert([]byte(pattern), queue, v)
			o.insert(pattern, queue, v)
			o.expect(t, &r, x, "a.b.c")
			x.Remove(pattern, queue, v)
			o.remove(pattern, queue, v)
			o.expect(t, &r, x, "a.b.c")
		}
	}
}

// TestMergesAreBounded: merged results that nobody can get any more go away.
func TestMergesAreBounded(t *testing.T) {
	x := New[*member]()
	for i := range 100 {
		x.Insert([]byte("a.*"), "", &member{i})
		x.Insert([]byte("*.b"), "", &member{i})
	}
	var r Reader[*member]
	warm(t, &r, x, [][]byte{[]byte("a.b")})
	v := &member{}
	for range 20_000 {
		x.Insert([]byte("a.*"), "", v)
		r.Match(x, []byte("a.b"))
		x.Remove("a.*", "", v)
		units := 0
		for _, m := range x.mu.cache.merges {
			units += mergeUnits + m.size()
		}
		if units > x.maxDebtLocked() {
			t.Fatalf("cache keeps merges of %d units, bound %d", units, x.maxDebtLocked())
		}
	}
	if len(x.mu.cache.merges) == 0 {
		t.Error("merges are not kept at all")
	}
}

// TestHugeMergeIsNotCached: a merge too large to keep is made in the Reader's memory each time, and is right.
func TestHugeMergeIsNotCached(t *testing.T) {
	x := New[*member]()
	v := &member{}
	for range minDebt / 4 {
		x.Insert([]byte("a.*"), "", v)
	}
	x.Insert([]byte("a.>"), "", v)
	var r Reader[*member]
	for range 4 {
		if got := r.Match(x, []byte("a.b")); got.Stable() || len(got.Plain) != minDebt/4+1 {
			t.Fatalf("stable %v, %d subscriptions", got.Stable(), len(got.Plain))
		}
	}
}

// TestSweepDropsOldResults: a cached result that nobody asks for does not keep removed subscriptions alive for ever.
func TestSweepDropsOldResults(t *testing.T) {
	x := New[*member]()
	v := &member{}
	x.Insert([]byte("a.*"), "", v)
	var r Reader[*member]
	warm(t, &r, x, [][]byte{[]byte("a.b")})
	e := x.leaves.Load().find("a.b")
	x.Insert([]byte("a.*"), "", v)
	for range minDebt {
		x.Insert([]byte("b.*"), "", v)
		x.Remove("b.*", "", v)
		if e.payload.cached.Load() == nil {
			return
		}
	}
	t.Error("an outdated result is still held")
}

// TestLastWildcardEmptiesTheCache: without wildcard patterns there is nothing to cache.
func TestLastWildcardEmptiesTheCache(t *testing.T) {
	x := New[*member]()
	v := &member{}
	x.Insert([]byte("a.*"), "", v)
	x.Insert([]byte("a.b"), "", v)
	var r Reader[*member]
	list := subjects(100, "a.%d")
	warm(t, &r, x, list)
	x.Remove("a.*", "", v)
	if got := x.Stats(); got.CacheEntries != 0 || got.Patterns != 0 || got.Literals != 1 {
		t.Errorf("stats %+v", got)
	}
	if x.doorkeeper.prints.Load() != nil || !r.Match(x, list[7]).Empty() || len(r.Match(x, []byte("a.b")).Plain) != 1 {
		t.Error("the cache or the doorkeeper is still in use")
	}
	checkStructure(t, x)
}

// TestReaderOutlivesEntry: the Reader's last entry was evicted, and the subject has got a new one since.
func TestReaderOutlivesEntry(t *testing.T) {
	x := newLimited[*member](1)
	x.Insert([]byte(">"), "", &member{})
	var r, other Reader[*member]
	warm(t, &r, x, [][]byte{[]byte("a")})
	for range 3 {
		other.Match(x, []byte("b"))
	}
	x.Insert([]byte("a"), "", &member{})
	if got := len(r.Match(x, []byte("a")).Plain); got != 2 {
		t.Errorf("%d subscriptions, want 2", got)
	}
}

// TestMatchDoesNotWait: a match that could fill the cache goes on without when a change holds the lock.
func TestMatchDoesNotWait(t *testing.T) {
	x := New[*member]()
	x.Insert([]byte("a.*"), "", &member{})
	x.Insert([]byte("*.b"), "", &member{})
	x.Insert([]byte("a.b"), "", &member{})
	var r Reader[*member]
	x.mu.Lock()
	for range 3 {
		if got := r.Match(x, []byte("a.b")); len(got.Plain) != 3 || got.Stable() {
			t.Fatalf("got %+v", got)
		}
		if got := r.Match(x, []byte("a.c")); len(got.Plain) != 1 || !got.Stable() {
			t.Fatalf("got %+v", got)
		}
	}
	x.mu.Unlock()
	if got := r.Match(x, []byte("a.b")); len(got.Plain) != 3 || !got.Stable() {
		t.Fatalf("got %+v", got)
	}
}

// TestHashOfAnyLength: keys that differ in one byte, or in length only, have different hashes.
func TestHashOfAnyLength(t *testing.T) {
	h := newHasher()
	seen := map[uint64]string{}
	for n := range 70 {
		key := strings.Repeat("x", n)
		for i := range max(n, 1) {
			s := key
			if n > 0 && i > 0 {
				s = key[:i] + "y" + key[i+1:]
			}
			if other, found := seen[h.hash(s)]; found {
				t.Fatalf("%q and %q have the same hash", s, other)
			}
			seen[h.hash(s)] = s
		}
	}
}

// TestHashSpreads: subjects that differ in digits only fill a table without long probes.
func TestHashSpreads(t *testing.T) {
	h := newHasher()
	const buckets = 1 << 14
	for _, format := range []string{"%d", "acct.17.device.%d.evt", "%d.orders", "a.very.long.prefix.of.every.subject.%d"} {
		var counts [buckets]int
		for i := range buckets {
			counts[slotHash(h.hash(fmt.Sprintf(format, i)))%buckets]++
		}
		empty, most := 0, 0
		for _, n := range counts {
			if n == 0 {
				empty++
			}
			most = max(most, n)
		}
		// A random function leaves 1/e = 36.8 % of the buckets empty, and rarely puts more than 8 in one.
		if share := float64(empty) / buckets; share < 0.34 || share > 0.40 || most > 14 {
			t.Errorf("%q: %.1f %% of the buckets are empty, the fullest holds %d", format, 100*share, most)
		}
	}
}

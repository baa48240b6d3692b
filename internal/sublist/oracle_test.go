package sublist

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/natsd/natsd/internal/subject"
)

// member is what the tests index: like the subscriptions of a broker, told apart by its address.
type member struct {
	name int
}

// oracle is an index that is obviously right: a list of all subscriptions, and a matcher that works on split strings.
type oracle struct {
	list []subscription
}

type subscription struct {
	pattern, queue string
	v              *member
}

func (o *oracle) insert(pattern, queue string, v *member) {
	o.list = append(o.list, subscription{pattern, queue, v})
}

func (o *oracle) remove(pattern, queue string, v *member) bool {
	i := slices.Index(o.list, subscription{pattern, queue, v})
	if i >= 0 {
		o.list = slices.Delete(o.list, i, i+1)
	}
	return i >= 0
}

// removeSome removes up to half of what there is, and one, at once, from o and from x. Some of it may be there no more, or not
// with this member.
func (o *oracle) removeSome(t testing.TB, x *Index[*member], random *rand.Rand) {
	t.Helper()
	if len(o.list) == 0 {
		return
	}
	gone := slices.Clone(o.list)
	random.Shuffle(len(gone), func(i, j int) { gone[i], gone[j] = gone[j], gone[i] })
	gone = gone[:1+random.IntN(1+len(gone)/2)]
	if random.IntN(2) == 0 {
		gone = append(gone, gone[0], subscription{gone[0].pattern, gone[0].queue, &member{-1}}, subscription{"nobody.here", "q", gone[0].v})
	}
	want := 0
	for _, s := range gone {
		if o.remove(s.pattern, s.queue, s.v) {
			want++
		}
	}
	at := func(i int) (string, string, *member) { return gone[i].pattern, gone[i].queue, gone[i].v }
	var later []int
	got := x.removeAll(len(gone), at, removal{
		few: random.IntN(4), fewGoing: random.IntN(3), crowd: random.IntN(4), later: func(i int) { later = append(later, i) },
	})
	got += x.RemoveAll(len(later), func(i int) (string, string, *member) { return at(later[i]) })
	if got != want {
		t.Fatalf("RemoveAll(%v) = %d, want %d", gone, got, want)
	}
}

func (o *oracle) match(subject string) answer {
	found := answer{}
	for _, s := range o.list {
		if naiveMatch(strings.Split(s.pattern, "."), strings.Split(subject, ".")) {
			found.add(s.queue, s.v)
		}
	}
	return found
}

func (o *oracle) distinctPatterns() (literals, patterns int) {
	seen := map[string]bool{}
	for _, s := range o.list {
		if seen[s.pattern] {
			continue
		}
		seen[s.pattern] = true
		tokens := strings.Split(s.pattern, ".")
		if slices.Contains(tokens, "*") || slices.Contains(tokens, ">") {
			patterns++
		} else {
			literals++
		}
	}
	return literals, patterns
}

func naiveMatch(pattern, subject []string) bool {
	if slices.Contains(subject, "") {
		return false
	}
	for i, token := range pattern {
		switch {
		case token == ">" && i == len(pattern)-1:
			return len(subject) > i
		case i >= len(subject) || (token != "*" && token != subject[i]):
			return false
		}
	}
	return len(pattern) == len(subject)
}

// answer counts who matched: by queue group ("" for plain), by member.
type answer map[string]map[*member]int

func (a answer) add(queue string, v *member) {
	if a[queue] == nil {
		a[queue] = map[*member]int{}
	}
	a[queue][v]++
}

func (a answer) equal(b answer) bool {
	if len(a) != len(b) {
		return false
	}
	for queue, members := range a {
		if len(members) != len(b[queue]) {
			return false
		}
		for v, n := range members {
			if b[queue][v] != n {
				return false
			}
		}
	}
	return true
}

func (a answer) String() string {
	var lines []string
	for queue, members := range a {
		for v, n := range members {
			lines = append(lines, fmt.Sprintf("%q:%d x%d", queue, v.name, n))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, " ")
}

// answerOf reads a Result and checks what has to hold for every one of them.
func answerOf(t testing.TB, r *Result[*member]) answer {
	t.Helper()
	found := answer{}
	for _, v := range r.Plain {
		found.add("", v)
	}
	for _, q := range r.Queues() {
		if q.Name == "" || found[q.Name] != nil || len(q.Members) == 0 {
			t.Fatalf("result has a queue group %q that is unnamed, empty or there twice: %+v", q.Name, r.Queues())
		}
		for _, v := range q.Members {
			found.add(q.Name, v)
		}
	}
	if r.Empty() != (len(found) == 0) {
		t.Fatalf("Empty() = %v for %v", r.Empty(), found)
	}
	return found
}

// expect fails unless the reader finds in x what the oracle finds. It asks a few times, since the first two
// matches of a subject are answered in other ways than later ones.
func (o *oracle) expect(t testing.TB, r *Reader[*member], x *Index[*member], subject string) {
	t.Helper()
	want := o.match(subject)
	for i := range 4 {
		if got := answerOf(t, r.Match(x, []byte(subject))); !got.equal(want) {
			t.Fatalf("match %d of %q:\n got %v\nwant %v", i+1, subject, got, want)
		}
	}
	o.expectWalk(t, r, x, subject, want)
	o.expectKin(t, x, subject)
}

// expectKin fails unless all subjects that differ from this one in a token have the same matches, where x says so.
func (o *oracle) expectKin(t testing.TB, x *Index[*member], text string) (found int) {
	t.Helper()
	tokens := strings.Split(text, ".")
	if slices.Contains(tokens, "") {
		return 0
	}
	at := 0
	for i, token := range tokens {
		if x.AnyToken([]byte(text), at) {
			found++
			for _, other := range []string{"a", "b", "ab", "*", ">", "none", "1"} {
				tokens[i] = other
				kin := strings.Join(tokens, ".")
				own := slices.ContainsFunc(o.list, func(s subscription) bool { return s.pattern == kin && !subject.HasWildcard(kin) })
				if x.Own([]byte(kin)) != own {
					t.Fatalf("Own(%q) = %v", kin, !own)
				}
				if !own && !o.match(kin).equal(o.match(text)) {
					t.Fatalf("AnyToken(%q, %d), but:\n%v\n%q has:\n%v", text, at, o.match(text), kin, o.match(kin))
				}
			}
			tokens[i] = token
		}
		at += len(token) + 1
	}
	return found
}

// expectWalk does the same for the way that is taken while there are few patterns, if there is an answer on that.
func (o *oracle) expectWalk(t testing.TB, r *Reader[*member], x *Index[*member], text string, want answer) {
	t.Helper()
	if x.root.Load() == nil || !subject.HasWildcard(text) && slices.ContainsFunc(o.list, func(s subscription) bool { return s.pattern == text }) {
		return // it has an entry of its own
	}
	if result := r.walk(x, text); result != nil {
		if got := answerOf(t, result); !got.equal(want) {
			t.Fatalf("walk for %q:\n got %v\nwant %v", text, got, want)
		}
	}
}

// check compares the sizes of x with the oracle's.
func (o *oracle) check(t testing.TB, x *Index[*member]) {
	t.Helper()
	stats := x.Stats()
	literals, patterns := o.distinctPatterns()
	if stats.Subscriptions != len(o.list) || stats.Literals != literals || stats.Patterns != patterns {
		t.Fatalf("stats %+v, want %d subscriptions, %d literals, %d patterns", stats, len(o.list), literals, patterns)
	}
	checkStructure(t, x)
}

// checkStructure verifies the invariants of the table, the cache and the trie that no match shows.
func checkStructure(t testing.TB, x *Index[*member]) {
	t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	literals, cached, occupied := 0, 0, 0
	if table := x.leaves.Load(); table != nil {
		for i := range table.slots {
			e := table.slots[i].Load()
			if e != nil {
				occupied++
			}
			switch {
			case e == nil || e.hash == 0:
				continue
			case e.payload.set.Load() != nil:
				literals++
			default:
				cached++
				if !slices.Contains(x.mu.cache.clock, e) {
					t.Fatalf("cache entry %q is not in the clock", e.key)
				}
			}
			if table.findHash(e.hash, e.key) != e || e.dead() {
				t.Fatalf("entry %q cannot be found or is dead", e.key)
			}
		}
		if table.live != literals+cached || table.occupied != occupied {
			t.Fatalf("table counts %d, %d; holds %d, %d", table.live, table.occupied, literals+cached, occupied)
		}
	}
	if literals != x.mu.literals || cached != x.mu.cache.entries || cached > x.mu.cache.limit {
		t.Fatalf("%d literals, %d cache entries; counted %d, %d", literals, cached, x.mu.literals, x.mu.cache.entries)
	}
	if len(x.mu.cache.clock) > x.mu.cache.limit {
		t.Fatalf("clock of %d entries, limit %d", len(x.mu.cache.clock), x.mu.cache.limit)
	}
	if root := x.root.Load(); root != nil {
		if n := countPatterns(t, root); n != x.mu.patterns {
			t.Fatalf("trie holds %d patterns, counted %d", n, x.mu.patterns)
		}
	} else if x.mu.patterns != 0 || cached != 0 {
		t.Fatalf("no trie, but %d patterns and %d cache entries", x.mu.patterns, cached)
	}
}

func countPatterns(t testing.TB, b *branch[*member]) int {
	n := 0
	if r := b.here.Load(); (r != nil) != (b.herePattern != "") || (r != nil && r.Empty()) {
		t.Fatalf("branch of %q has set %v", b.herePattern, r)
	} else if r != nil {
		n++
	}
	if r := b.tail.Load(); (r != nil) != (b.tailPattern != "") || (r != nil && r.Empty()) {
		t.Fatalf("branch of %q has set %v", b.tailPattern, r)
	} else if r != nil {
		n++
	}
	if star := b.star.Load(); star != nil {
		n += countPatterns(t, star)
	}
	if edges := b.edges.Load(); edges != nil {
		for i := range edges.slots {
			if e := edges.slots[i].Load(); e != nil && e.hash != 0 {
				n += countPatterns(t, &e.payload)
			}
		}
	}
	if n == 0 {
		t.Fatal("branch without a pattern was not pruned")
	}
	return n
}

// TestAgainstOracle runs random changes and matches on few tokens, so that most patterns and subjects overlap. The cache
// is small in half of the runs, so that it has to evict.
func TestAgainstOracle(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1))
		limit := maxCacheEntries
		if seed%2 == 0 {
			limit = 5
		}
		runRandom(t, newLimited[*member](limit), random, 600)
	}
}

func runRandom(t *testing.T, x *Index[*member], random *rand.Rand, steps int) {
	var (
		o       oracle
		readers [2]Reader[*member]
		members [6]member
		queues  = []string{"", "", "q", "r"}
		tokens  = []string{"a", "b", "ab", "a*", ">x", "*", ">"}
	)
	for i := range members {
		members[i].name = i
	}
	pick := func(last int) string {
		list := make([]string, 1+random.IntN(4))
		for i := range list {
			list[i] = tokens[random.IntN(len(tokens)-last)]
		}
		return strings.Join(list, ".")
	}
	for range steps {
		switch random.IntN(8) {
		case 3:
			if random.IntN(8) == 0 {
				o.removeSome(t, x, random)
			}
		case 0, 1:
			pattern := pick(1)
			if random.IntN(4) == 0 {
				pattern += ".>"
			}
			queue, v := queues[random.IntN(len(queues))], &members[random.IntN(len(members))]
			if got := x.Insert([]byte(pattern), queue, v); got != pattern {
				t.Fatalf("Insert(%q) = %q", pattern, got)
			}
			o.insert(pattern, queue, v)
		case 2:
			if len(o.list) == 0 {
				continue
			}
			s := o.list[random.IntN(len(o.list))]
			if random.IntN(4) == 0 {
				s.v = &members[random.IntN(len(members))]
			}
			if got, want := x.Remove(s.pattern, s.queue, s.v), o.remove(s.pattern, s.queue, s.v); got != want {
				t.Fatalf("Remove(%+v) = %v, want %v", s, got, want)
			}
		default:
			o.expect(t, &readers[random.IntN(2)], x, pick(0))
		}
	}
	o.check(t, x)
	if random.IntN(2) == 0 {
		for len(o.list) > 0 {
			o.removeSome(t, x, random)
			o.expect(t, &readers[0], x, pick(0))
		}
	}
	for len(o.list) > 0 {
		s := o.list[random.IntN(len(o.list))]
		if !x.Remove(s.pattern, s.queue, s.v) || !o.remove(s.pattern, s.queue, s.v) {
			t.Fatalf("Remove(%+v) did not find it", s)
		}
		o.expect(t, &readers[0], x, pick(0))
	}
	o.check(t, x)
	if x.leaves.Load() != nil || x.root.Load() != nil || x.mu.cache.merges != nil {
		t.Fatal("an index that was emptied keeps a table, a trie or merges")
	}
}

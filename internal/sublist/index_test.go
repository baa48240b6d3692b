package sublist

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"
)

func match(x *Index[*member], subject string) *Result[*member] {
	var r Reader[*member]
	return r.Match(x, []byte(subject))
}

// TestMatchRules has one case per sentence of docs/spec/client-protocol.md §6.1 and §6.3.
func TestMatchRules(t *testing.T) {
	for _, c := range []struct {
		name, pattern string
		hits, misses  []string
	}{
		{"literal", "foo.bar", []string{"foo.bar"}, []string{"foo", "foo.ba", "foo.bar.x", "Foo.bar", "foo.*", ">"}},
		{"star is one token", "foo.*", []string{"foo.bar", "foo.*", "foo.>"}, []string{"foo", "foo.a.b", "x.bar"}},
		{"star in front", "*.bar", []string{"foo.bar", "*.bar"}, []string{"bar", "a.foo.bar", "foo.baz"}},
		{"star in the middle", "a.*.c", []string{"a.b.c", "a.*.c"}, []string{"a.c", "a.b.b.c", "a.b.d"}},
		{"star star", "*.*", []string{"foo.bar", "foo.*"}, []string{"foo", "a.b.c"}},
		{"only a star", "*", []string{"foo", "*", ">"}, []string{"foo.bar"}},
		{"rest is one or more", "foo.>", []string{"foo.a", "foo.a.b", "foo.*", "foo.>"}, []string{"foo", "fo.a"}},
		{"everything", ">", []string{"foo", "foo.bar", "*", ">"}, nil},
		{"star then rest", "*.>", []string{"foo.a", "foo.a.b"}, []string{"foo"}},
		{"star inside a token", "foo*", []string{"foo*"}, []string{"foo", "foox"}},
		{"rest inside a token", ">x.a", []string{">x.a"}, []string{"x.a", "yx.a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := New[*member]()
			x.Insert([]byte(c.pattern), "", &member{})
			var r Reader[*member]
			for _, s := range c.hits {
				for range 3 {
					if r.Match(x, []byte(s)).Empty() {
						t.Errorf("%q does not reach %q", s, c.pattern)
					}
				}
			}
			for _, s := range append(c.misses, "", ".", "foo.", ".foo", "foo..bar", "foo.bar.", "a..c", "..") {
				for range 3 {
					if !r.Match(x, []byte(s)).Empty() {
						t.Errorf("%q reaches %q", s, c.pattern)
					}
				}
			}
		})
	}
}

// TestQueueGroupsMerge: members on "foo" and on "foo.*" with the same queue name are one group (§6.4).
func TestQueueGroupsMerge(t *testing.T) {
	x := New[*member]()
	var o oracle
	add := func(pattern, queue string, name int) {
		v := &member{name}
		x.Insert([]byte(pattern), queue, v)
		o.insert(pattern, queue, v)
	}
	add("foo.bar", "q", 1)
	add("foo.bar", "q", 2)
	add("foo.bar", "", 3)
	add("foo.*", "q", 4)
	add("foo.>", "r", 5)
	add(">", "a", 6)
	add(">", "", 7)
	add("*.*", "q", 8)
	add("*.*", "a", 9)
	var r Reader[*member]
	for _, s := range []string{"foo.bar", "foo.x", "foo.x.y", "x"} {
		o.expect(t, &r, x, s)
	}
	if got := match(x, "foo.bar"); len(got.Queues()) != 3 || len(got.Plain) != 2 {
		t.Errorf("groups %+v, plain %v", got.Queues(), got.Plain)
	}
	o.check(t, x)
}

// TestManyGroupsMerge sorts and joins more groups than a simple sort would take.
func TestManyGroupsMerge(t *testing.T) {
	x := New[*member]()
	var o oracle
	for i := range 300 {
		v := &member{i}
		pattern, queue := []string{"foo", "*", ">"}[i%3], fmt.Sprint("q", i*7%40)
		x.Insert([]byte(pattern), queue, v)
		o.insert(pattern, queue, v)
	}
	var r Reader[*member]
	o.expect(t, &r, x, "foo")
	o.expect(t, &r, x, "bar")
	o.expect(t, &r, x, "bar.foo")
}

// TestSetIsReturnedItself: a subject that matches one set gets that set's pointer, whatever the way it was found.
func TestSetIsReturnedItself(t *testing.T) {
	x := New[*member]()
	x.Insert([]byte("orders.*"), "", &member{1})
	x.Insert([]byte("stock"), "", &member{2})
	var r, other Reader[*member]
	want := r.Match(x, []byte("orders.0"))
	if !want.Stable() || len(want.Plain) != 1 {
		t.Fatalf("result of one set is %+v", want)
	}
	for round := range 3 {
		for i := range 1000 {
			if got := r.Match(x, fmt.Append(nil, "orders.", i)); got != want {
				t.Fatalf("round %d: orders.%d has a result of its own", round, i)
			}
		}
	}
	if other.Match(x, []byte("orders.7")) != want {
		t.Error("another reader gets another result")
	}
	if a, b := r.Match(x, []byte("stock")), other.Match(x, []byte("stock")); a != b || !a.Stable() || a == want {
		t.Error("a literal set is not returned itself")
	}
	x.Insert([]byte("orders.*"), "", &member{3})
	if got := r.Match(x, []byte("orders.0")); got == want || len(got.Plain) != 2 || len(want.Plain) != 1 {
		t.Error("a changed set kept its pointer, or the old one changed")
	}
}

// TestMergeIsShared: subjects that match the same sets share one merged result once they are cached.
func TestMergeIsShared(t *testing.T) {
	x := New[*member]()
	x.Insert([]byte("orders.*"), "", &member{1})
	x.Insert([]byte("orders.>"), "", &member{2})
	var r Reader[*member]
	if r.Match(x, []byte("orders.0")).Stable() {
		t.Error("the first sight of a subject was cached")
	}
	seen := map[*Result[*member]]bool{}
	for range 50 { // subjects may share a fingerprint slot of the doorkeeper and be admitted late
		for i := range 100 {
			r.Match(x, fmt.Append(nil, "orders.", i))
		}
	}
	for i := range 100 {
		result := r.Match(x, fmt.Append(nil, "orders.", i))
		if seen[result] = true; !result.Stable() || len(result.Plain) != 2 {
			t.Fatalf("orders.%d matches %+v", i, result)
		}
	}
	if len(seen) != 1 {
		t.Fatalf("%d results for subjects that match the same sets", len(seen))
	}
}

func TestResultsOfReadersAreApart(t *testing.T) {
	x := New[*member]()
	x.Insert([]byte("a.*"), "", &member{1})
	x.Insert([]byte("*.b"), "", &member{2})
	x.Insert([]byte("*.c"), "", &member{3})
	var r1, r2 Reader[*member]
	one := r1.Match(x, []byte("a.b"))
	two := r2.Match(x, []byte("a.c"))
	if one == two || one.Stable() || two.Stable() || one.Plain[1].name+one.Plain[0].name != 3 {
		t.Fatalf("results %+v and %+v", one, two)
	}
}

func TestCanonicalIsShared(t *testing.T) {
	long := strings.Repeat("long.", 20)
	for _, pattern := range []string{"a", "foo.bar", "foo.*", "foo.>", ">", "*", long + "x", long + "*"} {
		x := New[*member]()
		buffer := []byte(pattern)
		first := x.Insert(buffer, "", &member{1})
		second := x.Insert(buffer, "q", &member{2})
		for i := range buffer {
			buffer[i] = '!' // the bytes are the caller's again
		}
		if first != pattern || second != pattern {
			t.Errorf("Insert(%q) = %q, %q", pattern, first, second)
		}
		if unsafe.StringData(first) != unsafe.StringData(second) {
			t.Errorf("two copies of %q", pattern)
		}
	}
}

// TestCanonicalOfCacheEntry: a subject that was cached before the first SUB on it, and is removed and added again.
func TestCanonicalOfCacheEntry(t *testing.T) {
	x := New[*member]()
	x.Insert([]byte(">"), "", &member{1})
	var r Reader[*member]
	for range 3 {
		r.Match(x, []byte("foo"))
	}
	if got := x.Stats(); got.CacheEntries != 1 || got.Literals != 0 {
		t.Fatalf("stats %+v", got)
	}
	v := &member{2}
	for range 3 {
		name := x.Insert([]byte("foo"), "", v)
		if got := x.Stats(); got.CacheEntries != 0 || got.Literals != 1 || len(r.Match(x, []byte("foo")).Plain) != 2 {
			t.Fatalf("stats %+v", got)
		}
		if !x.Remove(name, "", v) || len(r.Match(x, []byte("foo")).Plain) != 1 {
			t.Fatal("foo was not removed")
		}
	}
	checkStructure(t, x)
}

func TestRemoveWhatIsNotThere(t *testing.T) {
	x := New[*member]()
	v, w := &member{1}, &member{2}
	for _, pattern := range []string{"a.b", "a.*", "a.>", ">", "*"} {
		if x.Remove(pattern, "", v) {
			t.Errorf("removed %q from an empty index", pattern)
		}
	}
	x.Insert([]byte("a.b"), "", v)
	x.Insert([]byte("a.*.c"), "q", v)
	for _, c := range []struct {
		pattern, queue string
		v              *member
	}{
		{"a.b", "", w}, {"a.b", "q", v}, {"a.*.c", "", v}, {"a.*.c", "r", v}, {"a.*.c", "q", w}, {"a", "", v},
		{"a.*", "", v}, {"a.>", "", v}, {"a.*.d", "q", v}, {"a.*.c.>", "q", v}, {"*.b", "", v}, {"b.*", "", v},
	} {
		if x.Remove(c.pattern, c.queue, c.v) {
			t.Errorf("removed %q %q %d", c.pattern, c.queue, c.v.name)
		}
	}
	if x.Count() != 2 || !x.Remove("a.b", "", v) || !x.Remove("a.*.c", "q", v) || x.Count() != 0 {
		t.Error("what was there is not")
	}
	checkStructure(t, x)
}

// TestSameValueTwice: the value counts as often as it was inserted.
func TestSameValueTwice(t *testing.T) {
	x := New[*member]()
	v := &member{}
	x.Insert([]byte("a"), "", v)
	x.Insert([]byte("a"), "", v)
	if got := len(match(x, "a").Plain); got != 2 {
		t.Fatalf("%d subscriptions", got)
	}
	x.Remove("a", "", v)
	if got := len(match(x, "a").Plain); got != 1 || x.Count() != 1 {
		t.Fatalf("%d subscriptions, count %d", got, x.Count())
	}
}

// TestOldResultsStay: a reader may keep a stable result while the set grows and shrinks.
func TestOldResultsStay(t *testing.T) {
	x := New[*member]()
	var members [50]member
	var kept []*Result[*member]
	for i := range members {
		members[i].name = i
		x.Insert([]byte("a"), "", &members[i])
		x.Insert([]byte("a"), "q", &members[i])
		kept = append(kept, match(x, "a"))
	}
	for i := range members {
		x.Remove("a", "", &members[i])
		x.Remove("a", "q", &members[i])
		x.Insert([]byte("a"), "", &member{-1})
	}
	for n, r := range kept {
		for i := range n + 1 {
			if len(r.Plain) != n+1 || r.Plain[i] != &members[i] || r.Queues()[0].Members[i] != &members[i] {
				t.Fatalf("result of %d subscriptions changed: %v %v", n+1, r.Plain, r.Queues())
			}
		}
	}
}

func TestInsertionOrder(t *testing.T) {
	x := New[*member]()
	for i := range 10 {
		x.Insert([]byte("a.>"), "", &member{i})
	}
	r := match(x, "a.b")
	x.Remove("a.>", "", r.Plain[4])
	for i, v := range match(x, "a.b").Plain {
		if want := []int{0, 1, 2, 3, 5, 6, 7, 8, 9}[i]; v.name != want {
			t.Errorf("position %d holds %d, want %d", i, v.name, want)
		}
	}
}

func TestReaderSwitchesIndex(t *testing.T) {
	x, y := New[*member](), New[*member]()
	x.Insert([]byte("a"), "", &member{1})
	y.Insert([]byte("a"), "", &member{2})
	var r Reader[*member]
	for range 3 {
		if got := r.Match(x, []byte("a")).Plain[0].name; got != 1 {
			t.Fatalf("got %d from x", got)
		}
		if got := r.Match(y, []byte("a")).Plain[0].name; got != 2 {
			t.Fatalf("got %d from y", got)
		}
	}
	r.Reset()
	if r != (Reader[*member]{}) {
		t.Errorf("after Reset: %+v", r)
	}
	if r.Match(x, []byte("a")).Plain[0].name != 1 {
		t.Error("a Reader that was reset does not match")
	}
}

// TestOtherTypes: the values need not be pointers.
func TestOtherTypes(t *testing.T) {
	x := New[[3]string]()
	x.Insert([]byte("a"), "", [3]string{"x", "y", "z"})
	x.Insert([]byte("a"), "", [3]string{"1", "2", "3"})
	x.Insert([]byte("*"), "", [3]string{"p", "q", "r"})
	var r Reader[[3]string]
	if got := r.Match(x, []byte("a")).Plain; len(got) != 3 || got[0][2] != "z" {
		t.Errorf("got %v", got)
	}
	if !x.Remove("a", "", [3]string{"x", "y", "z"}) || len(r.Match(x, []byte("a")).Plain) != 2 {
		t.Error("not removed by value")
	}
}

// TestDeepPatterns: the depth of a pattern is not limited (§6.1).
func TestDeepPatterns(t *testing.T) {
	x := New[*member]()
	var o oracle
	prefix := strings.Repeat("a.", 2000)
	for i, pattern := range []string{prefix + "*", prefix + ">", strings.Repeat("*.", 2000) + "b", prefix + "b"} {
		v := &member{i}
		x.Insert([]byte(pattern), "", v)
		o.insert(pattern, "", v)
	}
	var r Reader[*member]
	o.expect(t, &r, x, prefix+"b")
	o.expect(t, &r, x, prefix+"c.d")
	for _, s := range o.list {
		if !x.Remove(s.pattern, s.queue, s.v) {
			t.Errorf("%.10q... was not removed", s.pattern)
		}
	}
	if x.root.Load() != nil {
		t.Error("the trie was not pruned")
	}
}

package sublist

import (
	"fmt"
	"runtime"
	"testing"
)

// heap returns the bytes of live objects.
func heap() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// TestLiteralBudget: half a million literal subscriptions cost 150 to 170 bytes each, the subject included.
func TestLiteralBudget(t *testing.T) {
	const n = 500_000
	members := make([]member, n)
	before := heap()
	x := New[*member]()
	var subject []byte
	for i := range members {
		subject = fmt.Appendf(subject[:0], "acct.%d.device.%d.evt", i%100, i)
		x.Insert(subject, "", &members[i])
	}
	each := float64(heap()-before) / n
	t.Logf("%.1f bytes per subscription", each)
	if each > 200 {
		t.Errorf("%.1f bytes per subscription, want at most 200", each)
	}
	runtime.KeepAlive(x)
}

// TestEmptyIsSmall: an account that nobody uses costs next to nothing.
func TestEmptyIsSmall(t *testing.T) {
	const n = 1000
	list := make([]*Index[*member], n)
	before := heap()
	for i := range list {
		list[i] = New[*member]()
	}
	if each := (heap() - before) / n; each > 512 {
		t.Errorf("an empty index takes %d bytes", each)
	}
	runtime.KeepAlive(list)
}

// TestChurnLeavesMemoryFlat: what a million subscriptions took is given back when they go, while one stays and
// while messages are matched.
func TestChurnLeavesMemoryFlat(t *testing.T) {
	x := New[*member]()
	var r Reader[*member]
	v := &member{}
	x.Insert([]byte("stay.*"), "", v)
	x.Insert([]byte("stay.here"), "", v)
	churnOnce := func(n int, format string) {
		for i := range n {
			s := fmt.Appendf(nil, format, i%100, i)
			x.Insert(s, "", v)
			r.Match(x, s)
		}
		for i := range n {
			if !x.Remove(fmt.Sprintf(format, i%100, i), "", v) {
				t.Fatal("a subscription is missing")
			}
		}
	}
	churnOnce(1000, "a.%d.%d")
	before := heap()
	for range 5 {
		churnOnce(100_000, "a.%d.%d")
		churnOnce(50_000, "b.%d.%d.*")
		churnOnce(50_000, "c.%d.*.%d.>")
	}
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("heap has grown by %d bytes", grown)
	}
	checkStructure(t, x)
	if got := len(x.leaves.Load().slots); got > 1024 {
		t.Errorf("table has %d slots for %+v", got, x.Stats())
	}
	runtime.KeepAlive(x)
}

// TestMatchAllocs: nothing on the way of a message allocates.
func TestMatchAllocs(t *testing.T) {
	x := New[*member]()
	for _, pattern := range []string{"lit", "lit.two", "wild.*", "both.x", "both.*", "many.*.c", "many.>", "*.b.c"} {
		for _, queue := range []string{"", "q", "r"} {
			x.Insert([]byte(pattern), queue, &member{})
		}
	}
	var r Reader[*member]
	unique := []byte("many.0000000000.c")
	for _, c := range []struct {
		name     string
		subjects []string
		unique   bool
	}{
		{name: "same literal", subjects: []string{"lit"}},
		{name: "literals in turn", subjects: []string{"lit", "lit.two"}},
		{name: "wildcard", subjects: []string{"wild.a", "wild.b"}},
		{name: "cached merge", subjects: []string{"both.x", "many.b.c"}},
		{name: "nobody", subjects: []string{"none", "none.at.all"}},
		{name: "malformed", subjects: []string{"wild..x", ""}},
		{name: "unique, merged", unique: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			list := make([][]byte, len(c.subjects))
			for i, s := range c.subjects {
				list[i] = []byte(s)
			}
			run := func() {
				for _, s := range list {
					r.Match(x, s)
				}
				if c.unique {
					for i := len("many.0000000000") - 1; ; i-- {
						if unique[i]++; unique[i] <= '9' {
							break
						}
						unique[i] = '0'
					}
					r.Match(x, unique)
				}
			}
			for range 10_000 { // the cache fills, the doorkeeper grows
				run()
			}
			if n := testing.AllocsPerRun(1000, run); n != 0 {
				t.Errorf("%.0f allocs per match, want 0", n)
			}
		})
	}
}

// TestRevalidationAllocs: a match after an unrelated wildcard change does not allocate either, though the change does.
func TestRevalidationAllocs(t *testing.T) {
	x := New[*member]()
	v := &member{}
	x.Insert([]byte("a.*"), "", v)
	x.Insert([]byte("a.>"), "", v)
	x.Insert([]byte("b.*"), "", v)
	var r Reader[*member]
	change := func() {
		x.Insert([]byte("b.*"), "", v)
		x.Remove("b.*", "", v)
	}
	for range 10 {
		r.Match(x, []byte("a.b"))
	}
	alone := testing.AllocsPerRun(1000, change)
	both := testing.AllocsPerRun(1000, func() { change(); r.Match(x, []byte("a.b")) })
	if alone != both {
		t.Errorf("%v allocs for a change, %v for a change and a match", alone, both)
	}
}

// TestRemoveAllIsLinear: twice as many subscriptions on one pattern take twice the copying when all of them go at once, and not
// four times, as they would one by one.
func TestRemoveAllIsLinear(t *testing.T) {
	for _, c := range []struct{ pattern, queue string }{{"lit", ""}, {"lit", "q"}, {"wild.*", ""}, {"wild.*", "q"}, {"many.groups", "each"}} {
		t.Run(c.pattern+" "+c.queue, func(t *testing.T) {
			copied := func(n int) uint64 {
				x := New[*member]()
				members := make([]member, n)
				queueOf := func(i int) string {
					if c.queue == "each" {
						return fmt.Sprint(i % (n / 4)) // n/4 groups of four
					}
					return c.queue
				}
				for i := range members {
					x.Insert([]byte(c.pattern), queueOf(i), &members[i])
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				removed := x.RemoveAll(n, func(i int) (string, string, *member) { return c.pattern, queueOf(i), &members[i] })
				runtime.ReadMemStats(&after)
				if removed != n || x.Count() != 0 {
					t.Fatalf("%d of %d were removed, %d are left", removed, n, x.Count())
				}
				return after.TotalAlloc - before.TotalAlloc
			}
			const n = 1 << 11
			once, twice := copied(n), copied(2*n)
			if twice > 3*once || twice > 2*n*1000 {
				t.Errorf("%d subscriptions take %d bytes, %d take %d", n, once, 2*n, twice)
			}
		})
	}
}

// TestOneLeavesCheaply: RemoveAll takes no more memory than Remove where one leaves a pattern with many: most clients have one subscription on a
// subject that many have, and those that are matched meanwhile wait for the lock.
func TestOneLeavesCheaply(t *testing.T) {
	for _, c := range []struct{ pattern, queue string }{{"lit", ""}, {"lit", "q"}, {"wild.*", ""}, {"wild.*", "q"}} {
		t.Run(c.pattern+" "+c.queue, func(t *testing.T) {
			x := New[*member]()
			members := make([]member, 1000)
			for i := range members {
				x.Insert([]byte(c.pattern), c.queue, &members[i])
			}
			v := &members[500]
			allocs := func(remove func() bool) float64 {
				return testing.AllocsPerRun(100, func() {
					if !remove() {
						t.Error("nobody was removed")
					}
					x.Insert([]byte(c.pattern), c.queue, v)
				})
			}
			one := allocs(func() bool { return x.Remove(c.pattern, c.queue, v) })
			all := allocs(func() bool {
				return x.RemoveAll(1, func(int) (string, string, *member) { return c.pattern, c.queue, v }) == 1
			})
			if all != one {
				t.Errorf("RemoveAll of one takes %v allocations, Remove %v", all, one)
			}
		})
	}
}

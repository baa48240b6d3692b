package sublist

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"
)

// subjects returns n subjects made with format, which has one %d.
func subjects(n int, format string) [][]byte {
	list := make([][]byte, n)
	for i := range list {
		list[i] = fmt.Appendf(nil, format, i)
	}
	return list
}

// benchmarkMatch measures matches of the subjects, which are used in turn. They lie one behind the other, as in
// the read buffer of a connection, so that fetching them is not what is measured.
func benchmarkMatch(b *testing.B, x *Index[*member], list [][]byte, stable bool) {
	b.Helper()
	var r Reader[*member]
	for range 3 {
		for _, s := range list {
			r.Match(x, s)
		}
	}
	packed, ends := make([]byte, 0, len(list)*32), make([]uint32, len(list)) // read in order: the prefetcher's work
	for i, s := range list {
		packed = append(packed, s...)
		ends[i] = uint32(len(packed))
	}
	b.ReportAllocs()
	i, start, unstable := 0, uint32(0), 0
	for b.Loop() {
		if !r.Match(x, packed[start:ends[i]]).Stable() {
			unstable++
		}
		start = ends[i]
		if i++; i == len(list) {
			i, start = 0, 0
		}
	}
	if stable && unstable > 0 {
		b.Fatalf("%d results were not stable", unstable)
	}
}

func insertAll(x *Index[*member], patterns [][]byte) {
	for i, p := range patterns {
		x.Insert(p, "", &member{name: i})
	}
}

func shuffled(list [][]byte) [][]byte {
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

func BenchmarkMatch(b *testing.B) {
	b.Run("same", func(b *testing.B) {
		x := New[*member]()
		x.Insert([]byte("orders.eu.new"), "", &member{})
		benchmarkMatch(b, x, subjects(1, "orders.eu.new%.0d"), true)
	})
	b.Run("literal/subs=64", func(b *testing.B) {
		x := New[*member]()
		list := subjects(64, "orders.%d.new")
		insertAll(x, list)
		benchmarkMatch(b, x, list, true)
	})
	b.Run("literal/subs=500000/random", func(b *testing.B) {
		x := New[*member]()
		list := subjects(500_000, "acct.17.device.%d.evt")
		insertAll(x, list)
		benchmarkMatch(b, x, shuffled(list), true)
	})
	b.Run("wildcard/subjects=10000", func(b *testing.B) {
		x := New[*member]()
		x.Insert([]byte("orders.*.new"), "", &member{})
		benchmarkMatch(b, x, subjects(10_000, "orders.%d.new"), true)
	})
	b.Run("wildcard/subjects=10000/random", func(b *testing.B) {
		x := New[*member]()
		x.Insert([]byte("orders.*.new"), "", &member{})
		benchmarkMatch(b, x, shuffled(subjects(10_000, "orders.%d.new")), true)
	})
	b.Run("wildcard/last/subjects=10000/random", func(b *testing.B) {
		x := New[*member]()
		x.Insert([]byte("orders.new.*"), "", &member{})
		benchmarkMatch(b, x, shuffled(subjects(10_000, "orders.new.%d")), true)
	})
	b.Run("merge/cached", func(b *testing.B) {
		x := New[*member]()
		list := subjects(64, "orders.%d.new")
		insertAll(x, list)
		x.Insert([]byte("orders.>"), "", &member{})
		benchmarkMatch(b, x, list, true)
	})
	b.Run("miss/nosubs", func(b *testing.B) {
		benchmarkMatch(b, New[*member](), subjects(64, "orders.%d.new"), true)
	})
}

// BenchmarkUncached measures what a subject costs that is not in the cache.
func BenchmarkUncached(b *testing.B) {
	run := func(name string, patterns ...string) {
		b.Run(name, func(b *testing.B) {
			x := New[*member]()
			for _, p := range patterns {
				x.Insert([]byte(p), "", &member{})
			}
			var r Reader[*member]
			s := "_INBOX.abcdefgh.1"
			b.ReportAllocs()
			for b.Loop() {
				r.uncached(x, nil, s)
			}
		})
	}
	run("walk/tokens=3", "_INBOX.abcdefgh.*", "a.*", "b.>")
	run("walk/tokens=3/merge", "_INBOX.abcdefgh.*", "_INBOX.*.1", "_INBOX.>")

	b.Run("inboxes/clients=1000", func(b *testing.B) {
		x := New[*member]()
		insertAll(x, subjects(1000, "_INBOX.abcdefgh%d.*"))
		var r Reader[*member]
		b.ReportAllocs()
		s := make([]byte, 0, 64)
		i := 0
		for b.Loop() {
			i++
			s = append(s[:0], "_INBOX.abcdefgh77."...)
			for n := uint(i) * 2654435761; n > 0; n >>= 5 {
				s = append(s, 'a'+byte(n&31)%26)
			}
			r.Match(x, s)
		}
	})
}

// BenchmarkChurn measures cached matches while others subscribe and unsubscribe elsewhere, 20 000 changes a second.
func BenchmarkChurn(b *testing.B) {
	for _, c := range []struct{ name, pattern string }{{"literal", "churn.%d.x"}, {"wildcard", "churn.%d.>"}} {
		for _, n := range []int{1, 10_000} {
			b.Run(fmt.Sprintf("%s/subjects=%d", c.name, n), func(b *testing.B) {
				x := New[*member]()
				x.Insert([]byte("orders.*.new"), "", &member{})
				x.Insert([]byte("orders.>"), "", &member{})
				var stop atomic.Bool
				done := make(chan int)
				go churn(x, subjects(1000, c.pattern), &stop, done)
				start := time.Now()
				benchmarkMatch(b, x, subjects(n, "orders.%d.new"), false)
				stop.Store(true)
				b.ReportMetric(float64(<-done)/time.Since(start).Seconds(), "changes/s")
			})
		}
	}
}

func churn(x *Index[*member], patterns [][]byte, stop *atomic.Bool, done chan<- int) {
	v := &member{}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	changes := 0
	for i := 0; !stop.Load(); {
		<-tick.C
		for range 10 {
			p := patterns[i%len(patterns)]
			x.Insert(p, "", v)
			x.Remove(string(p), "", v)
			i++
			changes += 2
		}
	}
	done <- changes
}

func BenchmarkInsertRemove(b *testing.B) {
	for _, c := range []struct{ name, format string }{
		{"literal", "acct.17.device.%d.evt"}, {"wildcard", "acct.17.device.%d.*"},
	} {
		b.Run(c.name, func(b *testing.B) {
			x := New[*member]()
			list := subjects(100_000, c.format)
			insertAll(x, list[:50_000])
			names := make([]string, len(list))
			for i := range list {
				names[i] = string(list[i])
			}
			v := &member{}
			b.ReportAllocs()
			i := 50_000
			for b.Loop() {
				x.Insert(list[i], "", v)
				x.Remove(names[i], "", v)
				if i++; i == len(list) {
					i = 50_000
				}
			}
		})
	}
	b.Run("one-subject/subs=10000", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			x := New[*member]()
			v := &member{}
			for range 10_000 {
				x.Insert([]byte("news"), "", v)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/insert")
	})
}

// BenchmarkLeave measures a client that leaves a subject with many subscriptions, of which it has one or a few, and comes back.
func BenchmarkLeave(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		for _, own := range []int{1, 2, 16} {
			b.Run(fmt.Sprintf("subs=%d/own=%d", n, own), func(b *testing.B) {
				x := New[*member]()
				members := make([]member, n)
				for i := range members {
					x.Insert([]byte("lit"), "", &members[i])
				}
				at := func(i int) (string, string, *member) { return "lit", "", &members[(i+1)*(n/(own+1))] }
				b.ReportAllocs()
				for b.Loop() {
					x.RemoveAll(own, at)
					for i := range own {
						_, _, v := at(i)
						x.Insert([]byte("lit"), "", v)
					}
				}
			})
		}
	}
}

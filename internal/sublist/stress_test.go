package sublist

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// tracked is a subscription that one writer inserts and removes over and over. phase counts: 0 mod 4 it is out, 1 an
// Insert is under way, 2 it is in, 3 a Remove is under way.
type tracked struct {
	subscription
	phase atomic.Uint64
}

// TestVisibility proves the rule of Match under concurrency, for caches of all sizes: what was in before and after
// a match is in its result, what was out before and after is not; and while a change is under way, the old and the
// new state each come once: a reader that has seen the new one never sees the old one again.
func TestVisibility(t *testing.T) {
	for _, limit := range []int{1, 4, maxCacheEntries} {
		t.Run(fmt.Sprint("cache=", limit), func(t *testing.T) { stress(t, newLimited[*member](limit), 20_000) })
	}
}

func stress(t *testing.T, x *Index[*member], rounds int) {
	const writers, perWriter = 3, 8
	patterns := []string{"a.b", "a.c", "a.*", "*.b", "a.>", ">", "*.*", "a.b.c", "a.*.c", "b"}
	queues := []string{"", "q"}
	list := make([]*tracked, writers*perWriter)
	for i := range list {
		list[i] = &tracked{subscription: subscription{
			patterns[i%len(patterns)], queues[i/len(patterns)%2], &member{i}}}
	}
	var working, reading sync.WaitGroup
	var stop atomic.Bool
	for w := range writers {
		working.Go(func() { toggle(x, list[w*perWriter:(w+1)*perWriter], rounds, uint64(w)) })
	}
	for r := range 3 {
		reading.Go(func() { observe(t, x, list, &stop, uint64(r)) })
	}
	reading.Go(func() { disturb(x, &stop) })
	working.Wait()
	stop.Store(true)
	reading.Wait()
	if x.Count() != 0 {
		t.Errorf("%d subscriptions are left", x.Count())
	}
	checkStructure(t, x)
}

func toggle(x *Index[*member], list []*tracked, rounds int, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 7))
	flip := func(s *tracked) {
		switch {
		case s.phase.Add(1)%4 == 1:
			x.Insert([]byte(s.pattern), s.queue, s.v)
		case random.IntN(2) == 0:
			x.removeAll(1, func(int) (string, string, *member) { return s.pattern, s.queue, s.v }, removal{crowd: math.MaxInt})
		default:
			x.Remove(s.pattern, s.queue, s.v)
		}
		s.phase.Add(1)
	}
	for range rounds {
		flip(list[random.IntN(len(list))])
	}
	for _, s := range list {
		if s.phase.Load()%4 == 2 {
			flip(s)
		}
	}
}

// disturb keeps the table, the doorkeeper and the cache moving: literal and wildcard changes that match nothing else,
// and subjects that compete for cache entries.
func disturb(x *Index[*member], stop *atomic.Bool) {
	var r Reader[*member]
	v := &member{-1}
	for i := 0; !stop.Load(); i++ {
		literal, wildcard := fmt.Sprintf("x.%d", i%50), fmt.Sprintf("x.y.%d.*", i%50)
		x.Insert([]byte(literal), "", v)
		x.Insert([]byte(wildcard), "", v)
		for range 3 {
			r.Match(x, fmt.Append(nil, "a.", i%20))
		}
		x.Remove(wildcard, "", v)
		x.Remove(literal, "", v)
	}
}

func observe(t *testing.T, x *Index[*member], list []*tracked, stop *atomic.Bool, seed uint64) {
	var (
		r        Reader[*member]
		random   = rand.New(rand.NewPCG(seed, 8))
		subjects = []string{"a.b", "a.c", "a.b.c", "b", "a.x", "a.*", "x.b"}
		matches  = map[string][]bool{}
		before   = make([]uint64, len(list))
		changed  = make([]uint64, len(list)) // phase under way at which the new state was seen
		found    = make([]bool, len(list))
	)
	for _, s := range subjects {
		for _, e := range list {
			matches[s] = append(matches[s], naiveMatch(strings.Split(e.pattern, "."), strings.Split(s, ".")))
		}
	}
	for !stop.Load() && !t.Failed() {
		s := subjects[random.IntN(len(subjects))]
		for i, e := range list {
			before[i] = e.phase.Load()
		}
		clear(found)
		note(found, matchAsKin(&r, x, s, random.IntN(2) == 0))
		for i, e := range list {
			after := e.phase.Load()
			want, in := matches[s][i], found[i]
			switch phase := before[i]; {
			case !want:
				if in {
					t.Errorf("%q reached %q", s, e.pattern)
				}
			case phase != after:
			case phase%2 == 0 && in != (phase%4 == 2):
				t.Errorf("%q: %q is in: %v, found: %v", s, e.pattern, phase%4 == 2, in)
			case phase%2 == 1 && in == (phase%4 == 1):
				changed[i] = phase
			case phase%2 == 1 && changed[i] == phase:
				t.Errorf("%q: the change of %q was seen and then not any more", s, e.pattern)
			}
		}
	}
}

// matchAsKin matches s, in one of two ways by way of another subject that differs from s in its last token, if that is said not to matter.
func matchAsKin(r *Reader[*member], x *Index[*member], s string, kin bool) *Result[*member] {
	if at := strings.LastIndexByte(s, '.') + 1; kin {
		other := []byte(s[:at] + "y")
		if result := r.Match(x, other); x.AnyToken(other, at) && r.Match(x, other) == result && !x.Own([]byte(s)) {
			return result
		}
	}
	return r.Match(x, []byte(s))
}

// TestOwnUntilItIsGone: as long as a subject can be matched with subscriptions of its own, Own says so.
func TestOwnUntilItIsGone(t *testing.T) {
	x := New[*member]()
	text := []byte("a.m")
	x.Insert([]byte("a.*"), "", &member{name: 1})
	own := &member{name: 2}
	var working sync.WaitGroup
	var stop atomic.Bool
	working.Go(func() {
		for !stop.Load() {
			x.Insert(text, "", own)
			x.Remove("a.m", "", own)
		}
	})
	var r Reader[*member]
	for range 1_000_000 {
		result := r.Match(x, text)
		if len(result.Plain) == 2 && result.Stable() && x.AnyToken(text, 2) && r.Match(x, text) == result {
			t.Error("others have the matches of a subject with a subscription of its own")
			break
		}
	}
	stop.Store(true)
	working.Wait()
}

func note(found []bool, r *Result[*member]) {
	for _, v := range r.Plain {
		if v.name >= 0 {
			found[v.name] = true
		}
	}
	for _, q := range r.Queues() {
		for _, v := range q.Members {
			if v.name >= 0 {
				found[v.name] = true
			}
		}
	}
}

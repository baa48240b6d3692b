package sublist

import (
	"math"

	"github.com/natsd/natsd/internal/subject"
)

// fewInSet is how many subscriptions may be in a set, plain or in a queue group, for them to be removed one by one: so much copying
// costs less than to note who goes.
const fewInSet = 16

// fewGoing is how many subscriptions may leave one pattern for them to be removed one by one, however many stay. To look up each of 1000
// that stay among those that go takes six times as long as to find the one that goes and copy the others in one piece; of 100 000 it
// takes as long, since there the memory for the copy decides, and two copies take longer than one (BenchmarkLeave).
const fewGoing = 1

// leaving are values that leave one pattern: how often each, by queue group, "" for plain.
type leaving[T comparable] map[string]map[T]int

// add notes that v leaves.
func (l leaving[T]) add(queue string, v T) {
	if l[queue] == nil {
		l[queue] = make(map[T]int)
	}
	l[queue][v]++
}

// RemoveAll is Remove for n subscriptions, each of which at returns, and returns how many of them were there. What is on one
// pattern is taken out at once. A Match meanwhile may still find some of them.
//
// Cost: O(n + subscriptions on their patterns), where n calls of Remove take O(n * subscriptions) if all are on one pattern.
// Locks: takes x.mu, again and again, and never for longer than one pattern takes; at runs without it.
func (x *Index[T]) RemoveAll(n int, at func(i int) (pattern, queue string, v T)) (removed int) {
	return x.removeAll(n, at, removal{few: fewInSet, fewGoing: fewGoing, crowd: math.MaxInt})
}

// RemoveSoon is RemoveAll, but of those that are the only one of the n on their pattern, and there among more than crowd, it only tells
// the number to later: they are still to be removed, together with others that leave the pattern.
func (x *Index[T]) RemoveSoon(n int, at func(i int) (pattern, queue string, v T), crowd int, later func(i int)) (removed int) {
	return x.removeAll(n, at, removal{few: fewInSet, fewGoing: fewGoing, crowd: crowd, later: later})
}

// removal says how subscriptions are removed.
type removal struct {
	few      int         // subscriptions in a set that are few
	fewGoing int         // of those that leave a pattern
	crowd    int         // subscriptions in a set from which fewGoing of them do not go at once
	later    func(i int) // is told of those
}

// removeAll is RemoveAll and RemoveSoon.
func (x *Index[T]) removeAll(n int, at func(i int) (pattern, queue string, v T), how removal) (removed int) {
	few, fewGoing := how.few, how.fewGoing
	if n <= fewGoing {
		few = how.crowd
	}
	var crowds map[string][]int // which of the n leave a pattern with many
	for i := range n {
		pattern, queue, v := at(i)
		found, crowd := x.removeOf(pattern, queue, v, few)
		if found {
			removed++
		}
		if crowd {
			if crowds == nil {
				crowds = make(map[string][]int)
			}
			crowds[pattern] = append(crowds[pattern], i)
		}
	}
	for pattern, going := range crowds {
		if len(going) <= fewGoing {
			for _, i := range going {
				_, queue, v := at(i)
				switch found, crowd := x.removeOf(pattern, queue, v, how.crowd); {
				case found:
					removed++
				case crowd:
					how.later(i)
				}
			}
			continue
		}
		gone := make(leaving[T])
		for _, i := range going {
			_, queue, v := at(i)
			gone.add(queue, v)
		}
		removed += x.removeCrowd(pattern, gone)
	}
	return removed
}

// removeOf is Remove, unless v is among more than few: then it does nothing and reports a crowd. Locks: takes x.mu.
func (x *Index[T]) removeOf(pattern, queue string, v T, few int) (found, crowd bool) {
	x.lock()
	defer x.mu.Unlock()
	return x.removeLocked(pattern, queue, v, few)
}

// removeCrowd takes everything in gone off a pattern, and returns how much was there. Locks: takes x.mu.
func (x *Index[T]) removeCrowd(pattern string, gone leaving[T]) (removed int) {
	x.lock()
	defer x.mu.Unlock()
	var next *Result[T]
	if subject.HasWildcard(pattern) {
		place, found := x.root.Load().find(pattern)
		if !found {
			return 0
		}
		if next, removed = place.set.Load().withoutAll(gone, x.nextIDLocked()); removed > 0 {
			x.shrinkWildcardLocked(place, pattern, next)
		}
	} else {
		e := x.leafLocked(pattern)
		if e == nil {
			return 0
		}
		if next, removed = e.payload.set.Load().withoutAll(gone, x.nextIDLocked()); removed > 0 {
			x.shrinkLiteralLocked(e, next)
		}
	}
	x.removedLocked(removed)
	return removed
}

// crowded reports whether there are more than few plain subscriptions in r or, if queue is not empty, more than few in that
// group, or groups. r may be nil.
func (r *Result[T]) crowded(queue string, few int) bool {
	switch {
	case r == nil:
		return false
	case queue == "":
		return len(r.Plain) > few
	case len(r.Queues()) > few:
		return true
	}
	i := indexQueue(r.Queues(), queue)
	return i >= 0 && len(r.Queues()[i].Members) > few
}

// withoutAll returns the set r without what is in gone, nil when that leaves nobody, and how much of that was there. It
// takes what it finds out of gone. Cost: O(members of the groups that lose some, and groups). Locks: needs Index.mu.
func (r *Result[T]) withoutAll(gone leaving[T], id uint32) (next *Result[T], removed int) {
	if r == nil {
		return nil, 0
	}
	next = &Result[T]{kind: set, id: id}
	next.Plain, removed = without(r.Plain, gone[""])
	if len(next.Plain) == 1 {
		next.first[0] = next.Plain[0] // what else was there need not be kept
		next.Plain = next.first[:]
	}
	queues := make([]Queue[T], 0, len(r.Queues())+1)
	for _, q := range r.Queues() {
		members, n := without(q.Members, gone[q.Name])
		removed += n
		if len(members) > 0 {
			queues = append(queues, Queue[T]{q.Name, members})
		}
	}
	next.setQueues(queues)
	if next.Empty() {
		return nil, removed
	}
	return next, removed
}

// without returns list without what is in gone, which it takes out of that, nil if nothing is left, and how many have gone.
// What loses nothing is list itself; else it is a copy, with the room of one element for the insertion which often follows.
func without[T comparable](list []T, gone map[T]int) ([]T, int) {
	if len(gone) == 0 {
		return list, 0
	}
	var kept []T
	for _, v := range list {
		if gone[v] > 0 {
			gone[v]--
			continue
		}
		if kept == nil {
			kept = make([]T, 0, max(0, len(list)-len(gone))+1)
		}
		kept = append(kept, v)
	}
	if len(kept) == len(list) {
		return list, 0
	}
	return kept, len(list) - len(kept)
}

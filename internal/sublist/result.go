package sublist

import "slices"

// Result is a set of subscriptions. It is immutable: readers may keep it and read it without a lock, but must not
// write to it or append to its slices. Plain and Queues hold the values given to Insert.
type Result[T comparable] struct {
	// Plain holds the subscriptions without a queue group, each of which gets a message, oldest first within a pattern.
	Plain []T

	// queues holds the queue groups; nil: none. Few sets have any, and a pointer is a third of a slice.
	queues *[]Queue[T]
	// first is the memory behind Plain while it has one element, which saves most literal subjects an allocation.
	first [1]T
	kind  kind
	id    uint32 // tells sets apart when a merge of them is looked up; unique until 2^32 sets later, so only a hint
}

// Queue is a queue group: its name, unique within a Result, and its members.
type Queue[T comparable] struct {
	Name    string
	Members []T
}

// kind says who made a Result and how long it lasts.
type kind uint8

const (
	scratch kind = iota // a Reader's own, overwritten by its next Match
	set                 // the subscriptions on one pattern
	merge               // several sets in one, kept by the cache
)

// Queues returns the queue groups, one per name and none of them empty; one member of each gets a message.
func (r *Result[T]) Queues() []Queue[T] {
	if r.queues == nil {
		return nil
	}
	return *r.queues
}

// setQueues makes queues those of r, which nobody else sees yet.
func (r *Result[T]) setQueues(queues []Queue[T]) {
	r.queues = nil
	if len(queues) > 0 {
		r.queues = &queues
	}
}

// Empty reports whether nobody is in r.
func (r *Result[T]) Empty() bool { return len(r.Plain) == 0 && r.queues == nil }

// Stable reports whether r may be kept. If true, its pointer stands for these subscriptions as long as Match returns
// it, for whatever subject. If false, r and its slices are valid until the next Match of the Reader that returned it.
func (r *Result[T]) Stable() bool { return r.kind != scratch }

// size is the number of subscriptions in r; r may be nil.
func (r *Result[T]) size() int {
	if r == nil {
		return 0
	}
	total := len(r.Plain)
	for _, q := range r.Queues() {
		total += len(q.Members)
	}
	return total
}

// with returns the set r (nil: the empty set) and v in the group named queue, "" for plain.
//
// It appends to the array that r uses, behind r's end, where no reader of r looks. That is why it may be called once
// per set only: the new set takes the place of r. Amortised O(1) for plain, O(groups) for queue members.
// Locks: needs Index.mu.
func (r *Result[T]) with(queue string, v T, id uint32) *Result[T] {
	next := &Result[T]{kind: set, id: id}
	if r != nil {
		next.Plain, next.queues = r.Plain, r.queues
	}
	switch {
	case queue != "":
		next.setQueues(withMember(next.Queues(), queue, v))
	case next.Plain == nil:
		next.first[0] = v
		next.Plain = next.first[:]
	default:
		next.Plain = append(next.Plain, v)
	}
	return next
}

// without returns the set r without one v in the group named queue, nil when that leaves nobody, and whether v was
// there. It copies what stays in the group, O(members), because readers of r still look at the old array.
// Locks: needs Index.mu.
func (r *Result[T]) without(queue string, v T, id uint32) (*Result[T], bool) {
	if r == nil {
		return nil, false
	}
	next := &Result[T]{Plain: r.Plain, queues: r.queues, kind: set, id: id}
	var found bool
	if queue != "" {
		var queues []Queue[T]
		queues, found = withoutMember(r.Queues(), queue, v)
		next.setQueues(queues)
	} else {
		next.Plain, found = next.withoutPlain(v)
	}
	switch {
	case !found:
		return r, false
	case next.Empty():
		return nil, true
	}
	return next, true
}

// withoutPlain returns r.Plain without one v, in r.first if that has room for it.
func (r *Result[T]) withoutPlain(v T) ([]T, bool) {
	i := slices.Index(r.Plain, v)
	if i >= 0 && len(r.Plain) == 2 {
		r.first[0] = r.Plain[1-i]
		return r.first[:], true
	}
	return withoutIndex(r.Plain, i)
}

func withMember[T comparable](queues []Queue[T], name string, v T) []Queue[T] {
	next := make([]Queue[T], len(queues), len(queues)+1)
	copy(next, queues)
	i := indexQueue(queues, name)
	if i < 0 {
		return append(next, Queue[T]{Name: name, Members: []T{v}})
	}
	next[i].Members = append(next[i].Members, v)
	return next
}

func withoutMember[T comparable](queues []Queue[T], name string, v T) ([]Queue[T], bool) {
	i := indexQueue(queues, name)
	if i < 0 {
		return nil, false
	}
	members, found := withoutIndex(queues[i].Members, slices.Index(queues[i].Members, v))
	switch {
	case !found:
		return nil, false
	case members == nil:
		return withoutIndex(queues, i)
	}
	next := slices.Clone(queues)
	next[i].Members = members
	return next, true
}

func indexQueue[T comparable](queues []Queue[T], name string) int {
	for i := range queues {
		if queues[i].Name == name {
			return i
		}
	}
	return -1
}

// withoutIndex returns a copy of list without its element i, nil if that was the last, and false if i is negative.
// The copy keeps the room of one element, so that the insertion which often follows needs no second copy.
func withoutIndex[E any](list []E, i int) ([]E, bool) {
	if i < 0 {
		return nil, false
	}
	if len(list) == 1 {
		return nil, true
	}
	next := make([]E, 0, len(list))
	next = append(next, list[:i]...)
	return append(next, list[i+1:]...), true
}

package sublist

import (
	"slices"
	"strings"
)

// merger joins sets into one result, in memory that it keeps for the next time.
type merger[T comparable] struct {
	plain   []T
	queues  []Queue[T]
	members []T
	joined  []Queue[T] // of the result
}

// merge stores into into everything in sets, of which there are at least two: plain subscriptions one after the
// other, queue groups of the same name as one group (docs/spec/client-protocol.md §6.4). The result shares memory
// with m and with the sets. 0 allocs/op once m has grown. Cost: O(subscriptions), groups are sorted by name.
func (m *merger[T]) merge(into *Result[T], sets []*Result[T]) {
	into.Plain = m.mergePlain(sets)
	into.queues = nil
	if m.joined = m.mergeQueues(sets); len(m.joined) > 0 {
		into.queues = &m.joined
	}
}

func (m *merger[T]) mergePlain(sets []*Result[T]) []T {
	var only []T
	sources := 0
	for _, s := range sets {
		if len(s.Plain) > 0 {
			only = s.Plain
			sources++
		}
	}
	if sources <= 1 {
		return slices.Clip(only)
	}
	m.plain = m.plain[:0]
	for _, s := range sets {
		m.plain = append(m.plain, s.Plain...)
	}
	return slices.Clip(m.plain)
}

func (m *merger[T]) mergeQueues(sets []*Result[T]) []Queue[T] {
	var only []Queue[T]
	sources := 0
	for _, s := range sets {
		if s.queues != nil {
			only = *s.queues
			sources++
		}
	}
	if sources <= 1 {
		return slices.Clip(only)
	}
	m.queues = m.queues[:0]
	for _, s := range sets {
		m.queues = append(m.queues, s.Queues()...)
	}
	slices.SortStableFunc(m.queues, func(a, b Queue[T]) int { return strings.Compare(a.Name, b.Name) })
	m.queues = m.joinGroups(m.queues)
	return slices.Clip(m.queues)
}

// joinGroups makes one group of neighbours with the same name, in place.
func (m *merger[T]) joinGroups(queues []Queue[T]) []Queue[T] {
	m.members = m.members[:0]
	joined := 0
	for i := 0; i < len(queues); {
		group := queues[i]
		first := i
		for i++; i < len(queues) && queues[i].Name == group.Name; i++ {
		}
		if i > first+1 {
			start := len(m.members)
			for _, q := range queues[first:i] {
				m.members = append(m.members, q.Members...)
			}
			// Should m.members have moved while it grew, groups made before keep the old array, which still holds them.
			group.Members = slices.Clip(m.members[start:])
		}
		queues[joined] = group
		joined++
	}
	return queues[:joined]
}

// merged is a merge that the cache keeps, with the sets that it was made of.
type merged[T comparable] struct {
	Result[T]
	sources []*Result[T]
}

// newMerged returns the merge of sets in memory of its own, no more than needed.
func newMerged[T comparable](sets []*Result[T]) *merged[T] {
	plain, queues, members := 0, 0, 0
	for _, s := range sets {
		plain += len(s.Plain)
		queues += len(s.Queues())
		for _, q := range s.Queues() {
			members += len(q.Members)
		}
	}
	// Whether that memory is needed turns out as late as in merge; slices that it does not use are garbage at once.
	var m merger[T]
	if plain > 0 {
		m.plain = make([]T, 0, plain)
	}
	if queues > 0 {
		m.queues, m.members = make([]Queue[T], 0, queues), make([]T, 0, members)
	}
	result := &merged[T]{sources: slices.Clone(sets)}
	result.kind = merge
	m.merge(&result.Result, sets)
	return result
}

// mergeKey is a hash of the identity of sets, for looking up a merge of the same.
func mergeKey[T comparable](sets []*Result[T]) uint64 {
	key := uint64(len(sets))
	for _, s := range sets {
		key = (key ^ uint64(s.id)) * 0x9e3779b97f4a7c15
		key ^= key >> 29
	}
	return key
}

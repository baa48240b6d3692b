package sublist

// Fanout says how many subscriptions the results at hand have. A queue group counts as one.
type Fanout struct {
	Results int64 // at hand
	Max     int64 // of one of them
	Sum     int64 // of all
}

// Fanout looks at all results at hand. Cost: O(subjects). Locks: none.
func (x *Index[T]) Fanout() Fanout {
	var f Fanout
	t := x.leaves.Load()
	if t == nil {
		return f
	}
	for i := range t.slots {
		e := t.slots[i].Load()
		if e == nil {
			continue
		}
		cached := e.payload.cached.Load() // nil in a tombstone
		if cached == nil {
			continue
		}
		n := int64(len(cached.Plain) + len(cached.Queues()))
		f.Results++
		f.Sum += n
		f.Max = max(f.Max, n)
	}
	return f
}

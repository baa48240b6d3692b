package broker

import "slices"

// ring keeps the last so many values. The zero value is empty. Not safe for concurrent use.
type ring[T any] struct {
	values []T
	next   int // the oldest, once it is full
}

// add adds v, and drops the oldest beyond limit, which is the same every time.
func (r *ring[T]) add(v T, limit int) {
	switch {
	case limit <= 0:
	case len(r.values) < limit:
		r.values = append(r.values, v)
	default:
		r.values[r.next] = v
		r.next = (r.next + 1) % len(r.values)
	}
}

// all returns the values, the oldest first.
func (r *ring[T]) all() []T { return slices.Concat(r.values[r.next:], r.values[:r.next]) }

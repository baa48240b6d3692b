// Package interest counts what the clients of one server are subscribed to, as other servers of the cluster have to be told:
// that there is somebody for a subject, and how many there are in a queue group.
//
// Spec: docs/spec/route-protocol.md §1 (2), §3.5.
package interest

import "sync"

// Key is what interest is counted for. Queue is empty for plain subscriptions.
type Key[A comparable] struct {
	Account        A
	Subject, Queue string
}

// Table counts the subscriptions on each key. The zero value is empty and ready; any goroutine may use it.
type Table[A comparable] struct {
	mu struct { // guards everything inside it
		sync.Mutex
		counts map[Key[A]]int
	}
}

// Change adds n, which may be negative, to the count of k, and calls tell with the weight that other servers are to know, if
// it is another one than before: the number of members of a queue group, 1 for any number of plain subscriptions, 0 for none.
// Calls of tell for one key come in the order of the changes: they are made with a lock held, so tell must not use the table,
// and must not wait. Locks: takes t.mu.
func (t *Table[A]) Change(k Key[A], n int, tell func(k Key[A], weight int)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.mu.counts[k]
	after := max(0, before+n)
	if after == 0 {
		delete(t.mu.counts, k)
	} else {
		if t.mu.counts == nil {
			t.mu.counts = make(map[Key[A]]int)
		}
		t.mu.counts[k] = after
	}
	if weight := k.weight(after); weight != k.weight(before) {
		tell(k, weight)
	}
}

// weight is what other servers are told about n subscriptions on k.
func (k Key[A]) weight(n int) int {
	if k.Queue == "" {
		return min(n, 1)
	}
	return n
}

// Join calls begin and then tell for everything there is, with no change in between: who begins to listen there misses
// nothing and hears nothing twice. Locks: takes t.mu; begin and tell must not use the table.
func (t *Table[A]) Join(begin func(), tell func(k Key[A], weight int)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	begin()
	for k, n := range t.mu.counts {
		tell(k, k.weight(n))
	}
}

// Len returns the number of keys with somebody on them. Locks: takes t.mu.
func (t *Table[A]) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.mu.counts)
}

package broker

// keptLeaving is for how many subscriptions that leave a worker keeps room.
const keptLeaving = 1024

// dismissLater ends s, which is closedForGood: before the next request in the batch, other than an UNSUB, or at its end, and of what
// has got its last message no later than the message after it. Until then it is in the way of nobody, and its sid is free. Those that
// go together are taken out of the index together: one by one, each would cost a copy of all that stay on its subject.
func (w *worker) dismissLater(s *subscription) { w.leaving = append(w.leaving, s) }

// dismiss takes out what dismissLater has noted.
//
// Hot path: twice per message, with nothing to do.
func (w *worker) dismiss() {
	if len(w.leaving) > 0 {
		w.dismissAll()
	}
}

// dismissAll is dismiss when there is something to do. Locks: takes subs.mu of one connection after the other, below it the
// connection's out.mu and the index's.
func (w *worker) dismissAll() {
	for list := w.leaving; len(list) > 0; {
		c, n := list[0].conn, 1
		for n < len(list) && list[n].conn == c {
			n++
		}
		c.unsubscribe(w, list[:n])
		list = list[n:]
	}
	clear(w.leaving)
	w.leaving = w.leaving[:0]
	if cap(w.leaving) > keptLeaving {
		w.leaving = nil
	}
}

// unsubscribe ends list, subscriptions of c; one that has gone already does not matter. It overwrites list. Any goroutine may
// call it. Locks: takes c.subs.mu, below it c.out.mu and the index's, one after the other.
func (c *conn) unsubscribe(w *worker, list []*subscription) {
	c.subs.mu.Lock()
	defer c.subs.mu.Unlock()
	gone := list[:0]
	for _, s := range list {
		if c.subs.removeLocked(s) {
			c.closeSubscription(s)
			gone = append(gone, s)
		}
	}
	if len(gone) > 0 {
		c.identity.Load().account.removeSubscriptions(w, gone)
	}
}

package broker

import "time"

// Backpressure without harm: a publisher that outruns consumers which keep up in general waits a moment for them, so
// that nothing is lost to max_pending. It never waits for one that is stuck or slow.
//
// After a batch, the worker looks at the connections that it has queued much for. While they take output in at a good
// rate, all together, it waits for them to fall below resumeAt. When they do not, those that are left become
// laggards: nobody waits for them again until their queue was empty or they have taken in laggardQuota bytes. A slow
// consumer so costs its publishers one stallWindow for every laggardQuota bytes that it takes in.
const (
	defaultCrowdedAt = 1 << 20 // pending bytes from which a publisher waits; less if max_pending is small
	stallBudget      = 100 * time.Millisecond
	stallWindow      = 4 * time.Millisecond
	stallStep        = 200 * time.Microsecond
	stallRate        = 100 << 10 // bytes that all of them must take in per window
	laggardQuota     = 1 << 20   // bytes
)

// crowd notes that c has much queued, so that the worker looks at it after the batch.
func (w *worker) crowd(c *conn) {
	if n := len(w.crowded); n == 0 || w.crowded[n-1] != c {
		w.crowded = append(w.crowded, c)
	}
}

// stall waits for the crowded connections as described above, at most stallBudget. self is the connection served: it
// is not waited for, as it may be waiting itself for its input to be read.
// Locks: takes out.mu of one connection after the other; none while it waits.
func (w *worker) stall(self *conn) {
	begin := time.Now()
	window, taken := begin, int64(0)
	w.stillCrowded(self, new(int64))
	for len(w.crowded) > 0 {
		time.Sleep(stallStep)
		w.stillCrowded(self, &taken)
		now := time.Now()
		if now.Sub(window) >= stallWindow {
			if taken < stallRate {
				w.markLaggards()
				break
			}
			window, taken = now, 0
		}
		if now.Sub(begin) >= stallBudget {
			break
		}
	}
	clear(w.crowded)
	w.crowded = w.crowded[:0]
}

// stillCrowded drops the connections from the list that need not be waited for any more, and adds to taken what all
// that were on it have written since the last look.
func (w *worker) stillCrowded(self *conn, taken *int64) {
	resumeAt := w.b.crowdedAt / 2
	kept := w.crowded[:0]
	for _, c := range w.crowded {
		o := &c.out
		o.mu.Lock()
		*taken += o.mu.written - o.mu.looked
		o.mu.looked = o.mu.written
		wait := c != self && !o.mu.closed && !o.mu.laggard && o.mu.pending > resumeAt
		o.mu.Unlock()
		if wait {
			kept = append(kept, c)
		}
	}
	clear(w.crowded[len(kept):])
	w.crowded = kept
}

// markLaggards makes laggards of all connections on the list.
func (w *worker) markLaggards() {
	for _, c := range w.crowded {
		o := &c.out
		o.mu.Lock()
		if o.mu.flushing { // else it has just been emptied
			o.mu.laggard, o.mu.laggedAt = true, o.mu.written
		}
		o.mu.Unlock()
	}
}

// wroteLocked accounts for n bytes written. Locks: needs o.mu.
func (o *outbound) wroteLocked(n int) {
	o.mu.pending -= int64(n)
	o.mu.written += int64(n)
	if o.mu.laggard && o.mu.written-o.mu.laggedAt >= laggardQuota {
		o.mu.laggard = false
	}
}

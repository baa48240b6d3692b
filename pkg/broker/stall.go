package broker

import "time"

// Backpressure without harm: a publisher that outruns consumers which keep up in general waits a moment for them, so
// that nothing is lost to max_pending. It never waits for one that is stuck or slow.
//
// After a batch, its goroutine looks at the connections that it has queued much for. While they take output in at a good
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
// is not waited for, as it may be waiting itself for its input to be read. The caller has given its worker back: any
// number of publishers may wait.
// Locks: takes out.mu of one connection after the other; none while it waits.
func (b *Broker) stall(self *conn, crowded []*conn) {
	begin := time.Now()
	window, taken := begin, int64(0)
	crowded = b.stillCrowded(self, crowded, new(int64))
	for len(crowded) > 0 {
		time.Sleep(stallStep)
		crowded = b.stillCrowded(self, crowded, &taken)
		now := time.Now()
		if now.Sub(window) >= stallWindow {
			if taken < stallRate {
				markLaggards(crowded)
				return
			}
			window, taken = now, 0
		}
		if now.Sub(begin) >= stallBudget {
			return
		}
	}
}

// stillCrowded returns those of crowded that have to be waited for, and adds to taken what all of them have written since
// the last look.
func (b *Broker) stillCrowded(self *conn, crowded []*conn, taken *int64) []*conn {
	resumeAt := b.crowdedAt / 2
	kept := crowded[:0]
	for _, c := range crowded {
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
	clear(crowded[len(kept):])
	return kept
}

// markLaggards makes laggards of crowded.
func markLaggards(crowded []*conn) {
	for _, c := range crowded {
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

package broker

import "time"

// Backpressure without harm: a publisher that outruns consumers which keep up in general waits a moment for them, so
// that nothing is lost to max_pending. It never waits for one that is stuck or slow.
//
// After a batch, its goroutine looks at the connections that it has queued much for. While they take output in at a good
// rate, all together, it waits for them to fall below resumeAt. When they do not, those that are left become
// laggards: nobody waits for them again until their queue was empty or they have taken in laggardQuota bytes. A slow
// consumer so costs its publishers one stallWindow for every laggardQuota bytes that it takes in.
//
// A consumer that has taken in much since it was a laggard, or since it connected, is given more time: its process may just
// not have been running. The rate that it must reach is the same, counted over the longer window.
//
// Before one is cut for having more than max_pending queued, it gets a last chance, lastChanceLocked.
const (
	defaultCrowdedAt = 1 << 20                // pending bytes from which a publisher waits; less if max_pending is small
	stallWindow      = 8 * time.Millisecond   // within which they must make progress
	stallBudget      = 100 * time.Millisecond // per batch
	maxPatience      = 32 * time.Millisecond  // by which the window grows for one that kept up so far
	patiencePerMiB   = time.Millisecond / 2
	stallStep        = 200 * time.Microsecond
	stallRate        = 200 << 10 // bytes that all of them must take in per window
	laggardQuota     = 1 << 20   // bytes
)

// crowded is a connection that has much queued, and how many bytes it had written when the publisher that waits for it
// looked last: each of several that wait sees all of the progress.
type crowded struct {
	conn    *conn
	written int64
}

// crowd notes that c has much queued, so that the worker looks at it after the batch.
func (w *worker) crowd(c *conn) {
	if n := len(w.crowded); n == 0 || w.crowded[n-1].conn != c {
		w.crowded = append(w.crowded, crowded{conn: c})
	}
}

// stall waits for the crowded connections as described above, at most stallBudget. self is the connection served: it
// is not waited for, as it may be waiting itself for its input to be read. The caller has given its worker back: any
// number of publishers may wait.
// Locks: takes out.mu of one connection after the other; none while it waits.
func (b *Broker) stall(self *conn, crowd []crowded) {
	self.stalls.Add(1)
	begin := time.Now()
	var look stallLook
	crowd = b.stillCrowded(self, crowd, &look)
	window := begin
	look.taken = 0
	for len(crowd) > 0 {
		time.Sleep(stallStep)
		crowd = b.stillCrowded(self, crowd, &look)
		now := time.Now()
		if passed := now.Sub(window); passed >= b.stallWindow {
			enough := look.taken >= stallRate*int64(passed)/int64(stallWindow)
			if !enough && passed >= b.stallWindow+look.patience {
				markLaggards(crowd)
				return
			}
			if enough {
				window, look.taken = now, 0
			}
		}
		if now.Sub(begin) >= b.stallBudget {
			return
		}
	}
}

// lastChanceLocked waits for a connection that is cut unless size more bytes fit, and reports whether they do. It waits
// as long as output is taken in at a good rate, which is measured over stallBudget: that is what a connection which gets
// more than max_pending in one batch can cost its publishers, once. One that kept up until now is given twice the time, since
// its process may just not have been running. A laggard has had its chance.
// Locks: needs o.mu, drops and retakes it.
func (w *worker) lastChanceLocked(o *outbound, size int) bool {
	begin, written, keptUp := time.Now(), o.mu.written, false
	for !o.mu.closed && !o.mu.laggard {
		if w.fitsLocked(o, max(size, int(w.live.MaxPending/2))) {
			return true
		}
		if now := time.Now(); now.Sub(begin) >= w.b.stallBudget {
			enough := o.mu.written-written >= stallRate*int64(stallBudget/stallWindow)
			if !enough && !keptUp {
				return false
			}
			begin, written, keptUp = now, o.mu.written, enough
		}
		o.mu.Unlock()
		time.Sleep(stallStep)
		o.mu.Lock()
	}
	return false
}

// stallLook is what a look at crowded connections has shown.
type stallLook struct {
	taken    int64         // bytes written to them since this was set to zero
	patience time.Duration // the most that one of those still crowded deserves
}

// stillCrowded returns those of crowd that have to be waited for, and notes in look how they do.
func (b *Broker) stillCrowded(self *conn, crowd []crowded, look *stallLook) []crowded {
	resumeAt := b.crowdedAt / 2
	look.patience = 0
	kept := crowd[:0]
	for _, k := range crowd {
		o := &k.conn.out
		o.mu.Lock()
		look.taken += o.mu.written - k.written
		k.written = o.mu.written
		wait := k.conn != self && !o.mu.closed && !o.mu.laggard && o.mu.pending > resumeAt
		patience := time.Duration((o.mu.written-o.mu.laggedAt)>>20) * patiencePerMiB
		o.mu.Unlock()
		if wait {
			kept = append(kept, k)
			look.patience = max(look.patience, min(patience, maxPatience))
		}
	}
	clear(crowd[len(kept):])
	return kept
}

// markLaggards makes laggards of crowd.
func markLaggards(crowd []crowded) {
	for _, k := range crowd {
		o := &k.conn.out
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

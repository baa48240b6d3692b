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
// Two things count as taken in: what was written to its socket, and what its system has acknowledged (Linux, without TLS). The former comes in
// steps of megabytes. With nothing left in its socket it is the server that is late, which has hundreds of publishers to serve, and
// not the consumer.
//
// Before one is cut for having more than max_pending queued, it gets a last chance, lastChanceLocked.
const (
	defaultCrowdedAt = 1 << 20                // pending bytes from which a publisher waits; less if max_pending is small
	stallWindow      = 8 * time.Millisecond   // within which they must make progress
	stallBudget      = 100 * time.Millisecond // per batch
	maxPatience      = 32 * time.Millisecond  // by which the window grows for one that kept up so far
	patiencePerMiB   = time.Millisecond / 2
	minStallStep     = 200 * time.Microsecond // see Broker.stallStep
	maxStallStep     = stallBudget / 4
	stallRate        = 200 << 10 // bytes that all of them must take in per window
	laggardQuota     = 1 << 20   // bytes
)

// crowded is a connection that has much queued, and what the publisher that waits for it knew of it when it looked last: each of several
// that wait sees all of the progress.
type crowded struct {
	conn    *conn
	written int64 // bytes
	arrived int64 // of these, with the peer's system, see arrivals
	served  bool  // all of them: it waits for the server
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
	b.stalled.Add(1)
	defer b.stalled.Add(-1)
	begin := time.Now()
	var look stallLook
	crowd = b.stillCrowded(self, crowd, &look)
	arrivals(crowd)
	window, taken, arrived := begin, look.taken, int64(0)
	for now := begin; len(crowd) > 0 && now.Sub(begin) < b.stallBudget; now = time.Now() {
		if passed := now.Sub(window); passed >= b.stallWindow {
			n, served := arrivals(crowd)
			arrived += n
			switch {
			case served || fastEnough(passed, max(arrived, look.taken-taken)):
				window, taken, arrived = now, look.taken, 0
			case passed >= b.stallWindow+look.patience:
				markLaggards(crowd)
				return
			}
		}
		time.Sleep(b.stallStep())
		crowd = b.stillCrowded(self, crowd, &look)
	}
}

// fastEnough reports whether consumers that have taken in n bytes in a time keep up.
func fastEnough(passed time.Duration, n int64) bool {
	return n >= stallRate*int64(passed)/int64(stallWindow)
}

// stallStep is how long a publisher waits before it looks again: the longer, the more of them wait. Hundreds that look all the time take
// the processors from the consumer, and from the goroutine that writes to it.
func (b *Broker) stallStep() time.Duration {
	const frequent = 8 // publishers that may look as often as a single one
	return min(minStallStep*time.Duration(max(1, b.stalled.Load()/frequent)), maxStallStep)
}

// arrivals returns how many more bytes have arrived with the systems of crowd since it was called for them before, and whether all of
// them have got all that was written.
func arrivals(crowd []crowded) (n int64, served bool) {
	served = true
	for i := range crowd {
		k := &crowd[i]
		unsent, known := k.conn.raw.unsent()
		n += k.written - unsent - k.arrived
		k.arrived = k.written - unsent
		k.served = known && unsent == 0
		served = served && k.served
	}
	return n, served
}

// lastChanceLocked waits for c, which is cut unless size more bytes fit, and reports whether they do. It waits
// as long as output is taken in at a good rate, which is measured over stallBudget: that is what a connection which gets
// more than max_pending in one batch can cost its publishers, once. One that kept up until now is given twice the time, since
// its process may just not have been running. A laggard has had its chance.
// Locks: needs c.out.mu, drops and retakes it.
func (w *worker) lastChanceLocked(c *conn, size int) bool {
	o := &c.out
	w.b.stalled.Add(1)
	defer w.b.stalled.Add(-1)
	begin, keptUp := time.Now(), false
	arrived, _ := c.arrivedLocked()
	for !o.mu.closed && !o.mu.laggard {
		if w.fitsLocked(o, max(size, int(w.live.MaxPending/2))) {
			return true
		}
		if now := time.Now(); now.Sub(begin) >= w.b.stallBudget {
			n, served := c.arrivedLocked()
			enough := served || fastEnough(stallBudget, n-arrived)
			if !enough && !keptUp {
				return false
			}
			begin, arrived, keptUp = now, n, enough
		}
		o.mu.Unlock()
		time.Sleep(w.b.stallStep())
		o.mu.Lock()
	}
	return false
}

// arrivedLocked returns how many bytes have arrived with the peer's system, and whether that is all that was written to it.
// Locks: needs c.out.mu, drops and retakes it.
func (c *conn) arrivedLocked() (n int64, served bool) {
	n = c.out.mu.written
	c.out.mu.Unlock()
	unsent, known := c.raw.unsent()
	c.out.mu.Lock()
	return n - unsent, known && unsent == 0
}

// stallLook is what a look at crowded connections has shown.
type stallLook struct {
	taken    int64         // bytes written to them so far
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

// markLaggards makes laggards of crowd, but for those that the server is late with.
func markLaggards(crowd []crowded) {
	for _, k := range crowd {
		if k.served {
			continue
		}
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

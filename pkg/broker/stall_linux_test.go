package broker

import (
	"io"
	"testing"
)

// isLaggard reports whether c is one.
func (c *conn) isLaggard() bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.mu.laggard
}

// TestServedIsNoLaggard: a consumer whose system has taken everything that was written is not to blame for what the server has not got
// round to write; one that does not read is.
func TestServedIsNoLaggard(t *testing.T) {
	b := launch(t, Options{})
	publisher, reader, stuck := joinQuiet(t, b), joinQuiet(t, b), joinQuiet(t, b)
	c := reader.serverSide(b)
	await(t, "what was written has arrived", func() bool { n, known := c.raw.unsent(); return known && n == 0 })
	late := func(pending int64, flushing bool) {
		c.out.mu.Lock()
		c.out.mu.pending += pending
		c.out.mu.flushing = flushing // by a writer goroutine that has not run for long
		c.out.mu.Unlock()
	}
	late(b.crowdedAt+1, true)
	b.stall(publisher.serverSide(b), []crowded{{conn: c}})
	if c.isLaggard() {
		t.Error("the server was late, and the consumer is a laggard")
	}
	late(-b.crowdedAt-1, false)

	stuck.send("SUB foo 1\r\n")
	stuck.roundTrip()
	publisher.flood("foo", 30<<20, 8<<10)
	publisher.roundTrip()
	if !stuck.serverSide(b).isLaggard() {
		t.Error("a consumer that does not read is no laggard")
	}
}

// TestLastChanceOfLaggards: a laggard that has taken in much before is waited for once more before it is cut, and any other is not.
func TestLastChanceOfLaggards(t *testing.T) {
	b := launch(t, Options{})
	c := joinQuiet(t, b).serverSide(b)
	w := b.borrow()
	defer b.giveBack(w)
	chance := func(written int64) bool {
		c.out.mu.Lock()
		defer c.out.mu.Unlock()
		c.out.mu.laggard, c.out.mu.written, c.out.mu.pending = true, written, w.live.MaxPending
		fits := w.lastChanceLocked(c, 1)
		c.out.mu.laggard, c.out.mu.pending = false, 0
		return fits
	}
	if chance(provenQuota - 1) {
		t.Error("a laggard that has never taken in much fits")
	}
	recovered := make(chan struct{})
	go func() {
		defer close(recovered)
		await(t, "somebody waits for it", func() bool { return b.stalled.Load() > 0 })
		c.out.mu.Lock()
		c.out.wroteLocked(int(w.live.MaxPending))
		c.out.mu.Unlock()
	}()
	if !chance(provenQuota) {
		t.Error("a laggard that goes on reading does not get its last chance")
	}
	<-recovered
}

// TestLastChanceEnds: a consumer that has taken in much and does not read any more is cut all the same.
func TestLastChanceEnds(t *testing.T) {
	const size = 8 << 10
	b := launch(t, Options{MaxPending: 4 << 20})
	publisher, reader := joinQuiet(t, b), joinQuiet(t, b)
	reader.send("SUB foo 1\r\n")
	reader.roundTrip()
	c := reader.serverSide(b)
	for c.arrivedSoFar() < 2*provenQuota {
		result := reader.reading(rounded(1<<20, size))
		publisher.flood("foo", 1<<20, size)
		reader.awaitRead(result)
	}
	go func() { // until the reader is cut
		for publisher.trySend(pub("foo", size)) == nil && !c.ended() {
		}
	}()
	await(t, "the reader is cut", func() bool { return b.Stats().SlowConsumers == 1 })
	if _, err := io.Copy(io.Discard, reader); err != nil {
		t.Logf("the end of what the reader got: %v", err)
	}
}

func (c *conn) arrivedSoFar() int64 {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	n, _ := c.arrivedLocked()
	return n
}

// TestStallStep: the more publishers wait, the less often each of them looks.
func TestStallStep(t *testing.T) {
	b := launch(t, Options{})
	one := b.stallStep()
	b.stalled.Add(800)
	defer b.stalled.Add(-800)
	if many := b.stallStep(); one != minStallStep || many != 100*minStallStep {
		t.Errorf("%v for one, %v for 800; want %v and %v", one, many, minStallStep, 100*minStallStep)
	}
}

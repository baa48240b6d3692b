package broker

import "testing"

// isLaggard reports whether c is one.
func (c *conn) isLaggard() bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.mu.laggard
}

// late adds pending bytes to what waits for c, as if a writer goroutine that flushes had not run for long.
func (c *conn) late(pending int64, flushing bool) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	c.out.mu.pending += pending
	c.out.mu.flushing = flushing
}

// TestServedIsNoLaggard: a consumer whose system has taken everything that was written is not to blame for what the server has not got
// round to write; one that does not read is.
func TestServedIsNoLaggard(t *testing.T) {
	b := launch(t, Options{})
	publisher, reader, stuck := joinQuiet(t, b), joinQuiet(t, b), joinQuiet(t, b)
	c := reader.serverSide(b)
	await(t, "what was written has arrived", func() bool { n, known := c.raw.unsent(); return known && n == 0 })
	c.late(b.crowdedAt+1, true)
	b.stall(publisher.serverSide(b), []crowded{{conn: c}})
	if c.isLaggard() {
		t.Error("the server was late, and the consumer is a laggard")
	}
	c.late(-b.crowdedAt-1, false)

	stuck.send("SUB foo 1\r\n")
	stuck.roundTrip()
	publisher.flood("foo", 30<<20, 8<<10)
	publisher.roundTrip()
	if !stuck.serverSide(b).isLaggard() {
		t.Error("a consumer that does not read is no laggard")
	}
}

// TestMixedCrowd: of two consumers for which a publisher waits, the one that does not read becomes a laggard, and not the one that the
// server is late with.
func TestMixedCrowd(t *testing.T) {
	b := launch(t, Options{})
	publisher, reader, stuck := joinQuiet(t, b), joinQuiet(t, b), joinQuiet(t, b)
	stuck.send("SUB foo 1\r\n")
	stuck.roundTrip()
	publisher.flood("foo", 30<<20, 8<<10)
	publisher.roundTrip()
	full, empty := stuck.serverSide(b), reader.serverSide(b)
	await(t, "what was written to the reader has arrived", func() bool { n, known := empty.raw.unsent(); return known && n == 0 })
	full.out.mu.Lock()
	full.out.mu.laggard = false
	full.out.mu.Unlock()
	empty.late(b.crowdedAt+1, true)
	b.stall(publisher.serverSide(b), []crowded{{conn: full}, {conn: empty}})
	if !full.isLaggard() || empty.isLaggard() {
		t.Errorf("laggards: the one that does not read %v, the other %v", full.isLaggard(), empty.isLaggard())
	}
	empty.late(-b.crowdedAt-1, false)
}

// TestArrivals: what a consumer reads shows long before its socket can be written to again.
func TestArrivals(t *testing.T) {
	b := launch(t, Options{})
	publisher, reader := joinQuiet(t, b), joinQuiet(t, b)
	reader.send("SUB foo 1\r\n")
	reader.roundTrip()
	publisher.flood("foo", 30<<20, 8<<10)
	publisher.roundTrip()
	c := reader.serverSide(b)
	before, known := c.raw.unsent()
	if !known || before == 0 {
		t.Fatalf("%d bytes are in the socket of a reader that does not read", before)
	}
	crowd := []crowded{{conn: c, written: 64 << 20}}
	arrivals(crowd)
	total := int64(0)
	result := reader.reading(rounded(30<<20, 8<<10))
	await(t, "something arrives", func() bool {
		n, _ := arrivals(crowd)
		total += n
		return total != 0
	})
	reader.awaitRead(result)
	await(t, "all of it arrives", func() bool {
		n, served := arrivals(crowd)
		total += n
		return served
	})
	if total != before {
		t.Errorf("%d bytes have arrived of %d that had not", total, before)
	}
	if !fastEnough(stallWindow, stallRate) || fastEnough(stallWindow, stallRate-1) || fastEnough(2*stallWindow, stallRate) {
		t.Error("a consumer keeps up with another rate than stallRate per stallWindow")
	}
}

// TestStallStep: the more publishers wait, the less often each of them looks, but often enough for its budget.
func TestStallStep(t *testing.T) {
	b := launch(t, Options{})
	one := b.stallStep()
	b.stalled.Add(800)
	many := b.stallStep()
	b.stalled.Add(1 << 20)
	most := b.stallStep()
	b.stalled.Store(0)
	if one != minStallStep || many != 100*minStallStep || most != maxStallStep {
		t.Errorf("%v for one, %v for 800, %v for very many; want %v, %v and %v", one, many, most, minStallStep, 100*minStallStep, maxStallStep)
	}
}

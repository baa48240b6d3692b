package broker

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
)

// awaitParked waits until the broker's side of p has no goroutine.
func awaitParked(t testing.TB, c *conn) {
	t.Helper()
	await(t, "the connection is parked", func() bool { return c.serving.Load() == parked })
}

// settle sends input, which must not be answered, in the second batch of p, whose first was that of join, and waits until p is
// parked. Up to hotBatches-firstBatches-1 batches may follow at once without making p one that keeps its goroutine.
func (p *wireClient) settle(b *Broker, input string) *conn {
	p.t.Helper()
	p.send(input + "PING\r\n")
	p.expect("PONG")
	c := p.serverSide(b)
	awaitParked(p.t, c)
	return c
}

func TestParkedConnectionIsWokenByInput(t *testing.T) {
	b := launch(t, Options{})
	p := joinQuiet(t, b)
	c := p.settle(b, "")
	for range 2 {
		p.roundTrip()
		awaitParked(t, c)
	}
	p.send("SUB foo 1\r\nPUB foo 2\r\nok\r\n")
	p.expect("MSG foo 1 2", "ok")
}

// TestParkedConnectionIsWrittenTo: a message and a PING reach a parked connection, which stays parked.
func TestParkedConnectionIsWrittenTo(t *testing.T) {
	b := launch(t, Options{})
	p, publisher := joinQuiet(t, b), joinQuiet(t, b)
	c := p.settle(b, "SUB foo 1\r\n")
	publisher.send(pub("foo", 2))
	p.expect("MSG foo 1 2", "xx")
	c.wake()
	p.expect("PING")
	if c.serving.Load() != parked {
		t.Error("output has woken the connection")
	}
	p.send("PONG\r\n")
	await(t, "the PONG is counted", func() bool { return c.pings.Load() == 0 })
}

func TestParkedConnectionIsClosed(t *testing.T) {
	b := launch(t, Options{})
	for _, c := range []struct {
		name string
		end  func(*wireClient, *conn)
	}{
		{"by the client", func(p *wireClient, _ *conn) { _ = p.Close() }},
		{"by a reset", func(p *wireClient, _ *conn) { _ = p.SetLinger(0); _ = p.Close() }},
		{"by half", func(p *wireClient, _ *conn) { _ = p.CloseWrite() }},
		{"by the broker", func(_ *wireClient, c *conn) { c.close(reasonStale) }},
		{"by the broker, after a flush", func(_ *wireClient, c *conn) { c.closeAfterFlush(reasonShutdown) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := joinQuiet(t, b)
			side := p.settle(b, "SUB foo 1\r\n")
			c.end(p, side)
			await(t, "the connection is forgotten", func() bool {
				s := b.Stats()
				return s.Connections == 0 && s.Subscriptions == 0
			})
		})
	}
}

// whileParked waits until c is parked, and calls f as if it were the goroutine that serves c. There must be no input meanwhile.
func whileParked(t testing.TB, c *conn, f func()) {
	t.Helper()
	await(t, "the connection is parked", func() bool { return c.serving.CompareAndSwap(parked, served) })
	f()
	c.serving.Store(parked)
}

// TestParkingLooksOnce: a connection that has read all there was is parked without looking again, keeps no worker, and is woken by
// what has come between the read and the parking.
func TestParkingLooksOnce(t *testing.T) {
	b := launch(t, Options{})
	p, other := joinQuiet(t, b), joinQuiet(t, b)
	c := p.settle(b, "SUB reply 1\r\n")
	other.send("SUB request 1\r\n")
	other.roundTrip()
	reads, between := 0, func() {}
	whileParked(t, c, func() {
		read := c.in.wake
		c.in.wake = func(fd uintptr) bool {
			reads++
			over := read(fd)
			between()
			return over
		}
	})
	p.send("PUB request 2\r\nok\r\n")
	other.expect("MSG request 1 2", "ok")
	whileParked(t, c, func() {
		if c.in.w != nil {
			t.Error("a parked connection keeps a worker")
		}
		if reads != 1 {
			t.Errorf("the socket was read %d times for one batch, want once", reads)
		}
		between = func() {
			between = func() {}
			p.send("PUB request 4\r\nmore\r\n")
			await(t, "the next input is there", c.raw.unread)
		}
	})
	p.send("PUB request 2\r\nok\r\n")
	other.expect("MSG request 1 2", "ok", "MSG request 1 4", "more")
}

// TestParkedConnectionHasNoGoroutine parks many connections, looks at the goroutines that are left, and wakes them all
// at once, a few times.
func TestParkedConnectionHasNoGoroutine(t *testing.T) {
	const clients = 300
	b := launch(t, Options{})
	before := runtime.NumGoroutine()
	all := make([]*wireClient, clients)
	for i := range all {
		all[i] = joinQuiet(t, b)
		all[i].settle(b, fmt.Sprintf("SUB all 1\r\nSUB one.%d 2\r\n", i))
	}
	publisher := joinQuiet(t, b)
	for range 3 {
		await(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before+1 }) // the publisher's
		publisher.send(pub("all", 2))
		for i, p := range all {
			p.send(fmt.Sprintf("PUB one.%d 2\r\nok\r\nPING\r\n", i))
		}
		for _, p := range all {
			got := map[string]int{}
			for range 5 {
				got[strings.SplitN(p.line(), ".", 2)[0]]++
			}
			if got["MSG all 1 2"] != 1 || got["MSG one"] != 1 || got["PONG"] != 1 {
				t.Fatalf("a woken connection got %v", got)
			}
		}
	}
}

// TestWheelParks: a connection that waits with a goroutine, because it never had its first batches or because it was busy, is
// parked once it was quiet for a whole interval.
func TestWheelParks(t *testing.T) {
	b := launch(t, Options{PingInterval: shortPing, PingMax: 1000})
	silent := dialRaw(t, b)
	busy := joinQuiet(t, b)
	for range 2 * hotBatches {
		busy.roundTripPast("PING")
	}
	for _, p := range []*wireClient{silent, busy} {
		awaitParked(t, p.serverSide(b))
		p.send("CONNECT " + plainConnect + "\r\n")
		p.roundTripPast("PING")
	}
}

// brokenPoller returns a poller for b that fails to watch anything.
func brokenPoller(t *testing.T, b *Broker) *poller {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	return &poller{b: b, file: file, raw: raw}
}

// TestWithoutPoller: where no epoll instance could be made, connections keep their goroutines, also when the wheel finds
// them quiet.
func TestWithoutPoller(t *testing.T) {
	b := launch(t, Options{PingInterval: shortPing, PingMax: 1000})
	b.poller.close()
	b.poller = nil
	p := joinQuiet(t, b)
	for range 4 {
		p.expect("PING")
		p.send("PONG\r\n")
	}
	p.roundTripPast("PING")
}

// TestParkingFails: a connection that the poller does not take keeps its goroutine and waits with it; it must not try again and
// again.
func TestParkingFails(t *testing.T) {
	b := launch(t, Options{})
	b.poller.close()
	b.poller = brokenPoller(t, b)
	await(t, "one of the connections has tried to park, and does not try again at once", func() bool {
		p := joinQuiet(t, b)
		for range 2 * firstBatches { // with bad luck, the next input is there each time it reads
			p.roundTrip()
		}
		c := p.serverSide(b)
		_ = p.CloseWrite()
		p.expectEnd()
		await(t, "the connection ends", func() bool { return b.Stats().Connections == 0 })
		return !c.quiet()
	})
}

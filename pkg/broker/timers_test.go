package broker

import (
	"testing"
	"time"
)

// shortPing is a ping interval that a test can wait for a few times.
const shortPing = 60 * time.Millisecond

// TestStale follows docs/spec/client-protocol.md §10.2: PING at T and 2T, closed at 3T.
func TestStale(t *testing.T) {
	b := launch(t, Options{PingInterval: shortPing})
	p := dialRaw(t, b)
	p.expect("PING", "PING")
	p.expectError(errTextStale)
}

// TestStaleAfterConnect is the same for a client that is through with CONNECT, and parked.
func TestStaleAfterConnect(t *testing.T) {
	b := launch(t, Options{PingInterval: shortPing, PingMax: 1})
	p := join(t, b, `{"verbose":false,"protocol":1}`)
	p.expect("PING")
	p.expectError(errTextStale)
	await(t, "the broker forgets the connection", func() bool { return b.Stats().Connections == 0 })
}

func TestPongResetsTheCount(t *testing.T) {
	b := launch(t, Options{PingInterval: shortPing, PingMax: 6})
	p := joinQuiet(t, b)
	for range 10 {
		p.expect("PING")
		p.send("PONG\r\n")
	}
	c := p.serverSide(b)
	p.roundTripPast("PING")
	if n := c.pings.Load(); n > 6 {
		t.Errorf("%d PINGs count as unanswered", n)
	}
}

// roundTripPast is roundTrip for a client that may be sent other lines as well, each of which is answered by nothing.
func (p *wireClient) roundTripPast(ignored string) {
	p.t.Helper()
	p.send("PING\r\n")
	for line := p.line(); line != "PONG"; line = p.line() {
		if line != ignored {
			p.t.Fatalf("got %q, want PONG", line)
		}
	}
}

// TestPongUnasked: a PONG that nobody asked for resets the count as well.
func TestPongUnasked(t *testing.T) {
	b := launch(t, Options{})
	p := joinQuiet(t, b)
	c := p.serverSide(b)
	for range DefaultPingMax {
		c.wake()
		p.expect("PING")
	}
	p.send("PONG\r\n")
	p.roundTrip()
	for range DefaultPingMax {
		c.wake()
		p.expect("PING")
	}
	c.wake()
	p.expectError(errTextStale)
}

// TestTrafficDoesNotReset: neither messages nor the client's own PINGs count as an answer.
func TestTrafficDoesNotReset(t *testing.T) {
	b := launch(t, Options{})
	p := joinQuiet(t, b)
	c := p.serverSide(b)
	for range DefaultPingMax {
		p.send(pub("foo", 10))
		p.roundTrip()
		c.wake()
		p.expect("PING")
	}
	p.send(pub("foo", 10))
	p.roundTrip()
	c.wake()
	p.expectError(errTextStale)
}

// TestStaleTextSurvivesTraffic: a client that goes on sending reads why it is closed. Its input must not turn the end
// into a reset that takes the text along.
func TestStaleTextSurvivesTraffic(t *testing.T) {
	b := launch(t, Options{PingMax: 1})
	for range 10 {
		p := joinQuiet(t, b)
		c := p.serverSide(b)
		c.wake()
		p.expect("PING")
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for p.trySend(pub("foo", 30_000)) == nil {
				select {
				case <-stop:
					return
				default:
				}
			}
		}()
		c.wake()
		p.expect("-ERR '" + errTextStale + "'")
		close(stop)
		_ = p.Close()
		awaitClosed(t, "the publisher", stopped)
	}
}

// TestNoPingBeforeTheFirstPong: between CONNECT and the first PONG a client of protocol 1 reads nothing else
// (docs/spec/client-protocol.md §1).
func TestNoPingBeforeTheFirstPong(t *testing.T) {
	b := launch(t, Options{})
	p := dialRaw(t, b)
	p.send(`CONNECT {"verbose":false,"protocol":1}` + "\r\nSUB foo 1\r\nPUB foo 2\r\nok\r\n")
	p.expect("MSG foo 1 2", "ok")
	c := p.serverSide(b)
	c.wake()
	p.roundTrip()
	c.wake()
	p.expect("PING")
}

// TestPingWithoutAFirstPong: a client of protocol 1 that never sends PING is not taken for dead unasked.
func TestPingWithoutAFirstPong(t *testing.T) {
	b := launch(t, Options{})
	p := dialRaw(t, b)
	p.send(`CONNECT {"verbose":false,"protocol":1}` + "\r\nSUB foo 1\r\nPUB foo 2\r\nok\r\n")
	p.expect("MSG foo 1 2", "ok")
	c := p.serverSide(b)
	for range 1 + 2*DefaultPingMax {
		c.wake()
	}
	for range DefaultPingMax {
		p.expect("PING")
	}
	p.expectError(errTextStale)
}

package broker

import (
	"time"

	"github.com/rs/zerolog"
)

// wake is what the wheel does for c once per ping interval: it counts one more PING as outstanding, and closes c if
// those are too many; nothing but a PONG takes the count back. Spec: docs/spec/client-protocol.md §10.2.
//
// It also has a connection that waits with a goroutine and was quiet for the whole interval parked.
func (c *conn) wake() {
	if c.ended() {
		return
	}
	if c.greeting.Load() && !c.spared.Swap(true) {
		return // the PONG for its first PING has to come before ours; a client that sends none is spared once
	}
	c.log(zerolog.DebugLevel).Msg("Client Ping Timer")
	if int(c.pings.Add(1)) > c.b.live.Load().PingMax {
		c.log(zerolog.DebugLevel).Msg("Stale Client Connection - Closing")
		c.b.staleConns.Add(1)
		c.closeAfterText(errTextStale, reasonStale)
		return
	}
	c.pinged()
	c.b.tell(func(w *worker) { w.say(c, pingLine) })
	if c.raw.RawConn != nil && c.b.wheel.now()-c.seen.Load() >= c.b.wheel.ticks.Load() {
		_ = c.net.SetReadDeadline(time.Unix(1, 0)) // a failure leaves it as it is: no harm
	}
}

// pinged notes that a PING is sent.
func (c *conn) pinged() { c.pingedAt.CompareAndSwap(0, c.b.clock()) }

// ponged notes that a PONG came: the peer is alive, and how far it is.
func (c *conn) ponged(w *worker) {
	c.pings.Store(0)
	if at := c.pingedAt.Swap(0); at != 0 {
		c.rtt.Store(max(1, w.readAt-at))
	}
}

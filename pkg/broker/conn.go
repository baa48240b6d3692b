package broker

import (
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// conn is one connection, of a client or of another server, from accept to close.
//
// It is served by at most one goroutine at a time (serve). While it is parked there is none, and an event of the
// poller starts one. Any goroutine may queue output for it and close it.
type conn struct {
	id  uint64   // cid; set by newConn, never written again
	b   *Broker  // as above
	net net.Conn // as above
	raw rawSocket

	route *route // what it has as a connection to another server; nil: it is a client's. Set before it is served

	in     input                 // the serving goroutine's
	client                       // what CONNECT said; the serving goroutine's
	timer  timer                 // the wheel's
	login  atomic.Pointer[login] // nil: there is nothing to remember. Stored before c is served, and under subs.mu

	// Any goroutine.
	identity   atomic.Pointer[identity] // who it is; nil: it has not shown its credentials. Stored under subs.mu
	watched    atomic.Bool              // every message has to be looked at before it is queued, see mayReceive
	headers    atomic.Bool              // wants HMSG; stored by the serving goroutine
	many       atomic.Bool              // has had more than one subscription at a time
	takesInfo  atomic.Bool              // has said in CONNECT that it understands INFO at any time
	infoAt     atomic.Uint32            // live.infoVersion of the INFO that it was sent last
	greeting   atomic.Bool              // the PONG after CONNECT is still to come, see firstPong
	pings      atomic.Int32             // PINGs not answered
	spared     atomic.Bool              // a PING was left out, see wake
	seen       atomic.Int64             // tick of the wheel at the last batch
	serving    atomic.Uint32
	ending     atomic.Pointer[closeReason] // why it closes; nil: it does not
	received   struct{ messages, bytes atomic.Int64 }
	introduced atomic.Bool           // it has said who it is, and was let in
	about      atomic.Pointer[about] // nil: CONNECT has said nothing. Stored by the serving goroutine
	startAt    int64                 // see Broker.clock; set by newConn, never written again
	activeAt   atomic.Int64          // likewise, of the last input that counts as activity
	pingedAt   atomic.Int64          // likewise, of the first PING that is not answered; 0: none
	rtt        atomic.Int64          // nanoseconds from the last PING to its PONG; 0: not known
	stalls     atomic.Int64          // times that it had to wait for slow consumers

	hadSubscriptions int // when it left its account; written under subs.mu, once

	subs    subscriptions
	left    bool // its account; guarded by subs.mu
	replies replies
	out     outbound
}

// client is what a connection has said in CONNECT. docs/spec/client-protocol.md §3.
type client struct {
	verbose      bool
	pedantic     bool
	echo         bool
	noResponders bool
	protocol     int
}

// about is what monitoring shows of a client.
type about struct{ name, lang, version string }

// Values of conn.serving.
const (
	served uint32 = iota // a goroutine is in serve
	parked               // none is; whoever changes it to served starts one
)

// newConn returns a connection over nc with the next cid. It is not registered yet.
func newConn(b *Broker, nc net.Conn) *conn {
	c := &conn{id: b.lastID.Add(1), b: b, net: nc, startAt: b.clock()}
	c.raw, _ = newRawSocket(nc)
	c.client = client{verbose: true, pedantic: true, echo: true} // docs/spec/client-protocol.md §3
	return c
}

// close ends c for the given reason and reports whether this call did it: a second one does nothing. Output that is
// queued is lost. The serving goroutine cleans up after it. Locks: takes c.out.mu.
func (c *conn) close(reason closeReason) bool {
	if !c.ending.CompareAndSwap(nil, &reason) {
		return false
	}
	c.sever()
	return true
}

// sever closes the queue and the socket of a connection that is ending, and sees to it that somebody cleans up.
// Locks: takes c.out.mu, drops it before the socket is closed.
func (c *conn) sever() {
	c.out.mu.Lock()
	c.out.mu.closed = true
	c.out.dropLocked()
	c.out.settledLocked()
	c.out.mu.Unlock()
	_ = c.net.Close() // it is gone for us, whatever this says
	if c.serving.CompareAndSwap(parked, served) {
		c.b.tasks.Add(1)
		go c.serve()
	}
}

// ended reports whether c closes or has closed.
func (c *conn) ended() bool { return c.ending.Load() != nil }

// closeAfterFlush closes c for the given reason once everything queued is written, in a goroutine of its own that ends
// after at most twice the write deadline. Input is not looked at any more, and nothing that is published after closeAfterFlush
// has returned reaches a client: it may have lost its rights (docs/spec/config.md C3), and others may take what it cannot
// (docs/spec/client-protocol.md §6.4). Shutdown waits for it.
// Locks: takes those of leave, drops them before anything is written.
func (c *conn) closeAfterFlush(reason closeReason) {
	if !c.ending.CompareAndSwap(nil, &reason) {
		return
	}
	c.b.tasks.Add(1)
	if c.route == nil {
		c.b.tell(c.leave)
	}
	go c.drain()
}

// closeWithBroker is closeAfterFlush for a broker that stops: all go, so c stays in its account until it cleans up. To take
// out many on one subject one after the other takes longer than the context of Shutdown may have. Locks: none.
func (c *conn) closeWithBroker() {
	reason := reasonShutdown
	if c.ending.CompareAndSwap(nil, &reason) {
		c.b.tasks.Add(1)
		go c.drain()
	}
}

// drain closes the connection of c, which is ending, once everything queued is written. It is a goroutine that Broker.tasks counts.
func (c *conn) drain() {
	defer c.b.tasks.Done()
	c.awaitDrain(c.writeDeadline())
	closeWrite(c.net)
	c.lingerBusy()
	c.sever()
}

// closeAfterText sends -ERR with text and then closes c, from outside its serving goroutine.
func (c *conn) closeAfterText(text string, reason closeReason) {
	c.b.tell(func(w *worker) { w.sayErr(c, text) })
	c.closeAfterFlush(reason)
}

// drained reports whether nothing waits to be written to c. Locks: takes c.out.mu.
func (c *conn) drained() bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.drainedLocked()
}

// awaitDrain waits until everything queued for c is written, c is closed, or the limit has passed.
// Locks: takes c.out.mu.
func (c *conn) awaitDrain(limit time.Duration) {
	c.out.mu.Lock()
	if c.out.drainedLocked() {
		c.out.mu.Unlock()
		return
	}
	if c.out.mu.drained == nil {
		c.out.mu.drained = make(chan struct{})
	}
	drained := c.out.mu.drained
	c.out.mu.Unlock()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	select {
	case <-drained:
	case <-deadline.C:
	}
}

// closeWrite ends the outgoing half of nc, if it can, so that the peer reads what was sent before it reads the end.
func closeWrite(nc net.Conn) {
	if half, ok := nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // the whole of it is closed next
	}
}

// tooSlow cuts a connection that has more than max_pending waiting.
func (c *conn) tooSlow() {
	if c.ended() {
		return
	}
	limit := c.b.live.Load().MaxPending
	description := c.describeSlow("max_pending", limit) // close drops the backlog
	if c.close(reasonSlowPending) {
		c.b.noteSlow(description)
		c.noticef("Slow Consumer Detected: MaxPending of %d Exceeded", limit)
	}
}

// cleanUp takes c out of everything that knows it, once, at the end of its last serving goroutine.
// Locks: takes c.subs.mu, the index's, the wheel's and b.mu, one after the other.
func (c *conn) cleanUp() {
	c.in.drop(c.b)
	if c.route != nil {
		c.cleanUpRoute()
		return
	}
	c.stopAwaiting()
	c.b.wheel.remove(c)
	c.b.tell(c.leave)
	c.b.remember(c)
	c.b.forget(c)
	if reason := c.ending.Load(); c.b.live.Load().debugOn {
		c.log(zerolog.DebugLevel).Msg("Client connection closed: " + string(*reason))
	}
}

// leave takes c and its subscriptions out of its account, for good; what is on crowded subjects a moment later, see departures. A second call does nothing. Any goroutine may call it.
// Locks: takes c.subs.mu, below it c.out.mu and the index's.
func (c *conn) leave(w *worker) {
	c.subs.mu.Lock()
	defer c.subs.mu.Unlock()
	id := c.identity.Load()
	if id == nil || c.left {
		return
	}
	c.left = true
	all := c.subs.takeAllLocked()
	c.hadSubscriptions = len(all)
	for _, s := range all {
		c.closeSubscription(s)
	}
	for _, s := range all {
		id.account.removed(w, s)
	}
	c.b.depart(id.account, all)
	id.account.clients.Add(-1)
}

// prefix is what stands in front of log lines about c (docs/spec/cli.md §8.4).
func (c *conn) prefix() string {
	if c.route != nil {
		return c.peer() + " - rid:" + strconv.FormatUint(c.id, 10)
	}
	return c.peer() + " - cid:" + strconv.FormatUint(c.id, 10)
}

// peer is the remote address: "IP:PORT" for TCP, the kind of connection otherwise.
func (c *conn) peer() string {
	if tcp, ok := c.net.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.String()
	}
	return c.net.RemoteAddr().Network()
}

// log starts a log event about c.
func (c *conn) log(level zerolog.Level) *zerolog.Event {
	e := c.b.live.Load().Logger.WithLevel(level)
	if e.Enabled() {
		e.Str(FieldConn, c.prefix())
	}
	return e
}

// noticef logs what an operator should know about c.
func (c *conn) noticef(format string, args ...any) {
	c.log(zerolog.InfoLevel).Msg(fmt.Sprintf(format, args...))
}

// debugf logs what helps to find a fault.
func (c *conn) debugf(format string, args ...any) {
	c.log(zerolog.DebugLevel).Msg(fmt.Sprintf(format, args...))
}

// errorf logs a fault of the client. Of strangers, only so many a second.
func (c *conn) errorf(format string, args ...any) {
	if c.muted() {
		return
	}
	c.log(zerolog.ErrorLevel).Msg(fmt.Sprintf(format, args...))
}

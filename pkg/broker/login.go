package broker

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/rs/zerolog"
)

// login is what a connection keeps about how its client became somebody. It exists only where there is something to keep.
type login struct {
	nonce       string      // that its INFO showed; empty: none. Set before it is served, like certificate and key
	certificate []string    // the names in the certificate of the client; nil: none, or they do not count
	key         string      // SHA-256 of the public key in it
	timer       *time.Timer // cuts a client that shows nothing in time; nil: it has
	shown       credentials // in the last CONNECT that was accepted; a reload checks them again. Guarded by subs.mu.
	awaits      *comparison // whether they count after a reload is known only then; nil: they do. Guarded by subs.mu.
}

// loginOf returns the login of c, a new one if there is none. Before c is served, or with subs.mu.
func (c *conn) loginOf() *login {
	l := c.login.Load()
	if l == nil {
		l = &login{}
		c.login.Store(l)
	}
	return l
}

// prepareLogin makes c, which is registered and not served yet, somebody without credentials if that is allowed, and
// gives it a nonce if it may need one.
func (c *conn) prepareLogin() {
	a := c.b.live.Load().authority
	if a.asksForSignature() {
		c.loginOf().nonce = newNonce()
	}
	if !a.open() || !c.kindAllowed(a.anonymous) {
		return
	}
	c.become(nil, a.anonymous, nil) // it has no subscriptions
	if now := c.b.live.Load().authority; now != a {
		newRecheck(c.b, now).look(c) // a reload came between, and did not see c
	}
}

// kindAllowed reports whether id may connect the way that c did.
func (c *conn) kindAllowed(id *identity) bool {
	if len(id.connections) == 0 {
		return true
	}
	for _, kind := range id.connections {
		if kind == c.kind() {
			return true
		}
	}
	return false
}

// kind returns the way in which c is connected.
func (c *conn) kind() ConnectionType {
	if _, tcp := c.net.RemoteAddr().(*net.TCPAddr); tcp {
		return ConnectionStandard
	}
	return ConnectionInProcess
}

// awaitCredentials starts the time that a client has to show its credentials, if it must.
// Source: docs/spec/client-protocol.md §10.1.
func (c *conn) awaitCredentials() {
	if c.identity.Load() != nil {
		return
	}
	l := c.loginOf()
	l.timer = time.AfterFunc(c.b.live.Load().authority.timeout, func() {
		if c.identity.Load() == nil && !c.ended() {
			c.log(zerolog.DebugLevel).Msg(errTextAuthTimeout)
			c.closeAfterText(errTextAuthTimeout, reasonAuthTimeout)
		}
	})
}

// stopAwaiting stops the time that awaitCredentials started.
func (c *conn) stopAwaiting() {
	if l := c.login.Load(); l != nil && l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
}

// locked reports whether an operation is none that c, which is nobody yet, may do: only CONNECT is, and the first byte
// tells (docs/spec/client-protocol.md §3, last paragraph).
func (c *conn) locked(first byte) bool { return first|0x20 != 'c' }

// breakIn answers a client that did something else before it showed its credentials.
func (c *conn) breakIn(w *worker) {
	c.errorf("Authorization Error")
	c.fail(w, errTextAuthorization, reasonAuthorization)
}

// credentialsIn returns what o shows.
func (c *conn) credentialsIn(o *connectOptions) credentials {
	shown := credentials{user: o.User, password: o.Pass, token: o.AuthToken, nkey: o.NKey, signature: o.Sig}
	if l := c.login.Load(); l != nil {
		shown.nonce, shown.certificate = l.nonce, l.certificate
	}
	return shown
}

// authenticate makes c who its credentials say, and reports whether that was possible; otherwise c ends. It may take
// long, and then gives the worker back meanwhile: c.in.w is another one afterwards.
func (c *conn) authenticate(o *connectOptions) bool {
	c.stopAwaiting()
	shown := c.credentialsIn(o)
	waited, readAt := false, int64(0)
	beforeWait := func() {
		if !waited {
			waited = true
			w := c.in.w
			readAt = w.readAt
			w.finish(c)
			w.crowded = nil
			c.in.giveBack(c.b)
		}
	}
	for {
		a := c.b.live.Load().authority
		ctx, cancel := context.WithTimeout(c.b.ctx, max(a.timeout, time.Millisecond))
		id, err := a.check(ctx, c.b.passwords, c.place(), c.kind(), &shown, beforeWait)
		cancel()
		if waited {
			c.in.borrow(c.b)
			c.in.w.readAt = readAt // what is left of the batch came with the rest of it
			waited = false
		}
		if err != nil {
			c.turnOut(err, a, &shown)
			return false
		}
		if c.b.live.Load().authority != a {
			continue // a reload came between, and did not see c
		}
		if !c.admitAs(id, &shown) {
			return false
		}
		if c.b.live.Load().authority == a {
			return true
		}
	}
}

// place is where c comes from, for taking turns: the address without the port.
func (c *conn) place() string {
	if tcp, ok := c.net.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.IP.String()
	}
	return ""
}

// turnOut ends c, whose credentials were not accepted.
func (c *conn) turnOut(err error, a *authority, shown *credentials) {
	if !errors.Is(err, errUnauthorized) {
		c.log(zerolog.DebugLevel).Msg(errTextAuthTimeout)
		c.fail(c.in.w, errTextAuthTimeout, reasonAuthTimeout)
		return
	}
	switch {
	case shown.nkey != "":
		c.errorf("Authorization Error - Nkey %q", shown.nkey)
	case a.listed:
		c.errorf("Authorization Error - User %q", shown.user)
	default:
		c.errorf("Authorization Error")
	}
	c.fail(c.in.w, errTextAuthorization, reasonAuthorization)
}

// admitAs makes c id, if the account of id takes another client, and tells it what it may not be subscribed to any more.
// A false ends c.
func (c *conn) admitAs(id *identity, shown *credentials) bool {
	dropped, admitted := c.become(c.in.w, id, shown)
	if !admitted {
		c.errorf("Maximum Account Active Connections Exceeded")
		return c.fail(c.in.w, errTextAccountConnections, reasonAccountConnections)
	}
	c.tellDropped(c.in.w, id, dropped)
	return true
}

// become makes c id and returns the subscriptions that id must not have, which have ended. Those that stay move to the
// account of id. False means that the account is full, and nothing has changed. Any goroutine.
// Locks: takes c.subs.mu, below it c.out.mu and the indexes'.
func (c *conn) become(w *worker, id *identity, shown *credentials) (dropped []*subscription, admitted bool) {
	c.subs.mu.Lock()
	defer c.subs.mu.Unlock()
	return c.becomeLocked(w, id, shown)
}

// becomeAgain is become for a connection that was somebody when a reload looked at it, and that may stay so only if awaits, unless that is
// nil, finds its password right. It does nothing if c is somebody else by now: whoever made it so looks at the authority afterwards.
// Locks: as become.
func (c *conn) becomeAgain(w *worker, before, id *identity, awaits *comparison) (dropped []*subscription) {
	c.subs.mu.Lock()
	defer c.subs.mu.Unlock()
	if c.identity.Load() != before {
		return nil
	}
	if l := c.login.Load(); l != nil { // else it has shown nothing
		l.awaits = awaits
	}
	dropped, _ = c.becomeLocked(w, id, nil)
	return dropped
}

// becomeLocked is become with the lock held. Locks: needs c.subs.mu, takes c.out.mu and the indexes' below it.
func (c *conn) becomeLocked(w *worker, id *identity, shown *credentials) (dropped []*subscription, admitted bool) {
	before := c.identity.Load()
	if c.left {
		return nil, true // it has gone
	}
	moved := before == nil || before.account != id.account
	if moved {
		if limits := id.account.limits.Load(); accountFull(id.account.clients.Load(), limits.MaxConnections) {
			return nil, false
		}
		id.account.clients.Add(1)
		if before != nil {
			before.account.clients.Add(-1)
		}
	}
	if shown != nil && (!shown.none() || c.login.Load() != nil) {
		l := c.loginOf()
		l.shown, l.awaits = *shown, nil
	}
	watched := id.rules.Responses() != nil
	var kept []*subscription
	for _, s := range c.subs.allLocked() {
		if !id.rules.Subscribe(s.subject, s.queue()).Allowed {
			dropped = append(dropped, s)
			continue
		}
		watched = watched || id.rules.Filters(s.subject, s.queue())
		kept = append(kept, s)
	}
	c.watched.Store(watched)
	for _, s := range dropped {
		c.subs.removeLocked(s)
		c.closeSubscription(s)
	}
	if before != nil { // else there were none
		before.account.removeSubscriptions(w, dropped)
	}
	if moved && before != nil {
		before.account.removeSubscriptions(w, kept)
		for _, s := range kept {
			id.account.addSubscription(w, s, s.subject)
		}
	}
	c.identity.Store(id)
	return dropped, true
}

// tellDropped tells c which subscriptions it lost. Source: docs/spec/client-protocol.md §12.1, docs/spec/config.md C3.
func (c *conn) tellDropped(w *worker, id *identity, dropped []*subscription) {
	for _, s := range dropped {
		c.noticef("Removed sub %q for user %q - not authorized", s.subject, id.name)
		if s.queue() != "" {
			w.sayErr(c, subscribeViolation(s.subject, s.queue())+" (sid \""+s.sid+"\")")
			continue
		}
		w.sayErr(c, subscribeViolation(s.subject, "")+" (sid "+s.sid+")")
	}
}

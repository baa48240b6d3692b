package broker

import (
	"context"
	"errors"
)

// recheck makes every connection who it is under a new authority. Clients whose credentials do not count any more are
// closed with an error, those whose account changed without one, and the others are under their new permissions at once.
// Source: docs/spec/config.md C3.
//
// The new authority is stored before: a connection that shows its credentials meanwhile sees it itself.
func (b *Broker) recheck(a *authority) {
	b.closeUnpinned()
	verdicts := make(map[credentialsKey]*identity)
	for _, c := range b.connections() {
		b.recheckConn(c, a, verdicts)
	}
}

// closeUnpinned closes the clients with certificates that may not be used any more. Those that are in their handshake see to it
// themselves, see establish. Source: docs/spec/config.md C3.
func (b *Broker) closeUnpinned() {
	l, closed := b.live.Load(), 0
	if l.secure == nil || len(l.secure.PinnedKeys) == 0 {
		return
	}
	for _, c := range b.connections() {
		if !c.ended() && !l.secure.stillPinned(c) {
			c.closeAfterFlush(reasonAccountChanged)
			closed++
		}
	}
	if closed > 0 {
		l.Logger.Info().Msgf("Disconnect %d clients due to pinned certs reload", closed)
	}
}

// credentialsKey is what one verdict is good for.
type credentialsKey struct {
	before *identity
	shown  [3]string // user, password, token
	kind   ConnectionType
}

// recheckConn makes c who it is under a.
func (b *Broker) recheckConn(c *conn, a *authority, verdicts map[credentialsKey]*identity) {
	before := c.identity.Load()
	if c.ended() {
		return
	}
	if before == nil {
		if id := a.anonymous; id != nil && !a.required {
			c.become(nil, id, nil) // it need not show anything any more, and has no subscriptions
		}
		return
	}
	c.subs.mu.Lock()
	shown := credentials{}
	if l := c.login.Load(); l != nil {
		shown = l.shown
	}
	c.subs.mu.Unlock()
	key := credentialsKey{before, [3]string{shown.user, shown.password, shown.token}, c.kind()}
	id, known := verdicts[key]
	if !known || len(shown.certificate) > 0 {
		id = b.recheckIdentity(c, a, before, &shown)
		verdicts[key] = id
	}
	switch {
	case id == nil:
		c.errorf("Authorization Error")
		c.closeAfterText(errTextAuthorization, reasonAuthorization)
	case id.account != before.account:
		c.closeAfterFlush(reasonAccountChanged)
	default:
		b.tell(func(w *worker) {
			dropped, _ := c.become(w, id, nil)
			c.tellDropped(w, id, dropped)
		})
	}
}

// recheckIdentity returns who c, which was before, is under a; nil if nobody.
func (b *Broker) recheckIdentity(c *conn, a *authority, before *identity, shown *credentials) *identity {
	if shown.signature != "" && before.name == shown.nkey {
		// The signature was right; what counts is whether the key still does.
		if id := a.keys[shown.nkey]; id != nil && c.kindAllowed(id) {
			return id
		}
		return nil
	}
	byPassword := len(shown.certificate) == 0 // otherwise it may be the certificate that has said who c is, and nobody has looked at the password
	if id := a.users[before.name]; id != nil && byPassword && before.name == shown.user && id.secret == before.secret && c.kindAllowed(id) && !a.mapped {
		return id // neither the name nor the password has changed
	}
	ctx, cancel := context.WithTimeout(b.ctx, max(a.timeout, DefaultAuthTimeout))
	defer cancel()
	id, err := a.check(ctx, b.passwords, "", c.kind(), shown, func() {})
	if errors.Is(err, context.DeadlineExceeded) {
		c.errorf("the password could not be checked again in time")
	}
	if err != nil {
		return nil
	}
	return id
}

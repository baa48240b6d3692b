package broker

import "github.com/natsd/natsd/internal/password"

// recheck is a look at connections under a new authority, which makes each who it is now. Clients whose credentials do not count any
// more are closed with an error, those whose account changed without one, and the others are under their new permissions at once. Where
// only a comparison with a bcrypt hash can tell, the client is under the new permissions until that has been made, see compare.
// Source: docs/spec/config.md C3.
//
// The new authority is stored before: a connection that shows its credentials meanwhile sees it itself.
type recheck struct {
	b       *Broker
	a       *authority
	waiting map[hashed]*comparison
}

// hashed is a stored hash, and the password or token that a client has shown.
type hashed struct{ hash, given string }

// comparison is one that clients wait for. It is not changed any more once compare has begun.
type comparison struct {
	hashed
	conns []*conn
}

func newRecheck(b *Broker, a *authority) *recheck {
	return &recheck{b: b, a: a, waiting: make(map[hashed]*comparison)}
}

// recheck looks at all clients. It does not wait for comparisons.
func (b *Broker) recheck(a *authority) {
	b.closeUnpinned()
	r := newRecheck(b, a)
	for _, c := range b.connections() {
		r.look(c)
	}
	r.compare()
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

// look makes c who it is under r.a.
func (r *recheck) look(c *conn) {
	before := c.identity.Load()
	switch {
	case c.ended():
		return
	case before == nil:
		if id := r.a.anonymous; id != nil && !r.a.required {
			c.become(nil, id, nil) // it need not show anything any more, and has no subscriptions
		}
		return
	}
	id, open := r.identify(c, before)
	switch {
	case id == nil:
		c.expel()
	case id.account != before.account, open != nil && before.name != id.name && before.rules != nil:
		// It moves, or nobody knows yet whether it may become somebody who has other rights.
		c.closeAfterFlush(reasonAccountChanged)
	default:
		awaits := r.await(c, open)
		r.b.tell(func(w *worker) { c.tellDropped(w, id, c.becomeAgain(w, before, id, awaits)) })
	}
}

// identify returns who c, which was before, is under r.a, nil for nobody. What it returns besides, unless that is nil, has to be
// compared first.
func (r *recheck) identify(c *conn, before *identity) (*identity, *hashed) {
	shown, proved := c.lastShown()
	id, given, certain := r.a.recall(before, &shown, proved)
	switch {
	case id == nil || !c.kindAllowed(id):
		return nil, nil
	case certain:
		return id, nil
	case !password.IsHash(id.secret):
		if !password.Equal(id.secret, given) {
			return nil, nil
		}
		return id, nil
	case shown.none():
		return nil, nil // for that nothing has to be compared
	case r.b.passwords.Remembers(id.secret, given) || r.b.rechecks.Remembers(id.secret, given):
		return id, nil
	}
	return id, &hashed{id.secret, given}
}

// recall is claimed for a client that was before, with the credentials that made it so if proved is true. What has not changed is not
// checked again.
func (a *authority) recall(before *identity, shown *credentials, proved bool) (id *identity, given string, certain bool) {
	if !a.required {
		return a.anonymous, "", true
	}
	if id := a.keys[shown.nkey]; id != nil && shown.signature != "" && before.secret == shown.nkey {
		return id, "", true // the signature was right; what counts is whether the key still does
	}
	byPassword := proved && len(shown.certificate) == 0 // otherwise it may be the certificate that has said who it is, and nobody has looked at the password
	if id := a.users[before.name]; id != nil && byPassword && before.name == shown.user && id.secret == before.secret && !a.mapped {
		return id, "", true // neither the name nor the password has changed
	}
	return a.claimed(shown)
}

// lastShown returns what c has shown in its last CONNECT, and whether that is known to be right. Locks: takes c.subs.mu.
func (c *conn) lastShown() (shown credentials, proved bool) {
	c.subs.mu.Lock()
	defer c.subs.mu.Unlock()
	l := c.login.Load()
	if l == nil {
		return credentials{}, true
	}
	return l.shown, l.awaits == nil
}

// expel closes c, whose credentials do not count any more.
func (c *conn) expel() {
	c.errorf("Authorization Error")
	c.closeAfterText(errTextAuthorization, reasonAuthorization)
}

// await makes c one of those that wait for a comparison, nil for none.
func (r *recheck) await(c *conn, open *hashed) *comparison {
	if open == nil {
		return nil
	}
	p := r.waiting[*open]
	if p == nil {
		p = &comparison{hashed: *open}
		r.waiting[*open] = p
	}
	p.conns = append(p.conns, c)
	return p
}

// compare makes the comparisons that clients wait for, on goroutines that end with the last one, or with the next reload, which looks at
// these clients again. Nobody waits for them but Shutdown: a hash takes a tenth of a second.
func (r *recheck) compare() {
	open := make(chan *comparison, len(r.waiting))
	for _, p := range r.waiting {
		open <- p
	}
	close(open)
	workers := min(len(r.waiting), passwordWorkers())
	r.b.mu.Lock()
	defer r.b.mu.Unlock()
	if r.b.mu.state == stopping {
		return // all of them close
	}
	r.b.tasks.Add(workers)
	for range workers {
		go func() {
			defer r.b.tasks.Done()
			for p := range open {
				if !r.counts() || !r.decide(p) {
					return
				}
			}
		}()
	}
}

// counts reports whether there was no reload since.
func (r *recheck) counts() bool { return r.b.live.Load().authority == r.a }

// decide compares a password and expels those who wait for that if it is wrong. False means that the broker stops.
func (r *recheck) decide(p *comparison) bool {
	right, err := r.b.rechecks.Verify(r.b.ctx, "", p.hash, p.given)
	if err != nil {
		return false
	}
	for _, c := range p.conns {
		if c.settle(p, right) && !right && r.counts() {
			c.expel()
		}
	}
	return true
}

// settle ends the waiting of c for a comparison that has found its password right, and reports whether c has waited for it until now: it
// may have shown other credentials, or a reload may have found that others are to be compared. Locks: takes c.subs.mu.
func (c *conn) settle(p *comparison, right bool) bool {
	c.subs.mu.Lock()
	defer c.subs.mu.Unlock()
	l := c.login.Load()
	if l == nil || l.awaits != p {
		return false
	}
	if right {
		l.awaits = nil
	}
	return true
}

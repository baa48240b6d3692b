package cluster

import (
	"net"
	"net/url"
	"slices"
	"time"
)

// Times between attempts. Source: docs/spec/route-protocol.md §2.9, docs/adr/0009-lost-servers.md.
const (
	retryTime     = time.Second
	retryJitter   = 100 * time.Millisecond
	maxBackoff    = 30 * time.Second // of explicit targets with connect_backoff
	maxRare       = 5 * time.Second  // of implicit targets that were not found for a while
	lookAgainTime = 30 * time.Second // between looks at the names of a target that was found
	staleTime     = time.Minute      // for which a server is looked for before it may have to make room for another
	missingTime   = time.Hour        // for which a server that others told of is looked for
)

// maxImplicit is the most servers that others can tell of. They are not believed blindly: each means attempts to connect.
const maxImplicit = 512

// target is where to dial: one route of the configuration, or one server that others told of. Its name may have several
// addresses, and each may lead to another server, or to this one.
type target struct {
	key      string // host:port
	host     string
	port     string
	user     *url.Userinfo // of a route; nil: none
	token    string        // for the process that takes over, which is there; empty: for all others
	explicit bool
	mode     int    // gossip_mode with which others told of it
	asks     bool   // the server asks for credentials, others said
	heard    *info  // what others told of it, though it is explicit; nil: nothing
	expected string // server id, if others told of it or it was lost; empty: not known
	lost     bool   // nobody has told of it: it had dialled this server, and was lost

	servers map[string]string // server id found at each address
	queue   []string          // addresses still to be tried in this round
	trying  string            // the one that is being tried

	resolving bool
	dialling  bool
	link      linkID // that led from trying; 0: none
	gone      bool   // it is a target no more

	reached  bool      // it has led to a peer at some time
	attempts int       // rounds in a row that found nobody
	retryAt  time.Time // zero: not again unless something happens
	since    time.Time // it has been looked for in vain; zero: it has not
	lastErr  string
	logged   bool // lastErr is in the log
	refused  bool // the last attempt led to a server that has closed the route soon
}

// found notes which server an address of t leads to.
func (t *target) found(addr, id string) {
	if t.servers == nil {
		t.servers = make(map[string]string)
	}
	t.servers[addr] = id
}

// leadsTo reports whether the server with this id is expected, or was found, at an address of t.
func (t *target) leadsTo(id string) bool {
	if t.expected == id {
		return true
	}
	for _, found := range t.servers {
		if found == id {
			return true
		}
	}
	return false
}

// idle reports whether no round is under way.
func (t *target) idle() bool { return !t.resolving && !t.dialling && t.link == 0 && len(t.queue) == 0 }

// due reports whether the next round begins.
func (t *target) due(now time.Time) bool { return t.idle() && past(t.retryAt, now) }

// credentials returns what to show the server. Source: docs/spec/route-protocol.md §2.2.
func (t *target) credentials(o *Options, hello *info) (user, password string) {
	if t.token != "" {
		return "", "" // it counts in their place: the password may be known by its hash only
	}
	if t.user != nil {
		password, _ := t.user.Password()
		return t.user.Username(), password
	}
	if !t.explicit && (t.asks || hello != nil && hello.AuthRequired) {
		return o.shown()
	}
	return "", ""
}

// follow makes the routes of o the explicit targets. Source: docs/spec/config.md C3.
func (m *mesh) follow(o *Options) {
	wanted := make(map[string]*url.URL)
	for _, u := range o.Routes {
		wanted[hostPort(u)] = u
	}
	for _, key := range m.targetKeys() {
		if t := m.targets[key]; t.explicit && wanted[key] == nil {
			m.say(levelInfo, 0, "Removed route %s", key)
			m.abandon(t)
			if t.heard != nil && m.peers[t.heard.ServerID] == nil {
				m.expect(key, t.heard, t.heard.GossipMode) // it is a member, whoever dials it
			}
		}
	}
	for _, u := range o.Routes {
		key := hostPort(u)
		t := m.targets[key]
		if t == nil || !t.explicit {
			if t != nil {
				m.remove(t)
			}
			t = &target{key: key, host: u.Hostname(), port: u.Port(), explicit: true, retryAt: m.now}
			m.targets[key] = t
		}
		t.user = u.User
	}
}

// abandon closes what a target has led to, and removes it. Unless others have told of the server, that is all.
func (m *mesh) abandon(t *target) {
	m.remove(t)
	for _, id := range m.linkIDs() {
		switch l := m.links[id]; {
		case l.target != t:
		case t.heard != nil:
			m.drop(l, "", "Route Removed")
		default:
			m.banish(l, "Route Removed")
		}
	}
}

// disregard removes the implicit targets that lead to the server of l, and what they have led to just now.
func (m *mesh) disregard(l *link) {
	for _, key := range m.targetKeys() {
		if t := m.targets[key]; !t.explicit && (t == l.target || t.leadsTo(l.info.ServerID)) {
			m.giveUp(t)
		}
	}
}

// giveUp removes an implicit target, and closes what it has led to if that is no route yet.
func (m *mesh) giveUp(t *target) {
	m.remove(t)
	if l := m.links[t.link]; l != nil && !l.peer() {
		m.drop(l, "", "Route Removed")
	}
}

// mistrust removes the targets that are there only because a server was let in, with credentials that do not count any more. It may
// not be one of the cluster now; if it is, it dials. Source: docs/adr/0009-lost-servers.md.
func (m *mesh) mistrust() {
	for _, key := range m.targetKeys() {
		if t := m.targets[key]; t.lost && !m.satisfied(t) {
			m.giveUp(t)
		}
	}
}

func (m *mesh) remove(t *target) {
	t.gone = true
	delete(m.targets, t.key)
}

// expect looks for a server at an address that others have told of, or at which it was before.
func (m *mesh) expect(addr string, i *info, mode int) {
	if t := m.targets[addr]; t != nil {
		turnedAway := t.refused && t.expected == i.ServerID // it would be so again; others may tell of it at any rate
		if t.idle() && !turnedAway && !m.satisfied(t) {
			t.retryAt, t.attempts, t.since, t.expected = m.now, 0, time.Time{}, i.ServerID
		}
		return
	}
	implicit := 0
	for _, t := range m.targets {
		if !t.explicit {
			implicit++
		}
	}
	if implicit >= maxImplicit && !m.forgetOne() {
		if m.now.Sub(m.full) > lookAgainTime {
			m.full = m.now
			m.say(levelWarn, 0, "Not looking for server %q and perhaps others: more than %d were told of and not found", i.ServerID, maxImplicit)
		}
		return
	}
	host, port := splitAddress(addr)
	m.targets[addr] = &target{key: addr, host: host, port: port, mode: mode, asks: i.AuthRequired, expected: i.ServerID, retryAt: m.now}
}

// forgetOne removes the implicit target that has been looked for in vain for longest, at least staleTime, and reports whether
// there was one.
func (m *mesh) forgetOne() bool {
	var oldest *target
	for _, t := range m.targets {
		if t.explicit || !t.idle() || t.since.IsZero() || m.now.Sub(t.since) < staleTime || m.satisfied(t) {
			continue
		}
		if oldest == nil || t.since.Before(oldest.since) || t.since.Equal(oldest.since) && t.key < oldest.key {
			oldest = t
		}
	}
	if oldest != nil {
		m.remove(oldest)
	}
	return oldest != nil
}

// forget removes implicit targets that a new peer makes needless: those that look for the same server elsewhere.
func (m *mesh) forget(l *link) {
	for _, key := range m.targetKeys() {
		t := m.targets[key]
		if !t.explicit && t != l.target && t.expected == l.info.ServerID && t.idle() {
			m.remove(t)
		}
	}
}

// begin starts a round of t.
func (m *mesh) begin(t *target) {
	t.retryAt, t.resolving = time.Time{}, true
	if t.since.IsZero() && !m.satisfied(t) {
		t.since = m.now
	}
	m.say(levelDebug, 0, "Trying to connect to route on %s", net.JoinHostPort(t.host, t.port))
	if net.ParseIP(t.host) != nil {
		m.resolved(resolved{target: t.key, addrs: []string{net.JoinHostPort(t.host, t.port)}})
		return
	}
	m.do(resolve{t.key, t.host, t.port})
}

// resolved handles the addresses of a target. What was found before counts if none can be looked up now.
func (m *mesh) resolved(e resolved) {
	t := m.targets[e.target]
	if t == nil || !t.resolving {
		return
	}
	t.resolving = false
	if e.err != "" && m.satisfied(t) {
		m.say(levelDebug, 0, "Cannot look up %s again, its route stays: %s", t.host, e.err)
		m.proceed(t)
		return
	}
	if e.err != "" {
		t.lastErr, t.logged = e.err, false
	}
	t.queue = e.addrs
	for addr := range t.servers {
		if !slices.Contains(e.addrs, addr) {
			delete(t.servers, addr)
		}
	}
	m.proceed(t)
}

// proceed tries the next address of t, or ends the round.
func (m *mesh) proceed(t *target) {
	if t.gone || t.resolving || t.dialling {
		return
	}
	if l := m.links[t.link]; l != nil && !l.peer() && !l.dropped {
		return // it has yet to say who it is
	}
	t.link = 0
	for len(t.queue) > 0 {
		addr := t.queue[0]
		t.queue = t.queue[1:]
		if m.here(t.servers[addr]) {
			continue
		}
		m.dialled++
		m.dials[m.dialled] = t
		t.trying, t.dialling = addr, true
		m.do(dial{m.dialled, addr, t.host, t.token != ""})
		return
	}
	m.endRound(t)
}

// unreached handles an attempt that has led to nothing.
func (m *mesh) unreached(e undialled) {
	t := m.dials[e.dial]
	delete(m.dials, e.dial)
	if t == nil || t.gone {
		return
	}
	t.dialling = false
	t.lastErr, t.logged, t.refused = e.err, false, false
	delete(t.servers, t.trying)
	m.proceed(t)
}

// satisfied reports whether t needs no attempts: one of its addresses leads to a peer, or all lead to this server.
func (m *mesh) satisfied(t *target) bool {
	own := 0
	for _, id := range t.servers {
		if id == m.self.id {
			own++
		} else if m.peers[id] != nil {
			return true
		}
	}
	if t.expected != "" && m.peers[t.expected] != nil {
		return true
	}
	return own > 0 && own == len(t.servers)
}

// unproven reports whether t has just led to a peer that may yet close the route, since it does not let this server in.
func (m *mesh) unproven(t *target) bool {
	for _, l := range m.peers {
		if l.target == t && l.young(m.now) {
			return true
		}
	}
	return false
}

// endRound decides when t is tried again.
func (m *mesh) endRound(t *target) {
	if m.satisfied(t) {
		t.retryAt, t.reached = time.Time{}, true
		if !m.unproven(t) {
			t.attempts, t.since, t.lastErr, t.logged = 0, time.Time{}, "", false
		}
		switch {
		case !t.explicit && m.peers[t.expected] == nil && t.onlyLeadsTo(m.self.id):
			m.remove(t) // it was this server all along
		case t.explicit && net.ParseIP(t.host) == nil:
			t.retryAt = m.now.Add(lookAgainTime + m.jitter()) // its name may have more addresses by then
			if len(m.peers) == 0 {
				t.retryAt = m.now.Add(maxRare + m.jitter())
			}
		}
		return
	}
	m.failed(t)
}

// failed counts an attempt that was in vain, and decides when the next one comes.
func (m *mesh) failed(t *target) {
	t.attempts++
	if t.since.IsZero() {
		t.since = m.now
	}
	if t.lastErr == "" {
		t.lastErr = "no server stays connected there"
	}
	if !t.explicit && m.now.Sub(t.since) > missingTime {
		m.say(levelInfo, 0, "Server %q is not looked for any more at %s", t.expected, t.key)
		m.remove(t)
		return
	}
	noisy := t.explicit || t.attempts <= 1+m.options.ConnectRetries
	if noisy && !t.logged && t.reports(m.options) {
		m.say(levelError, 0, "Error trying to connect to route: %s", t.lastErr)
	} else {
		m.say(levelDebug, 0, "Error trying to connect to route: %s", t.lastErr)
	}
	t.retryAt = m.now.Add(m.pause(t, noisy) + m.jitter())
}

// reports reports whether the failure of the last round is worth an error in the log. Source: docs/spec/config.md B2.
func (t *target) reports(o *Options) bool {
	every := o.ConnectErrorReports
	if t.reached {
		every = o.ReconnectErrorReports
	}
	return t.attempts == 1 || t.attempts%every == 0
}

// onlyLeadsTo reports whether the server with this id is all that t has found.
func (t *target) onlyLeadsTo(id string) bool {
	for _, found := range t.servers {
		if found != id {
			return false
		}
	}
	return len(t.servers) > 0
}

// pause returns how long to wait after a round that found nobody.
func (m *mesh) pause(t *target, noisy bool) time.Duration {
	limit := retryTime
	switch {
	case t.explicit && m.options.ConnectBackoff:
		limit = maxBackoff
	case !noisy:
		limit = maxRare
	}
	return min(retryTime<<min(t.attempts-1, 10), limit)
}

func (m *mesh) jitter() time.Duration { return time.Duration(m.random.Int64N(int64(retryJitter))) }

// lost looks for the server of a registered link that has ended: where it was found, or where it says that it is, since both
// ends may have dialled, and either may be gone. If that server has closed the link soon after it was dialled, the attempt has failed:
// servers say who they are before they look at a password. Source: docs/spec/route-protocol.md §2.9, §3.8, docs/adr/0009-lost-servers.md.
func (m *mesh) lost(l *link) {
	if l.replaced {
		return
	}
	if l.banished || l.info.LameDuck {
		m.disregard(l)
	}
	id, known := l.info.ServerID, false
	for _, key := range m.targetKeys() {
		t := m.targets[key]
		leads := t == l.target || t.expected == id
		for addr, found := range t.servers {
			if found == id {
				leads = true
				delete(t.servers, addr)
			}
		}
		if !leads {
			continue
		}
		known = true
		t.lastErr, t.logged = l.failure, l.logged
		if !l.young(m.now) || t.since.IsZero() {
			t.attempts, t.since = 0, m.now
		}
		if t.refused = l.turnedAway(m.now); t.refused {
			if !t.explicit {
				t.expected = id
			}
			m.failed(t)
		} else if t.explicit {
			t.retryAt = m.now.Add(retryTime + m.jitter())
		} else {
			t.expected, t.retryAt = id, m.now.Add(m.jitter())
		}
	}
	addr := addressOf(l)
	if known || l.banished || addr == "" || l.info.LameDuck || m.ducked || m.configuredFor(l.info, addr) != nil {
		return
	}
	told := m.targets[addr] != nil
	m.expect(addr, l.info, 0)
	if t := m.targets[addr]; t != nil && !t.explicit {
		t.lost, t.retryAt = t.lost || !told, m.now.Add(m.jitter())
	}
}

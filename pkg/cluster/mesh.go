package cluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Times of the mesh. Source: docs/spec/route-protocol.md §1 (7), §2.9.
const (
	helloWait    = 250 * time.Millisecond // for the INFO of the server that was dialled, before CONNECT is sent
	registerTime = 10 * time.Second       // for a link to say who it is
	probeTime    = time.Second            // for an old link to show that it lives, when the same server connects anew
	tellAllTime  = time.Second            // between announcements of all interest to one server, which it can ask for
)

// self is who this server is.
type self struct {
	id, name string
	port     int      // listened on
	urls     []string // for clients
}

// mesh decides which links there are. It is for one goroutine.
type mesh struct {
	self    self
	options *Options
	random  *rand.Rand

	name    clusterName
	links   map[linkID]*link
	peers   map[string]*link // registered, by server id
	targets map[string]*target
	dials   map[dialID]*target
	dialled dialID // last given out

	met    bool // there was a peer at some time
	ducked bool
	told   tellClients // last
	full   time.Time   // when it was last said that others tell of too many servers

	now     time.Time
	actions []action
}

// newMesh returns the mesh of a server that has no links yet. Its first step should be a tick.
func newMesh(s self, o *Options, seed uint64, now time.Time) *mesh {
	m := &mesh{
		self: s, options: o, random: rand.New(rand.NewPCG(seed, seed>>1)), name: clusterName{text: o.Name, fixed: o.Name != ""},
		links: make(map[linkID]*link), peers: make(map[string]*link), targets: make(map[string]*target), dials: make(map[dialID]*target), now: now,
	}
	m.told.name = m.name.text
	m.follow(o)
	return m
}

// step handles an event at a time, which never goes back, and returns what is to be done.
func (m *mesh) step(now time.Time, e event) []action {
	m.now, m.actions = now, nil
	switch e := e.(type) {
	case accepted:
		m.accept(e)
	case resolved:
		m.resolved(e)
	case dialled:
		m.connected(e)
	case undialled:
		m.unreached(e)
	case greeted:
		m.greet(e)
	case informed:
		m.inform(e)
	case ponged:
		if l := m.links[e.link]; l != nil {
			l.pings, l.probe = 0, time.Time{}
		}
	case refused:
		if l := m.links[e.link]; l != nil {
			l.blame(e.text)
			l.logged = true
		}
	case closed:
		m.closed(e)
	case configured:
		m.configure(e.options)
	case advertised:
		m.self.urls = e.urls
		m.sayAgain()
	case ducked:
		m.ducked = true
		m.sayAgain()
	case retired:
		m.retire(e)
	case tick:
	}
	m.act()
	m.tellClients()
	return m.actions
}

func (m *mesh) do(a action) { m.actions = append(m.actions, a) }

func (m *mesh) say(l level, id linkID, format string, args ...any) {
	m.do(say{l, id, fmt.Sprintf(format, args...)})
}

// accept handles a server that has connected. Its INFO may depend on ours, so ours comes at once.
// Source: docs/spec/route-protocol.md §1 (5).
func (m *mesh) accept(e accepted) {
	l := &link{id: e.link, ip: e.ip, key: e.key, begun: m.now, deadline: m.now.Add(registerTime)}
	if e.locked {
		l.locked, l.deadline = true, m.now.Add(m.options.AuthTimeout)
	}
	m.links[e.link] = l
	m.say(levelInfo, l.id, "Route connection created")
	if e.options != nil {
		m.revise(l, e.options) // there may have been a reload since
	}
	if !l.dropped {
		m.do(send{l.id, m.infoFor(l)})
	}
}

// connected handles a server that was dialled.
func (m *mesh) connected(e dialled) {
	t := m.dials[e.dial]
	delete(m.dials, e.dial)
	l := &link{id: e.link, ip: e.ip, key: e.key, begun: m.now, deadline: m.now.Add(helloWait), target: t, solicited: true, waiting: true}
	m.links[e.link] = l
	m.say(levelInfo, l.id, "Route connection created")
	if t == nil || t.gone {
		m.drop(l, "", "Route Removed")
		return
	}
	t.link, l.addr, l.explicit, l.handover = e.link, t.trying, t.explicit, t.token != ""
	t.dialling = false
	if e.options != nil {
		m.revise(l, e.options) // as in accept
	}
}

// introduce sends CONNECT and INFO to a server that was dialled. Source: docs/spec/route-protocol.md §1 (6), (7).
func (m *mesh) introduce(l *link) {
	l.waiting = false
	l.deadline = m.now.Add(registerTime)
	user, password := l.target.credentials(m.options, l.hello)
	name, dynamic := m.name.greeting(m.random)
	c := &connect{
		Echo: true, User: user, Pass: password, TLSRequired: m.options.TLS != nil, Headers: true, Name: m.self.id, Cluster: name, ClusterDynamic: dynamic,
		Handover: l.target.token,
	}
	m.do(send{l.id, c.line()})
	m.do(send{l.id, m.infoFor(l)})
	m.say(levelDebug, l.id, "Route connect msg sent")
}

// infoFor returns the own INFO for a link.
func (m *mesh) infoFor(l *link) string {
	i := ownInfo(&m.self, m.options)
	if !m.options.NoAdvertise && !m.ducked {
		i.ConnectURLs = m.self.urls
	}
	i.LameDuck = m.ducked && l.peer() && !l.info.old()
	if l.target != nil {
		i.GossipMode = l.target.mode
	}
	return i.line()
}

// sayAgain sends INFO to the peers that may have it twice. Source: docs/spec/route-protocol.md §2.1, §3.1.
func (m *mesh) sayAgain() {
	for _, id := range m.peerIDs() {
		if l := m.peers[id]; !l.info.old() {
			m.do(send{l.id, m.infoFor(l)})
		}
	}
}

// peerIDs returns the server ids of all peers, in order.
func (m *mesh) peerIDs() []string {
	ids := make([]string, 0, len(m.peers))
	for id := range m.peers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// greet handles CONNECT. Source: docs/spec/route-protocol.md §2.1, §3.2, §3.3.
func (m *mesh) greet(e greeted) {
	l, c := m.links[e.link], e.connect
	if l == nil || l.dropped {
		return
	}
	l.locked, l.handover = false, e.handover
	l.deadline = later(l.deadline, l.begun.Add(registerTime))
	switch {
	case c.Lang != "":
		m.drop(l, "attempted to connect to route port", "Client Connected To Route Port")
	case c.Gateway != "":
		m.drop(l, fmt.Sprintf("Rejecting connection from gateway %q on the Route port", printable(c.Gateway)), "Wrong Gateway")
	case c.Account != "" || c.NewAccount:
		m.drop(l, "Authorization Violation", "Authentication Failure")
	case c.Cluster != "" && !m.name.agree(c.Cluster, c.ClusterDynamic):
		m.say(levelError, l.id, "Rejecting connection, cluster name %q does not match %q", c.Cluster, m.name.text)
		m.drop(l, fmt.Sprintf("Rejecting connection, cluster name %q does not match %q", printable(c.Cluster), m.name.text), "Cluster Name Conflict")
	}
}

// printable returns text as it can stand in -ERR.
func printable(text string) string {
	const most = 128 // bytes
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\'' || r == '"' {
			return '_'
		}
		return r
	}, text[:min(len(text), most)])
}

// inform handles INFO: of the server at the other end, or of a third one that it tells of.
func (m *mesh) inform(e informed) {
	l, i := m.links[e.link], e.info
	switch {
	case l == nil || l.dropped || i.Gateway != "":
	case i.clients() && !l.peer() && l.target != nil:
		l.blame(fmt.Sprintf(`%s is a port for clients, not for other servers; use the port of "cluster" of the server there`, l.addr))
		m.drop(l, "", "Port For Clients") // docs/spec/route-protocol.md §2.1
	case i.RouteAccount != "":
		m.drop(l, "", "Not The General Route") // docs/spec/route-protocol.md §1 (8)
	case i.Cluster != "" && !m.name.agree(i.Cluster, i.ClusterDynamic):
		m.say(levelError, l.id, "Rejecting connection, cluster name %q does not match %q", i.Cluster, m.name.text)
		l.blame(fmt.Sprintf("cluster name %q does not match %q", printable(i.Cluster), m.name.text))
		l.logged = true
		m.drop(l, "", "Cluster Name Conflict")
	case !l.peer():
		m.register(l, i)
	case i.ServerID == l.info.ServerID:
		m.update(l, i)
	default:
		m.hear(l, i)
	}
}

// drop closes a link. What depends on it changes when it has closed.
func (m *mesh) drop(l *link, text, reason string) {
	if !l.dropped {
		l.dropped = true
		l.blame(reason)
		m.do(drop{l.id, text, reason})
	}
}

// banish drops a link for good: its server is looked for no more, except at routes of the configuration. Whoever dials it would
// show it the credentials of this server. Source: docs/spec/config.md C3.
func (m *mesh) banish(l *link, reason string) {
	l.banished = true
	m.drop(l, "", reason)
	if l.peer() && m.peers[l.info.ServerID] == l {
		m.disregard(l)
	}
}

// closed handles the end of a link.
func (m *mesh) closed(e closed) {
	l := m.links[e.link]
	if l == nil {
		return
	}
	delete(m.links, e.link)
	l.blame(ending(e.reason))
	if l.info != nil && m.peers[l.info.ServerID] == l {
		delete(m.peers, l.info.ServerID)
		m.lost(l)
	}
	if t := l.target; t != nil && t.link == e.link {
		t.link = 0
		if !l.peer() {
			if l.hello == nil || !m.here(l.hello.ServerID) {
				t.lastErr, t.logged = l.failure, l.logged
			}
			m.proceed(t)
		}
	}
}

// here reports whether the server with this id needs no link: it is this one, or a peer.
func (m *mesh) here(id string) bool { return id == m.self.id || m.peers[id] != nil }

// ending returns what the broker's reason for the end of a link, which the mesh has not asked for, means for whoever looks for its server.
func ending(reason string) string {
	if reason == "Client Closed" {
		return "the other server has closed the connection"
	}
	return "the connection has ended: " + reason
}

// configure follows new options. Source: docs/spec/config.md C3.
func (m *mesh) configure(o *Options) {
	before := m.options
	m.options = o
	if o.Name != before.Name {
		m.name = clusterName{text: o.Name, fixed: o.Name != ""}
	}
	unpinned := 0
	for _, id := range m.linkIDs() {
		l := m.links[id]
		if !l.dropped && !o.TLS.pins(l.key) {
			unpinned++
		}
		m.revise(l, before)
	}
	if unpinned > 0 {
		m.say(levelInfo, 0, "Disconnect %d routes due to pinned certs reload", unpinned)
	}
	if o.revokes(before) {
		m.mistrust()
	}
	m.follow(o)
	m.sayAgain()
}

// revise drops a link, registered or not, that was made under other options and would not be there, or be another one, under those
// of now. Source: docs/spec/config.md C3.
func (m *mesh) revise(l *link, before *Options) {
	switch o := m.options; {
	case o.revokes(before) && !l.solicited, !o.TLS.pins(l.key):
		m.banish(l, "Credentials Revoked")
	case o.Name != before.Name:
		m.drop(l, "", "Cluster Name Conflict") // it comes back if it agrees
	case !o.samePermissions(before):
		m.drop(l, "", "Route Permissions Changed") // it comes back, and both ends announce all of their interest
	}
}

// tellClients has clients told of what changed. Source: docs/spec/client-protocol.md §2.4.
func (m *mesh) tellClients() {
	now := tellClients{name: m.name.text}
	if m.met && !m.options.NoAdvertise {
		now.urls = []string{}
		seen := make(map[string]bool)
		for _, id := range m.peerIDs() {
			if l := m.peers[id]; !l.info.LameDuck && !l.dropped {
				for _, u := range l.info.ConnectURLs {
					if !seen[u] {
						seen[u] = true
						now.urls = append(now.urls, u)
					}
				}
			}
		}
	}
	if now.name != m.told.name || !slices.Equal(now.urls, m.told.urls) || (now.urls == nil) != (m.told.urls == nil) {
		m.told = now
		m.do(now)
	}
}

// linkIDs and targetKeys return the keys of the links and the targets in order, so that a run can be repeated.
func (m *mesh) linkIDs() []linkID {
	ids := make([]linkID, 0, len(m.links))
	for id := range m.links {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

func (m *mesh) targetKeys() []string {
	keys := make([]string, 0, len(m.targets))
	for key := range m.targets {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

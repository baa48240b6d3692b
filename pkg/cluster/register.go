package cluster

import (
	"bytes"
	"fmt"
	"time"
)

// register makes l, whose first INFO came, the route to its server; or drops it, if there is a better one.
// Source: docs/spec/route-protocol.md §1 (8), §2.10.
func (m *mesh) register(l *link, i *info) {
	l.hello = i
	if l.target != nil {
		l.target.found(l.addr, i.ServerID)
	}
	if i.ServerID == m.self.id {
		where := l.ip
		if l.target != nil {
			where = l.target.key
		}
		m.say(levelDebug, l.id, "Detected route to self, ignoring %q", where)
		m.drop(l, "", "Route To Self")
		return
	}
	if i.ServerName == m.self.name && i.ServerName != "" && !l.handover {
		m.say(levelError, l.id, "Another server is called %q too, %q; give each its own server_name", i.ServerName, i.ServerID)
		l.blame(fmt.Sprintf("another server is called %q too; give each its own server_name", printable(i.ServerName)))
		l.logged = true
		m.drop(l, "", "Duplicate Server Name")
		return
	}
	if other := m.peers[i.ServerID]; other != nil && !other.dropped && !m.settle(l, other, i) {
		return
	}
	if l.waiting {
		m.introduce(l)
	}
	m.say(levelDebug, l.id, "Registering remote route %q", i.ServerID)
	l.info = i
	if m.ducked && !i.old() {
		m.do(send{l.id, m.infoFor(l)}) // sayAgain has passed it over, and in what it was sent before ldm could not stand
	}
	l.deadline = time.Time{}
	l.nextPing = m.now.Add(m.options.PingInterval)
	m.peers[i.ServerID] = l
	m.met = true
	m.do(announce{l.id, dialectOf(i)})
	l.toldAll = m.now
	m.say(levelDebug, l.id, "Route sent local subscriptions")
	m.forget(l)
	switch {
	case !l.handover:
		m.gossip(l)
	case l.solicited:
		m.handOn(l)
	}
	if l.target != nil {
		m.proceed(l.target)
	}
}

// settle decides between l, which has shown that it leads to the server with the INFO i, and other, which does so already.
// True means that l takes the place of other. Source: docs/spec/route-protocol.md §1 (7), §2.10, §3.13, docs/adr/0010-duplicate-links.md.
func (m *mesh) settle(l, other *link, i *info) bool {
	better := false
	switch {
	case l.handover != other.handover:
		// Both servers know which one it is. It stays, unless it shows its token for a second time: that is refused.
		better = l.handover && (l.target == nil || !l.target.reached)
	case !l.waiting && i.TieBreak && l.solicited != other.solicited:
		// Both servers have dialled, and both see both links: the one that the server with the lower id has dialled stays.
		better = (m.self.id < i.ServerID) == l.solicited
	}
	if better {
		if l.waiting {
			m.introduce(l) // with the token of its own target, before it inherits another one
		}
		m.inherit(l, other)
		m.say(levelDebug, other.id, "Detected duplicate remote route %q", i.ServerID)
		delete(m.peers, i.ServerID)
		other.replaced = true
		m.drop(other, "", "Duplicate Route")
		return true
	}
	if !l.waiting && !l.solicited {
		m.probe(other) // the other server would not have dialled for nothing
	}
	m.inherit(other, l)
	m.say(levelDebug, l.id, "Detected duplicate remote route %q", i.ServerID)
	m.drop(l, "", "Duplicate Route")
	return false
}

// inherit gives the link that stays what the one that goes was good for.
func (m *mesh) inherit(stays, goes *link) {
	if goes.target == nil {
		return
	}
	if stays.target == nil || !stays.explicit && goes.explicit {
		stays.target, stays.addr = goes.target, goes.addr
	}
	stays.solicited = stays.solicited || goes.solicited
	stays.explicit = stays.explicit || goes.explicit
}

// probe asks an old link for a sign of life.
func (m *mesh) probe(l *link) {
	if l.probe.IsZero() {
		l.probe = m.now.Add(probeTime)
		m.do(ping{l.id})
	}
}

// update handles a later INFO of a peer. If it exports something else from now on, it has forgotten interest that it needs.
// Source: docs/spec/route-protocol.md §3.1.
func (m *mesh) update(l *link, i *info) {
	ldm := i.LameDuck && !l.info.LameDuck
	i.Proto = l.info.Proto // it is spoken to as before
	if !i.old() && !bytes.Equal(i.raw["export"], l.info.raw["export"]) {
		l.tellAll = later(m.now, l.toldAll.Add(tellAllTime))
	}
	l.info = i
	if ldm {
		m.say(levelInfo, l.id, "Server %q is going down", i.ServerID)
		m.lookForSuccessor(l)
	}
}

package cluster

import (
	"net"
	"net/url"
)

// Values of gossip_mode. Source: docs/spec/route-protocol.md §3.8.
const gossipOff = 1

// gossip tells all other peers of the same generation of a new one. They dial it.
// Source: docs/spec/route-protocol.md §1 (12), §2.8, §3.8.
func (m *mesh) gossip(l *link) {
	if l.info.GossipMode == gossipOff {
		return
	}
	line := l.info.forwarded(l.ip, 0)
	if line == "" {
		m.say(levelError, l.id, "Not telling other servers of %q: its INFO is longer than they may accept; list it in their routes", l.info.ServerID)
		return
	}
	for _, id := range m.peerIDs() {
		if other := m.peers[id]; other != l && !other.dropped && other.info.old() == l.info.old() {
			m.do(send{other.id, line})
		}
	}
}

// hear handles the INFO of a server that a peer tells of: it is dialled unless that is needless, or the server is going down.
// Source: docs/spec/route-protocol.md §2.8, docs/spec/choices.md 5.
func (m *mesh) hear(l *link, i *info) {
	addr := i.address()
	if addr == "" || i.LameDuck || i.ServerID == m.self.id || m.peers[i.ServerID] != nil || i.old() != l.info.old() && !l.handover {
		return
	}
	if t := m.configuredFor(i, addr); t != nil {
		t.heard = i
		return
	}
	m.expect(addr, i, i.GossipMode)
	if t := m.targets[addr]; t != nil {
		t.lost = false
	}
}

// configuredFor returns the target for a route of the configuration that is a server, nil if there is none. It is dialled in any
// case.
func (m *mesh) configuredFor(i *info, addr string) *target {
	listed := hostPort(&url.URL{Host: joinPort(i.Host, i.Port)})
	for _, t := range m.targets {
		if t.explicit && (t.key == addr || t.key == listed) {
			return t
		}
	}
	return nil
}

// addressOf returns where a peer can be dialled: where it says, or where it was seen.
func addressOf(l *link) string {
	if addr := l.info.address(); addr != "" {
		return addr
	}
	if l.ip == "" || l.info.Port == 0 {
		return ""
	}
	return joinPort(l.ip, l.info.Port)
}

// splitAddress takes "host:port" apart.
func splitAddress(addr string) (host, port string) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr, ""
	}
	return host, port
}

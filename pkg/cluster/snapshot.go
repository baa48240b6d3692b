package cluster

import (
	"net"
	"slices"
	"strings"
	"time"

	"github.com/natsd/natsd/pkg/broker"
)

// Snapshot is what a Cluster knows at one moment.
type Snapshot struct {
	Name    string // of the cluster; empty: nobody has said so far
	Routes  []RouteSnapshot
	Missing []MissingSnapshot
}

// RouteSnapshot is a link to another server, the oldest first.
type RouteSnapshot struct {
	ID         uint64
	RemoteID   string
	RemoteName string
	Remote     net.Addr
	Solicited  bool // this server has dialled
	Configured bool // because of its configuration
	V1         bool
	broker.LinkStats
	link *broker.Link // nil: it has just gone
}

// Subs returns what the other server is interested in; nil if it has gone.
func (r *RouteSnapshot) Subs() []broker.SubState {
	if r.link == nil {
		return nil
	}
	return r.link.Subs()
}

// MissingSnapshot is a server that is looked for and not there.
type MissingSnapshot struct {
	Address    string // host:port
	Configured bool   // it is a route of the configuration; others were told of, or have been there
	ServerID   string // empty: not known
	Attempts   int    // that found nobody
	Since      time.Time
	Next       time.Time // attempt; zero: one is under way
	LastError  string
}

// Snapshot returns what the cluster knows. It is empty before Start and after Shutdown.
func (c *Cluster) Snapshot() Snapshot {
	var s Snapshot
	c.mu.Lock()
	started := c.mu.started
	c.mu.Unlock()
	if !started {
		return s // nobody would answer
	}
	c.ask(request{do: func(m *mesh) {
		s.Name = m.name.text
		for _, id := range m.linkIDs() {
			l := m.links[id]
			if !l.peer() || l.dropped {
				continue
			}
			r := RouteSnapshot{
				ID: uint64(id), RemoteID: l.info.ServerID, RemoteName: l.info.ServerName, Solicited: l.solicited, Configured: l.explicit,
				V1: l.info.old(),
			}
			if linked := c.link(id); linked != nil {
				r.Remote, r.LinkStats, r.link = linked.RemoteAddr(), linked.Stats(), linked
			}
			s.Routes = append(s.Routes, r)
		}
		s.Missing = m.missing()
	}})
	return s
}

// missing returns the servers that are looked for.
func (m *mesh) missing() []MissingSnapshot {
	var list []MissingSnapshot
	for _, key := range m.targetKeys() {
		t := m.targets[key]
		if m.satisfied(t) {
			continue
		}
		list = append(list, MissingSnapshot{
			Address: t.key, Configured: t.explicit, ServerID: t.expected, Attempts: t.attempts, Since: t.since, Next: t.retryAt, LastError: t.lastErr,
		})
	}
	slices.SortFunc(list, func(a, b MissingSnapshot) int { return strings.Compare(a.Address, b.Address) })
	return list
}

package cluster

import (
	"net"
	"strings"
	"time"

	"github.com/natsd/natsd/internal/password"
)

// Predecessor is the process that hands its port for routes over to this one. The two have one configuration, and so perhaps
// one name, and a password that they know the hash of only; they are linked all the same while the old one is there.
// Source: docs/spec/route-protocol.md §3.13.
type Predecessor struct {
	ID    string // of its server
	Token string // that it shows: a secret of the two processes, good for one link
}

// handoverTime is how long a predecessor is waited for.
const handoverTime = time.Minute

// awaited is a predecessor that has not come.
type awaited struct {
	Predecessor
	until time.Time
}

// isPredecessor reports whether a CONNECT comes from the predecessor, near saying that it comes from this machine. It does so once.
func (c *Cluster) isPredecessor(hello *connect, near bool) bool {
	p := c.predecessor.Load()
	if p == nil || hello.Handover == "" || !near || time.Now().After(p.until) {
		return false
	}
	right := password.Equal(p.ID, hello.Name)
	return password.Equal(p.Token, hello.Handover) && right && c.predecessor.CompareAndSwap(p, nil)
}

// Retire hands the port for routes over to another process, which has a copy of it and knows this one as its Predecessor, with this
// token: this one accepts nobody any more, and links to it, so that the clients of both reach each other until this one stops. It
// goes before LameDuck.
func (c *Cluster) Retire(token string) {
	c.mu.Lock()
	listener := c.mu.listener
	c.mu.Unlock()
	if listener == nil {
		return
	}
	_ = listener.Close() // the other process has its own
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	c.tell(retired{host, port, token})
}

// retire looks for the process that takes over, at an address that has led to this one so far.
func (m *mesh) retire(e retired) {
	key := strings.ToLower(net.JoinHostPort(e.host, e.port))
	if t := m.targets[key]; t != nil {
		m.remove(t)
	}
	m.targets[key] = &target{key: key, host: e.host, port: e.port, token: e.token, retryAt: m.now}
}

// handOn tells the process that takes over, at the other end of l, of all peers that stay. It dials them: the address at which this server sees it is
// no use to others. Source: docs/spec/route-protocol.md §3.13.
func (m *mesh) handOn(l *link) {
	for _, id := range m.peerIDs() {
		other := m.peers[id]
		if other == l || other.dropped || other.info.LameDuck {
			continue
		}
		if line := other.info.forwarded(other.ip, 0); line != "" {
			m.do(send{l.id, line})
		}
	}
}

// lookForSuccessor looks again at the addresses that have led to the server of l, which is going down: another process may have taken
// them over. Source: docs/spec/route-protocol.md §3.13.
func (m *mesh) lookForSuccessor(l *link) {
	for _, key := range m.targetKeys() {
		t := m.targets[key]
		for addr, id := range t.servers {
			if id == l.info.ServerID && t.idle() {
				delete(t.servers, addr)
				t.retryAt = m.now
			}
		}
	}
}

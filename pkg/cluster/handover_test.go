package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil/certs"
	"github.com/natsd/natsd/pkg/broker"
)

// successor runs a server that has the port of n too.
func (n *node) successor(t *testing.T, o broker.Options, change func(*Options)) *node {
	t.Helper()
	file, err := n.cluster.ListenerFile()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.FileListener(file)
	_ = file.Close()
	if err != nil {
		t.Fatal(err)
	}
	return startNodeWith(t, o, func(o *Options) {
		o.Listener = listener
		if change != nil {
			change(o)
		}
	})
}

// TestHandover: the process that takes over is linked to the old one, though they have one name, and to servers that it knows of from
// that one only (docs/spec/route-protocol.md §3.13).
func TestHandover(t *testing.T) {
	first, second := startNode(t, nil), startNode(t, nil)
	same := broker.Options{ServerName: "one"}
	old := startNodeWith(t, same, nil, first, second)
	meshOf(t, first, second, old)
	fresh := old.successor(t, same, func(o *Options) { o.Predecessor = &Predecessor{old.broker.ID(), "token"} })
	old.cluster.Retire("token")
	old.cluster.LameDuck()
	meshOf(t, first, second, old, fresh)
	for _, n := range []*node{first, second, old, fresh} {
		if missing := n.cluster.Snapshot().Missing; len(missing) > 0 {
			t.Errorf("somebody is missing: %+v", missing)
		}
	}
}

// TestSuccessor: a server whose only route leads to one that goes down finds the one that has its port now, while the old one is there
// (docs/spec/route-protocol.md §3.13).
func TestSuccessor(t *testing.T) {
	old := startNode(t, nil)
	other := startNode(t, nil, old)
	meshOf(t, old, other)
	fresh := old.successor(t, broker.Options{}, nil)
	old.cluster.Retire("")
	eventually(t, "the old one is linked to the new one", func() bool { return len(fresh.cluster.Snapshot().Routes) == 1 })
	old.cluster.LameDuck()
	meshOf(t, old, other, fresh)
}

// TestPredecessor: who shows the token of the predecessor needs no password and no name of its own; but only the one who must know it, once,
// and for a while.
func TestPredecessor(t *testing.T) {
	const hash = "$2a$04$lmmoGBSGaSIMUmyu3Rv2mOje9f1SvU.bdxqgUmtEhJJ8iW/LYHc3K"
	n := startNodeWith(t, broker.Options{ServerName: "one"}, func(o *Options) {
		o.User, o.Password, o.Predecessor = "ruser", hash, &Predecessor{"OLD", "token"}
	})
	try := func(name, token string) *client {
		t.Helper()
		c := n.route(t)
		c.send(fmt.Sprintf("CONNECT {\"name\":%q,\"natsd_handover\":%q}\r\nINFO {\"server_id\":%q,\"server_name\":\"one\",\"proto\":2,\"port\":1} \r\nPING\r\n", name, token, name))
		return c
	}
	refused := func(name, token string) {
		t.Helper()
		if got := strings.TrimSpace(try(name, token).gone()); got != "-ERR 'Authorization Violation'" {
			t.Errorf("%s with %q: got %q", name, token, got)
		}
	}
	right := &connect{Name: "OLD", Handover: "token"}
	if n.cluster.isPredecessor(right, false) {
		t.Error("the predecessor is taken to be on another machine")
	}
	refused("OLD", "")
	refused("OLD", "guess")
	refused("OTHER", "token")
	try("OLD", "token").expect("PONG")
	eventually(t, "a route", func() bool { return len(n.cluster.Snapshot().Routes) == 1 })
	refused("OLD", "token")
	n.cluster.predecessor.Store(&awaited{Predecessor{"OLD", "token"}, time.Now()})
	refused("OLD", "token")
	if o := n.cluster.Options(); o.Predecessor != nil {
		t.Error("the token can be read from the options")
	}
}

// TestHandoverTLS: the certificate of the process that takes over may have any name, and must be signed all the same.
func TestHandoverTLS(t *testing.T) {
	ca, stranger := certs.NewAuthority(t), certs.NewAuthority(t)
	secure := func(ca *certs.Authority) func(*Options) {
		certificate := ca.Server(func(c *x509.Certificate) {
			c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
			c.DNSNames, c.IPAddresses = []string{"natsd.example"}, nil
		})
		return func(o *Options) {
			o.TLS = &TLSOptions{Config: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate.Certificate}, RootCAs: ca.Pool()}}
		}
	}
	old := startNode(t, secure(ca))
	fresh := old.successor(t, broker.Options{}, secure(ca))
	old.cluster.Retire("token")
	meshOf(t, old, fresh)
	old = startNode(t, secure(ca))
	fresh = old.successor(t, broker.Options{}, secure(stranger))
	old.cluster.Retire("token")
	eventually(t, "an attempt that fails", func() bool {
		m := old.cluster.Snapshot().Missing
		return len(m) == 1 && strings.Contains(m[0].LastError, "unknown authority")
	})
	if r := append(old.cluster.Snapshot().Routes, fresh.cluster.Snapshot().Routes...); len(r) > 0 {
		t.Errorf("a server that a stranger has signed for is linked: %+v", r)
	}
}

package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
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

// received returns i as it is when it has come from another server.
func received(t *testing.T, i *info) *info {
	t.Helper()
	i, err := parseInfo(rawText(i))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// sent returns the lines that are sent on a link.
func sent(all []action, to linkID) string {
	lines := ""
	for _, a := range of[send](all) {
		if a.link == to {
			lines += a.line
		}
	}
	return lines
}

// lastSent returns the last of them.
func lastSent(all []action, to linkID) string {
	lines := strings.SplitAfter(sent(all, to), "\n")
	return lines[max(0, len(lines)-2)]
}

// TestLameDuckBeforeTheHandoverLink: the process that takes over is told that the old one goes down, though the link between the two is made
// after lame duck mode has begun, and so is any other server that comes late, unless it is of the first generation
// (docs/spec/route-protocol.md §3.13).
func TestLameDuckBeforeTheHandoverLink(t *testing.T) {
	d := drive(t, Options{})
	d.after(retired{"127.0.0.1", "6222", "token"}, ducked{})
	all := d.after(dialled{dial: 1, link: 1, ip: "127.0.0.1"}, informed{1, infoOf("NEW", "10.0.0.1")})
	if line := lastSent(all, 1); !strings.Contains(line, `"ldm":true`) {
		t.Errorf("the process that takes over is sent %q last", line)
	}
	all = d.after(accepted{link: 2, ip: "10.0.0.8"}, informed{2, infoOf("Y", "10.0.0.8")})
	if line := lastSent(all, 2); !strings.Contains(line, `"ldm":true`) {
		t.Errorf("a server that comes late is sent %q last", line)
	}
	v1 := infoOf("V1", "10.0.0.7")
	v1.Proto = 1
	for _, a := range of[send](d.after(accepted{link: 3, ip: "10.0.0.7"}, informed{3, v1})) {
		if strings.Contains(a.line, "ldm") {
			t.Errorf("link %d is sent %q", a.link, a.line)
		}
	}
}

// TestPredecessorIsNotLookedFor: a predecessor that has said that it goes down is not looked for when it has ended. It was seen at an address
// of this machine, where it does not listen any more.
func TestPredecessorIsNotLookedFor(t *testing.T) {
	d := drive(t, Options{})
	down := infoOf("OLD", "")
	down.IP = ""
	again := *down
	again.LameDuck = true
	d.after(accepted{link: 1, ip: "127.0.0.1"}, greeted{link: 1, connect: &connect{Name: "OLD"}, handover: true}, informed{1, down}, informed{1, &again}, closed{link: 1})
	if dials := of[dial](d.pass(10 * time.Second)); len(dials) > 0 {
		t.Errorf("dials %v", dials)
	}
	if missing := d.missing(); len(missing) > 0 {
		t.Errorf("missing: %+v", missing)
	}
}

// TestLameDucksAreNotHandedOn: servers that go down are no news to the process that takes over, and nobody dials one that others tell of.
func TestLameDucksAreNotHandedOn(t *testing.T) {
	d := drive(t, Options{})
	down := infoOf("Y", "10.0.0.8")
	down.LameDuck = true
	down = received(t, down)
	d.after(accepted{link: 1, ip: "10.0.0.8"}, informed{1, infoOf("Y", "10.0.0.8")}, informed{1, down})
	d.after(accepted{link: 2, ip: "10.0.0.9"}, informed{2, received(t, infoOf("X", "10.0.0.9"))})
	told := sent(d.after(retired{"127.0.0.1", "6222", "token"}, dialled{dial: 1, link: 3, ip: "127.0.0.1"}, informed{3, infoOf("NEW", "10.0.0.1")}), 3)
	if strings.Contains(told, "10.0.0.8") || !strings.Contains(told, "10.0.0.9") {
		t.Errorf("the process that takes over is sent %q", told)
	}
	d = drive(t, Options{})
	d.after(accepted{link: 1, ip: "10.0.0.9"}, informed{1, infoOf("X", "10.0.0.9")}, informed{1, down})
	if dials := of[dial](d.pass(5 * time.Second)); len(dials) > 0 {
		t.Errorf("dials %v", dials)
	}
}

// TestHandoverReplacesAnOrdinaryLink: the link of a hand-over takes the place of one that the two processes had before, whoever had dialled that
// and whoever has the lower id; for the new one takes servers of the first generation from it only (docs/spec/route-protocol.md §3.13).
func TestHandoverReplacesAnOrdinaryLink(t *testing.T) {
	v1 := infoOf("V1", "10.0.0.7")
	v1.Proto = 1
	v1 = received(t, v1)
	for _, id := range []string{"AB", "YZ"} { // lower and higher than ME
		other := infoOf(id, "10.0.0.9")
		other.TieBreak = true
		for name, routes := range map[string][]*url.URL{"accepted": nil, "dialled": {{Host: "10.0.0.9:6222"}}} {
			linked := func() (*driven, dialID) {
				d := drive(t, Options{Routes: routes})
				if routes == nil {
					d.after(accepted{link: 1, ip: "10.0.0.9"}, informed{1, other})
					return d, 1
				}
				d.after(tick{}, dialled{dial: 1, link: 1, ip: "10.0.0.9"}, informed{1, other})
				return d, 2
			}
			replaced := func(d *driven, all []action) {
				t.Helper()
				if drops := of[drop](all); len(drops) != 1 || drops[0].link != 1 {
					t.Errorf("%s, %s: drops %v", id, name, drops)
				}
				d.after(closed{link: 1})
				if l := d.peers[id]; l == nil || l.id != 2 || !l.handover {
					t.Errorf("%s, %s: the link of the hand-over is not the route", id, name)
				}
			}
			old, attempt := linked()
			old.after(accepted{link: 3, ip: "10.0.0.7"}, informed{3, v1})
			all := old.after(retired{"127.0.0.1", "6222", "token"}, dialled{dial: attempt, link: 2, ip: "127.0.0.1"}, informed{2, other})
			replaced(old, all)
			if lines := sent(all, 2); !strings.Contains(lines, `"natsd_handover":"token"`) || !strings.Contains(lines, "10.0.0.7") {
				t.Errorf("%s, %s: the process that takes over is sent %q", id, name, lines)
			}
			old.after(accepted{link: 4, ip: "10.0.0.9"}) // a link that was made before and comes late
			if drops := of[drop](old.after(informed{4, other})); len(drops) != 1 || drops[0].link != 4 {
				t.Errorf("%s, %s: afterwards drops %v", id, name, drops)
			}

			fresh, _ := linked()
			all = fresh.after(accepted{link: 2, ip: "127.0.0.1"}, greeted{link: 2, connect: &connect{Name: id}, handover: true}, informed{2, other})
			replaced(fresh, all)
			told := false
			for _, a := range of[dial](fresh.after(informed{2, v1}, tick{})) {
				told = told || a.addr == "10.0.0.7:6222"
			}
			if !told {
				t.Errorf("%s, %s: the new process does not dial a server of the first generation that it is told of", id, name)
			}
		}
	}
}

// TestTokenIsShownOnce: an address that has led to the process that takes over already shows a token which is of no use any more, so that the
// link there does not take the place of another one.
func TestTokenIsShownOnce(t *testing.T) {
	d := drive(t, Options{})
	fresh := infoOf("NEW", "10.0.0.1")
	d.after(retired{"127.0.0.1", "6222", "token"}, dialled{dial: 1, link: 1, ip: "127.0.0.1"}, informed{1, fresh}, closed{link: 1})
	again := of[dial](d.pass(2 * time.Second))
	if len(again) != 1 {
		t.Fatalf("dials %v", again)
	}
	all := d.after(accepted{link: 2, ip: "10.0.0.1"}, informed{2, fresh}, dialled{dial: again[0].dial, link: 3, ip: "127.0.0.1"}, informed{3, fresh})
	if drops := of[drop](all); len(drops) != 1 || drops[0].link != 3 {
		t.Errorf("drops %v", drops)
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

package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/permission"
	"github.com/natsd/natsd/internal/testutil/certs"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/rs/zerolog"
)

// TestInterestIsBounded: what one route announces again and again takes the memory of once, and what it takes back none.
func TestInterestIsBounded(t *testing.T) {
	n := startNode(t, nil)
	a := n.joined(t, "A")
	a.expect("PONG")
	a.send(strings.Repeat("RS+ $G same\r\nRS+ $G w q 999999999\r\n", 20_000) + "PING\r\n")
	a.expect("PONG")
	if s := n.broker.Stats(); s.Subscriptions > 1+4096 {
		t.Errorf("%d subscriptions in the index", s.Subscriptions)
	}
	a.send("RS+ $G w q 3\r\nPING\r\n")
	a.expect("PONG")
	if s := n.broker.Stats(); s.Subscriptions != 1+3 {
		t.Errorf("%d subscriptions in the index after the group has shrunk", s.Subscriptions)
	}
	var flood strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&flood, "RS+ $G flood.%d\r\nRS- $G flood.%d\r\n", i, i)
	}
	a.send(flood.String() + "RS- $G same\r\nRS- $G w q\r\nRS+ $G bad..subject\r\nPING\r\n")
	a.expect("PONG")
	if s := n.broker.Stats(); s.Subscriptions != 0 {
		t.Errorf("%d subscriptions stay", s.Subscriptions)
	}
	a.send("RS+ $G left\r\nPING\r\n")
	a.expect("PONG")
	_ = a.conn.Close()
	eventually(t, "the interest of a route that has gone goes", func() bool { return n.broker.Stats().Subscriptions == 0 })
}

// TestSlowRoute: a server that does not read is cut, and nobody else waits for it.
func TestSlowRoute(t *testing.T) {
	n := startNode(t, func(o *Options) { o.WriteDeadline = 200 * time.Millisecond })
	slow := n.joined(t, "SLOW")
	slow.expect("PONG") // before it is told of the other one
	good := n.joined(t, "GOOD")
	good.expect("PONG")
	slow.send("RS+ $G flow\r\nPING\r\n")
	slow.line("") // gossip or PONG
	good.send("RS+ $G flow\r\nPING\r\n")
	for good.line("") != "PONG" {
	}
	n.interested(2)
	c := connectTo(t, n)
	payload := strings.Repeat("x", 1<<16)
	const messages = 400
	go func() {
		for range messages {
			if _, err := fmt.Fprintf(c.conn, "PUB flow %d\r\n%s\r\n", len(payload), payload); err != nil {
				return
			}
		}
	}()
	for got := 0; got < messages; {
		line := good.line("")
		switch {
		case strings.HasPrefix(line, "RMSG $G flow "):
			good.line("xxx")
			got++
		case line == "PING":
			good.send("PONG\r\n")
		}
	}
	eventually(t, "the slow one is cut", func() bool { return len(n.cluster.Snapshot().Routes) == 1 })
	if s := n.broker.Stats(); s.SlowConsumers != 1 {
		t.Errorf("%d slow consumers", s.SlowConsumers)
	}
}

// TestPermissions: what may not be imported is not announced and not taken, what may not be exported is not sent
// (docs/spec/config.md B5).
func TestPermissions(t *testing.T) {
	n := startNode(t, func(o *Options) {
		o.Imports = &permission.Side{Open: true, Deny: []string{"secret.in.>"}}
		o.Exports = &permission.Side{Open: true, Deny: []string{"secret.out.>"}}
	})
	a := n.joined(t, "A")
	a.expect("PONG")
	c := connectTo(t, n)
	c.send("SUB secret.in.a 1\r\nSUB open 2\r\nSUB secret.> 3\r\nPING\r\n")
	c.expect("PONG")
	a.expect("RS+ $G open", "RS+ $G secret.>")
	a.send("RMSG $G secret.in.a 1\r\nx\r\nRMSG $G open 1\r\ny\r\n")
	c.expect("MSG open 2 1", "y")
	a.send("RS+ $G secret.out.a\r\nRS+ $G secret.>\r\nPING\r\n")
	a.expect("PONG")
	c.send("PUB secret.out.a 1\r\nx\r\nPUB secret.other 1\r\ny\r\n")
	c.expect("MSG secret.out.a 3 1", "x", "MSG secret.other 3 1", "y")
	a.expect("RMSG $G secret.other 1", "y")
}

// TestPermissionsAreReloaded: a reload of permissions counts for servers that are linked; with wider ones, all of the interest is
// announced anew (docs/spec/config.md B5).
func TestPermissionsAreReloaded(t *testing.T) {
	n := startNode(t, nil)
	c := connectTo(t, n)
	c.send("SUB in 1\r\nSUB open 2\r\nPING\r\n")
	c.expect("PONG")
	join := func(interest ...string) *client {
		t.Helper()
		a := n.joined(t, "A")
		got := map[string]bool{}
		for range interest {
			got[a.line("RS+ $G ")] = true
		}
		for _, want := range interest {
			if !got[want] {
				t.Errorf("interest announced: %v, want %v", got, interest)
			}
		}
		a.expect("PONG")
		a.send("RS+ $G out\r\nRS+ $G open\r\nPING\r\n")
		a.expect("PONG")
		return a
	}
	reload := func(imports, exports *permission.Side) {
		t.Helper()
		o := n.cluster.Options()
		o.Imports, o.Exports = imports, exports
		if err := n.cluster.Reload(o); err != nil {
			t.Fatal(err)
		}
	}
	a := join("RS+ $G in", "RS+ $G open")
	reload(&permission.Side{Open: true, Deny: []string{"in"}}, &permission.Side{Open: true, Deny: []string{"out"}})
	a.gone()
	a = join("RS+ $G open")
	c.send("PUB out 1\r\nx\r\nPUB open 1\r\ny\r\n")
	c.expect("MSG open 2 1", "y")
	a.expect("RMSG $G open 1", "y")
	reload(nil, nil)
	a.gone()
	a = join("RS+ $G in", "RS+ $G open")
	c.send("PUB out 1\r\nx\r\n")
	a.expect("RMSG $G out 1", "x")
}

// TestExportOfPeerChanges: a server that exports something else, and says so in INFO, gets all of the interest once more, and from
// then on each change once (docs/spec/route-protocol.md §3.1).
func TestExportOfPeerChanges(t *testing.T) {
	n := startNode(t, nil)
	a := n.joined(t, "A")
	a.expect("PONG")
	c := connectTo(t, n)
	c.send("SUB foo 1\r\nPING\r\n")
	c.expect("PONG")
	a.expect("RS+ $G foo")
	again := func(export string) {
		a.send(fmt.Sprintf("INFO {\"server_id\":\"A\",\"server_name\":\"A\",\"proto\":2,\"headers\":true,\"host\":\"127.0.0.1\",\"port\":1%s} \r\nPING\r\n", export))
	}
	again("")
	a.expect("PONG") // nothing has changed
	for _, export := range []string{`,"export":{"allow":["foo"]}`, `,"export":{"allow":["foo","bar"]}`, ""} {
		again(export)
		got := map[string]bool{}
		for range 2 { // the interest may wait, so that it is not sent too often
			got[a.line("")] = true
		}
		if !got["RS+ $G foo"] || !got["PONG"] {
			t.Errorf("export %s: got %v", export, got)
		}
	}
	c.send("SUB bar 2\r\nUNSUB 2\r\nPING\r\n")
	c.expect("PONG")
	a.expect("RS+ $G bar", "RS- $G bar")
}

// TestLongInfoIsNotPassedOn: other servers are told of one with a long INFO in a line that they accept, or not at all
// (docs/spec/route-protocol.md §2.8).
func TestLongInfoIsNotPassedOn(t *testing.T) {
	n := startNode(t, nil)
	register := func(id string, proto int, more string) *client {
		c := n.route(t)
		c.send(fmt.Sprintf("CONNECT {\"name\":%q}\r\nINFO {\"server_id\":%q,\"proto\":%d,\"host\":\"127.0.0.1\",\"port\":1%s} \r\nPING\r\n", id, id, proto, more))
		for c.line("") != "PONG" {
		}
		return c
	}
	others := map[int]*client{2: register("NEW", 2, ""), 0: register("OLD", 0, "")}
	for _, test := range []struct {
		proto, most int
		more        string
		want        string // in what others are told; empty: they are told nothing
	}{
		{2, 8 << 10, `,"extra":"a<b"`, `"extra":"a<b"`},
		{2, 8 << 10, `,"extra":"` + strings.Repeat("<", 60_000) + `"`, `"port":1`},
		{2, 8 << 10, `,"server_name":"` + strings.Repeat("<", 60_000) + `"`, ""},
		{0, 1023, `,"extra":"` + strings.Repeat("x", 500) + `"`, `"extra":"x`},
		{0, 1023, `,"extra":"` + strings.Repeat("x", 1000) + `"`, `"port":1`},
		{0, 1023, `,"version":"` + strings.Repeat("x", 1000) + `"`, ""},
	} {
		x, other := register("X", test.proto, test.more), others[test.proto]
		other.send("PING\r\n")
		if test.want != "" {
			line := other.line("INFO {")
			if len(line)+2 > test.most || !strings.Contains(line, test.want) || !strings.Contains(line, `"ip":"nats-route://127.0.0.1:1/"`) {
				t.Errorf("proto %d, %.20s: others are told %d bytes: %.200s", test.proto, test.more, len(line), line)
			}
		}
		other.expect("PONG")
		_ = x.conn.Close()
		eventually(t, "it has gone", func() bool { return len(n.cluster.Snapshot().Routes) == len(others) })
	}
}

// TestGuestsAreBounded: connections that do not say who they are take so many places and no more. Routes take none, and links that
// this server makes do not wait for one. A place is free again when its connection is registered, or closed.
func TestGuestsAreBounded(t *testing.T) {
	const most = 2
	n := startPrepared(t, broker.Options{}, nil, func(c *Cluster) { c.guests = make(chan struct{}, most) })
	links := func() (links int) {
		n.cluster.ask(request{do: func(m *mesh) { links = len(m.links) }})
		return links
	}
	a := n.joined(t, "A")
	a.expect("PONG")
	idle := [most]*client{n.route(t), n.route(t)}
	for range 10 {
		if got := dialTo(t, n.cluster.Addr().String()).gone(); got != "" {
			t.Errorf("one too many gets %q", got)
		}
	}
	if got := links(); got != 1+most {
		t.Errorf("%d links", got)
	}
	a.send("PING\r\n")
	a.expect("PONG")
	b := startNode(t, nil)
	o := n.cluster.Options()
	o.Routes = []*url.URL{b.url()}
	if err := n.cluster.Reload(o); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a route that this server makes", func() bool { return len(n.cluster.Snapshot().Routes) == 2 })
	_ = idle[0].conn.Close()
	eventually(t, "a place", func() bool { return links() == 2+most-1 && len(n.cluster.guests) == most-1 })
	for i := range 3 * most {
		n.joined(t, fmt.Sprintf("R%d", i)).expect("PONG")
	}
	if got := len(n.cluster.guests); got != 1 {
		t.Errorf("%d places are taken", got)
	}
	_ = idle[1].conn.Close()
	eventually(t, "all places", func() bool { return len(n.cluster.guests) == 0 })
}

// lines is a log.
type lines struct {
	mu struct {
		sync.Mutex
		text strings.Builder
	}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.text.Write(p)
}

// count returns how many lines hold text.
func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.mu.text.String(), text)
}

// TestNoiseOfGuests: connections to the route port that do not say who they are do not fill the log; what becomes of routes is all
// there.
func TestNoiseOfGuests(t *testing.T) {
	var log lines
	logger := zerolog.New(&log).Level(zerolog.InfoLevel)
	n := startNodeWith(t, broker.Options{Logger: logger}, func(o *Options) { o.Logger = logger })
	const guests = 300
	for range guests {
		c := n.route(t)
		c.send("GET / HTTP/1.1\r\n\r\n")
		c.gone()
		_ = c.conn.Close()
		eventually(t, "its place is free", func() bool { return len(n.cluster.guests) == 0 })
	}
	logged := func() int {
		return log.count("Route connection created") + log.count("Router connection closed") + log.count("Error reading from client")
	}
	eventually(t, "each line is logged or counted", func() bool { return logged()+int(n.broker.NoiseDropped()) == 3*guests })
	if logged() >= guests {
		t.Errorf("%d lines about guests", logged())
	}
	a := n.joined(t, "A")
	a.expect("PONG")
	before := log.count("Router connection closed")
	_ = a.conn.Close()
	eventually(t, "the end of a route is logged", func() bool { return log.count("Router connection closed") == before+1 })
}

// TestImportsAreKept: of what is not on the list of imports nothing gets in, though nobody had told that server of interest in it
// (docs/spec/config.md B5).
func TestImportsAreKept(t *testing.T) {
	n := startNode(t, func(o *Options) {
		o.Imports = &permission.Side{Allow: []string{"pub.>"}, Deny: []string{"pub.not"}}
	})
	a := n.joined(t, "A")
	a.expect("PONG")
	c := connectTo(t, n)
	c.send("SUB > 1\r\nSUB * w 2\r\nSUB pub.> 3\r\nPING\r\n")
	c.expect("PONG")
	a.expect("RS+ $G pub.>")
	for range 2 {
		a.send("RMSG $G private 1\r\nx\r\nHMSG $G private.a 12 13\r\nNATS/1.0\r\n\r\nx\r\nRMSG $G private | w 1\r\nx\r\nMSG private RSID:1:1 1\r\nx\r\nRMSG $G pub.not 1\r\nx\r\nRMSG $G pub.a 1\r\ny\r\n")
		got := []string{c.line("MSG pub.a "), c.line("y"), c.line("MSG pub.a "), c.line("y")}
		slices.Sort(got)
		if want := []string{"MSG pub.a 1 1", "MSG pub.a 3 1", "y", "y"}; !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// TestJetStreamAcrossAccounts: of a delivery of JetStream the subject that it was sent to decides who gets it: by imports and by
// permissions. Clients are shown the one in its reply (docs/spec/route-protocol.md §3.6).
func TestJetStreamAcrossAccounts(t *testing.T) {
	limited := func(deny string) *broker.Permissions {
		return &broker.Permissions{Publish: broker.PermissionSide{Open: true}, Subscribe: broker.PermissionSide{Open: true, Deny: []string{deny}}}
	}
	n := startNodeWith(t, broker.Options{Accounts: []broker.Account{
		{Name: "A", Exports: []broker.Export{{Subject: "deliver.>"}}},
		{Name: "B", Imports: []broker.Import{{Account: "A", Subject: "deliver.>", Local: "from.A.>"}}},
	}, Auth: &broker.Auth{Users: []broker.User{
		{Name: "a", Account: "A"}, {Name: "b", Account: "B"},
		{Name: "not here", Account: "A", Permissions: limited("deliver.x")}, {Name: "not there", Account: "B", Permissions: limited("from.A.x")},
		{Name: "here", Account: "A", Permissions: limited("orders.*")}, {Name: "there", Account: "B", Permissions: limited("orders.*")},
	}}}, nil)
	route := n.joined(t, "R")
	route.expect("PONG")
	login := func(user, subject string) *client {
		c := loginTo(t, n, user)
		c.send("SUB " + subject + " 1\r\nPING\r\n")
		c.expect("PONG")
		return c
	}
	all := []*client{login("a", "deliver.*"), login("b", "from.A.*"), login("here", "*.*"), login("there", ">")}
	none := []*client{login("not here", "deliver.*"), login("not there", "from.A.*"), login("a", "orders.*"), login("b", "orders.*")}
	const ack = "$JS.ACK.ORDERS.dur.1.42.7.1700000000000000000.0"
	for range 2 {
		route.send("RMSG A deliver.x " + ack + "@orders.new 2\r\nok\r\nRMSG A deliver.end 0\r\n\r\nRMSG A orders.end 0\r\n\r\nRMSG B orders.end 0\r\n\r\n")
		for i, c := range all {
			c.expect("MSG orders.new 1 "+ack+" 2", "ok", "MSG "+[]string{"deliver.end", "from.A.end"}[i%2]+" 1 0", "")
		}
		for i, c := range none {
			c.expect("MSG "+[]string{"deliver.end", "from.A.end", "orders.end", "orders.end"}[i]+" 1 0", "")
		}
	}
}

// TestEveryAddress: each address of a name is tried, those that are found later too, and this server is left out.
func TestEveryAddress(t *testing.T) {
	a, b := startNode(t, nil), startNode(t, nil)
	_, port := splitAddress(a.cluster.Addr().String())
	_ = b
	asked := make(chan string, 100)
	c := startNode(t, func(o *Options) {
		o.Routes = []*url.URL{{Scheme: "nats-route", Host: "all.servers:" + port}}
		o.LookupHost = func(_ context.Context, host string) ([]string, error) {
			asked <- host
			return []string{"::1", "127.0.0.2", "127.0.0.1"}, nil // only the last is listened on
		}
	})
	meshOf(t, a, c)
	if host := <-asked; host != "all.servers" {
		t.Errorf("asked for %q", host)
	}
	if m := c.cluster.Snapshot().Missing; len(m) != 0 {
		t.Errorf("missing: %+v", m)
	}
}

// secureNode is startNode with TLS.
func secureNode(t *testing.T, ca *certs.Authority, change func(*TLSOptions), routes ...*node) *node {
	t.Helper()
	return startNode(t, func(o *Options) {
		certificate := ca.Server(func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) })
		o.TLS = &TLSOptions{Timeout: 500 * time.Millisecond, Config: &tls.Config{
			MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate.Certificate}, RootCAs: ca.Pool(), ClientCAs: ca.Pool(),
		}}
		if change != nil {
			change(o.TLS)
		}
	}, routes...)
}

// TestTLS: both ends check each other (docs/spec/config.md B4), and who speaks in clear text gets nowhere.
func TestTLS(t *testing.T) {
	ca, other := certs.NewAuthority(t), certs.NewAuthority(t)
	a := secureNode(t, ca, nil)
	b := secureNode(t, ca, nil, a)
	meshOf(t, a, b)
	plain := dialTo(t, a.cluster.Addr().String())
	plain.send("INFO {\"server_id\":\"X\"}\r\n")
	if got := plain.gone(); strings.Contains(got, "INFO") {
		t.Errorf("got %q", got)
	}
	bare := tls.Client(dialTo(t, a.cluster.Addr().String()).conn, &tls.Config{RootCAs: ca.Pool(), ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12})
	_ = bare.SetDeadline(time.Now().Add(10 * time.Second))
	if n, err := bare.Read(make([]byte, 10)); err == nil {
		t.Errorf("%d bytes without a certificate", n)
	}
	silent := dialTo(t, a.cluster.Addr().String())
	silent.gone() // after the time for a handshake
	refused := func(n *node) {
		t.Helper()
		eventually(t, "an attempt that fails", func() bool {
			m := n.cluster.Snapshot().Missing
			return len(m) == 1 && m[0].Attempts > 0
		})
		if len(n.cluster.Snapshot().Routes) != 0 {
			t.Error("there is a route")
		}
	}
	refused(secureNode(t, other, nil, a))
	refused(secureNode(t, ca, func(o *TLSOptions) { o.PinnedKeys = []string{strings.Repeat("0", 64)} }, a))
	refused(startNode(t, nil, a))
}

// key returns the SHA-256 of the public key of n.
func (n *node) key() string { return keySum(n.options.TLS.Config.Certificates[0].Leaf) }

// TestPinnedKeysAreReloaded: a server whose key a reload removes from the pinned ones is cut, whoever had dialled, and does not come
// back; those with other keys stay (docs/spec/config.md C3).
func TestPinnedKeysAreReloaded(t *testing.T) {
	ca := certs.NewAuthority(t)
	a := secureNode(t, ca, nil)
	goes, stays := secureNode(t, ca, nil, a), secureNode(t, ca, nil, a)
	meshOf(t, a, goes, stays)
	o := a.cluster.Options()
	secure := *o.TLS
	secure.PinnedKeys = []string{stays.key(), strings.Repeat("0", 64)}
	var log lines
	o.TLS, o.Logger = &secure, zerolog.New(&log)
	if err := a.cluster.Reload(o); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one route", func() bool {
		routes := a.cluster.Snapshot().Routes
		return len(routes) == 1 && routes[0].RemoteID == stays.broker.ID()
	})
	eventually(t, "an attempt that fails", func() bool {
		m := goes.cluster.Snapshot().Missing
		return len(m) == 1 && m[0].Attempts > 0
	})
	if n := log.count("Disconnect 1 routes due to pinned certs reload"); n != 1 {
		t.Errorf("%d lines about it in the log", n)
	}
}

// TestAccountsAcrossServers: streams and services that accounts share work when the accounts' clients are on different servers.
func TestAccountsAcrossServers(t *testing.T) {
	options := broker.Options{Accounts: []broker.Account{
		{Name: "A", Exports: []broker.Export{{Subject: "news.>"}, {Subject: "ask", Service: true}}},
		{Name: "B", Imports: []broker.Import{{Account: "A", Subject: "news.>"}, {Account: "A", Subject: "ask", Service: true}}},
	}, Auth: &broker.Auth{Users: []broker.User{{Name: "a", Password: "a", Account: "A"}, {Name: "b", Password: "b", Account: "B"}}}}
	one := startNodeWith(t, options, nil)
	two := startNodeWith(t, options, nil, one)
	meshOf(t, one, two)
	login := func(n *node, user string) *client {
		c := dialTo(t, n.broker.ClientAddr().String())
		c.line("INFO ")
		c.send(fmt.Sprintf("CONNECT {\"verbose\":false,\"pedantic\":false,\"user\":%q,\"pass\":%q}\r\nPING\r\n", user, user))
		c.expect("PONG")
		return c
	}
	publisher, provider := login(one, "a"), login(one, "a")
	here, there := login(one, "b"), login(two, "b")
	for _, c := range []*client{here, there} {
		c.send("SUB news.* 1\r\nSUB answers 2\r\nPING\r\n")
		c.expect("PONG")
	}
	provider.send("SUB ask 1\r\nPING\r\n")
	provider.expect("PONG")
	eventually(t, "interest spreads", func() bool {
		want := 0
		for _, n := range []*node{one, two} {
			for _, r := range n.cluster.Snapshot().Routes {
				want += r.Interest
			}
		}
		return want >= 2+2+1+1+2 // subjects of the clients, the stream on both, the replies on both
	})
	publisher.send("PUB news.today 2\r\nhi\r\nPING\r\n")
	publisher.expect("PONG")
	here.expect("MSG news.today 1 2", "hi")
	there.expect("MSG news.today 1 2", "hi")
	there.send("PUB ask answers 1\r\n?\r\n")
	words := strings.Fields(provider.line("MSG ask 1 _R_."))
	provider.expect("?")
	provider.send("PUB " + words[3] + " 1\r\n!\r\n")
	there.expect("MSG answers 2 1", "!")
	for _, c := range []*client{here, there, publisher} {
		c.send("PING\r\n")
	}
	there.expect("PONG")
	publisher.expect("PONG")
}

// TestStreamsOfOtherAccounts: a stream gets to an account that imports it, on whatever server its clients are, and from there to no other
// (docs/spec/config.md B6, docs/spec/route-protocol.md §3.5).
func TestStreamsOfOtherAccounts(t *testing.T) {
	options := broker.Options{Accounts: []broker.Account{
		{Name: "A", Exports: []broker.Export{{Subject: "news.>"}}},
		{Name: "B", Imports: []broker.Import{{Account: "A", Subject: "news.>", Local: "relayed.>"}}, Exports: []broker.Export{{Subject: "relayed.>"}}},
		{Name: "C", Imports: []broker.Import{{Account: "B", Subject: "relayed.>"}, {Account: "A", Subject: "news.end", Local: "end"}}},
	}, Auth: &broker.Auth{Users: []broker.User{{Name: "a", Account: "A"}, {Name: "b", Account: "B"}, {Name: "c", Account: "C"}}}}
	one := startNodeWith(t, options, nil)
	two := startNodeWith(t, options, nil, one)
	meshOf(t, one, two)
	publisher := loginTo(t, one, "a")
	for _, n := range []*node{one, two} {
		importer, other := loginTo(t, n, "b"), loginTo(t, n, "c")
		for _, c := range []*client{importer, other} {
			c.send("SUB relayed.* 1\r\nSUB end 2\r\nPING\r\n")
			c.expect("PONG")
		}
		if n == two {
			one.interested(7) // two subscriptions of each, and what the two accounts import
		}
		publisher.send("PUB news.today 2\r\nhi\r\nPUB news.end 0\r\n\r\n")
		importer.expect("MSG relayed.today 1 2", "hi", "MSG relayed.end 1 0", "")
		other.expect("MSG end 2 0", "")
	}
}

// TestRequestsAreNoStream: a request that another account has made gets to whoever serves it, and to no account that imports the subject as a
// stream, on whatever server; what is published in the exporting account itself does (docs/spec/config.md B6).
func TestRequestsAreNoStream(t *testing.T) {
	options := broker.Options{Accounts: []broker.Account{
		{Name: "B", Exports: []broker.Export{{Subject: "q", Service: true}, {Subject: "q"}}},
		{Name: "C", Imports: []broker.Import{{Account: "B", Subject: "q", Service: true}}},
		{Name: "D", Imports: []broker.Import{{Account: "B", Subject: "q", Local: "seen"}}},
	}, Auth: &broker.Auth{Users: []broker.User{{Name: "b", Account: "B"}, {Name: "c", Account: "C"}, {Name: "d", Account: "D"}}}}
	one := startNodeWith(t, options, nil)
	two := startNodeWith(t, options, nil, one)
	meshOf(t, one, two)
	caller, owner, service := loginTo(t, one, "c"), loginTo(t, one, "b"), loginTo(t, two, "b")
	here, there := loginTo(t, one, "d"), loginTo(t, two, "d")
	caller.send("SUB in.* 1\r\nPING\r\n")
	caller.expect("PONG")
	service.send("SUB q 1\r\nPING\r\n")
	service.expect("PONG")
	for _, c := range []*client{here, there} {
		c.send("SUB seen 1\r\nPING\r\n")
		c.expect("PONG")
	}
	one.interested(3) // what two has: the service, who imports the stream, and answers
	caller.send("PUB q in.1 3\r\nask\r\n")
	words := strings.Fields(service.line("MSG q 1 _R_."))
	service.expect("ask")
	owner.send("PUB q in.2 3\r\nown\r\n")
	service.expect("MSG q 1 in.2 3", "own")
	for _, c := range []*client{here, there} {
		c.expect("MSG seen 1 in.2 3", "own")
	}
	service.send("PUB " + words[3] + " 3\r\nans\r\n")
	caller.expect("MSG in.1 1 3", "ans")
}

// loginTo returns a client of n that is a user without a password.
func loginTo(t *testing.T, n *node, user string) *client {
	t.Helper()
	c := dialTo(t, n.broker.ClientAddr().String())
	c.line("INFO ")
	c.send(fmt.Sprintf("CONNECT {\"verbose\":false,\"pedantic\":false,\"user\":%q,\"pass\":\"\"}\r\nPING\r\n", user))
	c.expect("PONG")
	return c
}

// TestErrorReports: of attempts that fail, so many are logged (docs/spec/config.md B2).
func TestErrorReports(t *testing.T) {
	o := (&Options{Port: 1, ConnectErrorReports: 3, Routes: []*url.URL{{Host: "10.0.0.1:6222"}}}).withDefaults()
	now := time.Unix(1_800_000_000, 0)
	m := newMesh(self{id: "ME", name: "ME"}, o, 1, now)
	var levels []level
	for range 7 {
		for _, a := range m.step(now, tick{}) {
			d, ok := a.(dial)
			if !ok {
				continue
			}
			for _, a := range m.step(now, undialled{d.dial, "refused"}) {
				if s, ok := a.(say); ok {
					levels = append(levels, s.level)
				}
			}
		}
		now = now.Add(retryTime + retryJitter)
	}
	want := []level{levelError, levelDebug, levelError, levelDebug, levelDebug, levelError, levelDebug}
	if !slices.Equal(levels, want) {
		t.Errorf("got %v, want %v", levels, want)
	}
}

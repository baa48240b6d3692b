package cluster

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/rs/zerolog"
)

// node is a server under test.
type node struct {
	t       *testing.T
	broker  *broker.Broker
	cluster *Cluster
	options Options
}

// checked are the tests whose goroutines are looked at when they end.
var checked sync.Map

// startNode runs a server that looks for others at routes.
func startNode(t *testing.T, change func(*Options), routes ...*node) *node {
	t.Helper()
	return startNodeWith(t, broker.Options{}, change, routes...)
}

// startNodeWith is startNode for a broker with options.
func startNodeWith(t *testing.T, o broker.Options, change func(*Options), routes ...*node) *node {
	t.Helper()
	return startPrepared(t, o, change, func(*Cluster) {}, routes...)
}

// startPrepared is startNodeWith for a cluster that is changed before it starts.
func startPrepared(t *testing.T, o broker.Options, change func(*Options), prepare func(*Cluster), routes ...*node) *node {
	t.Helper()
	if _, known := checked.LoadOrStore(t, true); !known {
		testutil.CheckLeaks(t)
	}
	n := &node{t: t, options: Options{Host: "127.0.0.1", Port: RandomPort, Logger: zerolog.Nop()}}
	for _, r := range routes {
		n.options.Routes = append(n.options.Routes, r.url())
	}
	if change != nil {
		change(&n.options)
	}
	o.Host, o.Port, o.Clustered = "127.0.0.1", broker.RandomPort, true
	b, err := broker.New(o)
	if err == nil {
		err = b.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	n.broker = b
	if n.cluster, err = New(b, n.options); err == nil {
		prepare(n.cluster)
		err = n.cluster.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.stop)
	return n
}

func (n *node) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	n.cluster.Shutdown()
	if err := n.broker.Shutdown(ctx); err != nil {
		n.t.Error(err)
	}
	if err := n.cluster.Wait(ctx); err != nil {
		n.t.Error(err)
	}
}

// url is where others connect to the server.
func (n *node) url() *url.URL { return &url.URL{Scheme: "nats-route", Host: n.cluster.Addr().String()} }

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// meshOf waits until each of nodes has a route to each other.
func meshOf(t *testing.T, nodes ...*node) {
	t.Helper()
	for _, n := range nodes {
		eventually(t, fmt.Sprintf("%d routes", len(nodes)-1), func() bool { return len(n.cluster.Snapshot().Routes) == len(nodes)-1 })
	}
}

// client is a connection that speaks the protocol of clients, or of routes.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dialTo(t *testing.T, addr string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return &client{t, nc, bufio.NewReader(nc)}
}

// connectTo returns a client of n that is ready.
func connectTo(t *testing.T, n *node) *client {
	t.Helper()
	c := dialTo(t, n.broker.ClientAddr().String())
	c.line("INFO ")
	c.send("CONNECT {\"verbose\":false,\"pedantic\":false}\r\nPING\r\n")
	c.line("PONG")
	return c
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatal(err)
	}
}

// line reads a line that must begin with prefix.
func (c *client) line(prefix string) string {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(time.Minute))
	text, err := c.in.ReadString('\n')
	if err != nil || !strings.HasPrefix(text, prefix) {
		c.t.Fatalf("got %q, %v, want %s", text, err, prefix)
	}
	return strings.TrimRight(text, "\r\n")
}

// expect reads lines that must be these, PINGs left out.
func (c *client) expect(lines ...string) {
	c.t.Helper()
	for _, want := range lines {
		got := c.line("")
		for got == "PING" {
			c.send("PONG\r\n")
			got = c.line("")
		}
		if got != want {
			c.t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// gone waits until the other end closes, and returns what it said before.
func (c *client) gone() string {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	text, err := io.ReadAll(c.in)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		c.t.Fatalf("the connection stays: %v", err)
	}
	return string(text)
}

// interested waits until the routes of n know of so many subjects, all together.
func (n *node) interested(most int) {
	n.t.Helper()
	eventually(n.t, fmt.Sprintf("interest in %d subjects", most), func() bool {
		total := 0
		for _, r := range n.cluster.Snapshot().Routes {
			total += r.Interest
		}
		return total == most
	})
}

// TestMesh: three servers that know the first one only become a mesh; each message gets to each of its clients once.
func TestMesh(t *testing.T) {
	a := startNode(t, nil)
	b, c := startNode(t, nil, a), startNode(t, nil, a)
	meshOf(t, a, b, c)
	x, y := connectTo(t, b), connectTo(t, c)
	x.send("SUB foo 1\r\nSUB foo.> 2\r\nSUB * 3\r\nPING\r\n")
	x.expect("PONG")
	y.send("SUB foo 1\r\nPING\r\n")
	y.expect("PONG")
	a.interested(4)
	p := connectTo(t, a)
	p.send("PUB foo 2\r\nok\r\nPUB foo.a r 1\r\nx\r\nPUB foo 3\r\nend\r\n")
	y.expect("MSG foo 1 2", "ok", "MSG foo 1 3", "end")
	got := map[string]bool{}
	for range 2 {
		got[x.line("MSG foo ")] = true
		x.expect("ok")
	}
	if !got["MSG foo 1 2"] || !got["MSG foo 3 2"] {
		t.Errorf("got %v", got)
	}
	x.expect("MSG foo.a 2 r 1", "x")
	for range 2 {
		x.line("MSG foo ")
		x.expect("end")
	}
	y.send("PUB foo 3\r\nown\r\nPING\r\n")
	y.expect("MSG foo 1 3", "own", "PONG")
}

// TestSelf: a server that is its own seed ignores itself (docs/spec/route-protocol.md §2.10).
func TestSelf(t *testing.T) {
	port := freePort(t)
	a := startNode(t, func(o *Options) {
		o.Port = port
		o.Routes = []*url.URL{{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)}}
	})
	b := startNode(t, nil, a)
	meshOf(t, a, b)
	eventually(t, "nobody missing", func() bool { return len(a.cluster.Snapshot().Missing) == 0 })
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// TestMissing: a snapshot says who is not there, and why.
func TestMissing(t *testing.T) {
	a := startNode(t, func(o *Options) {
		o.Routes = []*url.URL{{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", freePort(t)), User: url.UserPassword("u", "secret")}}
	})
	eventually(t, "an attempt", func() bool { return a.cluster.Snapshot().Missing[0].Attempts > 0 })
	m := a.cluster.Snapshot().Missing[0]
	if !m.Configured || !strings.Contains(m.LastError, "refused") || m.Address != a.options.Routes[0].Host {
		t.Errorf("missing: %+v", m)
	}
}

// route opens a connection to the route port and reads the INFO.
func (n *node) route(t *testing.T) *client {
	t.Helper()
	c := dialTo(t, n.cluster.Addr().String())
	c.line("INFO {")
	return c
}

// joined opens a route of the second generation under a server id.
func (n *node) joined(t *testing.T, id string) *client {
	t.Helper()
	c := n.route(t)
	c.send(fmt.Sprintf("CONNECT {\"name\":%q,\"headers\":true}\r\nINFO {\"server_id\":%q,\"server_name\":%q,\"proto\":2,\"headers\":true,\"host\":\"127.0.0.1\",\"port\":1} \r\nPING\r\n", id, id, id))
	return c
}

// TestTranscriptV2: docs/spec/route-protocol.md §4.
func TestTranscriptV2(t *testing.T) {
	n := startNode(t, nil)
	a := n.joined(t, "A")
	a.expect("PONG")
	c1 := connectTo(t, n)
	do := func(lines string) { c1.t.Helper(); c1.send(lines + "PING\r\n"); c1.expect("PONG") }
	do("SUB foo 1\r\nSUB foo 2\r\n")
	a.expect("RS+ $G foo")
	a.send("RMSG $G foo 2\r\nok\r\n")
	c1.expect("MSG foo 1 2", "ok", "MSG foo 2 2", "ok")
	do("UNSUB 1\r\nUNSUB 2\r\n")
	a.expect("RS- $G foo")
	do("SUB w q 3\r\nSUB w q 4\r\nUNSUB 3\r\n")
	a.expect("RS+ $G w q 1", "RS+ $G w q 2", "RS+ $G w q 1")
	a.send("RMSG $G w | q 1\r\nx\r\nRMSG $G w + r q 1\r\ny\r\nRMSG $G w 1\r\nz\r\nRMSG $G w | other 1\r\nz\r\n")
	c1.expect("MSG w 4 1", "x", "MSG w 4 r 1", "y")
	do("SUB both 1\r\nSUB both g1 5\r\nSUB both g2 6\r\n")
	a.expect("RS+ $G both", "RS+ $G both g1 1", "RS+ $G both g2 1")
	a.send("RMSG $G both | g1 g2 2\r\nok\r\n")
	c1.expect("MSG both 1 2", "ok", "MSG both 5 2", "ok", "MSG both 6 2", "ok")
	a.send("HMSG $G both 12 14\r\nNATS/1.0\r\n\r\nok\r\n") // the client has not asked for headers
	c1.expect("MSG both 1 2", "ok")
	a.send("RMSG $G both $JS.ACK.ORDERS.dur.1.42.7.1700000000000000000.0@orders.new 2\r\nok\r\n")
	c1.expect("MSG orders.new 1 $JS.ACK.ORDERS.dur.1.42.7.1700000000000000000.0 2", "ok")
	a.send("RS+ $G req\r\nRS+ $G _INBOX.k.*\r\nRS+ APP x\r\nLS+ o $G y\r\nPING\r\n")
	a.expect("PONG")
	do("PUB req _INBOX.k.7 2\r\nhi\r\nPUB _INBOX.k.7 2\r\nyo\r\nPUB x 1\r\nx\r\n")
	a.expect("RMSG $G req _INBOX.k.7 2", "hi", "RMSG $G _INBOX.k.7 2", "yo")
	b := n.joined(t, "B")
	a.line(`INFO {`) // gossip
	b.send("RMSG $G req 2\r\nok\r\nPING\r\n")
	a.send("PING\r\n")
	a.expect("PONG") // one hop
	_ = c1.conn.Close()
	for range 4 {
		a.line("RS- $G ")
	}
}

// TestTranscriptV1: docs/spec/route-protocol.md §2, §4.
func TestTranscriptV1(t *testing.T) {
	n := startNode(t, nil)
	c1 := connectTo(t, n)
	c1.send("SUB first 9\r\nPING\r\n")
	c1.expect("PONG")
	a := n.route(t)
	a.send("CONNECT {\"verbose\":false,\"pedantic\":false,\"tls_required\":false,\"name\":\"A\"}\r\nINFO {\"server_id\":\"A\",\"host\":\"127.0.0.1\",\"port\":1}\r\n")
	cid := strings.Split(a.line("SUB first RSID:"), ":")[1]
	do := func(lines string) { c1.t.Helper(); c1.send(lines + "PING\r\n"); c1.expect("PONG") }
	do("SUB foo 1\r\nSUB foo 2\r\nSUB w q 3\r\n")
	a.expect("SUB foo RSID:"+cid+":1", "SUB foo RSID:"+cid+":2", "SUB w q QRSID:"+cid+":3")
	a.send("MSG foo RSID:" + cid + ":1 2\r\nok\r\n")
	c1.expect("MSG foo 1 2", "ok", "MSG foo 2 2", "ok")
	a.send("MSG w QRSID:" + cid + ":3 r 1\r\nx\r\nMSG w QRSID 1\r\nx\r\nMSG w QRSID:1: 1\r\nx\r\n")
	c1.expect("MSG w 3 r 1", "x")
	a.send("SUB bar  RSID:5:1\r\nSUB bar RSID:5:2\r\nSUB v q QRSID:7:1\r\nPING\r\n")
	a.expect("PONG")
	do("PUB bar 2\r\nok\r\nPUB v r 1\r\nx\r\n")
	if got := a.line("MSG bar RSID:5:"); !strings.HasSuffix(got, " 2") {
		t.Errorf("got %q", got)
	}
	a.expect("ok", "MSG v QRSID:7:1 r 1", "x")
	a.send("UNSUB RSID:5:1\r\nUNSUB RSID:5:2\r\nUNSUB QRSID:7:1 5\r\nPING\r\n")
	a.expect("PONG")
	do("PUB bar 2\r\nok\r\nPUB v 1\r\ny\r\n")
	a.expect("MSG v QRSID:7:1 1", "y")
	do("UNSUB 1\r\n")
	a.expect("UNSUB RSID:" + cid + ":1")
	_ = c1.conn.Close()
	for range 3 {
		a.line("UNSUB ")
	}
}

// TestHostileRoutes: what a route port gets that is no route, or not a good one.
func TestHostileRoutes(t *testing.T) {
	n := startNode(t, nil)
	for in, want := range map[string]string{
		"GET / HTTP/1.1\r\n\r\n":                                                   "-ERR 'Unknown Protocol Operation'",
		"PUB foo 2\r\nok\r\n":                                                      "-ERR 'Unknown Protocol Operation'",
		"CONNECT {\"lang\":\"go\",\"verbose\":false}\r\n":                          "-ERR 'attempted to connect to route port'",
		"CONNECT {\"gateway\":\"x'\\r\\n\"}\r\n":                                   "-ERR 'Rejecting connection from gateway \"x___\" on the Route port'",
		"CONNECT {\"account\":\"x\"}\r\n":                                          "-ERR 'Authorization Violation'",
		"CONNECT {\"name\":1}\r\n":                                                 "",
		"INFO {\r\n":                                                               "",
		"INFO {\"server_id\":\"a b\"}\r\n":                                         "",
		"INFO {\"server_id\":\"X\",\"port\":99999}\r\n":                            "",
		"INFO {\"server_id\":\"" + n.broker.ID() + "\"}\r\n":                       "",
		"INFO {\"server_id\":\"X\",\"server_name\":\"" + n.broker.ID() + "\"}\r\n": "",
		"INFO {\"server_id\":\"X\",\"route_account\":\"$SYS\"}\r\n":                "",
		"RS+ $G foo bar\r\n":                                                       "",
		"RMSG $G foo 99999999999\r\n":                                              "",
		"-ERR 'nothing'\r\n":                                                       "",
		"RS+ $G " + strings.Repeat("x", 70<<10):                                    "-ERR 'maximum control line exceeded'",
	} {
		c := n.route(t)
		c.send(in)
		if got := strings.TrimSpace(c.gone()); got != want {
			t.Errorf("%.60q: got %q, want %q", in, got, want)
		}
	}
	// The server goes on.
	a := n.joined(t, "A")
	a.expect("PONG")
}

// TestManyGossipedServers: others can tell of so many servers and no more, and never of this one.
func TestManyGossipedServers(t *testing.T) {
	n := startNode(t, nil)
	a := n.joined(t, "A")
	a.expect("PONG")
	var flood strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&flood, "INFO {\"server_id\":\"S%d\",\"proto\":2,\"host\":\"127.0.0.1\",\"port\":1,\"ip\":\"nats-route://127.0.0.1:%d/\"}\r\n", i, i%60000+1)
	}
	fmt.Fprintf(&flood, "INFO {\"server_id\":%q,\"proto\":2,\"ip\":\"nats-route://127.0.0.1:9/\"}\r\nPING\r\n", n.broker.ID())
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(a.conn, flood.String())
		sent <- err
	}()
	a.expect("PONG")
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if s := n.cluster.Snapshot(); len(s.Missing) > maxImplicit {
		t.Errorf("%d servers are looked for", len(s.Missing))
	}
}

// TestAuthorization: docs/spec/route-protocol.md §2.2.
func TestAuthorization(t *testing.T) {
	for _, password := range map[string]string{"plain": "T0pS3cr3t", "bcrypt": "$2a$04$lmmoGBSGaSIMUmyu3Rv2mOje9f1SvU.bdxqgUmtEhJJ8iW/LYHc3K"} {
		n := startNode(t, func(o *Options) { o.User, o.Password, o.AuthTimeout = "ruser", password, 300*time.Millisecond })
		for in, want := range map[string]string{
			"INFO {\"server_id\":\"X\"}\r\n":                          "-ERR 'Authorization Violation'",
			"RS+ $G foo\r\n":                                          "-ERR 'Authorization Violation'",
			"CONNECT {\"user\":\"ruser\",\"pass\":\"wrong\"}\r\n":     "-ERR 'Authorization Violation'",
			"CONNECT {\"user\":\"other\",\"pass\":\"T0pS3cr3t\"}\r\n": "-ERR 'Authorization Violation'",
			"": "-ERR 'Authentication Timeout'",
		} {
			c := n.route(t)
			c.send(in)
			if got := strings.TrimSpace(c.gone()); got != want {
				t.Errorf("%q: got %q, want %q", in, got, want)
			}
		}
	}
	a := startNode(t, func(o *Options) { o.User, o.Password = "ruser", "T0pS3cr3t" })
	with := func(o *Options) {
		o.User, o.Password = "ruser", "T0pS3cr3t"
		u := a.url()
		u.User = url.UserPassword("ruser", "T0pS3cr3t")
		o.Routes = []*url.URL{u}
	}
	b, c := startNode(t, with), startNode(t, with)
	meshOf(t, a, b, c)
}

// TestNames: docs/spec/route-protocol.md §3.3.
func TestNames(t *testing.T) {
	n := startNode(t, func(o *Options) { o.Name = "C1" })
	c := n.route(t)
	c.send("CONNECT {\"name\":\"X\",\"cluster\":\"C2\"}\r\n")
	if got := strings.TrimSpace(c.gone()); got != `-ERR 'Rejecting connection, cluster name "C2" does not match "C1"'` {
		t.Errorf("got %q", got)
	}
	c = n.route(t)
	c.send("CONNECT {\"name\":\"X\",\"cluster\":\"C1\"}\r\nINFO {\"server_id\":\"X\",\"proto\":2,\"cluster\":\"C2\"}\r\n")
	if got := strings.TrimSpace(c.gone()); got != "" {
		t.Errorf("got %q", got)
	}
	meshOf(t, n, startNode(t, nil, n))
}

// TestReload: docs/spec/config.md C3.
func TestReload(t *testing.T) {
	a, b := startNode(t, nil), startNode(t, nil)
	with := a.options
	with.Routes = []*url.URL{b.url()}
	if err := a.cluster.Reload(with); err != nil {
		t.Fatal(err)
	}
	meshOf(t, a, b)
	before := b.cluster.Snapshot().Routes[0].ID
	with.ConnectRetries = 3
	if err := a.cluster.Reload(with); err != nil {
		t.Fatal(err)
	}
	if now := b.cluster.Snapshot().Routes; len(now) != 1 || now[0].ID != before {
		t.Errorf("the route did not stay: %+v", now)
	}
	with.Port = freePort(t)
	if err := a.cluster.Reload(with); err == nil {
		t.Error("another port was accepted")
	}
}

// TestLameDuck: other servers stop telling clients of one that is going down (docs/spec/route-protocol.md §3.1).
func TestLameDuck(t *testing.T) {
	a := startNode(t, nil)
	b := startNode(t, nil, a)
	meshOf(t, a, b)
	c := dialTo(t, a.broker.ClientAddr().String())
	if info := c.line("INFO "); !strings.Contains(info, b.broker.ClientAddr().String()) {
		t.Errorf("no address of the other server in %s", info)
	}
	c.send("CONNECT {\"verbose\":false,\"protocol\":1}\r\nPING\r\n")
	c.expect("PONG")
	b.cluster.LameDuck()
	if info := c.line("INFO "); strings.Contains(info, b.broker.ClientAddr().String()) || !strings.Contains(info, "connect_urls") {
		t.Errorf("the other server is still in %s", info)
	}
}

// TestQueueFairness: members of a queue group on three servers get their shares, wherever a message is published
// (docs/spec/route-protocol.md §3.6). The chance that a right server fails is below one in a million.
func TestQueueFairness(t *testing.T) {
	a := startNode(t, nil)
	b, c := startNode(t, nil, a), startNode(t, nil, a)
	meshOf(t, a, b, c)
	members := []*client{connectTo(t, a), connectTo(t, b), connectTo(t, b), connectTo(t, c), connectTo(t, c), connectTo(t, c)}
	for _, m := range members {
		m.send("SUB w q 1\r\nSUB end 2\r\nPING\r\n")
		m.expect("PONG")
	}
	for i, n := range []*node{a, b, c} {
		n.interested(4)
		// Two of each of its clients, every member that is elsewhere, and "end" from each of the others.
		eventually(t, "weights", func() bool { return n.broker.Stats().Subscriptions == int64(2*(i+1)+6-(i+1)+2) })
	}
	const messages = 6000
	p := connectTo(t, a)
	p.send(strings.Repeat("PUB w 1\r\nx\r\n", messages) + "PUB end 0\r\n\r\n")
	total, chi := 0, 0.0
	for _, m := range members {
		got := 0
		for {
			line := m.line("MSG ")
			m.line("")
			if strings.HasPrefix(line, "MSG end") {
				break
			}
			got++
		}
		total += got
		difference := float64(got) - messages/6
		chi += difference * difference / (messages / 6)
	}
	if total != messages || chi > 37 { // five degrees of freedom
		t.Errorf("%d messages of %d, chi-square %.1f", total, messages, chi)
	}
}

// TestSnapshotBeforeStart: a cluster that was not started knows nothing, and says so at once.
func TestSnapshotBeforeStart(t *testing.T) {
	b, err := broker.New(broker.Options{Clustered: true, DontListen: true})
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(b, Options{Port: RandomPort})
	if err != nil {
		t.Fatal(err)
	}
	if s := c.Snapshot(); len(s.Routes)+len(s.Missing) != 0 || c.Addr() != nil {
		t.Errorf("before Start there is %v, listening on %v", s, c.Addr())
	}
}

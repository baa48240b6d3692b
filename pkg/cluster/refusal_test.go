package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil/certs"
	"github.com/natsd/natsd/pkg/broker"
)

// hashOfRoutePassword is the bcrypt hash of "T0pS3cr3t".
const hashOfRoutePassword = "$2a$04$lmmoGBSGaSIMUmyu3Rv2mOje9f1SvU.bdxqgUmtEhJJ8iW/LYHc3K"

// saysWhy waits until the only server that n misses was looked for in vain, for a reason that has all of texts in it.
func (n *node) saysWhy(texts ...string) {
	n.t.Helper()
	var seen []MissingSnapshot
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if list := n.cluster.Snapshot().Missing; len(list) == 1 {
			m, right := list[0], true
			seen = list
			for _, text := range texts {
				right = right && strings.Contains(m.LastError, text)
			}
			if right && m.Attempts > 0 && !m.Since.IsZero() {
				return
			}
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("missing is %+v, want attempts, since, and a reason with %q", seen, texts)
		}
	}
}

// TestPortForClients: a route that leads to a port for clients is none, and missing says so (docs/spec/route-protocol.md §2.1).
func TestPortForClients(t *testing.T) {
	single, err := broker.New(broker.Options{Host: "127.0.0.1", Port: broker.RandomPort})
	if err == nil {
		err = single.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := single.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for name, addr := range map[string]string{
		"natsd": single.ClientAddr().String(),
		"stock": greeter(t, `INFO {"server_id":"NAKDXQ","server_name":"a","version":"2.11.4","proto":1,"git_commit":"abc","go":"go1.24.4","host":"0.0.0.0","port":4222,"headers":true,"max_payload":1048576,"client_id":5,"client_ip":"127.0.0.1","xkey":"XB"} `+"\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			n := startNode(t, func(o *Options) { o.Routes = []*url.URL{{Scheme: "nats-route", Host: addr}} })
			n.saysWhy(addr, "is a port for clients", `"cluster"`)
			if routes := n.cluster.Snapshot().Routes; len(routes) != 0 {
				t.Errorf("there are routes: %+v", routes)
			}
		})
	}
}

// greeter listens, greets whoever connects with lines, and reads what they say until they close; it returns its address.
func greeter(t *testing.T, lines string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = nc.Close() }()
				_, _ = nc.Write([]byte(lines))
				for buffer := make([]byte, 1024); ; {
					if _, err := nc.Read(buffer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// TestInfoOfPeersIsNotForClients: the INFO of peers of both generations, as in docs/spec/route-protocol.md §2.1, §3.4, makes a route.
func TestInfoOfPeersIsNotForClients(t *testing.T) {
	for name, text := range map[string]string{
		"v1, the least": `{"server_id":"X"}`,
		"v1":            `{"server_id":"X","version":"1.1.0","git_commit":"","go":"","host":"0.0.0.0","port":6222,"auth_required":false,"tls_required":false,"tls_verify":false,"max_payload":1048576,"connect_urls":["10.0.0.1:4222"]}`,
		"v2":            `{"server_id":"X","server_name":"a","version":"2.15.0","proto":3,"go":"go1.26.0","host":"0.0.0.0","port":6222,"headers":true,"max_payload":1048576,"nonce":"d3mLwPzQ0aXvY1c","cluster":"C1","connect_urls":["10.0.0.1:4222"],"compression":"accept","lnoc":true,"lnocu":true,"route_pool_size":3}`,
	} {
		i, err := parseInfo([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		d := drive(t, Options{Routes: []*url.URL{{Host: "10.0.0.9:6222"}}})
		all := d.after(tick{}, dialled{dial: 1, link: 1, ip: "10.0.0.9"}, informed{1, i})
		if drops := of[drop](all); len(drops) != 0 || len(d.peers) != 1 {
			t.Errorf("%s: drops %v, %d peers", name, drops, len(d.peers))
		}
	}
}

// TestMissingSaysWhy: a server that does not let this one in, or is not let in, is missing, with the reason (docs/spec/monitoring.md §6).
func TestMissingSaysWhy(t *testing.T) {
	route := func(a *node, user *url.Userinfo) func(*Options) {
		return func(o *Options) {
			u := a.url()
			u.User = user
			o.Routes = []*url.URL{u}
		}
	}
	t.Run("password", func(t *testing.T) {
		a := startNode(t, func(o *Options) { o.User, o.Password = "ruser", "T0pS3cr3t" })
		startNode(t, route(a, url.UserPassword("ruser", "wrong"))).saysWhy("Authorization Violation")
	})
	t.Run("cluster name", func(t *testing.T) {
		a := startNode(t, func(o *Options) { o.Name = "C1" })
		startNode(t, func(o *Options) { route(a, nil)(o); o.Name = "C2" }).saysWhy(`cluster name "C1" does not match "C2"`)
	})
	t.Run("server name", func(t *testing.T) {
		a := startNodeWith(t, broker.Options{ServerName: "same"}, nil)
		startNodeWith(t, broker.Options{ServerName: "same"}, nil, a).saysWhy(`is called "same" too`, "server_name")
	})
	t.Run("certificate", func(t *testing.T) {
		ca, other := certs.NewAuthority(t), certs.NewAuthority(t)
		a := secureNode(t, ca, nil)
		stranger := other.Server(func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) })
		secureNode(t, ca, func(o *TLSOptions) { o.Config.Certificates = []tls.Certificate{stranger.Certificate} }, a).saysWhy("tls:", "certificate")
	})
	t.Run("malformed INFO", func(t *testing.T) {
		addr := greeter(t, "INFO {\"server_id\":\"a b\"}\r\n")
		startNode(t, func(o *Options) { o.Routes = []*url.URL{{Host: addr}} }).saysWhy("malformed INFO")
	})
	t.Run("closed", func(t *testing.T) {
		d := drive(t, Options{Routes: []*url.URL{{Host: "10.0.0.9:6222"}}})
		d.after(tick{}, dialled{dial: 1, link: 1, ip: "10.0.0.9"}, closed{link: 1, reason: "Client Closed"})
		if m := d.missing(); len(m) != 1 || m[0].LastError != "the other server has closed the connection" || m[0].Attempts != 1 || m[0].Since.IsZero() {
			t.Errorf("missing %+v", m)
		}
	})
}

// TestLostServerIsMissing: a server that was linked for a while is missing since its route has ended.
func TestLostServerIsMissing(t *testing.T) {
	d := drive(t, Options{Routes: []*url.URL{{Host: "10.0.0.9:6222"}}})
	d.after(tick{}, dialled{dial: 1, link: 1, ip: "10.0.0.9"}, informed{1, infoOf("X", "10.0.0.9")})
	d.pass(registerTime)
	d.after(closed{link: 1, reason: "Stale Connection"})
	m := d.missing()
	if len(m) != 1 || m[0].Attempts != 0 || !m[0].Since.Equal(d.clock) || !strings.Contains(m[0].LastError, "Stale Connection") {
		t.Errorf("missing %+v at %v", m, d.clock)
	}
}

// TestRefusedIsNotDialledWithoutEnd: a server that others told of, and that says who it is before it refuses, is dialled ever more
// rarely, also if others tell of it again (docs/adr/0009-lost-servers.md).
func TestRefusedIsNotDialledWithoutEnd(t *testing.T) {
	for _, text := range []string{"", "'Authorization Violation'"} {
		d := drive(t, Options{})
		d.after(accepted{link: 1, ip: "10.0.0.8"}, informed{1, infoOf("Y", "10.0.0.8")})
		all := d.after(informed{1, infoOf("X", "10.0.0.9")})
		attempts := 0
		for end, id := d.clock.Add(time.Minute), linkID(2); d.clock.Before(end); id++ {
			dials := of[dial](all)
			all = nil
			for _, a := range dials {
				attempts++
				d.after(dialled{dial: a.dial, link: id, ip: "10.0.0.9"}, informed{id, infoOf("X", "10.0.0.9")})
				if text != "" {
					d.after(refused{id, text})
				}
				all = d.after(closed{link: id, reason: "Client Closed"}, ponged{1}, informed{1, infoOf("X", "10.0.0.9")})
			}
			all = append(all, d.pass(20*time.Millisecond)...)
		}
		if attempts < 5 || attempts > 20 {
			t.Errorf("-ERR %s: %d attempts in a minute", text, attempts)
		}
		if m := d.missing(); len(m) != 1 || m[0].Attempts != attempts || !strings.Contains(m[0].LastError, strings.Trim(text, "'")) {
			t.Errorf("-ERR %s: after %d attempts missing is %+v", text, attempts, m)
		}
	}
}

// TestPasswordForGossipedServers: what is shown to a server that others told of is the password, not its hash
// (docs/spec/route-protocol.md §2.2).
func TestPasswordForGossipedServers(t *testing.T) {
	route := func(user, password string) *url.URL {
		return &url.URL{Host: "10.0.0.7:6222", User: url.UserPassword(user, password)}
	}
	for name, given := range map[string]struct {
		password string
		routes   []*url.URL
		want     string
	}{
		"clear":        {"T0pS3cr3t", []*url.URL{route("ruser", "other")}, "ruser T0pS3cr3t"},
		"hash":         {hashOfRoutePassword, []*url.URL{{Host: "10.0.0.6:6222"}, route("ruser", "T0pS3cr3t")}, "ruser T0pS3cr3t"},
		"same user":    {hashOfRoutePassword, []*url.URL{route("other", "x"), route("ruser", "T0pS3cr3t")}, "ruser T0pS3cr3t"},
		"another user": {hashOfRoutePassword, []*url.URL{route("other", "x")}, "other x"},
		"hash only":    {hashOfRoutePassword, []*url.URL{{Host: "10.0.0.6:6222"}, route("ruser", hashOfRoutePassword)}, " "},
	} {
		gossiped := &target{asks: true}
		user, password := gossiped.credentials(&Options{User: "ruser", Password: given.password, Routes: given.routes}, nil)
		if got := user + " " + password; got != given.want {
			t.Errorf("%s: shows %q, want %q", name, got, given.want)
		}
	}
}

// TestMeshWithHash: servers that know one of them, and the password by its hash but for that route, become a mesh.
func TestMeshWithHash(t *testing.T) {
	protect := func(o *Options) { o.User, o.Password = "ruser", hashOfRoutePassword }
	a := startNode(t, protect)
	with := func(o *Options) {
		protect(o)
		u := a.url()
		u.User = url.UserPassword("ruser", "T0pS3cr3t")
		o.Routes = []*url.URL{u}
	}
	meshOf(t, a, startNode(t, with), startNode(t, with))
}

// TestUsableURLs: what clients are told of other servers is host:port, and nothing that a program may take for something else.
func TestUsableURLs(t *testing.T) {
	for in, want := range map[string]bool{
		"10.0.0.1:4222": true, "[::1]:4222": true, "host-1:1": true, "h:65535": true,
		"": false, "h": false, ":4222": false, "h:0": false, "h:65536": false, "h h:1": false, "h\r\n:1": false, "a@h:1": false, `h\:1`: false,
		"-h:4222": false, "--creds=x:4222": false,
	} {
		if got := usableURLs([]string{in}); slices.Contains(got, in) != want {
			t.Errorf("%q: got %q, want it: %v", in, got, want)
		}
	}
}

//go:build e2e

package e2e

import (
	"crypto/x509"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/natsd/natsd/internal/testutil/certs"
)

// kind is a server program.
type kind string

const (
	natsd kind = "natsd"
	stock kind = "nats-server"
)

// mixes are the clusters that the suite of this file runs on. The first server is the seed; the others dial it, so that both
// programs dial and are dialled.
var mixes = map[string][]kind{
	"natsd":                  {natsd, natsd, natsd},
	"one nats-server, seed":  {stock, natsd, natsd},
	"one nats-server, joins": {natsd, stock, natsd},
	"two nats-servers":       {stock, natsd, stock},
	"natsd is the seed":      {natsd, stock, stock},
}

// clusterConf makes the text of a cluster block.
type clusterConf struct {
	name string // %d stands for the number of the server
	auth bool
	tls  bool
}

// startCluster runs one server of each kind, and waits until they are a mesh.
func startCluster(t *testing.T, kinds []kind, conf clusterConf) []*server {
	t.Helper()
	folder := t.TempDir()
	var ca *certs.Authority
	if conf.tls {
		ca = certs.NewAuthority(t)
	}
	var servers []*server
	var ports []int
	for i, k := range kinds {
		var text strings.Builder
		ports = append(ports, freePort(t))
		user := ""
		fmt.Fprintf(&text, "ping_interval: 2s\ncluster {\n listen: \"127.0.0.1:%d\"\n", ports[i])
		if conf.name != "" {
			fmt.Fprintf(&text, " name: %q\n", conf.name)
		}
		if conf.auth {
			user = "ruser:T0pS3cr3t@"
			text.WriteString(" authorization { user: ruser, password: T0pS3cr3t, timeout: 2 }\n")
		}
		if conf.tls {
			certFile, keyFile := ca.Server(bothWays).Write(t, folder, fmt.Sprint(i))
			fmt.Fprintf(&text, " tls { cert_file: %q, key_file: %q, ca_file: %q, timeout: 5 }\n", certFile, keyFile, ca.Write(t, folder))
		}
		fmt.Fprintf(&text, " routes: [\"nats-route://%s127.0.0.1:%d\"]\n}\n", user, ports[0])
		file := filepath.Join(folder, fmt.Sprintf("%d.conf", i))
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		servers = append(servers, startCommand(t, commandOf(t, k)+" -c "+file))
	}
	awaitMesh(t, servers)
	return servers
}

// bothWays makes a certificate good for dialling too.
func bothWays(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth) }

func commandOf(t *testing.T, k kind) string {
	t.Helper()
	if k == stock {
		return "nats-server -D -a 127.0.0.1 -p {port}"
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path + " serve -D -a 127.0.0.1 -p {port}"
}

// awaitMesh waits until what is published on each server gets to all others.
func awaitMesh(t *testing.T, servers []*server) {
	t.Helper()
	const subject = "mesh.probe"
	var subs []*nats.Subscription
	var conns []*nats.Conn
	for _, s := range servers {
		nc := connect(t, s, nats.DontRandomize())
		conns = append(conns, nc)
		subs = append(subs, subscribe(t, nc, subject, ""))
	}
	seen := make(map[string]bool)
	eventually(t, "a mesh", func() bool {
		for i, nc := range conns {
			must(t, nc.Publish(subject, []byte(fmt.Sprint(i))))
			must(t, nc.Flush())
		}
		for i, sub := range subs {
			for {
				m, err := sub.NextMsg(20 * time.Millisecond)
				if err != nil {
					break
				}
				seen[fmt.Sprintf("%s>%d", m.Data, i)] = true
			}
		}
		return len(seen) == len(servers)*len(servers)
	})
	for _, nc := range conns {
		nc.Close()
	}
}

// TestClusters runs the same suite on pure and mixed clusters.
func TestClusters(t *testing.T) {
	for name, kinds := range mixes {
		t.Run(name, func(t *testing.T) {
			servers := startCluster(t, kinds, clusterConf{})
			t.Run("plain", func(t *testing.T) { clusterPlain(t, servers) })
			t.Run("request", func(t *testing.T) { clusterRequest(t, servers) })
			t.Run("no responders", func(t *testing.T) { clusterNoResponders(t, servers) })
			t.Run("headers", func(t *testing.T) { clusterHeaders(t, servers) })
			t.Run("queues", func(t *testing.T) { clusterQueues(t, servers) })
			t.Run("order", func(t *testing.T) { clusterOrder(t, servers) })
			t.Run("big", func(t *testing.T) { clusterBig(t, servers) })
			t.Run("failover", func(t *testing.T) { clusterFailover(t, servers) })
		})
	}
}

// TestClusterSecurity: credentials, TLS and names, in clusters of both programs.
func TestClusterSecurity(t *testing.T) {
	for name, conf := range map[string]clusterConf{
		"credentials": {auth: true}, "TLS": {tls: true}, "all": {auth: true, tls: true, name: "C1"}, "name": {name: "C1"},
	} {
		for _, mix := range []string{"natsd", "one nats-server, seed", "natsd is the seed"} {
			t.Run(name+", "+mix, func(t *testing.T) { clusterPlain(t, startCluster(t, mixes[mix], conf)) })
		}
	}
}

// settled waits until interest has spread: a message on a subject of its own gets from each server to nc, which subscribes last.
func settled(t *testing.T, servers []*server, nc *nats.Conn) {
	t.Helper()
	subject := nats.NewInbox()
	sub := subscribe(t, nc, subject, "")
	for _, s := range servers {
		from := connect(t, s)
		eventually(t, "interest spreads", func() bool {
			must(t, from.Publish(subject, nil))
			_, err := sub.NextMsg(20 * time.Millisecond)
			return err == nil
		})
		from.Close()
	}
	must(t, sub.Unsubscribe())
}

// clusterPlain: each message gets to each subscriber on each server once, patterns and all.
func clusterPlain(t *testing.T, servers []*server) {
	var subs []*nats.Subscription
	for _, s := range servers {
		nc := connect(t, s)
		subs = append(subs, subscribe(t, nc, "plain.*", ""), subscribe(t, nc, "plain.>", ""), subscribe(t, nc, "plain.a", ""))
		settled(t, servers, nc)
	}
	for i, s := range servers {
		nc := connect(t, s)
		must(t, nc.Publish("plain.a", []byte(fmt.Sprint(i))))
		must(t, nc.Flush())
		for _, sub := range subs {
			if m := next(t, sub); string(m.Data) != fmt.Sprint(i) {
				t.Fatalf("got %q, want %d", m.Data, i)
			}
		}
	}
	for _, sub := range subs {
		if m, err := sub.NextMsg(50 * time.Millisecond); err == nil {
			t.Fatalf("got %q once more", m.Data)
		}
	}
}

// clusterRequest: requests from each server are answered from each other one.
func clusterRequest(t *testing.T, servers []*server) {
	for i, s := range servers {
		subject := fmt.Sprintf("svc.%d", i)
		responder := connect(t, s)
		_, err := responder.Subscribe(subject, func(m *nats.Msg) { _ = m.Respond(append([]byte("re:"), m.Data...)) })
		must(t, err)
		must(t, responder.Flush())
		settled(t, servers, responder)
		for _, from := range servers {
			nc := connect(t, from)
			for range 20 {
				m, err := nc.Request(subject, []byte("q"), 5*time.Second)
				if err != nil || string(m.Data) != "re:q" {
					t.Fatalf("got %v, %v", m, err)
				}
			}
		}
	}
}

// clusterNoResponders: a request that nobody in the cluster takes is answered at once.
func clusterNoResponders(t *testing.T, servers []*server) {
	for _, s := range servers {
		if _, err := connect(t, s).Request("nobody.is.there", nil, 5*time.Second); err != nats.ErrNoResponders {
			t.Errorf("got %v", err)
		}
	}
}

// clusterHeaders: headers cross from each server to each other.
func clusterHeaders(t *testing.T, servers []*server) {
	for i, s := range servers {
		to := connect(t, s)
		sub := subscribe(t, to, "head", "")
		settled(t, servers, to)
		for _, from := range servers {
			nc := connect(t, from)
			m := nats.NewMsg("head")
			m.Header.Set("Bar", "Baz")
			m.Data = []byte("Hello NATS!")
			must(t, nc.PublishMsg(m))
			must(t, nc.Flush())
			if got := next(t, sub); got.Header.Get("Bar") != "Baz" || string(got.Data) != "Hello NATS!" {
				t.Fatalf("server %d got %v %q", i, got.Header, got.Data)
			}
		}
		must(t, sub.Unsubscribe())
	}
}

// clusterQueues: a queue group over all servers gets each message once, each member its share.
func clusterQueues(t *testing.T, servers []*server) {
	const messages = 3000
	got := make([]chan int, len(servers))
	for i, s := range servers {
		nc := connect(t, s)
		n, done := 0, make(chan int, 1)
		got[i] = done
		_, err := nc.QueueSubscribe("work", "pool", func(*nats.Msg) { n++ })
		must(t, err)
		_, err = nc.Subscribe("work.end", func(*nats.Msg) {
			time.Sleep(300 * time.Millisecond) // what other servers have sent on may still be on its way
			_ = nc.Flush()
			done <- n
		})
		must(t, err)
		must(t, nc.Flush())
		settled(t, servers, nc)
	}
	nc := connect(t, servers[0])
	for range messages {
		must(t, nc.Publish("work", nil))
	}
	must(t, nc.Publish("work.end", nil))
	must(t, nc.Flush())
	total, chi := 0, 0.0
	for _, done := range got {
		n := <-done
		total += n
		chi += math.Pow(float64(n)-messages/3, 2) / (messages / 3)
	}
	if total != messages || chi > 28 { // two degrees of freedom: one in a million
		t.Errorf("%d messages of %d, chi-square %.1f", total, messages, chi)
	}
}

// clusterOrder: what a publisher sends arrives in order on other servers, nothing missing.
func clusterOrder(t *testing.T, servers []*server) {
	const messages = 20_000
	to := connect(t, servers[2])
	done := make(chan error, 2)
	for range 2 {
		want := 0
		_, err := to.Subscribe("order", func(m *nats.Msg) {
			if string(m.Data) != fmt.Sprint(want) {
				done <- fmt.Errorf("got %s, want %d", m.Data, want)
			}
			if want++; want == messages {
				done <- nil
			}
		})
		must(t, err)
	}
	must(t, to.Flush())
	settled(t, servers, to)
	nc := connect(t, servers[1])
	for i := range messages {
		must(t, nc.Publish("order", []byte(fmt.Sprint(i))))
	}
	must(t, nc.Flush())
	for range 2 {
		select {
		case err := <-done:
			must(t, err)
		case <-time.After(patience):
			t.Fatal("messages are missing")
		}
	}
}

// clusterBig: messages of the largest size cross.
func clusterBig(t *testing.T, servers []*server) {
	payload := []byte(strings.Repeat("0123456789abcdef", 1<<16))
	for i, s := range servers {
		to := connect(t, s)
		sub := subscribe(t, to, "big", "")
		settled(t, servers, to)
		nc := connect(t, servers[(i+1)%len(servers)])
		for range 5 {
			must(t, nc.Publish("big", payload))
		}
		must(t, nc.Flush())
		for range 5 {
			if m := next(t, sub); len(m.Data) != len(payload) {
				t.Fatalf("got %d bytes", len(m.Data))
			}
		}
		must(t, sub.Unsubscribe())
	}
}

// clusterFailover: clients learn of all servers; when theirs is killed they go on elsewhere, and a server that comes back is
// in the mesh again.
func clusterFailover(t *testing.T, servers []*server) {
	for i, s := range servers {
		nc := connect(t, s, nats.ReconnectWait(10*time.Millisecond), nats.MaxReconnects(-1))
		eventually(t, "addresses of all servers", func() bool { return len(nc.Servers()) == len(servers) })
		sub := subscribe(t, nc, "after", "")
		s.kill()
		eventually(t, "another server", func() bool { return nc.IsConnected() && nc.ConnectedUrl() != s.url() })
		must(t, nc.Flush())
		from := connect(t, servers[(i+1)%len(servers)])
		eventually(t, "messages again", func() bool {
			must(t, from.Publish("after", nil))
			_, err := sub.NextMsg(20 * time.Millisecond)
			return err == nil
		})
		begin := time.Now()
		s.start()
		awaitMesh(t, servers)
		t.Logf("whole again %v after the start of the server", time.Since(begin).Round(time.Millisecond))
	}
}

// TestClusterReload: SIGHUP with other routes makes and ends routes (docs/spec/config.md C3).
func TestClusterReload(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(folder, name)
		must(t, os.WriteFile(file, []byte(text), 0o600))
		return file
	}
	ports := []int{freePort(t), freePort(t)}
	a := startCommand(t, commandOf(t, natsd)+" -c "+write("a.conf", fmt.Sprintf("cluster { listen: \"127.0.0.1:%d\" }\n", ports[0])))
	with := fmt.Sprintf("cluster { listen: \"127.0.0.1:%d\", routes: [\"nats-route://127.0.0.1:%d\"] }\n", ports[1], ports[0])
	without := fmt.Sprintf("cluster { listen: \"127.0.0.1:%d\" }\n", ports[1])
	b := startCommand(t, commandOf(t, natsd)+" -c "+write("b.conf", without))
	write("b.conf", with)
	must(t, b.command.Process.Signal(syscall.SIGHUP))
	awaitMesh(t, []*server{a, b})
	write("b.conf", without)
	must(t, b.command.Process.Signal(syscall.SIGHUP))
	eventually(t, "the route ends", func() bool { return strings.Contains(b.log.String(), "Route Removed") })
}

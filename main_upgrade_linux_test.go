package main

import (
	"bufio"
	"cmp"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil/certs"
)

// listener is a client that is subscribed to its own name.
type listener struct {
	t      *testing.T
	name   string
	server string // id
	conn   net.Conn
	lines  chan string
}

// listenTo returns a client of the server at addr.
func listenTo(t *testing.T, addr, name string) *listener {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(3 * patience))
	l, in := &listener{t: t, name: name, conn: conn, lines: make(chan string, 1000)}, bufio.NewReader(conn)
	line, err := in.ReadString('\n')
	var info struct {
		ServerID string `json:"server_id"`
	}
	if err != nil || json.Unmarshal([]byte(strings.TrimPrefix(line, "INFO ")), &info) != nil {
		t.Fatalf("greeting %q, %v", line, err)
	}
	l.server = info.ServerID
	l.send("CONNECT {\"verbose\":false}\r\nSUB " + name + " 1\r\n")
	go func() {
		defer close(l.lines)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			select {
			case l.lines <- line:
			default: // nobody looks at so many
			}
		}
	}()
	return l
}

func (l *listener) send(text string) {
	l.t.Helper()
	if _, err := l.conn.Write([]byte(text)); err != nil {
		l.t.Fatal(err)
	}
}

// reaches waits until what l publishes gets to another client, which has stayed where it was.
func (l *listener) reaches(to *listener, log func() string) {
	l.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		l.send("PUB " + to.name + " 2\r\nhi\r\n")
		select {
		case line, open := <-to.lines:
			if !open {
				l.t.Fatalf("client %q was closed\n%s", to.name, log())
			}
			if strings.HasPrefix(line, "MSG "+to.name) {
				return
			}
		case <-time.After(20 * time.Millisecond):
		}
	}
	l.t.Fatalf("client %q does not reach client %q\n%s", l.name, to.name, log())
}

// TestProgramUpgradeInCluster: during a hand-over, clients of the old process, of the new one and of another server, whose only route is the
// old one, reach each other, whatever the two processes have in common. Spec: docs/spec/route-protocol.md §3.13.
func TestProgramUpgradeInCluster(t *testing.T) {
	ca, folder := certs.NewAuthority(t), t.TempDir()
	secure := func(name string, named bool) string {
		certFile, keyFile := ca.Server(func(c *x509.Certificate) {
			c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
			if named {
				c.IPAddresses = nil
			}
		}).Write(t, folder, name)
		return fmt.Sprintf("tls { cert_file: '%s', key_file: '%s', ca_file: '%s' }", certFile, keyFile, ca.Write(t, folder))
	}
	const hashed = "authorization { user: ruser, password: '$2a$04$lmmoGBSGaSIMUmyu3Rv2mOje9f1SvU.bdxqgUmtEhJJ8iW/LYHc3K' }"
	for name, v := range map[string]struct{ top, own, other, user, host string }{
		"plain": {host: "127.0.0.1"}, // as others are told of it
		"named": {top: "server_name: one\n"},
		"crypt": {top: "server_name: one\n", own: hashed, other: hashed, user: "ruser:T0pS3cr3t@"},
		"certs": {own: secure("own", true), other: secure("other", false)},
	} {
		t.Run(name, func(t *testing.T) {
			path := named(t)
			p := serveAs(t, path, "-DV", "-c", writeConfig(t, v.top+"cluster { listen: '127.0.0.1:-1', name: c, "+v.own+" }\nlame_duck_duration: 60s\nlame_duck_grace_period: 59s\n"))
			_, routes, _ := strings.Cut(p.log(), "Listening for route connections on 127.0.0.1")
			routes, _, _ = strings.Cut(routes, "\n")
			q := serve(t, "-c", writeConfig(t, "cluster { listen: '127.0.0.1:-1', name: c, routes: ['nats-route://"+v.user+cmp.Or(v.host, "localhost")+routes+"'], "+v.other+" }\n"))
			go func() {
				for range p.lines { // all of them are kept
				}
			}()
			log := func() string { return p.log() + "\nand of the other server:\n" + q.log() }
			old, far := listenTo(t, p.addr, "old"), listenTo(t, q.addr, "far")
			far.reaches(old, log)
			out, errs, code := told(t, path, "signal", "upgrade")
			fresh, err := strconv.Atoi(strings.TrimSpace(out))
			if code != 0 || err != nil {
				t.Fatalf("%d %s\n%s", code, errs, p.log())
			}
			t.Cleanup(func() { _ = syscall.Kill(fresh, syscall.SIGKILL) })
			environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", fresh))
			if err != nil {
				t.Fatal(err)
			}
			young := listenTo(t, p.addr, "young")
			for end := time.Now().Add(patience); young.server == old.server; young = listenTo(t, p.addr, "young") {
				if time.Now().After(end) {
					t.Fatalf("the old process takes clients\n%s", log())
				}
			}
			all := []*listener{old, young, far}
			for _, from := range all {
				for _, to := range all {
					from.reaches(to, log)
				}
			}
			if err := p.command.Process.Signal(syscall.Signal(0)); err != nil {
				t.Fatalf("the old process has ended: %v", err)
			}
			entries := strings.Split(string(environment), "\x00")
			at := slices.IndexFunc(entries, func(entry string) bool { return strings.HasPrefix(entry, "NATSD_HANDOVER_FROM=") })
			if at < 0 {
				t.Fatal("no word of the old process in the environment of the new one")
			}
			if _, token, _ := strings.Cut(entries[at], " "); len(token) < 20 || strings.Contains(log(), token) || !strings.Contains(log(), "natsd_handover") {
				t.Errorf("the token %q is short, in the log, or was not shown:\n%s", token, log())
			}
		})
	}
}

//go:build unix

package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/natsd/natsd/internal/testutil/certs"
)

// enter connects with a user and a password, and returns the first line of the answer.
func (p *process) enter(user, password string) (net.Conn, *bufio.Reader, string) {
	p.t.Helper()
	c, in := p.dial()
	if _, err := fmt.Fprintf(c, "CONNECT {\"verbose\":false,\"user\":%q,\"pass\":%q}\r\nPING\r\n", user, password); err != nil {
		p.t.Fatal(err)
	}
	line, err := in.ReadString('\n')
	if err != nil {
		p.t.Fatal(err)
	}
	return c, in, strings.TrimSpace(line)
}

// TestProgramReloadsUsers: users come, go and are bounded by SIGHUP. Spec: docs/spec/config.md C3.
func TestProgramReloadsUsers(t *testing.T) {
	path := writeConfig(t, "authorization { users: [{user: al, password: CANARYal}, {user: bob, password: CANARYbob}] }\n")
	p := serve(t, "-c", path)
	_, al, line := p.enter("al", "CANARYal")
	if line != "PONG" {
		t.Fatal(line)
	}
	conn, bob, line := p.enter("bob", "CANARYbob")
	if line != "PONG" {
		t.Fatal(line)
	}
	if _, err := io.WriteString(conn, "SUB a 1\r\nPING\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := bob.ReadString('\n'); line != "PONG\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	rewrite(t, path, "authorization { users: [{user: al, password: CANARYnew}, {user: bob, password: CANARYbob, permissions: {publish: b, subscribe: b}}] }\n")
	p.signal(syscall.SIGHUP)
	p.await("[INF] Reloaded: authorization users")
	p.await("[INF] Reloaded server configuration")
	if line, err := al.ReadString('\n'); line != "-ERR 'Authorization Violation'\r\n" {
		t.Errorf("%q, %v", line, err)
	}
	if line, err := bob.ReadString('\n'); line != "-ERR 'Permissions Violation for Subscription to \"a\" (sid 1)'\r\n" {
		t.Errorf("%q, %v", line, err)
	}
	if want := `Removed sub "a" for user "bob" - not authorized`; !strings.Contains(p.log(), want) {
		t.Errorf("the log lacks %s:\n%s", want, p.log())
	}
	if _, _, line := p.enter("al", "CANARYal"); line != "-ERR 'Authorization Violation'" {
		t.Error(line)
	}
	if _, _, line := p.enter("al", "CANARYnew"); line != "PONG" {
		t.Error(line)
	}
	if strings.Contains(p.log(), "CANARY") {
		t.Errorf("a password is in the log:\n%s", p.log())
	}
}

// TestProgramReloadsTLS: a certificate that has changed is used without a signal, one that is broken refuses the reload, and
// TLS can be switched off and on.
func TestProgramReloadsTLS(t *testing.T) {
	ca, folder := certs.NewAuthority(t), t.TempDir()
	first := ca.Server(nil)
	certFile, keyFile := first.Write(t, folder, "server")
	text := fmt.Sprintf("tls { cert_file: %q, key_file: %q }\n", certFile, keyFile)
	path := writeConfig(t, text)
	p := serve(t, "-c", path)
	serial := func() string {
		t.Helper()
		nc, in := p.dial()
		if in.Buffered() > 0 {
			t.Fatal("more than INFO came")
		}
		c := tls.Client(nc, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"})
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	if got := serial(); got != first.Leaf.SerialNumber.String() {
		t.Errorf("serial number %s", got)
	}
	p.await("expires at")
	if err := os.WriteFile(keyFile, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGHUP)
	p.await("[ERR] Failed to reload server configuration: " + path + ":1:18: error parsing X509 certificate/key pair")
	serial()
	second := ca.Server(nil)
	second.Write(t, folder, "server")
	p.signal(syscall.SIGHUP)
	p.await("[INF] Reloaded server configuration")
	if got := serial(); got != second.Leaf.SerialNumber.String() {
		t.Error("the old certificate is used after a reload")
	}
	rewrite(t, path, "")
	p.signal(syscall.SIGHUP)
	p.await("[INF] Reloaded: tls = disabled")
	if c, in := p.dial(); c != nil {
		_, _ = io.WriteString(c, "PING\r\n")
		if line, err := in.ReadString('\n'); line != "PONG\r\n" {
			t.Errorf("%q, %v", line, err)
		}
	}
	rewrite(t, path, text)
	p.signal(syscall.SIGHUP)
	p.await("[INF] Reloaded: tls = enabled")
	serial()
}

// TestProgramHidesSecrets: what is secret on the command line is not shown to others, and works.
func TestProgramHidesSecrets(t *testing.T) {
	p := serve(t, "-user", "bob", "-pass=CANARY1", "-DV")
	if _, _, line := p.enter("bob", "CANARY1"); line != "PONG" {
		t.Error(line)
	}
	if runtime.GOOS == "linux" {
		shown, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.command.Process.Pid))
		if err != nil || strings.Contains(string(shown), "CANARY") || !strings.Contains(string(shown), "bob") {
			t.Errorf("%q, %v", shown, err)
		}
	}
	p.signal(syscall.SIGTERM)
	p.await("Server Exiting..")
	if strings.Contains(p.log(), "CANARY") {
		t.Errorf("a password is in the log:\n%s", p.log())
	}
}

// TestProgramReloadsNoAuthUser: it can go together with its user, and not change otherwise. Spec: docs/spec/config.md C3.
func TestProgramReloadsNoAuthUser(t *testing.T) {
	const users = "authorization { users: [{user: guest, password: x}, {user: bob, password: y}] }\n"
	path := writeConfig(t, "no_auth_user: guest\n"+users)
	p := serve(t, "-c", path)
	c, in := p.dial()
	if _, err := io.WriteString(c, "CONNECT {\"verbose\":false}\r\nPING\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := in.ReadString('\n'); line != "PONG\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	rewrite(t, path, "no_auth_user: bob\n"+users)
	p.signal(syscall.SIGHUP)
	p.await("[ERR] Failed to reload server configuration: Config reload not supported for no_auth_user: old=guest, new=bob")
	rewrite(t, path, users)
	p.signal(syscall.SIGHUP)
	p.await("[ERR] Failed to reload server configuration: Config reload not supported for no_auth_user: old=guest, new=")
	rewrite(t, path, "authorization { users: [{user: bob, password: y}] }\n")
	p.signal(syscall.SIGHUP)
	p.await("[INF] Reloaded server configuration")
	if line, err := in.ReadString('\n'); line != "-ERR 'Authorization Violation'\r\n" {
		t.Errorf("%q, %v", line, err)
	}
}

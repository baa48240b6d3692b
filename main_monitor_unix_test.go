//go:build unix

package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil/certs"
)

// caller asks the monitor port of a process.
type caller struct {
	p         *process
	url       string
	token     string
	transport *http.Transport
}

// monitor returns what asks the monitor port that the log tells of.
func (p *process) monitor() *caller {
	p.t.Helper()
	m := regexp.MustCompile(`Starting (https?) monitor on (\S+)`).FindStringSubmatch(p.log())
	if m == nil {
		p.t.Fatalf("no monitor in the log:\n%s", p.log())
	}
	return &caller{p: p, url: m[1] + "://" + m[2], transport: &http.Transport{DisableKeepAlives: true}}
}

// get returns the answer to a path.
func (c *caller) get(path string) (status int, body string) {
	c.p.t.Helper()
	request, err := http.NewRequestWithContext(c.p.t.Context(), http.MethodGet, c.url+path, nil)
	if err != nil {
		c.p.t.Fatal(err)
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.transport.RoundTrip(request)
	if err != nil {
		c.p.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.p.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// field returns a field of /varz.
func (c *caller) field(name string) any {
	c.p.t.Helper()
	_, body := c.get("/varz")
	var v map[string]any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		c.p.t.Fatal(err)
	}
	return v[name]
}

// TestProgramMonitor: monitoring starts before clients are served, shows no secret, and follows reloads.
func TestProgramMonitor(t *testing.T) {
	const conf = `
http: "127.0.0.1:-1"
prof_port: -1
monitor { authorization { token: CANARYmonitor } }
authorization { users: [{user: al, password: CANARYal}, {user: bob, password: CANARYbob}] }
cluster { listen: "127.0.0.1:-1", authorization { user: r, password: CANARYroute }, routes: ["nats://r:CANARYurl@127.0.0.1:1"] }
server_tags: [blue, CANDID]
max_payload: 2mb
`
	path := writeConfig(t, conf)
	p := serve(t, "-c", path)
	m := p.monitor()
	log := p.log()
	if strings.Index(log, "Starting http monitor") > strings.Index(log, "Listening for client connections") || !strings.Contains(log, "profiling port: ") {
		t.Errorf("the log is\n%s", log)
	}
	_, in, line := p.enter("al", "CANARYal")
	if line != "PONG" {
		t.Fatal(line, in)
	}
	if status, _ := m.get("/varz"); status != http.StatusUnauthorized {
		t.Errorf("a stranger gets %d", status)
	}
	m.token = "CANARYmonitor"
	for _, path := range []string{
		"/", "/varz", "/connz?auth=1&subs=detail", "/connz?state=all&auth=1", "/routez?subs=detail", "/subsz?subs=1", "/accountz", "/accountz?acc=$G", "/accstatz?unused=1",
		"/leafz", "/slowz", "/configz", "/healthz", "/startupz?verbose", "/metrics", "/stacksz",
	} {
		if status, body := m.get(path); status != http.StatusOK || strings.Contains(body, "CANARY") {
			t.Errorf("%s: %d, or a secret in %s", path, status, body)
		}
	}
	if _, body := m.get("/configz"); !strings.Contains(body, `"max_payload"`) || !strings.Contains(body, path+":8:14") || !strings.Contains(body, "[REDACTED]") {
		t.Errorf("/configz is %s", body)
	}
	loaded := m.field("config_load_time")
	rewrite(t, path, conf+"lame_duck_duration: 45s\n")
	p.signal(syscall.SIGHUP)
	p.await("Failed to reload server configuration")
	if now := m.field("config_load_time"); now != loaded {
		t.Errorf("a refused reload has changed config_load_time from %v to %v", loaded, now)
	}
	rewrite(t, path, strings.Replace(conf, "blue", "green", 1))
	p.signal(syscall.SIGHUP)
	p.await("Reloaded server configuration")
	if now, tags := m.field("config_load_time"), fmt.Sprint(m.field("tags")); now == loaded || tags != "[green CANDID]" {
		t.Errorf("after a reload config_load_time is %v and the tags %s", now, tags)
	}
	if _, body := m.get("/metrics"); !strings.Contains(body, `natsd_config_reloads_total{result="failed"} 1`) || !strings.Contains(body, `natsd_config_reloads_total{result="ok"} 1`) {
		t.Error("reloads are not counted")
	}
	port := regexp.MustCompile(`profiling port: (\d+)`).FindStringSubmatch(p.log())[1]
	host, _, _ := net.SplitHostPort(p.addr)
	profiles := &caller{p: p, url: "http://" + net.JoinHostPort(host, port), transport: m.transport}
	if status, _ := profiles.get("/debug/pprof/goroutine?debug=1"); status != http.StatusUnauthorized {
		t.Errorf("a stranger gets profiles: %d", status)
	}
	profiles.token = m.token
	if status, body := profiles.get("/debug/pprof/goroutine?debug=1"); status != http.StatusOK || !strings.Contains(body, "goroutine profile") {
		t.Errorf("profiles: %d", status)
	}
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if strings.Contains(p.log(), "CANARY") {
		t.Errorf("a secret in the log:\n%s", p.log())
	}
}

// TestProgramProfilesAlone: what protects monitoring protects profiles without a monitor port too.
func TestProgramProfilesAlone(t *testing.T) {
	p := serve(t, "-c", writeConfig(t, "prof_port: -1\nmonitor { authorization { token: s3cret } }\n"))
	port := regexp.MustCompile(`profiling port: (\d+)`).FindStringSubmatch(p.log())[1]
	profiles := &caller{p: p, url: "http://" + net.JoinHostPort("127.0.0.1", port), transport: &http.Transport{DisableKeepAlives: true}}
	if status, _ := profiles.get("/debug/pprof/goroutine?debug=1"); status != http.StatusUnauthorized {
		t.Errorf("a stranger gets profiles: %d", status)
	}
	profiles.token = "s3cret"
	if status, body := profiles.get("/debug/pprof/goroutine?debug=1"); status != http.StatusOK || !strings.Contains(body, "goroutine profile") {
		t.Errorf("profiles: %d", status)
	}
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestProgramMonitorRefusals are the faults of docs/spec/cli.md §4 and §9.
func TestProgramMonitorRefusals(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	for _, c := range []struct {
		args string
		code int // docs/spec/choices.md 2
		want string
	}{
		{"-m 8222 -ms 8443", 2, "Can't start monitoring: can't specify both HTTP (8222) and HTTPs (8443) ports"},
		{"-ms 8443", 2, "Can't start monitoring: TLS cert and key required for HTTPS"},
		{"-m " + port, 1, "Can't start monitoring: can't listen to the monitor port: listen tcp 127.0.0.1:" + port},
	} {
		command := exec.CommandContext(t.Context(), program, append([]string{"serve", "-a", "127.0.0.1", "-p", "-1"}, strings.Fields(c.args)...)...)
		output, _ := command.CombinedOutput()
		if command.ProcessState.ExitCode() != c.code || !strings.Contains(string(output), c.want) {
			t.Errorf("%s: exit code %d\n%s", c.args, command.ProcessState.ExitCode(), output)
		}
	}
}

// TestProgramMonitorTLS: https uses the certificate for clients, asks callers for none, and follows a reload.
func TestProgramMonitorTLS(t *testing.T) {
	ca, folder := certs.NewAuthority(t), t.TempDir()
	certFile, keyFile := ca.Server(nil).Write(t, folder, "server")
	conf := fmt.Sprintf("https: '127.0.0.1:-1'\ntls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }\n", certFile, keyFile, ca.Write(t, folder))
	path := writeConfig(t, conf)
	p := serve(t, "-c", path)
	m := p.monitor()
	serial := ""
	m.transport = &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12,
		VerifyConnection: func(s tls.ConnectionState) error {
			serial = s.PeerCertificates[0].SerialNumber.String()
			return nil
		},
	}}
	if status, _ := m.get("/varz"); status != http.StatusOK {
		t.Errorf("without a certificate: %d", status)
	}
	if m.field("tls_verify") != true || m.field("tls_cert_not_after") == nil || m.field("https_port") != -1.0 {
		t.Error("varz does not show TLS")
	}
	before := serial
	otherCert, otherKey := ca.Server(nil).Write(t, folder, "other")
	rewrite(t, path, strings.NewReplacer(certFile, otherCert, keyFile, otherKey).Replace(conf))
	p.signal(syscall.SIGHUP)
	p.await("Reloaded server configuration")
	m.get("/varz")
	if serial == before {
		t.Error("the old certificate is shown after a reload")
	}
}

// TestProgramWarnsOfMonitorCertificate: a certificate of its own that monitoring has is warned of like that for clients.
func TestProgramWarnsOfMonitorCertificate(t *testing.T) {
	ca, folder := certs.NewAuthority(t), t.TempDir()
	certFile, keyFile := ca.Server(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(5 * 24 * time.Hour) }).Write(t, folder, "monitor")
	p := serve(t, "-c", writeConfig(t, fmt.Sprintf("https: '127.0.0.1:-1'\nmonitor { tls { cert_file: %q, key_file: %q } }\n", certFile, keyFile)))
	p.await("[WRN] the TLS certificate " + certFile + " expires at")
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestProgramTopFilter: a filter is looked for among all connections of a real server, and drives no terminal. Spec: docs/spec/cli.md §1.
func TestProgramTopFilter(t *testing.T) {
	p := serve(t, "-m", "-1")
	for _, name := range []string{"audit", "billing", "Billing-2"} {
		conn, in := p.dial()
		fmt.Fprintf(conn, "CONNECT {\"verbose\":false,\"name\":%q}\r\nPING\r\n", name)
		for line := ""; line != "PONG\r\n"; {
			var err error
			if line, err = in.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, test := range []struct {
		args        []string
		want, other string
	}{
		{[]string{"--filter", "BILLING", "-n", "1"}, "Connections: 3  filter BILLING: 2", "audit"},
		{[]string{"--filter", "ing-2", "-n", "1"}, "Billing-2", "audit"},
		{[]string{"--filter", "\x1b[2J"}, "Connections: 3  filter ?[2J: 0", "\x1b"},
		{[]string{"--filter", "ing-2", "--json"}, `"total_connections": 3`, "audit"},
	} {
		args := append([]string{"top", p.monitor().url, "--once", "--delay", "100ms"}, test.args...)
		out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), test.want) || strings.Contains(string(out), test.other) {
			t.Errorf("%q prints (%v)\n%s", test.args, err, out)
		}
	}
}

// TestProgramMonitorClientCertificate: healthcheck and top get through to a monitor port that demands certificates, and nobody
// else does, probes included. Spec: docs/spec/cli.md §1.
func TestProgramMonitorClientCertificate(t *testing.T) {
	ca, folder := certs.NewAuthority(t), t.TempDir()
	certFile, keyFile := ca.Server(nil).Write(t, folder, "monitor")
	caFile := ca.Write(t, folder)
	clientCert, clientKey := ca.Client("prober", nil).Write(t, folder, "client")
	p := serve(t, "-c", writeConfig(t, fmt.Sprintf("https: '127.0.0.1:-1'\nmonitor { tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true } }\n",
		certFile, keyFile, caFile)))
	port := p.monitor().url
	for _, command := range [][]string{{"healthcheck", port + "/livez"}, {"top", port, "--once", "--delay", "100ms"}} {
		for _, test := range []struct {
			name, want string
			code       int
			args       []string
		}{
			{name: "a certificate", code: 0, args: []string{"--tlscacert", caFile, "--tlscert", clientCert, "--tlskey", clientKey}},
			{name: "none", want: "no answer from " + port, code: 1, args: []string{"--tlscacert", caFile}},
			{name: "an unknown server", want: "certificate signed by unknown authority", code: 1, args: []string{"--tlscert", clientCert, "--tlskey", clientKey}},
			{name: "no key", want: "there is no key for the certificate " + clientCert + "; give --tlskey", code: 1, args: []string{"--tlscert", clientCert}},
			{name: "a key alone", want: "there is no certificate for the key " + clientKey + "; give --tlscert", code: 1, args: []string{"--tlskey", clientKey}},
			{name: "no such file", want: "cannot read the certificates: open /none: ", code: 1, args: []string{"--tlscacert", "/none"}},
		} {
			run := exec.CommandContext(t.Context(), program, append(command, test.args...)...)
			out, _ := run.CombinedOutput() // what went wrong is in the exit code
			if run.ProcessState.ExitCode() != test.code || !strings.Contains(string(out), test.want) {
				t.Errorf("%s, %s: exit code %d, want %d and %q; it prints\n%s", command[0], test.name, run.ProcessState.ExitCode(), test.code, test.want, out)
			}
		}
	}
}

//go:build unix

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil/certs"
)

// writeConfig writes text as a file and returns its path.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "natsd.conf")
	rewrite(t, path, text)
	return path
}

func rewrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// signal sends a signal to p.
func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.command.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// TestProgramReloads: SIGHUP applies what can change, and refuses all if a part cannot. Spec: docs/spec/config.md C.
func TestProgramReloads(t *testing.T) {
	path := writeConfig(t, "max_payload: 100\n")
	p := serve(t, "-c", path)
	c, in := p.dial()
	if _, err := c.Write([]byte("CONNECT {\"verbose\":false,\"protocol\":1}\r\nPING\r\n")); err != nil {
		t.Fatal(err)
	}
	if line, err := in.ReadString('\n'); err != nil || line != "PONG\r\n" {
		t.Fatalf("%q, %v", line, err)
	}

	rewrite(t, path, "max_payload: 200\nserver_name: other\n")
	p.signal(syscall.SIGHUP)
	p.await("[ERR] Failed to reload server configuration: Config reload not supported for server_name: old=, new=other")

	rewrite(t, path, "max_payload: lots\n")
	p.signal(syscall.SIGHUP)
	p.await("[ERR] Failed to reload server configuration: " + path + ":1:14: max_payload: expected a size")

	log := filepath.Join(t.TempDir(), "natsd.log")
	rewrite(t, path, "max_payload: 200\ndebug: true\nlog_file: '"+log+"'\n")
	p.signal(syscall.SIGHUP)
	line, err := in.ReadString('\n')
	if err != nil || !strings.Contains(line, `"max_payload":200`) {
		t.Fatalf("INFO after the reload is %q, %v", line, err)
	}
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Reloaded: debug = true\n", "Reloaded: max_payload = 200\n", "Reloaded: log_file = " + log + "\n", "Reloaded server configuration\n", "[DBG] "} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the new log lacks %q:\n%s", want, text)
		}
	}
}

// TestProgramReloadsUnderLoad: a thousand reloads while a client publishes lose nothing and leave nothing open.
func TestProgramReloadsUnderLoad(t *testing.T) {
	const reloads = 1000
	path := writeConfig(t, "max_payload: 1000\n")
	p := serve(t, "-c", path)
	subscriber, in := p.dial()
	if _, err := subscriber.Write([]byte("CONNECT {\"verbose\":false}\r\nSUB a 1\r\nPING\r\n")); err != nil {
		t.Fatal(err)
	}
	if line, err := in.ReadString('\n'); err != nil || line != "PONG\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	publisher, _ := p.dial()
	for _, c := range []net.Conn{subscriber, publisher} {
		_ = c.SetDeadline(time.Now().Add(10 * patience))
	}
	before := p.openFiles()
	// The publisher reads too: it is sent an INFO for each reload, and would be a slow consumer.
	answered := make(chan error, 1)
	go func() {
		for answers := bufio.NewReader(publisher); ; {
			if line, err := answers.ReadString('\n'); err != nil || line == "PONG\r\n" {
				answered <- err
				return
			}
		}
	}()
	stop, published := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				published <- n
				return
			default:
			}
			if _, err := fmt.Fprintf(publisher, "PUB a 8\r\n%08d\r\n", n); err != nil {
				t.Error(err)
				<-stop
				published <- n
				return
			}
			n++
		}
	}()
	received := make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			head, err := in.ReadString('\n')
			if err != nil || head == "PONG\r\n" {
				break
			}
			body, err := in.ReadString('\n')
			if want := fmt.Sprintf("%08d\r\n", n); err != nil || head != "MSG a 1 8\r\n" || body != want {
				t.Errorf("got %q %q, want %q", head, body, want)
				break
			}
		}
		received <- n
	}()
	for i := range reloads {
		rewrite(t, path, fmt.Sprintf("max_payload: %d\n", 1001+i))
		p.signal(syscall.SIGHUP)
		p.await("Reloaded server configuration")
	}
	close(stop)
	sent := <-published
	if _, err := publisher.Write([]byte("PING\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	if _, err := subscriber.Write([]byte("PING\r\n")); err != nil {
		t.Fatal(err)
	}
	if n := <-received; n != sent || n == 0 {
		t.Errorf("%d messages were published and %d received", sent, n)
	}
	if after := p.openFiles(); after > before {
		t.Errorf("%d files are open after the reloads, %d before", after, before)
	}
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// openFiles returns the number of files the process has open, 0 where the system does not tell.
func (p *process) openFiles() int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.command.Process.Pid))
	if err != nil {
		return 0
	}
	return len(entries)
}

// TestProgramAsGnatsd: a symlink called gnatsd, the file and flags of 2018 (docs/spec/cli.md §1).
func TestProgramAsGnatsd(t *testing.T) {
	link := filepath.Join(t.TempDir(), "gnatsd")
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	path := writeConfig(t, "listen: 127.0.0.1:-1\nmax_conn: 5 # alias\nlogtime: false\n")
	before := program
	program = link
	defer func() { program = before }()
	p := serve(t, "-config", path, "-DV", "-T=false")
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
	p = serve(t, "-config", path, "-T=false", "-cluster", "nats://u:s3cret@127.0.0.1:-1", "-routes", "nats://u:s3cret@127.0.0.1:1", "-D")
	if code := p.end(os.Interrupt); code != 0 || !strings.Contains(p.log(), "Listening for route connections on 127.0.0.1:") || strings.Contains(p.log(), "s3cret") {
		t.Errorf("exit code %d, log\n%s", code, p.log())
	}
}

// TestProgramFlagsWithFile: flags that are wrong by themselves and right with the file, or the environment, are taken
// (docs/spec/choices.md 2).
func TestProgramFlagsWithFile(t *testing.T) {
	ca, folder := certs.NewAuthority(t), t.TempDir()
	certFile, keyFile := ca.Server(nil).Write(t, folder, "server")
	for _, c := range []struct {
		name, file, args, env string
	}{
		{name: "routes", file: "cluster { listen: '127.0.0.1:-1' }", args: "-routes nats://127.0.0.1:1"},
		{name: "routes and the environment", file: "", args: "-routes nats://127.0.0.1:1", env: "127.0.0.1:-1"},
		{name: "https", file: fmt.Sprintf("tls { cert_file: %q, key_file: %q }", certFile, keyFile), args: "-ms -1"},
		{name: "grace period", file: "lame_duck_duration: 5m", args: "--lame_duck_grace_period 3m"},
		{name: "pending", file: "max_payload: 64kb", args: "--max_pending 512kb"},
		{name: "password", file: "authorization { user: al }", args: "-pass x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.env != "" {
				t.Setenv("NATSD_CLUSTER_LISTEN", c.env)
			}
			args := append([]string{"-c", writeConfig(t, c.file+"\n")}, strings.Fields(c.args)...)
			check := exec.CommandContext(t.Context(), program, append([]string{"serve", "-t"}, args...)...)
			if output, err := check.CombinedOutput(); err != nil || !strings.Contains(string(output), "is valid") {
				t.Errorf("with -t: %v\n%s", err, output)
			}
			if p := serve(t, args...); p.end(os.Interrupt) != 0 {
				t.Errorf("it does not end well\n%s", p.log())
			}
		})
	}
}

// TestProgramFlagsAgainstFile: exit code 2 when the command line alone shows the fault, otherwise that of a bad file
// (docs/spec/choices.md 2).
func TestProgramFlagsAgainstFile(t *testing.T) {
	for _, c := range []struct {
		file, args string
		code       int // of serve
		codeTest   int // of serve -t
		want       string
	}{
		{"max_payload: 64kb", "-m 8222 -ms 8443", 2, 2, "natsd: Can't start monitoring: can't specify both HTTP (8222) and HTTPs (8443) ports"},
		{"port: x", "-routes nats://127.0.0.1:1", 2, 2, "natsd: solicited routes require cluster capabilities"},
		{"http_port: 8222", "-ms 8443", 1, 3, "can't specify both HTTP (8222) and HTTPs (8443) ports"},
		{"max_payload: 900kb", "--max_pending 512kb", 1, 3, "max_payload (921600) cannot be higher than max_pending (524288)"},
		{"cluster {", "-routes nats://127.0.0.1:1", 1, 3, ":1:9"},
	} {
		path := writeConfig(t, c.file+"\n")
		for first, code := range map[string]int{"serve": c.code, "-t": c.codeTest} {
			command := exec.CommandContext(t.Context(), program, append([]string{first, "-c", path}, strings.Fields(c.args)...)...)
			output, _ := command.CombinedOutput() // the exit code is looked at below
			if got := command.ProcessState.ExitCode(); got != code || !strings.Contains(string(output), c.want) {
				t.Errorf("%s -c %q %s: exit code %d, want %d and %q\n%s", first, c.file, c.args, got, code, c.want, output)
			}
		}
	}
}

// TestProgramChecksConfig: exit codes and outputs of `natsd config check` and -t (docs/spec/config.md B11).
func TestProgramChecksConfig(t *testing.T) {
	good, bad := writeConfig(t, "port: 4222\n"), writeConfig(t, "prot: 4222\nport: x\n")
	for _, c := range []struct {
		args  []string
		stdin string
		code  int
		want  string
	}{
		{args: []string{"config", "check", good}, want: "configuration file " + good + " is valid (sha256:"},
		{args: []string{"serve", "-t", "-c", good}, want: "configuration file " + good + " is valid (sha256:"},
		{args: []string{"-t", "-c", good}, want: "is valid"},
		{args: []string{"config", "check", "-"}, stdin: "port: 1", want: "configuration file - is valid"},
		{args: []string{"config", "check", bad}, code: 3, want: bad + ":1:1: error: unknown field \"prot\"; did you mean \"port\"?\n    prot: 4222\n    ^^^^ port\n" + bad + ":2:7: error: port: "},
		{args: []string{"config", "check", "--json", good, bad}, code: 3, want: `"line":1,"column":1,"severity":"error","text":"unknown field \"prot\"","hint":"did you mean \"port\"?","suggestion":"port"`},
		{args: []string{"config", "check", "/nonexistent/x.conf"}, code: 3, want: "error opening config file: open /nonexistent/x.conf: no such file or directory"},
		{args: []string{"config", "check"}, code: 2, want: "name at least one file"},
		{args: []string{"serve", "-c", bad}, code: 1, want: "natsd: " + bad + ":2:7: port: expected an integer"},
		{args: []string{"config", "show", "-c", good}, want: "port: 4222\n"},
		{args: []string{"config", "show", "--format", "json", "-c", good}, want: `"port": 4222`},
		{args: []string{"config", "show", "--format", "yaml", "-c", good}, want: "port: 4222\n"},
		{args: []string{"config", "diff", good, good}},
		{args: []string{"config", "explain", "prot"}, code: 2, want: `unknown key "prot"; did you mean "port"?`},
		{args: []string{"config", "explain", "-c", good, "port"}, want: "  from         " + good + ":1:7\n"},
		{args: []string{"config", "explain", "-c", good, "--port", "5222", "port"}, want: "  value        5222\n  from         flag --port\n  overrides    4222 from " + good + ":1:7\n"},
		{args: []string{"config", "show", "-c", good, "--max-payload", "2mb"}, want: "max_payload: 2097152\n"},
		{args: []string{"config", "env"}, want: "NATSD_MAX_PAYLOAD"},
		{args: []string{"--help_tls"}, want: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"},
	} {
		command := exec.Command(program, c.args...)
		command.Stdin = strings.NewReader(c.stdin)
		var out bytes.Buffer
		command.Stdout, command.Stderr = &out, &out
		_ = command.Run() // the exit code is looked at below
		if code := command.ProcessState.ExitCode(); code != c.code || !strings.Contains(out.String(), c.want) {
			t.Errorf("%q: exit code %d, want %d; output\n%swant\n%s", c.args, code, c.code, out.String(), c.want)
		}
	}
}

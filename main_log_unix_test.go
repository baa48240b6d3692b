//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// deafLogServer returns the address of a log server that accepts connections and reads nothing.
func deafLogServer(t *testing.T) string {
	t.Helper()
	little := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failure error
		err := c.Control(func(fd uintptr) {
			failure = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
		})
		if err == nil {
			err = failure
		}
		return err
	}}
	l, err := little.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return "tcp://" + l.Addr().String()
}

// serveSilently runs `natsd serve` with args on a free port, though nothing of its log is on standard error.
func serveSilently(t *testing.T, args ...string) *process {
	t.Helper()
	folder := t.TempDir()
	p := start(t, append([]string{"serve", "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", folder}, args...)...)
	path := filepath.Join(folder, "natsd_"+strconv.Itoa(p.command.Process.Pid)+".ports")
	awaitFile(t, path, "}")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var ports struct{ NATS []string }
	if err := json.Unmarshal(text, &ports); err != nil || len(ports.NATS) != 1 {
		t.Fatalf("the ports file is %s, %v", text, err)
	}
	p.addr = strings.TrimPrefix(ports.NATS[0], "nats://")
	return p
}

// flood makes the server log many megabytes, if it traces.
func (p *process) flood() {
	p.t.Helper()
	c, in := p.dial()
	fmt.Fprint(c, "CONNECT {\"verbose\":false}\r\n")
	message := "PUB flood 8192\r\n" + strings.Repeat("x", 8192) + "\r\n"
	for range 2500 {
		if _, err := c.Write([]byte(message)); err != nil {
			p.t.Fatal(err)
		}
	}
	fmt.Fprint(c, "PING\r\n")
	if line, err := in.ReadString('\n'); err != nil || line != "PONG\r\n" {
		p.t.Fatalf("got %q, %v", line, err)
	}
}

// ends sends a signal and returns the exit code, or fails the test if the process does not end.
func (p *process) ends(s os.Signal) int {
	p.t.Helper()
	end := time.AfterFunc(patience, func() {
		p.t.Errorf("the process does not end after %v", s)
		_ = p.command.Process.Kill()
	})
	defer end.Stop()
	return p.end(s)
}

// TestProgramStopsThoughItsLogServerHangs: lines that such a server does not take are lost, and standard error says so.
// Source: docs/spec/cli.md §8.3.
func TestProgramStopsThoughItsLogServerHangs(t *testing.T) {
	p := serveSilently(t, "-r", deafLogServer(t), "-DV")
	p.flood()
	if code := p.ends(os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if text := p.log(); !strings.Contains(text, " lines of the log are lost, the system log did not take them in time\n") {
		t.Errorf("standard error holds %q", text)
	}
}

// TestProgramReloadsAwayFromALogServerThatHangs: the reload is over at once, and signals are handled.
func TestProgramReloadsAwayFromALogServerThatHangs(t *testing.T) {
	conf := writeConfig(t, "remote_syslog: \""+deafLogServer(t)+"\"\ndebug: true\ntrace: true\n")
	p := serveSilently(t, "-c", conf)
	p.flood()
	rewrite(t, conf, "max_payload: 2mb\n")
	p.signal(syscall.SIGHUP)
	p.await("Reloaded server configuration")
	p.signal(syscall.SIGUSR1)
	p.await("File log re-open ignored, not a file logger")
	if code := p.ends(os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if text := p.log(); !strings.Contains(text, "[WRN] ") || !strings.Contains(text, " lines of the log are lost, ") {
		t.Errorf("the new log does not tell of the lines of the old one: %s", text)
	}
}

// TestProgramRefusesSyslogAddress: a reload with an address that no log can be at is refused, also where a log file goes first.
// Source: docs/spec/cli.md §8.3.
func TestProgramRefusesSyslogAddress(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	conf := writeConfig(t, "port: -1\nhost: 127.0.0.1\nlog_file: '"+file+"'\n")
	command := exec.Command(program, "serve", "-c", conf)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill() })
	awaitFile(t, file, "Server is ready")
	rewrite(t, conf, "port: -1\nhost: 127.0.0.1\nlog_file: '"+file+"'\nremote_syslog: 'udp://127.0.0.1'\n")
	if err := command.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	awaitFile(t, file, "Failed to reload server configuration: "+conf+":4:16: remote_syslog: missing port in address \"127.0.0.1\"")
	output, err := exec.CommandContext(t.Context(), program, "config", "check", conf).CombinedOutput()
	if err == nil || !strings.Contains(string(output), "missing port in address") {
		t.Errorf("config check: %v\n%s", err, output)
	}
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Error(err)
	}
}

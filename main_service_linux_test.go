package main

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serviceManager is the other end of sd_notify(3).
type serviceManager struct {
	t      *testing.T
	socket *net.UnixConn
}

// newServiceManager returns one that the programs of the test find in their environment.
func newServiceManager(t *testing.T) *serviceManager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "100000")
	return &serviceManager{t, socket}
}

// next waits for a message that contains want.
func (m *serviceManager) next(want string) string {
	m.t.Helper()
	buffer := make([]byte, 1000)
	_ = m.socket.SetReadDeadline(time.Now().Add(patience))
	for {
		n, err := m.socket.Read(buffer)
		if err != nil {
			m.t.Fatalf("no %s: %v", want, err)
		}
		if text := string(buffer[:n]); strings.Contains(text, want) {
			return text
		}
	}
}

// forget ignores what was sent up to now.
func (m *serviceManager) forget() {
	m.t.Helper()
	raw, err := m.socket.SyscallConn()
	if err != nil {
		m.t.Fatal(err)
	}
	buffer := make([]byte, 1000)
	var end error
	err = raw.Control(func(fd uintptr) {
		for end == nil {
			_, end = syscall.Read(int(fd), buffer)
		}
	})
	if err != nil || !errors.Is(end, syscall.EAGAIN) {
		m.t.Fatal(err, end)
	}
}

// TestProgramNotify: a service manager is told of the start, of reloads, that the server is alive, and of its end (sd_notify(3)).
func TestProgramNotify(t *testing.T) {
	manager := newServiceManager(t)
	p := serve(t, "-c", writeConfig(t, "max_payload: 1mb\n"))
	manager.next("READY=1")
	manager.next("WATCHDOG=1")
	p.signal(syscall.SIGHUP)
	reloading := manager.next("RELOADING=1")
	if m := regexp.MustCompile(`MONOTONIC_USEC=(\d+)`).FindStringSubmatch(reloading); m == nil || len(m[1]) < 6 {
		t.Errorf("a reload is told of as %q", reloading)
	}
	manager.next("READY=1")
	if err := p.command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	manager.next("STOPPING=1")
}

// TestProgramNotifyLameDuck: a manager is told of lame duck mode as of any stop, and of the time that it may take beyond what the
// manager gives a stop: without that it would kill the server in the midst of it (sd_notify(3)).
func TestProgramNotifyLameDuck(t *testing.T) {
	manager := newServiceManager(t)
	p := serve(t, "-c", writeConfig(t, "lame_duck_duration: 100s\nlame_duck_grace_period: 90s\nwrite_deadline: 5s\n"))
	manager.next("READY=1")
	p.dial()
	p.signal(syscall.SIGUSR2)
	want := "STOPPING=1\nSTATUS=Lame duck mode: clients are closed little by little\nEXTEND_TIMEOUT_USEC=110000000"
	if said := manager.next("Lame duck mode"); said != want {
		t.Errorf("the manager is told %q, want %q", said, want)
	}
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
	manager.next("STOPPING=1\nSTATUS=Stopping")
}

// TestProgramUpgradeNotify: after a hand-over the manager hears of the new process, and then from it that it is alive, though
// the watchdog was meant for the old one.
func TestProgramUpgradeNotify(t *testing.T) {
	manager := newServiceManager(t)
	path := named(t)
	script := filepath.Join(t.TempDir(), "start")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nWATCHDOG_PID=$$ exec "+path+" \"$@\"\n"), 0o700); err != nil { //nolint:gosec // to be run
		t.Fatal(err)
	}
	p := serveAs(t, script, "-c", writeConfig(t, "max_payload: 1mb\n"))
	manager.next("WATCHDOG=1")
	out, errs, code := told(t, path, "signal", "upgrade")
	if code != 0 {
		t.Fatalf("%d %s\n%s", code, errs, p.log())
	}
	fresh := strings.TrimSpace(out)
	if said := manager.next("MAINPID="); said != "MAINPID="+fresh+"\nSTATUS=Serving clients" {
		t.Errorf("the manager is told %q", said)
	}
	if said := manager.next("Lame duck mode"); strings.Contains(said, "STOPPING") { // the new process is the server
		t.Errorf("the manager is told %q of the old process", said)
	}
	// Not command.Wait, which would close the log of the new process too.
	if state, err := p.command.Process.Wait(); err != nil || state.ExitCode() != 0 {
		t.Errorf("the old process ends with %v, %v", state, err)
	}
	manager.forget()
	manager.next("WATCHDOG=1")
	if _, errs, code := told(t, path, "signal", "quit", fresh, "--wait"); code != 0 {
		t.Errorf("%d %s", code, errs)
	}
}

// TestProgramSocketActivation: sockets of a service manager are used in place of own ones (sd_listen_fds(3)).
func TestProgramSocketActivation(t *testing.T) {
	var files []*os.File
	var addrs []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, l.Addr().String())
		file, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
		_ = l.Close() // the copy is what counts
	}
	// Only the process itself knows its id in time.
	command := exec.CommandContext(t.Context(), "sh", "-c", "LISTEN_PID=$$ exec "+program+" serve -a 127.0.0.2 -p 1 -m 1")
	command.Env = append(os.Environ(), "LISTEN_FDS=2", "LISTEN_FDNAMES=client:monitor")
	command.ExtraFiles = files
	var log strings.Builder
	command.Stderr = &log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		c, err := net.DialTimeout("tcp", addr, patience) // it waits in the queue of the socket until it is served
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		if addr == addrs[1] {
			if _, err := c.Write([]byte("GET /livez HTTP/1.0\r\n\r\n")); err != nil {
				t.Fatal(err)
			}
		}
		buffer := make([]byte, 8)
		if _, err := c.Read(buffer); err != nil || addr == addrs[0] && string(buffer[:5]) != "INFO " || addr == addrs[1] && string(buffer[:4]) != "HTTP" {
			t.Errorf("%s answers %q, %v", addr, buffer, err)
		}
	}
	if err := command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("%v\n%s", err, log.String())
	}
	for _, want := range []string{"Listening for client connections on " + addrs[0], "Starting http monitor on " + addrs[1]} {
		if !strings.Contains(log.String(), want+"\n") || strings.Contains(log.String(), "restart") {
			t.Errorf("the log is not as with %q:\n%s", want, log.String())
		}
	}
	bad := exec.CommandContext(t.Context(), "sh", "-c", "LISTEN_PID=$$ exec "+program+" serve -a 127.0.0.1 -p -1")
	bad.Env = append(os.Environ(), "LISTEN_FDS=many")
	if output, err := bad.CombinedOutput(); err == nil || !strings.Contains(string(output), `LISTEN_FDS of "many" is no number of sockets`) {
		t.Errorf("%v\n%s", err, output)
	}
}

// TestProgramPortsFile: the ports file names the listeners, and goes with the server. Source: docs/spec/cli.md §6.
func TestProgramPortsFile(t *testing.T) {
	folder := t.TempDir()
	p := serve(t, "--ports_file_dir", folder, "-m", "-1", "--cluster", "nats://127.0.0.1:-1", "--profile", "-1")
	path := filepath.Join(folder, "natsd_"+strconv.Itoa(p.command.Process.Pid)+".ports")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var ports map[string][]string
	if err := json.Unmarshal(text, &ports); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"nats": "nats://" + p.addr, "monitoring": p.monitor().url, "cluster": "nats://127.0.0.1:", "profile": "http://127.0.0.1:"} {
		if len(ports[name]) != 1 || !strings.HasPrefix(ports[name][0], want) {
			t.Errorf("%s is %v, want %s", name, ports[name], want)
		}
	}
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the ports file is still there: %v", err)
	}
}

// TestProgramPortsFileReload: a reload moves the ports file, and a refused one leaves it where it is. Source: docs/spec/config.md C3.
func TestProgramPortsFileReload(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	in := func(folder string) string { return "ports_file_dir: '" + folder + "'\n" }
	conf := writeConfig(t, in(first))
	p := serve(t, "-c", conf)
	name := "natsd_" + strconv.Itoa(p.command.Process.Pid) + ".ports"
	expect := func(when string, folders ...string) {
		t.Helper()
		for _, folder := range []string{first, second} {
			var want []string
			if slices.Contains(folders, folder) {
				want = []string{name}
			}
			var got []string
			entries, err := os.ReadDir(folder)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				got = append(got, e.Name())
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %s holds %q, want %q", when, folder, got, want)
			}
		}
	}
	reload := func(text, outcome string) {
		t.Helper()
		rewrite(t, conf, text)
		p.signal(syscall.SIGHUP)
		p.await(outcome)
	}
	expect("at the start", first)
	reload(in(second), "Reloaded server configuration")
	expect("after a reload", second)
	if text, err := os.ReadFile(filepath.Join(second, name)); err != nil || !strings.Contains(string(text), "nats://"+p.addr) {
		t.Errorf("the new ports file holds %s, %v", text, err)
	}
	reload(in(first)+"pid_file: /nonexistent/pid\n", "Failed to reload server configuration")
	expect("after a reload that was refused", second)
	reload(in(filepath.Join(first, "absent")), "Failed to reload server configuration: cannot write the ports file")
	expect("after a reload with a bad folder", second)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(second, link); err != nil {
		t.Fatal(err)
	}
	reload(in(link)+"pid_file: /nonexistent/pid\n", "Failed to reload server configuration")
	expect("after a reload to another name of the folder, refused", second)
	reload(in(link), "Reloaded server configuration")
	expect("after a reload to another name of the folder", second)
	reload("port: -1\n", "Reloaded server configuration")
	expect("without a folder")
	reload(in(second), "Reloaded server configuration")
	expect("with a folder again", second)
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
	expect("at the end")
}

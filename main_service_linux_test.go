package main

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestProgramNotify: a service manager is told of the start, of reloads, that the server is alive, and of its end (sd_notify(3)).
func TestProgramNotify(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	next := func(want string) string {
		t.Helper()
		buffer := make([]byte, 1000)
		_ = manager.SetReadDeadline(time.Now().Add(patience))
		for {
			n, err := manager.Read(buffer)
			if err != nil {
				t.Fatalf("no %s: %v", want, err)
			}
			if text := string(buffer[:n]); strings.Contains(text, want) {
				return text
			}
		}
	}
	conf := writeConfig(t, "max_payload: 1mb\n")
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "100000")
	p := serve(t, "-c", conf)
	next("READY=1")
	next("WATCHDOG=1")
	p.signal(syscall.SIGHUP)
	reloading := next("RELOADING=1")
	if m := regexp.MustCompile(`MONOTONIC_USEC=(\d+)`).FindStringSubmatch(reloading); m == nil || len(m[1]) < 6 {
		t.Errorf("a reload is told of as %q", reloading)
	}
	next("READY=1")
	if err := p.command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	next("STOPPING=1")
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
	command := exec.CommandContext(t.Context(), "sh", "-c", "LISTEN_PID=$$ exec "+program+" serve -a 127.0.0.1 -p 1 -m 1")
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

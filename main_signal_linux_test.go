package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// named returns a copy of the program with a name that no other process has.
func named(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), fmt.Sprintf("n%d%s", os.Getpid(), strings.ToLower(t.Name()[len(t.Name())-4:])))
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// told runs `natsd signal` and returns what it prints on both streams, and its exit code.
func told(t *testing.T, path string, args ...string) (out, errs string, code int) {
	t.Helper()
	command := exec.CommandContext(t.Context(), path, args...)
	var o, e strings.Builder
	command.Stdout, command.Stderr = &o, &e
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return o.String(), e.String(), command.ProcessState.ExitCode()
}

// serveAs is serve for a copy of the program.
func serveAs(t *testing.T, path string, args ...string) *process {
	t.Helper()
	before := program
	program = path
	defer func() { program = before }()
	return serve(t, args...)
}

// TestProgramSignal are the texts and exit codes of docs/spec/cli.md §5.
func TestProgramSignal(t *testing.T) {
	path := named(t)
	name := filepath.Base(path)
	check := func(want string, code int, args ...string) {
		t.Helper()
		if _, errs, got := told(t, path, args...); errs != want || got != code {
			t.Errorf("%v: exit code %d, %q, want %d, %q", args, got, errs, code, want)
		}
	}
	for _, form := range [][]string{{"signal"}, {"-sl"}, {"--signal"}} {
		with := func(args ...string) []string { return append(form[:len(form):len(form)], args...) }
		check("natsd: no "+name+" processes running\n", 1, with("reload")...)
		check("natsd: invalid pid: x\n", 1, with("reload=x")...)
		check("natsd: invalid signal parameters: [c]\n", 1, with("a=b=c")...)
		check("natsd: unknown signal \"foo\"\n", 1, with("foo=1")...)
		check("natsd: signal \"reload\" 2147483646: no such process\n", 1, with("reload=2147483646")...)
		check("natsd: no "+name+" processes running\n", 1, with("reload=*")...)
	}
	check("natsd: invalid pid: 0\n", 1, "signal", "reload", "0")
	check("natsd: invalid pid: -1\n", 1, "signal", "reload", "--", "-1")
	pidFile := filepath.Join(t.TempDir(), "pid")
	conf := writeConfig(t, "max_payload: 1mb\n")
	logFile := filepath.Join(t.TempDir(), "log")
	first := serveAs(t, path, "-c", conf, "-P", pidFile)
	check("", 0, "signal", "reload", "--wait")
	check("", 0, "-sl", "reload")
	check("", 0, "signal", "reload="+pidFile, "--wait")
	if err := os.WriteFile(pidFile, []byte(strconv.Itoa(first.command.Process.Pid)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("", 0, "signal", "reload", pidFile, "--wait")
	rewrite(t, conf, "max_payload: 1mb\nport: 7\nlame_duck_duration: 44s\n")
	_, errs, code := told(t, path, "signal", "reload", "--wait")
	if code != 1 || !strings.Contains(errs, "the configuration was refused, the one before still counts: Config reload not supported for ") {
		t.Errorf("a refused reload: %d %s", code, errs)
	}
	rewrite(t, conf, "max_payload: 1mb\n")
	second := exec.CommandContext(t.Context(), path, "serve", "-a", "127.0.0.1", "-p", "-1", "-l", logFile, "-c", conf) // its log is in a file
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- second.Wait() }()
	awaitFile(t, logFile, "Server is ready")
	pids := []string{strconv.Itoa(first.command.Process.Pid), strconv.Itoa(second.Process.Pid)}
	if first.command.Process.Pid > second.Process.Pid {
		pids[0], pids[1] = pids[1], pids[0]
	}
	check("natsd: multiple "+name+" processes running:\n"+strings.Join(pids, "\n")+"\n", 1, "signal", "quit")
	check("", 0, "signal", "reload", "--wait", "*")
	check("", 0, "signal", "reload", pids[0], pids[1])
	if err := os.Rename(logFile, logFile+".old"); err != nil {
		t.Fatal(err)
	}
	check("", 0, "signal", "reopen", strconv.Itoa(second.Process.Pid), "--wait")
	if text, err := os.ReadFile(logFile); err != nil || !strings.HasSuffix(string(text), "[INF] File log re-opened\n") {
		t.Errorf("the new log is %q, %v", text, err)
	}
	check("", 0, "signal", "ldm", strconv.Itoa(second.Process.Pid), "--wait")
	if err := <-ended; err != nil {
		t.Errorf("lame duck mode ends with %v", err)
	}
	check("", 0, "signal", "quit", "--wait")
	check("natsd: no "+name+" processes running\n", 1, "signal", "quit")
}

// TestProgramUpgrade: a hand-over to a new process refuses none of many connections that are made during it, and clients
// of both reach each other until the old one has gone.
func TestProgramUpgrade(t *testing.T) {
	const attempts, dialers = 10000, 8
	path := named(t)
	pidFile := filepath.Join(t.TempDir(), "pid")
	conf := writeConfig(t, "http: '127.0.0.1:-1'\ncluster { listen: '127.0.0.1:-1', name: one }\nlame_duck_duration: 30s\nlame_duck_grace_period: 29s\n")
	p := serveAs(t, path, "-c", conf, "-P", pidFile)
	conn, in := p.dial()
	if _, err := conn.Write([]byte("CONNECT {\"verbose\":false}\r\nSUB greetings 1\r\nPING\r\n")); err != nil {
		t.Fatal(err)
	}
	if line, err := in.ReadString('\n'); line != "PONG\r\n" {
		t.Fatal(line, err)
	}
	var done, failed atomic.Int64
	var tasks sync.WaitGroup
	started := make(chan struct{})
	for range dialers {
		tasks.Go(func() {
			for done.Add(1) <= attempts {
				c, err := net.DialTimeout("tcp", p.addr, patience)
				if err == nil {
					_ = c.SetDeadline(time.Now().Add(patience))
					var first [5]byte
					_, err = c.Read(first[:])
					_ = c.Close()
				}
				if err != nil {
					failed.Add(1)
					t.Error(err)
				}
				if done.Load() == attempts/10 {
					close(started)
				}
			}
		})
	}
	<-started
	out, errs, code := told(t, path, "signal", "upgrade")
	if code != 0 {
		t.Fatalf("%d %s\n%s", code, errs, p.log())
	}
	if done.Load() >= attempts {
		t.Error("the attempts were over before the upgrade")
	}
	fresh, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if process, err := os.FindProcess(fresh); err == nil {
			_ = process.Kill()
		}
	})
	tasks.Wait()
	if n := failed.Load(); n > 0 {
		t.Errorf("%d of %d connections failed", n, attempts)
	}
	if text, err := os.ReadFile(pidFile); err != nil || string(text) != strconv.Itoa(fresh) {
		t.Errorf("the pid file says %s, %v; want %d", text, err, fresh)
	}
	// A client of the new process reaches one that has stayed with the old one.
	other, otherIn := p.dial()
	if _, err := other.Write([]byte("CONNECT {\"verbose\":false}\r\n")); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	go func() {
		for {
			line, err := in.ReadString('\n')
			if err != nil || strings.HasPrefix(line, "MSG greetings") {
				got <- line
				return
			}
		}
	}()
	_ = otherIn
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if _, err := other.Write([]byte("PUB greetings 2\r\nhi\r\n")); err != nil {
			t.Fatal(err)
		}
		select {
		case line := <-got:
			if !strings.HasPrefix(line, "MSG greetings 1 2") {
				t.Errorf("%q\n%s", line, p.log())
			}
		default:
			if time.Now().Before(end) {
				continue
			}
			t.Errorf("the clients do not reach each other\n%s", p.log())
		}
		break
	}
	if _, errs, code := told(t, path, "signal", "quit", "*", "--wait"); code != 0 {
		t.Errorf("%d %s", code, errs)
	}
}

// TestProgramUpgradeFails: a new process that does not come up changes nothing.
func TestProgramUpgradeFails(t *testing.T) {
	path := named(t)
	pidFile := filepath.Join(t.TempDir(), "pid")
	conf := writeConfig(t, "max_payload: 1mb\n")
	p := serveAs(t, path, "-c", conf, "-P", pidFile)
	rewrite(t, conf, "max_payload: [\n")
	_, errs, code := told(t, path, "signal", "upgrade")
	if code != 1 || !strings.Contains(errs, "the new process did not come up") {
		t.Errorf("%d %s", code, errs)
	}
	if text, err := os.ReadFile(pidFile); err != nil || string(text) != strconv.Itoa(p.command.Process.Pid) {
		t.Errorf("the pid file says %s, %v", text, err)
	}
	p.dial()
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestProgramUpgradeTimeout: who asks for an upgrade waits no longer than --timeout, while the server goes on with it.
// Source: docs/spec/cli.md §5.
func TestProgramUpgradeTimeout(t *testing.T) {
	path := named(t)
	p := serveAs(t, path)
	hanging := path + ".new"
	if err := os.WriteFile(hanging, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o700); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	if err := os.Rename(hanging, path); err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(p.command.Process.Pid)
	_, errs, code := told(t, program, "signal", "upgrade", pid, "--timeout", "10ms")
	if want := "natsd: signal \"upgrade\" " + pid + ": the new process does not serve within 10ms; the server still waits for it, up to 50s\n"; code != 1 || errs != want {
		t.Errorf("%d %q, want %q", code, errs, want)
	}
	for _, args := range []string{"upgrade --timeout 0", "upgrade --timeout -1s", "reload --wait --timeout 0", "ldm --wait --timeout -5m"} {
		_, errs, code := told(t, program, append(append([]string{"signal"}, strings.Fields(args)...), pid)...)
		if code != 2 || !strings.Contains(errs, "leaves no time to wait; it must be more than 0") {
			t.Errorf("%s: %d %s", args, code, errs)
		}
	}
	p.dial()
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// handOver has p hand over to a new process, and returns the id of that, which the test ends at the latest.
func (p *process) handOver() int {
	p.t.Helper()
	out, errs, code := told(p.t, program, "signal", "upgrade", strconv.Itoa(p.command.Process.Pid))
	if code != 0 {
		p.t.Fatalf("%d %s\n%s", code, errs, p.log())
	}
	fresh, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = syscall.Kill(fresh, syscall.SIGKILL) })
	p.await("Handed over to process " + strconv.Itoa(fresh))
	return fresh
}

// TestProgramUpgradeName: where the configuration has a name to listen on, clients are told that name after an upgrade too: it may be the
// one in the certificate. Source: docs/spec/cli.md §5.
func TestProgramUpgradeName(t *testing.T) {
	conf := writeConfig(t, "listen: 'localhost:-1'\nhttp: 'localhost:-1'\ncluster { listen: 'localhost:-1' }\n")
	p := launch(t, "-c", conf)
	monitor := p.monitor()
	shown := func() string {
		return fmt.Sprint(monitor.field("host"), monitor.field("addr"), monitor.field("http_host"), monitor.field("connect_urls"), monitor.field("cluster").(map[string]any)["addr"])
	}
	before := shown()
	fresh := p.handOver()
	if after := shown(); !strings.Contains(before, "localhost") || after != before {
		t.Errorf("before the upgrade clients are told %s, then %s", before, after)
	}
	if _, errs, code := told(t, program, "signal", "quit", strconv.Itoa(fresh), "--wait"); code != 0 {
		t.Errorf("%d %s", code, errs)
	}
}

// TestProgramUpgradeAddress: addresses that have changed need a restart; until then the log, INFO and monitoring show those that
// count. Spec: docs/spec/cli.md §5.
func TestProgramUpgradeAddress(t *testing.T) {
	conf := writeConfig(t, "listen: '127.0.0.1:-1'\nhttp: '127.0.0.1:-1'\nprof_port: -1\ncluster { listen: '127.0.0.1:-1' }\n")
	p := launch(t, "-c", conf)
	monitor := p.monitor()
	_, monitorAddr, _ := strings.Cut(monitor.url, "//")
	port := func(of string) string {
		_, rest, _ := strings.Cut(p.log(), of)
		line, _, _ := strings.Cut(rest, "\n")
		return line[strings.LastIndexAny(line, ": ")+1:]
	}
	routes, profiles := port("Listening for route connections on"), port("profiling port:")
	rewrite(t, conf, "host: 127.0.0.2\nport: 1\nhttp: '127.0.0.2:-1'\nprof_port: -1\ncluster { listen: '0.0.0.0:1' }\n")
	fresh := p.handOver()
	_, monitorPort, _ := net.SplitHostPort(monitorAddr)
	for _, want := range []string{
		"[WRN] The port for clients stays on " + p.addr + ", as it was handed over; 127.0.0.2:1 needs a restart",
		"[WRN] The port for routes stays on 127.0.0.1:" + routes + ", as it was handed over; 0.0.0.0:1 needs a restart",
		"[WRN] The port for monitoring stays on " + monitorAddr + ", as it was handed over; 127.0.0.2:" + monitorPort + " needs a restart",
		"[WRN] The port for profiles stays on 127.0.0.1:" + profiles + ", as it was handed over; 127.0.0.2:" + profiles + " needs a restart",
		"[INF] Listening for client connections on " + p.addr,
		"[INF] Listening for route connections on 127.0.0.1:" + routes,
		"[INF] Starting http monitor on " + monitorAddr,
	} {
		if found := regexp.MustCompile(`(?m)^\[` + strconv.Itoa(fresh) + `\] .*` + regexp.QuoteMeta(want) + `$`).MatchString(p.log()); !found {
			t.Errorf("the new process does not log %q", want)
		}
	}
	if t.Failed() {
		t.Log(p.log())
	}
	host, clientPort, _ := net.SplitHostPort(p.addr)
	conn, _ := p.dial()
	_ = conn.Close()
	if got := fmt.Sprint(monitor.field("host"), ":", monitor.field("port")); got != p.addr {
		t.Errorf("INFO shows %s, want %s:%s", got, host, clientPort)
	}
	if got := fmt.Sprint(monitor.field("addr"), monitor.field("http_host"), monitor.field("http_port"), monitor.field("cluster").(map[string]any)["addr"]); got != host+host+monitorPort+host {
		t.Errorf("/varz shows %s", got)
	}
	rewrite(t, conf, "host: 127.0.0.2\nport: 1\nhttp: '127.0.0.2:-1'\nprof_port: -1\ncluster { listen: '0.0.0.0:1' }\nmax_payload: 2mb\n")
	if _, errs, code := told(t, program, "signal", "reload", strconv.Itoa(fresh), "--wait"); code != 0 {
		t.Errorf("%d %s", code, errs)
	}
	if got := fmt.Sprint(monitor.field("addr"), monitor.field("cluster").(map[string]any)["addr"]); got != host+host {
		t.Errorf("after a reload /varz shows %s", got)
	}
	if _, errs, code := told(t, program, "signal", "quit", strconv.Itoa(fresh), "--wait"); code != 0 {
		t.Errorf("%d %s", code, errs)
	}
}

// TestProgramUpgradePath: the new process is of the program that lies where the old one was started from, whatever became of
// the old program.
func TestProgramUpgradePath(t *testing.T) {
	replace := func(t *testing.T, path, by string) {
		t.Helper()
		if err := errors.Join(os.Symlink(by, path+".new"), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		from func(t *testing.T, path string) string // what to start, given the program
		swap func(t *testing.T, path, started, by string)
	}{
		{"aside", func(_ *testing.T, path string) string { return path }, func(t *testing.T, path, _, by string) {
			if err := errors.Join(os.Rename(path, path+".bak"), os.Rename(by, path)); err != nil {
				t.Fatal(err)
			}
		}},
		{"link", func(t *testing.T, path string) string {
			replace(t, path+".link", path)
			return path + ".link"
		}, func(t *testing.T, _, started, by string) { replace(t, started, by) }},
		{"name", func(t *testing.T, path string) string {
			t.Setenv("PATH", filepath.Dir(path)+":"+os.Getenv("PATH"))
			return filepath.Base(path)
		}, func(t *testing.T, path, _, by string) {
			if err := errors.Join(os.Rename(path, path+".bak"), os.Rename(by, path)); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := named(t)
			started := c.from(t, path)
			p := serveAs(t, started)
			mark, script := filepath.Join(t.TempDir(), "mark"), path+".script"
			if err := os.WriteFile(script, []byte("#!/bin/sh\n: > "+mark+"\nexit 1\n"), 0o700); err != nil { //nolint:gosec // it is a program
				t.Fatal(err)
			}
			c.swap(t, path, started, script)
			out, errs, code := told(t, program, "signal", "upgrade", strconv.Itoa(p.command.Process.Pid))
			if fresh, err := strconv.Atoi(strings.TrimSpace(out)); err == nil {
				_ = syscall.Kill(fresh, syscall.SIGKILL)
			}
			if code != 1 || !strings.Contains(errs, "the new process did not come up") {
				t.Errorf("%d %s", code, errs)
			}
			if _, err := os.Stat(mark); err != nil {
				t.Errorf("another program was started: %v\n%s", err, p.log())
			}
			if code := p.end(os.Interrupt); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// TestProgramUpgradeKeepsName: a server that was started through a link is found by the name of the link after an upgrade.
func TestProgramUpgradeKeepsName(t *testing.T) {
	path := named(t)
	link := filepath.Join(t.TempDir(), "g"+filepath.Base(path))
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	serveAs(t, link)
	out, errs, code := told(t, link, "signal", "upgrade", "--wait")
	if code != 0 {
		t.Fatalf("%d %s", code, errs)
	}
	fresh, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(fresh, syscall.SIGKILL) })
	if _, errs, code := told(t, link, "signal", "quit", "--wait"); code != 0 {
		t.Errorf("%d %s", code, errs)
	}
}

// TestProgramUpgradeStopped: a server that is stopped while a new process comes up ends, and the new one with it. Lame duck mode
// without clients is a stop too.
func TestProgramUpgradeStopped(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGUSR2} {
		t.Run(signal.String(), func(t *testing.T) { testUpgradeStopped(t, signal) })
	}
}

func testUpgradeStopped(t *testing.T, signal os.Signal) {
	path, dir := named(t), t.TempDir()
	pidFile, started := filepath.Join(dir, "pid"), filepath.Join(dir, "started")
	p := serveAs(t, path, "-P", pidFile)
	slow := path + ".new"
	if err := os.WriteFile(slow, []byte("#!/bin/sh\necho $$ > "+started+".tmp\nmv "+started+".tmp "+started+"\nexec sleep 1000\n"), 0o755); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	if err := os.Rename(slow, path); err != nil {
		t.Fatal(err)
	}
	answered := make(chan string, 1)
	go func() {
		out, _ := exec.Command(program, "signal", "upgrade", strconv.Itoa(p.command.Process.Pid)).CombinedOutput()
		answered <- string(out)
	}()
	var pid int
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if text, err := os.ReadFile(started); err == nil {
			pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no new process was started\n%s", p.log())
		}
	}
	ended := make(chan int, 1)
	go func() { ended <- p.end(signal) }()
	select {
	case code := <-ended:
		if code != 0 {
			t.Errorf("exit code %d", code)
		}
	case <-time.After(patience):
		t.Fatalf("the server does not end\n%s", p.log())
	}
	if answer := <-answered; !strings.Contains(answer, "the new process did not come up") {
		t.Errorf("who asked for the upgrade is told %q", answer)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the new process %d is still there: %v", pid, err)
	}
	if _, err := os.Stat(pidFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the pid file is still there: %v", err)
	}
}

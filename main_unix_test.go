//go:build unix

package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is the path of the binary under test.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "natsd-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(dir, "natsd")
	code := 1
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build natsd: %v\n%s", err, out)
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// process is a running natsd.
type process struct {
	mu   sync.Mutex
	text strings.Builder // the log so far; guarded by mu

	t       *testing.T
	command *exec.Cmd
	lines   chan string // of standard error
	addr    string
}

const patience = 20 * time.Second

// serve runs `natsd serve` with args on a free port and waits until it is ready.
func serve(t *testing.T, args ...string) *process {
	t.Helper()
	return launch(t, append([]string{"serve", "-a", "127.0.0.1", "-p", "-1"}, args...)...)
}

// launch runs the program with args, which make it serve, and waits until it is ready.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	p := start(t, args...)
	line := p.await("Listening for client connections on ")
	_, p.addr, _ = strings.Cut(line, "connections on ")
	p.await("Server is ready")
	return p
}

// start runs the program with args, and keeps what it says on standard error.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, command: exec.Command(program, args...), lines: make(chan string, 1000)}
	stderr, err := p.command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.command.Process.Kill() })
	go func() {
		defer close(p.lines)
		for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
			p.note(scanner.Text())
			p.lines <- scanner.Text()
		}
	}()
	return p
}

// note keeps a line of the log.
func (p *process) note(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text.WriteString(line + "\n")
}

// log returns everything logged so far.
func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// await returns the next line that holds text.
func (p *process) await(text string) string {
	p.t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case line, open := <-p.lines:
			if !open {
				p.t.Fatalf("the log ended before %q", text)
			}
			if strings.Contains(line, text) {
				return line
			}
		case <-deadline:
			p.t.Fatalf("no line with %q", text)
		}
	}
}

// end sends a signal and returns the exit code.
func (p *process) end(s os.Signal) int {
	p.t.Helper()
	if err := p.command.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
	for range p.lines { // to the end, so that Wait loses nothing
	}
	_ = p.command.Wait()
	return p.command.ProcessState.ExitCode()
}

// dial connects and returns what the server says first.
func (p *process) dial() (net.Conn, *bufio.Reader) {
	p.t.Helper()
	c, err := net.DialTimeout("tcp", p.addr, patience)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	in := bufio.NewReader(c)
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "INFO {") {
		p.t.Fatalf("greeting %q, %v", line, err)
	}
	return c, in
}

func TestProgramServes(t *testing.T) {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		pid := filepath.Join(t.TempDir(), "pid")
		p := serve(t, "-P", pid)
		if raw, err := os.ReadFile(pid); err != nil || string(raw) != strconv.Itoa(p.command.Process.Pid) {
			t.Errorf("pid file holds %q, %v", raw, err)
		}
		c, in := p.dial()
		fmt.Fprint(c, "CONNECT {\"verbose\":false}\r\nSUB greet 1\r\nPUB greet 5\r\nhello\r\n")
		for _, want := range []string{"MSG greet 1 5\r\n", "hello\r\n"} {
			if line, err := in.ReadString('\n'); err != nil || line != want {
				t.Fatalf("got %q, %v, want %q", line, err, want)
			}
		}
		if code := p.end(s); code != 0 {
			t.Errorf("%v: exit code %d", s, code)
		}
		if _, err := os.Stat(pid); err == nil {
			t.Error("the pid file is left behind")
		}
		if _, err := in.ReadByte(); err == nil {
			t.Error("the connection is still open")
		}
	}
}

// TestProgramPIDFileFailedStart: a start that fails leaves the pid file to the server that runs. Source: docs/spec/cli.md §6.
func TestProgramPIDFileFailedStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	p := serve(t, "-P", path)
	_, port, _ := net.SplitHostPort(p.addr)
	failed := func() {
		t.Helper()
		output, err := exec.CommandContext(t.Context(), program, "serve", "-a", "127.0.0.1", "-p", port, "-P", path).CombinedOutput()
		if err == nil || !strings.Contains(string(output), "address already in use") {
			t.Errorf("a second start: %v\n%s", err, output)
		}
	}
	own := strconv.Itoa(p.command.Process.Pid)
	failed()
	if raw, err := os.ReadFile(path); err != nil || string(raw) != own {
		t.Errorf("the pid file holds %q, %v, want %s", raw, err, own)
	}
	const gone = "2147483646" // no system has a process with this id
	for _, stale := range []string{gone, "nonsense", "0", "-1", ""} {
		if err := os.WriteFile(path, []byte(stale), 0o600); err != nil {
			t.Fatal(err)
		}
		failed()
		if raw, err := os.ReadFile(path); !os.IsNotExist(err) {
			t.Errorf("a pid file with %q is left behind with %q, %v", stale, raw, err)
		}
	}
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestProgramLameDuck(t *testing.T) {
	p := serve(t)
	c, in := p.dial()
	fmt.Fprint(c, "CONNECT {\"verbose\":false,\"protocol\":1}\r\nPING\r\n")
	if line, _ := in.ReadString('\n'); line != "PONG\r\n" {
		t.Fatalf("got %q", line)
	}
	if err := p.command.Process.Signal(syscall.SIGUSR2); err != nil {
		t.Fatal(err)
	}
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, `"ldm":true`) {
		t.Errorf("got %q, %v", line, err)
	}
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestProgramMemoryLimit: the log says where the memory limit comes from.
func TestProgramMemoryLimit(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "50MiB")
	p := serve(t)
	if !strings.Contains(p.log(), "[INF] Memory limit 50.0M, from GOMEMLIMIT\n") {
		t.Errorf("the log does not say where the memory limit comes from:\n%s", p.log())
	}
	if code := p.end(os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestProgramReopensItsLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	command := exec.Command(program, "-a", "127.0.0.1", "-p", "-1", "-l", path)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer command.Process.Kill()
	awaitFile(t, path, "Server is ready")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := command.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	awaitFile(t, path, "File log re-opened")
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Error(err)
	}
	awaitFile(t, path, "Server Exiting..")
}

// awaitFile waits until the file at path holds text.
func awaitFile(t *testing.T, path, text string) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); ; {
		if raw, err := os.ReadFile(path); err == nil && strings.Contains(string(raw), text) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("no %q in %s", text, path)
		}
	}
}

func TestProgramExitCodes(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, port, _ := net.SplitHostPort(busy.Addr().String())
	for _, c := range []struct {
		args       string
		code       int
		out, error string // beginning of standard output, part of standard error
	}{
		{args: "version", code: 0, out: "natsd: v"},
		{args: "-v", code: 0, out: "natsd: v"},
		{args: "help", code: 0, out: "natsd is a message broker"},
		{args: "serve --help", code: 0, out: "Run the server"},
		{args: "serve --bogus", code: 2, error: "natsd: unknown flag --bogus"},
		{args: "bogus", code: 2, error: "natsd: unknown command \"bogus\""},
		{args: "serve -p x", code: 2, error: "natsd: invalid value \"x\" for --port"},
		{args: "serve -a 127.0.0.1 -p " + port, code: 1, error: "[FTL] Error listening on port: 127.0.0.1:" + port + ", \"listen tcp 127.0.0.1:" + port + ": bind: address already in use\""},
		{args: "serve -P /nonexistent/pid", code: 1, error: "natsd: Could not write pidfile: open /nonexistent/pid"},
		{args: "serve -l /nonexistent/log", code: 1, error: "natsd: error opening file: open /nonexistent/log"},
	} {
		var out, errors strings.Builder
		command := exec.Command(program, strings.Fields(c.args)...)
		command.Stdout, command.Stderr = &out, &errors
		_ = command.Run()
		if code := command.ProcessState.ExitCode(); code != c.code || !strings.HasPrefix(out.String(), c.out) || c.out == "" && out.Len() > 0 || !strings.Contains(errors.String(), c.error) {
			t.Errorf("natsd %s: exit code %d, output %.100q, errors %q; want %d, %q, %q", c.args, code, out.String(), errors.String(), c.code, c.out, c.error)
		}
	}
}

//go:build e2e

package e2e

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

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// binary returns the path of natsd, built from this tree once per run.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "natsd-e2e-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "natsd")
	build := exec.Command("go", "build", "-o", path, "..")
	build.Stderr = os.Stderr
	return path, build.Run()
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// server is a server process under test.
type server struct {
	t       *testing.T
	words   []string // command line
	port    int
	command *exec.Cmd
	exited  chan error
	log     *lineLog
}

// lineLog keeps what a process prints.
type lineLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lineLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lineLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// isPeer reports whether the tests run against a server that is not natsd.
func isPeer() bool { return os.Getenv("E2E_SERVER") != "" }

// startServer runs the server under test on a free port, with extra flags of natsd, until the test ends.
func startServer(t *testing.T, flags ...string) *server {
	t.Helper()
	line := os.Getenv("E2E_SERVER")
	if line == "" {
		path, err := binary()
		if err != nil {
			t.Fatalf("cannot build natsd: %v", err)
		}
		line = path + " serve -a 127.0.0.1 -p {port}"
	}
	return startCommand(t, line, flags...)
}

// startCommand runs the command line, in which {port} stands for the port.
func startCommand(t *testing.T, line string, flags ...string) *server {
	t.Helper()
	s := &server{t: t, port: freePort(t), log: new(lineLog)}
	s.words = append(strings.Fields(strings.ReplaceAll(line, "{port}", strconv.Itoa(s.port))), flags...)
	s.start()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("log of the server:\n%s", s.log)
		}
	})
	return s
}

// given are the ports that freePort has returned: whoever asked may not listen yet.
var given sync.Map

// freePort returns a port that nobody listens on, and a different one each time.
func freePort(t *testing.T) int {
	t.Helper()
	for {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := listener.Addr().(*net.TCPAddr).Port
		must(t, listener.Close())
		if _, again := given.LoadOrStore(port, true); !again {
			return port
		}
	}
}

// start starts the process and waits until it greets.
func (s *server) start() {
	s.t.Helper()
	s.command = exec.Command(s.words[0], s.words[1:]...)
	s.command.Stdout, s.command.Stderr = s.log, s.log
	s.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	exited := make(chan error, 1)
	s.exited = exited
	command := s.command
	go func() { exited <- command.Wait() }()
	s.eventually("the server greets", func() bool {
		c, err := net.DialTimeout("tcp", s.addr(), time.Second)
		if err != nil {
			return false
		}
		defer c.Close()
		_ = c.SetReadDeadline(time.Now().Add(time.Second))
		line, err := bufio.NewReader(c).ReadString('\n')
		return err == nil && strings.HasPrefix(line, "INFO ")
	})
}

// kill ends the process at once.
func (s *server) kill() {
	if s.command.ProcessState == nil {
		_ = s.command.Process.Kill()
		<-s.exited
		s.exited <- nil
	}
}

// restart ends the process in an orderly way and starts it again on the same port.
func (s *server) restart() {
	s.t.Helper()
	s.stop(syscall.SIGINT)
	s.start()
}

// stop sends a signal and waits for the end of the process, which must exit with 0.
func (s *server) stop(signal os.Signal) {
	s.t.Helper()
	if err := s.command.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.exited:
		s.exited <- nil
		if err != nil && !isPeer() {
			s.t.Fatalf("server ended with %v after %v", err, signal)
		}
	case <-time.After(patience):
		s.t.Fatalf("server does not stop after %v", signal)
	}
}

func (s *server) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }
func (s *server) url() string  { return "nats://" + s.addr() }

// eventually waits until condition holds.
func (s *server) eventually(what string, condition func() bool) { eventually(s.t, what, condition) }

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !condition(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still waiting after %v: %s", patience, what)
		}
	}
}

// raw is a client that speaks the protocol by hand.
type raw struct {
	net.Conn
	in *bufio.Reader
}

// dialRaw connects and says CONNECT.
func dialRaw(t *testing.T, addr string) *raw {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	r := &raw{c, bufio.NewReader(c)}
	if _, err := r.in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := r.do(`CONNECT {"verbose":false,"pedantic":false}` + "\r\n"); err != nil {
		t.Fatal(err)
	}
	return r
}

// do sends lines and waits until the server has handled them.
func (r *raw) do(lines string) error {
	_ = r.SetDeadline(time.Now().Add(patience))
	defer func() { _ = r.SetDeadline(time.Time{}) }()
	if _, err := fmt.Fprint(r, lines+"PING\r\n"); err != nil {
		return err
	}
	for {
		line, err := r.in.ReadString('\n')
		if err != nil || strings.HasPrefix(line, "PONG") {
			return err
		}
	}
}

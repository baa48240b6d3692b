//go:build unix

package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/config"
	"github.com/natsd/natsd/internal/control"
	"github.com/natsd/natsd/internal/iostreams"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/spf13/cobra"
)

// parseServe returns what a command line tells `serve`, or what is wrong with it.
func parseServe(t *testing.T, args ...string) (o *serveOptions, err error) {
	t.Helper()
	f, _, _ := testFactory()
	root := newRootCmd(f)
	for _, c := range root.Commands() {
		if c.Name() == "serve" {
			root.RemoveCommand(c)
		}
	}
	root.AddCommand(newServeCmd(f, func(_ context.Context, got *serveOptions) error {
		o = got
		return nil
	}))
	root.SetArgs(rewriteArgs(root, args))
	root.PersistentPreRun = func(*cobra.Command, []string) {}
	return o, root.Execute()
}

func TestServeFlags(t *testing.T) {
	for _, c := range []struct {
		name string
		args string
		want func(*config.Config) // changes of the defaults
	}{
		{name: "nothing", args: "", want: func(*config.Config) {}},
		{name: "the command", args: "serve", want: func(*config.Config) {}},
		{name: "address", args: "serve -a 10.0.0.1", want: func(c *config.Config) { c.Host = "10.0.0.1" }},
		{name: "address, all names", args: "-addr h1 --addr h2 -net h3 --net 10.0.0.2", want: func(c *config.Config) { c.Host = "10.0.0.2" }},
		{name: "port", args: "-p 5222", want: func(c *config.Config) { c.Port = 5222 }},
		{name: "port, joined", args: "serve -p5222", want: func(c *config.Config) { c.Port = 5222 }},
		{name: "port, one dash", args: "-port 5222", want: func(c *config.Config) { c.Port = 5222 }},
		{name: "port, one dash and equals", args: "-port=5222", want: func(c *config.Config) { c.Port = 5222 }},
		{name: "port, two dashes and a letter", args: "--p 5222", want: func(c *config.Config) { c.Port = 5222 }},
		{name: "the last one wins", args: "-p 1 --port 2", want: func(c *config.Config) { c.Port = 2 }},
		{name: "random port", args: "-p -1", want: func(c *config.Config) { c.Port = broker.RandomPort }},
		{name: "random port, long", args: "serve --port -1", want: func(c *config.Config) { c.Port = broker.RandomPort }},
		{name: "name", args: "-n n1", want: func(c *config.Config) { c.ServerName = "n1" }},
		{name: "name, all names", args: "-name n1 --server_name n2 -server_name n3", want: func(c *config.Config) { c.ServerName = "n3" }},
		{name: "pid file", args: "-P a -pid b", want: func(c *config.Config) { c.PIDFile = "b" }},
		{name: "log file", args: "-l a -log b", want: func(c *config.Config) { c.Log.File = "b" }},
		{name: "a file named like a flag", args: "--log -T --pid -D", want: func(c *config.Config) { c.Log.File, c.PIDFile = "-T", "-D" }},
		{name: "no time", args: "-T=false", want: func(c *config.Config) { c.Log.Time = false }},
		{name: "no time, a lone word", args: "-T false", want: func(c *config.Config) { c.Log.Time = false }},
		{name: "no time, another word", args: "--logtime 0", want: func(c *config.Config) { c.Log.Time = false }},
		{name: "no time, one dash", args: "-logtime=F", want: func(c *config.Config) { c.Log.Time = false }},
		{name: "debug", args: "-D", want: func(c *config.Config) { c.Log.Debug = true }},
		{name: "trace", args: "-trace", want: func(c *config.Config) { c.Log.Trace = true }},
		{name: "both", args: "-DV", want: func(c *config.Config) { c.Log.Debug, c.Log.Trace = true, true }},
		{name: "both, two dashes", args: "--DV", want: func(c *config.Config) { c.Log.Debug, c.Log.Trace = true, true }},
		{name: "both, and taken back", args: "-DV -DV=false", want: func(*config.Config) {}},
		{name: "both, one taken back", args: "-DV -V=false", want: func(c *config.Config) { c.Log.Debug = true }},
		{name: "a bundle", args: "-DT=false", want: func(c *config.Config) { c.Log.Debug, c.Log.Time = true, false }},
		{name: "sizes", args: "--max_payload 8k --max_control_line 1kb --max_pending 64mb", want: func(c *config.Config) {
			c.Limits.MaxPayload, c.Limits.MaxControlLine, c.Limits.MaxPending = 8000, 1024, 64<<20
		}},
		{name: "limits, one dash", args: "-max_connections 7 -max_subscriptions=8 -ping_max 9", want: func(c *config.Config) {
			c.Limits.MaxConnections, c.Limits.MaxSubscriptions, c.Limits.PingMax = 7, 8, 9
		}},
		{name: "durations", args: "--write_deadline 500ms --ping_interval 1m30s --lame_duck_duration 40s --lame_duck_grace_period 2s", want: func(c *config.Config) {
			c.Limits.WriteDeadline, c.Limits.PingInterval = 500*time.Millisecond, 90*time.Second
			c.Limits.LameDuckDuration, c.Limits.LameDuckGraceTime = 40*time.Second, 2*time.Second
		}},
		{name: "seconds, the old way", args: "--write_deadline 3", want: func(c *config.Config) { c.Limits.WriteDeadline = 3 * time.Second }},
		{name: "hyphens", args: "--max-payload 5", want: func(c *config.Config) { c.Limits.MaxPayload = 5 }},
		{name: "no limit", args: "--max_payload -1", want: func(c *config.Config) { c.Limits.MaxPayload = -1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseServe(t, strings.Fields(c.args)...)
			if err != nil {
				t.Fatal(err)
			}
			want := *config.Load(config.Input{}).Config
			c.want(&want)
			want.Monitor.Host = want.Host
			want.Settings = got.config.Settings // where values come from has tests of its own
			if !reflect.DeepEqual(got.config, &want) {
				t.Errorf("got %+v\nwant %+v", got.config, &want)
			}
		})
	}
}

// TestArgumentsAfterTheDashesStay: nothing behind "--" is rewritten.
func TestArgumentsAfterTheDashesStay(t *testing.T) {
	_, err := parseServe(t, "serve", "--", "-port")
	if err == nil || !strings.Contains(err.Error(), `unexpected argument "-port"`) {
		t.Errorf("got %v", err)
	}
}

// fakeServer is a broker that does what the test wants.
type fakeServer struct {
	factory  *Factory
	options  broker.Options
	startErr error
	done     chan struct{}
	once     sync.Once
	duck     chan error // LameDuck returns what comes from here
}

func (s *fakeServer) Start() error {
	if s.startErr == nil {
		s.options.Logger.Info().Msg("Listening for client connections on 127.0.0.1:1")
	}
	return s.startErr
}

func (s *fakeServer) Ready() <-chan struct{} {
	ready := make(chan struct{})
	close(ready)
	return ready
}

func (s *fakeServer) Done() <-chan struct{} { return s.done }
func (s *fakeServer) ID() string            { return "SERVERID" }
func (s *fakeServer) ClientURL() string     { return "nats://127.0.0.1:1" }

func (s *fakeServer) ListenerFiles() ([]string, []*os.File, error) { return nil, nil, nil }
func (s *fakeServer) Retire(context.Context, string) error         { return nil }
func (s *fakeServer) Ports() ports                                 { return ports{} }
func (s *fakeServer) Stats() broker.Stats                          { return broker.Stats{} }

func (s *fakeServer) Reload(o nodeOptions) error {
	s.options = o.Options
	return nil
}

func (s *fakeServer) LameDuck(ctx context.Context) error {
	s.options.Logger.Info().Msg("Entering lame duck mode, stop accepting new clients")
	select {
	case err := <-s.duck:
		return err
	case <-s.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *fakeServer) Shutdown(context.Context) error {
	s.once.Do(func() {
		s.options.Logger.Info().Msg("Initiating Shutdown...")
		s.options.Logger.Info().Msg("Server Exiting..")
		close(s.done)
	})
	return nil
}

// serveRun is a `natsd serve` under test.
type serveRun struct {
	t       *testing.T
	signals chan os.Signal
	server  *fakeServer
	err     *iostreams.Buffer
	exit    chan int
}

// startServe runs `natsd serve` with a fake server.
func startServe(t *testing.T, startErr error, args ...string) *serveRun {
	t.Helper()
	return startServeWith(t, startErr, func(*Factory) {}, args...)
}

// startServeWith is startServe with a factory that is changed before.
func startServeWith(t *testing.T, startErr error, change func(*Factory), args ...string) *serveRun {
	t.Helper()
	f, _, errBuffer := testFactory()
	change(f)
	r := &serveRun{t: t, signals: make(chan os.Signal, 8), err: errBuffer, exit: make(chan int, 1)}
	r.server = &fakeServer{factory: f, startErr: startErr, done: make(chan struct{}), duck: make(chan error, 1)}
	f.Signals = func() (<-chan os.Signal, func()) { return r.signals, func() {} }
	f.NewBroker = func(o nodeOptions) (server, error) {
		r.server.options = o.Options
		return r.server, nil
	}
	go func() { r.exit <- execute(context.Background(), f, append([]string{"serve"}, args...)) }()
	return r
}

// awaitLine waits until standard error, or the file at path, holds line.
func (r *serveRun) awaitLine(path, line string) {
	r.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(10 * time.Second); ; {
		text := r.err.String()
		if path != "" {
			raw, _ := os.ReadFile(path)
			text = string(raw)
		}
		if strings.Contains(text, line+"\n") {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			r.t.Fatalf("no line %q in\n%s", line, text)
		}
	}
}

// awaitExit returns the exit code.
func (r *serveRun) awaitExit() int {
	r.t.Helper()
	select {
	case code := <-r.exit:
		return code
	case <-time.After(10 * time.Second):
		r.t.Fatalf("still running; log:\n%s", r.err)
		return 0
	}
}

const logHead = "[7499] 2018/03/23 11:46:15.239889 "

// TestStartAndStopLines: docs/spec/cli.md §9, line by line.
func TestStartAndStopLines(t *testing.T) {
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		r := startServe(t, nil, "-D")
		r.awaitLine("", logHead+"[INF] Server is ready")
		r.signals <- s
		if code := r.awaitExit(); code != exitOK {
			t.Errorf("%v: exit code %d", s, code)
		}
		want := []string{
			"[INF] Starting natsd version 1.2.3", "[DBG] Go build version go1.99", "[INF] Git commit [abcdef0]",
			"[INF] Listening for client connections on 127.0.0.1:1", "[DBG] Server id is SERVERID", "[INF] Server is ready",
			"[INF] Trapped \"" + s.String() + "\" signal", "[INF] Initiating Shutdown...", "[INF] Server Exiting..",
		}
		if got := r.err.String(); got != logHead+strings.Join(want, "\n"+logHead)+"\n" {
			t.Errorf("log:\n%swant:\n%s", got, strings.Join(want, "\n"))
		}
	}
}

// TestCommandsAreAnsweredWhenReady: whoever reads that the server is ready may ask it, until its end.
func TestCommandsAreAnsweredWhenReady(t *testing.T) {
	type moment struct {
		err error  // of an upgrade that was asked for
		log string // so far
	}
	began, ended := make(chan moment, 1), make(chan moment, 1)
	r := startServeWith(t, nil, func(f *Factory) {
		log := f.Streams.Err.(fmt.Stringer)
		f.Commands = func(h control.Handler) (func(), error) {
			began <- moment{log: log.String()}
			return func() {
				_, err := h.Upgrade() // an answer that is under way when the server ends
				ended <- moment{err, log.String()}
			}, nil
		}
	})
	r.awaitLine("", logHead+"[INF] Server is ready")
	select {
	case m := <-began:
		if !strings.Contains(m.log, "Listening for client connections") || strings.Contains(m.log, "Server is ready") {
			t.Errorf("commands are answered after this log:\n%s", m.log)
		}
	default:
		t.Error("the server is ready and answers no command")
	}
	r.signals <- os.Interrupt
	if code := r.awaitExit(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if m := <-ended; !errors.Is(m.err, errStopping) || !strings.Contains(m.log, "Server Exiting..") {
		t.Errorf("an upgrade at the end of a server fails with %v, after this log:\n%s", m.err, m.log)
	}
}

// TestPIDFile: docs/spec/cli.md §6.
func TestPIDFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "natsd.pid")
	if err := os.WriteFile(path, []byte("a longer text than a pid"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := startServe(t, nil, "-P", path)
	r.awaitLine("", logHead+"[INF] Server is ready")
	if got, err := os.ReadFile(path); err != nil || string(got) != strconv.Itoa(testPID) {
		t.Errorf("pid file holds %q, %v", got, err)
	}
	r.signals <- os.Interrupt
	r.awaitExit()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the pid file is still there: %v", err)
	}
}

func TestPIDFileOfSomebodyElseStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "natsd.pid")
	r := startServe(t, nil, "-P", path)
	r.awaitLine("", logHead+"[INF] Server is ready")
	if err := os.WriteFile(path, []byte("1234\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.signals <- os.Interrupt
	r.awaitExit()
	if got, err := os.ReadFile(path); err != nil || string(got) != "1234\n" {
		t.Errorf("pid file holds %q, %v", got, err)
	}
}

func TestPIDFileThatCannotBeWritten(t *testing.T) {
	r := startServe(t, nil, "-P", filepath.Join(t.TempDir(), "absent", "natsd.pid"))
	if code := r.awaitExit(); code != exitFailure || !strings.Contains(r.err.String(), "natsd: Could not write pidfile: open ") {
		t.Errorf("exit code %d, errors %s", code, r.err)
	}
	if r.server.options.Version != "" {
		t.Error("the server was made all the same")
	}
}

func TestPIDFileIsNoLink(t *testing.T) {
	dir := t.TempDir()
	victim, link := filepath.Join(dir, "victim"), filepath.Join(dir, "natsd.pid")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, link); err != nil {
		t.Fatal(err)
	}
	r := startServe(t, nil, "-P", link)
	if code := r.awaitExit(); code != exitFailure {
		t.Errorf("exit code %d", code)
	}
	if got, _ := os.ReadFile(victim); string(got) != "precious" {
		t.Errorf("the file behind the link holds %q", got)
	}
}

func TestLogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "natsd.log")
	r := startServe(t, nil, "-l", path)
	r.awaitLine(path, logHead+"[INF] Server is ready")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	r.signals <- syscall.SIGUSR1
	r.awaitLine(path, logHead+"[INF] File log re-opened")
	r.signals <- os.Interrupt
	if code := r.awaitExit(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	raw, _ := os.ReadFile(path)
	if !strings.HasPrefix(string(raw), logHead+"[INF] File log re-opened\n") || !strings.HasSuffix(string(raw), "[INF] Server Exiting..\n") {
		t.Errorf("new file: %s", raw)
	}
	if r.err.String() != "" {
		t.Errorf("standard error: %s", r.err)
	}
}

func TestLogFileThatCannotBeOpened(t *testing.T) {
	r := startServe(t, nil, "-l", filepath.Join(t.TempDir(), "absent", "natsd.log"))
	if code := r.awaitExit(); code != exitFailure || !strings.HasPrefix(r.err.String(), "natsd: error opening file: open ") {
		t.Errorf("exit code %d, errors %s", code, r.err)
	}
}

// TestSignalsThatDoNotStop: docs/spec/cli.md §5.
func TestSignalsThatDoNotStop(t *testing.T) {
	r := startServe(t, nil)
	r.awaitLine("", logHead+"[INF] Server is ready")
	r.signals <- syscall.SIGUSR1
	r.awaitLine("", logHead+"[INF] File log re-open ignored, not a file logger")
	r.signals <- syscall.SIGHUP
	r.awaitLine("", logHead+"[ERR] Failed to reload server configuration: Can only reload config when a file is provided using -c or --config")
	r.signals <- os.Interrupt
	if code := r.awaitExit(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

func TestLameDuckSignal(t *testing.T) {
	r := startServe(t, nil)
	r.awaitLine("", logHead+"[INF] Server is ready")
	r.signals <- syscall.SIGUSR2
	r.awaitLine("", logHead+"[INF] Entering lame duck mode, stop accepting new clients")
	r.signals <- syscall.SIGTERM
	r.awaitLine("", logHead+"[INF] Ignored, lame duck mode stops the server already; interrupt it to stop at once")
	r.signals <- syscall.SIGUSR2
	r.awaitLine("", logHead+"[INF] Ignored, the server is stopping already")
	r.server.duck <- nil
	if code := r.awaitExit(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

func TestInterruptEndsLameDuck(t *testing.T) {
	r := startServe(t, nil)
	r.awaitLine("", logHead+"[INF] Server is ready")
	r.signals <- syscall.SIGUSR2
	r.awaitLine("", logHead+"[INF] Entering lame duck mode, stop accepting new clients")
	r.signals <- os.Interrupt
	if code := r.awaitExit(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

func TestStartThatFails(t *testing.T) {
	busy := &net.OpError{Op: "listen", Net: "tcp", Err: errors.New("bind: address already in use")}
	r := startServe(t, busy, "-a", "127.0.0.1", "-p", "5222")
	want := logHead + `[FTL] Error listening on port: 127.0.0.1:5222, "listen tcp: bind: address already in use"` + "\n"
	if code := r.awaitExit(); code != exitFailure || !strings.HasSuffix(r.err.String(), want) {
		t.Errorf("exit code %d, errors\n%s, want\n%s", code, r.err, want)
	}
}

func TestWarnings(t *testing.T) {
	r := startServe(t, nil, "--max_payload", "9mb", "--max_connections", "0", "--write_deadline", "3")
	r.awaitLine("", logHead+"[INF] Server is ready")
	for _, want := range []string{
		"[WRN] write_deadline should be converted to a duration",
		"[WRN] max_connections of 0 means 65536; nats-server refuses every client then",
		"[WRN] max_payload of 9437184 bytes is more than 8 MiB; big messages delay all others on their way",
	} {
		r.awaitLine("", logHead+want)
	}
	r.signals <- os.Interrupt
	r.awaitExit()
}

// FuzzRewriteArgs: no argument list makes the rewrite panic, and what stands behind "--" stays as it is.
func FuzzRewriteArgs(f *testing.F) {
	for _, seed := range []string{"-p 4222", "serve -T false -- -port x", "--log -T true", "-DV=false", "- -- ---", "-=", "--=x"} {
		f.Add(seed)
	}
	factory, _, _ := testFactory()
	root := newRootCmd(factory)
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, " ")
		got := rewriteArgs(root, args)
		if len(args) == 0 || args[0] != "serve" {
			return
		}
		rest := func(list []string) string {
			_, after, _ := strings.Cut(" "+strings.Join(list, " ")+" ", " -- ")
			return after
		}
		if strings.Count(line, "--") == 1 && !strings.HasSuffix(rest(got), rest(args)) {
			t.Errorf("%q became %q", args, got)
		}
	})
}

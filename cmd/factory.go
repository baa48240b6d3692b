package cmd

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/natsd/natsd/internal/control"
	"github.com/natsd/natsd/internal/iostreams"
	"github.com/natsd/natsd/internal/logsink"
	"github.com/natsd/natsd/pkg/broker"
)

// programName stands in front of every error and in every usage line.
const programName = "natsd"

// Set by the linker: -ldflags "-X github.com/natsd/natsd/cmd.linkedVersion=1.2.3". Empty means
// broker.Version, and the commit the go command recorded. Nothing writes them at run time.
var (
	linkedVersion string
	linkedCommit  string
)

// Factory hands the outside world to the commands. Tests replace any of its fields.
type Factory struct {
	// Streams are the standard streams.
	Streams *iostreams.Streams
	// LookupEnv returns the value of an environment variable and whether it is set.
	LookupEnv func(name string) (string, bool)
	// Environ is the whole environment as NAME=VALUE.
	Environ []string
	// Now returns the current time in the zone of the log.
	Now func() time.Time
	// PID is the process id shown in the log and stored in the pid file.
	PID int
	// Signals starts to catch the signals a server understands. The returned function stops that.
	Signals func() (signals <-chan os.Signal, stop func())
	// NewBroker makes the server that `serve` runs.
	NewBroker func(nodeOptions) (server, error)
	// Program is the name or path that this program was started by, and Args what came after it.
	Program string
	Args    []string
	// Executable is the path that the program was started from, links in it as they are. Empty: not known.
	Executable string
	// Notify tells a service manager the state of the server (sd_notify). Nil: there is none.
	Notify func(state string)
	// Watchdog is how often the service manager wants a sign of life; 0: never.
	Watchdog time.Duration
	// Commands begins to answer the commands of other processes with h, until the returned function is called, which waits for
	// answers under way. Nil: nobody can ask.
	Commands func(h control.Handler) (stop func(), err error)
	// Real says that this is a process of its own: it may take over listeners and limit its memory.
	Real bool
	// Service says that a service manager runs this process and nobody sees its standard streams: the log goes to the system
	// log unless a file is set. Source: docs/spec/cli.md §11.
	Service bool
	// SystemLog opens the system log at an address, with the name of the sender. Nil: logsink.OpenSystem does.
	SystemLog func(address, program string) (logsink.LeveledCloser, error)
	// Build says which program this is.
	Build buildInfo
}

// server is what `serve` needs of a broker.
type server interface {
	Start() error
	Ready() <-chan struct{}
	Done() <-chan struct{}
	ID() string
	ClientURL() string
	Reload(nodeOptions) error
	ListenerFiles() (names []string, files []*os.File, err error)
	Retire(ctx context.Context, token string) error
	Ports() ports
	Stats() broker.Stats
	LameDuck(ctx context.Context) error
	Shutdown(ctx context.Context) error
}

// monotonic returns the time on the clock that service managers compare with (CLOCK_MONOTONIC).
func (f *Factory) monotonic() time.Duration { return monotonicNow() }

// newFactory returns the factory of a real process with this command line.
func newFactory(args, env []string, streams *iostreams.Streams) *Factory {
	program := strings.Join(args[:min(1, len(args))], "")
	return &Factory{
		Streams:    streams,
		LookupEnv:  envLookup(env),
		Environ:    withoutInherited(env),
		Now:        time.Now,
		PID:        os.Getpid(),
		Signals:    catchSignals,
		Program:    program,
		Args:       args[min(1, len(args)):],
		Executable: executablePath(program),
		Notify:     notifyManager,
		Watchdog:   watchdogInterval(),
		Commands:   listenForCommands,
		Real:       true,
		NewBroker:  newNode,
		Build:      readBuildInfo(debug.ReadBuildInfo()),
	}
}

// listenForCommands answers commands in the name of this process.
func listenForCommands(h control.Handler) (stop func(), err error) {
	commands, err := control.Listen(h)
	if err != nil {
		return nil, err
	}
	return commands.Close, nil
}

// envLookup returns a lookup in env, a list of NAME=VALUE where the last entry of a name counts.
func envLookup(env []string) func(string) (string, bool) {
	values := make(map[string]string, len(env))
	for _, entry := range env {
		if name, value, found := strings.Cut(entry, "="); found {
			values[name] = value
		}
	}
	return func(name string) (string, bool) {
		value, found := values[name]
		return value, found
	}
}

// buildInfo says which program this is.
type buildInfo struct {
	Version string // such as 1.2.0
	Commit  string // abbreviated git commit, empty if not known
	Go      string // such as go1.26.0
}

// readBuildInfo puts together what the linker was told and what the go command recorded.
func readBuildInfo(info *debug.BuildInfo, found bool) buildInfo {
	b := buildInfo{Version: broker.Version, Commit: linkedCommit, Go: runtime.Version()}
	if linkedVersion != "" {
		b.Version = strings.TrimPrefix(linkedVersion, "v")
	}
	if b.Commit == "" && found {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				b.Commit = setting.Value
			}
		}
	}
	const abbreviated = 7 // letters, as git shows them
	b.Commit = b.Commit[:min(abbreviated, len(b.Commit))]
	return b
}

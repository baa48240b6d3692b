package cmd

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// handoverPatience is how long a new process may take until it serves.
const handoverPatience = 50 * time.Second

// errStopping refuses an upgrade.
var errStopping = errors.New("the server is stopping already")

// handover is a request to hand over to a new process.
type handover struct {
	reply   chan handoverResult // buffered
	process *os.Process         // the new one, from its start on
}

type handoverResult struct {
	pid   int
	token string // see newProcess
	err   error
}

// Upgrade starts a new process of the program as it is on the disk now, with the same command line and environment, and hands it the
// listening sockets. Once it serves, this one goes into lame duck mode: no connection is refused in between. If it does
// not come up, this one goes on. Any goroutine.
func (d *daemon) Upgrade() (pid int, err error) {
	h := handover{reply: make(chan handoverResult, 1)}
	select {
	case d.handovers <- h:
	case <-d.over:
		return 0, errStopping
	}
	select {
	case r := <-h.reply:
		return r.pid, r.err
	case <-d.over:
		return 0, errStopping
	}
}

// beginHandover starts the new process. What becomes of it comes through d.handedOver.
func (d *daemon) beginHandover(h handover) {
	if d.stopped != nil || d.ducked != nil || d.upgrading != nil {
		h.reply <- handoverResult{err: errStopping}
		return
	}
	d.logger.Info().Msg("Handing over to a new process")
	token := rand.Text()
	process, ready, err := d.newProcess(token)
	if err != nil {
		d.logger.Error().Msgf("Cannot hand over: %v", err)
		h.reply <- handoverResult{err: err}
		return
	}
	h.process = process
	d.upgrading = &h
	go func() {
		r := awaitReady(process, ready, handoverPatience)
		r.token = token
		d.handedOver <- r
	}()
}

// newProcess starts the new process and returns it with the pipe through which it says that it serves. By the token it knows this one
// again, as another server of the cluster. The environment of a process is shown to its user alone.
func (d *daemon) newProcess(token string) (*os.Process, *os.File, error) {
	program, err := d.options.factory.programPath()
	if err != nil {
		return nil, nil, err
	}
	names, files, err := d.broker.ListenerFiles()
	defer func() {
		for _, file := range files {
			_ = file.Close() // the new process has its own
		}
	}()
	if err != nil {
		return nil, nil, err
	}
	if file, err := d.profiler.file(); err != nil {
		return nil, nil, err
	} else if file != nil {
		names, files = append(names, listenerOfProfiles), append(files, file)
	}
	ready, write, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a pipe: %w", err)
	}
	defer func() { _ = write.Close() }() // the new process has its own
	env := append(withoutInherited(d.options.factory.Environ), envHandover+"="+strings.Join(names, ":"), envPredecessor+"="+d.broker.ID()+" "+token)
	process, err := startWith(program, append([]string{d.options.factory.Program}, d.options.factory.Args...), env, append(files, write))
	if err != nil {
		_ = ready.Close() // nobody writes to it
		return nil, nil, fmt.Errorf("cannot start %s: %w", program, err)
	}
	return process, ready, nil
}

// executablePath returns where the program of this process lies, given the name that it was called by: absolute, and with its links
// as they are. It is asked at the start: the system follows a file that is moved aside later, and knows no links. Empty: the name is
// made up, or that of another program.
func executablePath(name string) string {
	path, err := exec.LookPath(name)
	if err != nil && !errors.Is(err, exec.ErrDot) {
		return ""
	}
	own, err := os.Executable()
	if err != nil {
		return ""
	}
	called, err := os.Stat(path)
	if err != nil {
		return ""
	}
	running, err := os.Stat(own)
	if err != nil || !os.SameFile(called, running) {
		return ""
	}
	if path, err = filepath.Abs(path); err != nil {
		return ""
	}
	return path
}

// programPath returns the path of the program that an upgrade starts. Source: docs/spec/cli.md §5.
func (f *Factory) programPath() (string, error) {
	if f.Executable != "" {
		return f.Executable, nil
	}
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("cannot find the program: %w", err)
	}
	return strings.TrimSuffix(path, " (deleted)"), nil // what Linux says of one that was replaced
}

// withoutInherited returns an environment without what is for this process alone.
func withoutInherited(env []string) []string {
	var kept []string
	for _, entry := range env {
		switch name, _, _ := strings.Cut(entry, "="); name {
		case envHandover, envPredecessor, envListenFDs, envListenPID, envListenNames, envWatchdogPID:
		default:
			kept = append(kept, entry)
		}
	}
	return kept
}

// awaitReady waits until a new process serves. One that does not within limit is ended.
func awaitReady(process *os.Process, ready *os.File, limit time.Duration) handoverResult {
	defer func() { _ = ready.Close() }() // it was read
	_ = ready.SetReadDeadline(time.Now().Add(limit))
	said, err := io.ReadAll(ready)
	if err == nil && string(said) == "ready" {
		pid := process.Pid
		_ = process.Release() // it outlives this process
		return handoverResult{pid: pid}
	}
	_ = process.Kill() // perhaps it has ended by itself
	state, failure := process.Wait()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("it did not say that it serves within %v", limit)
	case err != nil:
	case failure != nil:
		err = failure
	default:
		err = errors.New(state.String())
	}
	return handoverResult{err: fmt.Errorf("the new process did not come up, its log says why: %w", err)}
}

// endHandover goes into lame duck mode if the new process serves.
func (d *daemon) endHandover(r handoverResult) (serves bool) {
	if r.err != nil {
		d.rewritePIDFile() // before the answer: who asked may look at once
	}
	d.upgrading.reply <- r
	d.upgrading = nil
	if r.err != nil {
		d.logger.Error().Msgf("Cannot hand over: %v", r.err)
		return false
	}
	d.logger.Info().Msgf("Handed over to process %d", r.pid)
	d.notify.handedOver(r.pid)
	return true
}

// abandonHandover ends a new process that does not serve yet: whoever stops this one wants no other in its place.
func (d *daemon) abandonHandover() {
	if d.upgrading != nil {
		_ = d.upgrading.process.Kill() // one that serves already was let go, and stays
	}
}

// awaitHandover waits for the outcome of a hand-over that is under way.
func (d *daemon) awaitHandover() {
	if d.upgrading != nil {
		d.endHandover(<-d.handedOver)
	}
}

// rewritePIDFile takes the pid file back from a new process that did not come up.
func (d *daemon) rewritePIDFile() {
	if d.config.PIDFile == "" {
		return
	}
	if err := writePIDFile(d.config.PIDFile, d.options.factory.PID); err != nil {
		d.logger.Error().Msgf("Could not write pidfile: %v", err)
	}
}

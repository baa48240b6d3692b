package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/natsd/natsd/internal/iostreams"
)

// benchServer is a server in a process of its own, for `natsd bench` to measure.
type benchServer struct {
	url   string
	pid   int
	ended <-chan struct{} // closed when the process has ended
	stop  func()
}

// Bounds of the time that such a server takes.
const (
	benchStartPatience = 10 * time.Second
	benchLook          = 5 * time.Millisecond
)

// startBenchServer starts this program once more, as a server on a free port of the loopback network, and waits until it is ready. It
// ends with stop, and with this process.
func startBenchServer(ctx context.Context, f *Factory) (*benchServer, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("cannot find this program, to run a server: %w", err)
	}
	folder, err := os.MkdirTemp("", "natsd-bench-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a folder for the server: %w", err)
	}
	log := iostreams.NewBuffer()
	command := exec.Command(program, "serve", "-a", "127.0.0.1", "-p", "-1", "--max_connections", "-1", "--ports_file_dir", folder) //nolint:gosec // this program
	command.Stderr = log
	command.Env = withoutSettings(f.Environ)
	dieWithParent(command)
	ended := make(chan struct{})
	started := make(chan error, 1)
	go func() { // the child dies with the thread that has started it, see dieWithParent
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := command.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		_ = command.Wait() // it is killed
		close(ended)
	}()
	if err := <-started; err != nil {
		_ = os.RemoveAll(folder) // it is empty
		return nil, fmt.Errorf("cannot run a server: %w", err)
	}
	s := &benchServer{pid: command.Process.Pid, ended: ended}
	s.stop = func() {
		_ = command.Process.Kill() // it may have ended
		<-ended
		_ = os.RemoveAll(folder)
	}
	if s.url, err = awaitPorts(ctx, folder, s.pid, ended); err != nil {
		s.stop()
		return nil, fmt.Errorf("cannot run a server: %w\n%s", err, strings.TrimSpace(log.String()))
	}
	return s, nil
}

// awaitPorts waits for the ports file of the server, and returns the URL for clients.
func awaitPorts(ctx context.Context, folder string, pid int, ended chan struct{}) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, benchStartPatience)
	defer cancel()
	for {
		names, _ := filepath.Glob(filepath.Join(folder, fmt.Sprintf("*_%d.ports", pid))) // the pattern is valid
		if len(names) == 1 {
			text, err := os.ReadFile(names[0])
			if err != nil {
				return "", fmt.Errorf("cannot read its ports: %w", err)
			}
			var p ports
			if err := json.Unmarshal(text, &p); err != nil || len(p.NATS) == 0 {
				return "", errors.New("its ports file is malformed")
			}
			return p.NATS[0], nil
		}
		select {
		case <-ended:
			return "", errors.New("it has ended at once")
		case <-ctx.Done():
			return "", errors.New("it is not ready in time")
		case <-time.After(benchLook):
		}
	}
}

// withoutSettings returns an environment without what would configure a server.
func withoutSettings(env []string) []string {
	var kept []string
	for _, entry := range env {
		if !strings.HasPrefix(entry, "NATSD_") {
			kept = append(kept, entry)
		}
	}
	return kept
}

//go:build unix

package cmd

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/logsink"
	"github.com/rs/zerolog"
)

// countedLog is a system log that keeps its lines in a channel.
type countedLog struct {
	lines  chan string
	closed atomic.Int64
}

func (l *countedLog) Write(p []byte) (int, error) {
	return len(p), l.WriteText(zerolog.InfoLevel, string(p))
}
func (l *countedLog) Close() error { l.closed.Add(1); return nil }
func (l *countedLog) WriteText(_ zerolog.Level, text string) error {
	l.lines <- text
	return nil
}

// TestReloadOfAServiceOpensNoOtherLog: a service logs to the event log that it has, however often its configuration is read again.
// Source: docs/spec/cli.md §11.
func TestReloadOfAServiceOpensNoOtherLog(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "natsd.conf")
	if err := os.WriteFile(conf, []byte("max_payload: 1mb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log, opened := &countedLog{lines: make(chan string, 1000)}, atomic.Int64{}
	r := startServeWith(t, nil, func(f *Factory) {
		f.Service = true
		f.SystemLog = func(string, string) (logsink.LeveledCloser, error) {
			opened.Add(1)
			return log, nil
		}
	}, "-c", conf)
	await := func(want string) {
		t.Helper()
		for deadline := time.After(10 * time.Second); ; {
			select {
			case line := <-log.lines:
				if line == want+"\n" {
					return
				}
			case <-deadline:
				t.Fatalf("no line %q", want)
			}
		}
	}
	await("Server is ready")
	for range 3 {
		r.signals <- syscall.SIGHUP
		await("Reloaded server configuration")
	}
	r.signals <- os.Interrupt
	if code := r.awaitExit(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("the system log was opened %d times", n)
	}
	if n := log.closed.Load(); n != 1 {
		t.Errorf("the system log was closed %d times", n)
	}
}

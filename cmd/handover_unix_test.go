//go:build unix

package cmd

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestExecutablePath: the name that a process was called by counts if it leads to its program, by whatever link.
func TestExecutablePath(t *testing.T) {
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	link, other := filepath.Join(dir, "link"), filepath.Join(dir, "other")
	if err := os.Symlink(own, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other, []byte("#!/bin/sh\n"), 0o700); err != nil { //nolint:gosec // it is a program
		t.Fatal(err)
	}
	t.Chdir(dir)
	t.Setenv("PATH", dir)
	for name, want := range map[string]string{own: own, link: link, "./link": link, "link": link, other: "", "absent": "", "-odd": "", "": ""} {
		if got := executablePath(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// TestAwaitReady: why a new process did not come up, and that it is ended then.
func TestAwaitReady(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		limit  time.Duration
		want   string
	}{
		"silent": {"exec sleep 1000", time.Millisecond, "it did not say that it serves within 1ms"},
		"ends":   {"exit 3", time.Minute, "exit status 3"},
	} {
		t.Run(name, func(t *testing.T) {
			ready, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			process, err := startWith("/bin/sh", []string{"sh", "-c", c.script}, nil, []*os.File{write})
			if err != nil {
				t.Fatal(err)
			}
			_ = write.Close() // the new process has its own
			r := awaitReady(process, ready, c.limit)
			if want := "the new process did not come up, its log says why: " + c.want; r.err == nil || r.err.Error() != want {
				t.Errorf("%v, want %s", r.err, want)
			}
			if isAlive(process.Pid) {
				t.Error("the new process is still there")
			}
		})
	}
}

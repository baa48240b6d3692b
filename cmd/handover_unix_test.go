//go:build unix

package cmd

import (
	"os"
	"path/filepath"
	"testing"
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

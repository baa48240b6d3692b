package main

import (
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/procfs"
)

// TestProgramBenchServerKilled: a run whose own server is killed ends at once with what it has. Source: docs/spec/cli.md §13.
func TestProgramBenchServerKilled(t *testing.T) {
	c := startBench(t, "pubsub", "--rate", "1000", "--duration", "1h", "--warmup", "0", "--json")
	if err := syscall.Kill(childOf(t, c.Process.Pid), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if report := c.report(); len(report.Results) != 1 || !strings.Contains(c.errs, "the server has ended") {
		t.Errorf("%+v\n%s", report, c.errs)
	}
}

// childOf returns the id of the process that process parent has started.
func childOf(t *testing.T, parent int) int {
	t.Helper()
	all, err := procfs.AllProcs()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if stat, err := p.Stat(); err == nil && stat.PPID == parent { // others end meanwhile
			return p.PID
		}
	}
	t.Fatalf("process %d has started none", parent)
	return 0
}

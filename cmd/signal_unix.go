//go:build unix

package cmd

import (
	"fmt"
	"syscall"
)

// sendSignal sends the signal that a name stands for. Source: docs/spec/cli.md §5.
func sendSignal(name string, pid int) error {
	number, known := map[string]syscall.Signal{
		"stop": syscall.SIGKILL, "quit": syscall.SIGINT, "term": syscall.SIGTERM, "reopen": syscall.SIGUSR1, "reload": syscall.SIGHUP, "ldm": syscall.SIGUSR2,
	}[name]
	if !known {
		return fmt.Errorf("unknown signal %q", name)
	}
	return syscall.Kill(pid, number)
}

package cmd

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes a process end with the thread that starts it, and not with what is typed at the terminal.
func dieWithParent(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

//go:build unix

package cmd

import (
	"errors"
	"syscall"
)

// openNoFollow makes an open fail on a symbolic link that was placed after it was looked for, and not
// hang on a named pipe.
const openNoFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// isAlive reports whether there is a process with this id, of whatever user.
func isAlive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

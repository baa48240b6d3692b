//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package logsink

import (
	"errors"
	"os"
	"syscall"
)

// hold notes that this process writes to file, as long as it is open. Any number of processes may hold a file: during an upgrade two
// of them do. It reports false if somebody looks just now whether it is in use.
func hold(file *os.File) bool { return lock(file, syscall.LOCK_SH) }

// inUse reports whether a process still writes to a backup. The system forgets a process that has ended, however it did.
func inUse(name string) bool {
	file, err := os.Open(name)
	if err != nil {
		return false
	}
	defer func() { _ = file.Close() }() // nothing is read
	return !lock(file, syscall.LOCK_EX)
}

// lock locks file until it is closed, and reports false if somebody else has a lock that forbids it. A file system without
// locks forbids nothing.
func lock(file *os.File, how int) bool {
	raw, err := file.SyscallConn()
	if err != nil {
		return true
	}
	var refused error
	err = raw.Control(func(fd uintptr) {
		for refused = syscall.EINTR; errors.Is(refused, syscall.EINTR); {
			refused = syscall.Flock(int(fd), how|syscall.LOCK_NB)
		}
	})
	return err != nil || !errors.Is(refused, syscall.EWOULDBLOCK)
}

//go:build unix

package cmd

import "syscall"

// openFileLimit returns how many files the process may have open, 0 when it is not known. Go raises it to the hard limit when
// a process starts.
func openFileLimit() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return uint64(limit.Cur) //nolint:unconvert // its type differs between systems
}

//go:build !unix

package cmd

import "os"

// openNoFollow has no counterpart here.
const openNoFollow = 0

// isAlive reports whether there is a process with this id that can be opened.
func isAlive(pid int) bool {
	process, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	_ = process.Release() // it was only looked for
	return true
}

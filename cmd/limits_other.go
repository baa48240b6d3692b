//go:build !unix

package cmd

// openFileLimit returns how many files the process may have open, 0 when it is not known.
func openFileLimit() uint64 { return 0 }

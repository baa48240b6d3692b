//go:build !windows

package cmd

// tellsServices says that signals go to services and not to processes.
const tellsServices = false

// tellService is for Windows.
func tellService(string, string) error { return nil }

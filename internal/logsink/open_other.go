//go:build !windows

package logsink

import "os"

// openAppend opens path for lines at its end.
func openAppend(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, fileMode)
}

//go:build unix

package monitor

import (
	"syscall"
	"time"
)

// processorTime returns the processor time that the process has used, 0 when it is not known.
func processorTime() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

package cmd

import (
	"time"

	"golang.org/x/sys/unix"
)

// monotonicNow returns the time on the clock of the machine that never goes back.
func monotonicNow() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

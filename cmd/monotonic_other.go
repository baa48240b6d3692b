//go:build !linux

package cmd

import "time"

// monotonicNow has no use here: there is no service manager that asks for it.
func monotonicNow() time.Duration { return 0 }

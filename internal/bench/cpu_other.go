//go:build !unix

package bench

import "time"

// ownCPU would be the processor time that this process has used so far. Not known here.
func ownCPU() time.Duration { return 0 }

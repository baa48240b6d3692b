//go:build !unix

package monitor

import "time"

// processorTime returns the processor time that the process has used, 0 when it is not known.
func processorTime() time.Duration { return 0 }

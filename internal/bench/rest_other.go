//go:build !linux

package bench

import "time"

// rest waits for about d.
func rest(d time.Duration) { time.Sleep(d) }

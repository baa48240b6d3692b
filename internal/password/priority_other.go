//go:build !linux

package password

import "time"

// lowPriority returns what makes a comparison give way to others as far as that can be done here.
func lowPriority() (yield func()) {
	return func() { time.Sleep(time.Millisecond) }
}

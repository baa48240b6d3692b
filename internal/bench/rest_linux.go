package bench

import (
	"syscall"
	"time"
)

// fineRest is the longest rest that is worth a thread: Go's own timers are a millisecond late.
const fineRest = 3 * time.Millisecond

// rest waits for about d, with the precision of the system's timers.
func rest(d time.Duration) {
	if d > fineRest {
		time.Sleep(d - fineRest/2)
		return
	}
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil) // a signal ends it early: the caller looks at the clock
}

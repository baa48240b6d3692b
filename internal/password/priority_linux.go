package password

import (
	"runtime"
	"syscall"
	"time"
)

// lowPriority makes the calling goroutine give way to everything else: its thread gets the lowest priority, which keeps
// the processor free for others, and yield, called between comparisons, lets the scheduler of the program have it too.
// The thread ends with the goroutine, since a priority cannot be raised again without privileges.
func lowPriority() (yield func()) {
	runtime.LockOSThread() // never unlocked: the thread ends
	const lowest = 19
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, lowest) // 0 is the calling thread; it works as before if this fails
	return func() { time.Sleep(time.Millisecond) }
}

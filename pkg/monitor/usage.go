package monitor

import (
	"math"
	"sync"
	"time"
)

// usage is what the process uses.
type usage struct {
	mu struct { // guards everything inside it
		sync.Mutex
		at      time.Time
		used    time.Duration // processor time so far
		percent float64       // of one processor, between the last two samples
	}
}

// sample looks at the process.
func (u *usage) sample(now time.Time) {
	used := processorTime()
	u.mu.Lock()
	defer u.mu.Unlock()
	if passed := now.Sub(u.mu.at); !u.mu.at.IsZero() && passed > 0 {
		u.mu.percent = math.Round(1000*float64(used-u.mu.used)/float64(passed)) / 10
	}
	u.mu.at, u.mu.used = now, used
}

// percent returns the load of the last second in percent of one processor.
func (u *usage) percent() float64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.mu.percent
}

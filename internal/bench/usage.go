package bench

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/procfs"
)

// Usage tells what a server uses.
type Usage interface {
	// Sample returns what the server has used, as close to now as is known.
	Sample() (UsageSample, error)
	// Source says where that comes from.
	Source() string
}

// UsageSample is what a server has used up to one time.
type UsageSample struct {
	CPU    time.Duration // of the processor, since some time in the past
	Memory int64         // resident, bytes
}

// processUsage looks at a process of this machine.
type processUsage struct{ pid int }

// ProcessUsage returns the usage of a process of this machine. It works on Linux.
func ProcessUsage(pid int) (Usage, error) {
	u := processUsage{pid}
	if _, err := u.Sample(); err != nil {
		return nil, err
	}
	return u, nil
}

// Source says where that comes from.
func (u processUsage) Source() string { return fmt.Sprintf("process %d", u.pid) }

// Sample returns what the process has used.
func (u processUsage) Sample() (UsageSample, error) {
	p, err := procfs.NewProc(u.pid)
	if err != nil {
		return UsageSample{}, fmt.Errorf("cannot look at process %d: %w", u.pid, err)
	}
	stat, err := p.Stat()
	if err != nil {
		return UsageSample{}, fmt.Errorf("cannot look at process %d: %w", u.pid, err)
	}
	return UsageSample{CPU: time.Duration(stat.CPUTime() * float64(time.Second)), Memory: int64(stat.ResidentMemory())}, nil
}

// monitorUsage asks the monitor port of a server.
type monitorUsage struct {
	shown string                 // the URL, without secrets
	ask   func(answer any) error // reads /varz
	exact bool                   // the server tells the time itself; set by the first sample
	told  time.Duration          // what it told last; guarded by mu

	mu     sync.Mutex
	cpu    time.Duration // guarded by mu
	before time.Time     // guarded by mu
}

// MonitorUsage returns the usage that the monitor port of a server tells. natsd tells its processor time; that of other
// servers is what /varz says of the moment, added up, and so an estimate. shown is what the port is called, without secrets; ask reads /varz into answer.
func MonitorUsage(shown string, ask func(answer any) error) (Usage, error) {
	u := &monitorUsage{shown: shown, ask: ask}
	if _, err := u.Sample(); err != nil {
		return nil, err
	}
	return u, nil
}

// Source says where that comes from.
func (u *monitorUsage) Source() string {
	if u.exact {
		return "monitor port " + u.shown
	}
	return "monitor port " + u.shown + ", estimated"
}

// Sample asks. Locks: takes u.mu.
func (u *monitorUsage) Sample() (UsageSample, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	var answer struct {
		CPU     float64       `json:"cpu"`      // percent of a core
		CPUTime time.Duration `json:"cpu_time"` // so far
		Memory  int64         `json:"mem"`
	}
	if err := u.ask(&answer); err != nil {
		return UsageSample{}, fmt.Errorf("cannot tell what the server uses: %w", err)
	}
	if answer.CPUTime > 0 {
		u.exact = true
		if answer.CPUTime < u.told { // it was started again
			u.told = 0
		}
		u.cpu += answer.CPUTime - u.told
		u.told = answer.CPUTime
		return UsageSample{CPU: u.cpu, Memory: answer.Memory}, nil
	}
	now := time.Now()
	if !u.before.IsZero() {
		const percent = 100
		u.cpu += time.Duration(answer.CPU / percent * float64(now.Sub(u.before)))
	}
	u.before = now
	return UsageSample{CPU: u.cpu, Memory: answer.Memory}, nil
}

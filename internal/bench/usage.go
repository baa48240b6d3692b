package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
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
	url    string
	shown  string // without secrets
	token  string
	client *http.Client

	mu     sync.Mutex
	cpu    time.Duration // guarded by mu
	before time.Time     // guarded by mu
}

// Bounds of a question to a monitor port.
const (
	maxVarz         = 1 << 20 // bytes
	monitorPatience = 2 * time.Second
)

// MonitorUsage returns the usage that the monitor port of a server tells: its processor time is what /varz says of the moment,
// added up, and so an estimate. base is the URL of the port; token, if any, is a secret.
func MonitorUsage(base *url.URL, token string, client *http.Client) (Usage, error) {
	u := &monitorUsage{url: base.JoinPath("varz").String(), shown: base.Redacted(), token: token, client: client}
	if _, err := u.Sample(); err != nil {
		return nil, err
	}
	return u, nil
}

// Source says where that comes from.
func (u *monitorUsage) Source() string { return "monitor port " + u.shown + ", estimated" }

// Sample asks. Locks: takes u.mu.
func (u *monitorUsage) Sample() (UsageSample, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	var answer struct {
		CPU    float64 `json:"cpu"` // percent of a core
		Memory int64   `json:"mem"`
	}
	if err := u.ask(&answer); err != nil {
		return UsageSample{}, fmt.Errorf("cannot ask the monitor port %s: %w", u.shown, err)
	}
	now := time.Now()
	if !u.before.IsZero() {
		const percent = 100
		u.cpu += time.Duration(answer.CPU / percent * float64(now.Sub(u.before)))
	}
	u.before = now
	return UsageSample{CPU: u.cpu, Memory: answer.Memory}, nil
}

func (u *monitorUsage) ask(answer any) error {
	ctx, cancel := context.WithTimeout(context.Background(), monitorPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.url, nil)
	if err != nil {
		return errors.New("the URL is not valid")
	}
	if u.token != "" {
		request.Header.Set("Authorization", "Bearer "+u.token)
	}
	response, err := u.client.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // its text holds the URL
		}
		return err
	}
	defer func() { _ = response.Body.Close() }() // it was read
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return json.NewDecoder(io.LimitReader(response.Body, maxVarz)).Decode(answer)
}

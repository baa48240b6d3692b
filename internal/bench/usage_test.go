package bench

import (
	"encoding/json"
	"testing"
	"time"
)

// TestMonitorUsage: the processor time that a server tells is taken as it is, that of one that tells a load only is estimated.
// Source: docs/spec/cli.md §13.
func TestMonitorUsage(t *testing.T) {
	varz := `{"cpu": 50, "cpu_time": 1000000000, "mem": 1000}`
	ask := func(answer any) error { return json.Unmarshal([]byte(varz), answer) }
	exact, err := MonitorUsage("here", ask)
	if err != nil {
		t.Fatal(err)
	}
	varz = `{"cpu": 50, "cpu_time": 1250000000, "mem": 2000}`
	if s, err := exact.Sample(); err != nil || s != (UsageSample{CPU: 1250 * time.Millisecond, Memory: 2000}) || exact.Source() != "monitor port here" {
		t.Errorf("%+v, %v of %s", s, err, exact.Source())
	}
	varz = `{"cpu": 50, "cpu_time": 100000000, "mem": 2000}`
	if s, err := exact.Sample(); err != nil || s.CPU != 1350*time.Millisecond {
		t.Errorf("after the server was started again: %+v, %v", s, err)
	}
	varz = `{"cpu": 50, "mem": 1000}`
	before := time.Now()
	estimate, err := MonitorUsage("there", ask)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for time.Since(begin) == 0 { // where the clock is coarse
	}
	least := time.Since(begin)
	s, err := estimate.Sample()
	// Half of the time between the two samples was used, give or take a nanosecond of rounding.
	if most := time.Since(before); err != nil || s.CPU == 0 || 2*s.CPU < least-2 || 2*s.CPU > most || estimate.Source() != "monitor port there, estimated" {
		t.Errorf("%+v, %v of %s", s, err, estimate.Source())
	}
}

package bench

import (
	"testing"
	"time"
)

// TestRateOfWhatDoesNotCome: the time in which nothing comes any more counts for the rate. Source: docs/spec/cli.md §13.
func TestRateOfWhatDoesNotCome(t *testing.T) {
	for _, kind := range []Kind{PubSub, Request} {
		s := &saboteur{from: 400, drop: 1}
		_, got := playOn(t, s.start(t, launch(t)), Options{
			Target: Target{Timeout: 300 * time.Millisecond}, Drain: 100 * time.Millisecond, Duration: 500 * time.Millisecond,
			Workloads: []Workload{{Kind: kind, Rate: 4000}},
		})
		if ratio, want := got.DeliverRate/got.PublishRate, float64(got.Delivered)/float64(got.Published); ratio < want/2 || ratio > 2*want {
			t.Errorf("%s: %.0f messages a second of %.0f; %d have come of %d", kind, got.DeliverRate, got.PublishRate, got.Delivered, got.Published)
		}
	}
}

// TestRateEndsWithItsWorkload: the rate of a workload that is over counts until then, whatever else goes on. Source: docs/spec/cli.md §13.
func TestRateEndsWithItsWorkload(t *testing.T) {
	report, got := playOn(t, launch(t), Options{Duration: 2 * time.Second, Workloads: []Workload{{Kind: PubSub, Rate: 20_000, Msgs: 2000}, {Kind: PubSub, Rate: 1000}}})
	other := &report.Results[1]
	if got.Measured > other.Measured/2 || got.PublishRate < 2*float64(got.Published)/other.Measured.Seconds() {
		t.Errorf("%.0f messages a second in %v of %v", got.PublishRate, got.Measured, other.Measured)
	}
	if got.DeliverRate < got.PublishRate/2 || got.Lost != 0 {
		t.Errorf("%.0f messages a second are delivered of %.0f, %d lost", got.DeliverRate, got.PublishRate, got.Lost)
	}
}

// TestColdWorkload: a workload without time to warm up is measured from its first message, another beside it is not.
func TestColdWorkload(t *testing.T) {
	report, got := playOn(t, launch(t), Options{Warmup: 500 * time.Millisecond, Duration: 200 * time.Millisecond,
		Workloads: []Workload{{Kind: PubSub, Msgs: 500, Cold: true}, {Kind: PubSub, Rate: 1000}}})
	if got.Latency == nil || got.Latency.Count != 500 || got.PublishRate <= 0 || got.DeliverRate <= 0 {
		t.Errorf("%.0f messages a second, %.0f delivered, latency %+v", got.PublishRate, got.DeliverRate, got.Latency)
	}
	if warm := report.Results[1]; warm.Latency == nil || warm.Latency.Count > warm.Delivered-300 {
		t.Errorf("%d latencies of %d deliveries, some of which were for warming up", warm.Latency.Count, warm.Delivered)
	}
}

package bench

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil"
	"github.com/natsd/natsd/pkg/broker"
)

// launch returns the URL of a server that ends with the test.
func launch(t *testing.T) string {
	t.Helper()
	return guarded(t, broker.Options{})
}

// playOn runs workloads on the server at url, and returns what came of the first.
func playOn(t *testing.T, url string, o Options) (*Report, *Result) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testutil.Patience)
	defer cancel()
	o.Target.URLs = []string{url}
	report, err := Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	return report, &report.Results[0]
}

// endure is playOn of a run that is a failure because a connection does not come back.
func endure(t *testing.T, url string, o Options) *Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testutil.Patience)
	defer cancel()
	o.Target.URLs = []string{url}
	report, err := Run(ctx, o)
	if !errors.Is(err, ErrNotRestored) || report == nil {
		t.Fatalf("%v, want %v", err, ErrNotRestored)
	}
	return &report.Results[0]
}

// TestWorkloads: of every kind of traffic, everything is counted, and nothing is lost on a server that loses nothing.
func TestWorkloads(t *testing.T) {
	const msgs = 20_000
	for _, c := range []struct {
		name      string
		w         Workload
		delivered int64
	}{
		{"pub", Workload{Kind: Pub, Pubs: 2, Msgs: msgs}, 0},
		{"pubsub", Workload{Kind: PubSub, Pubs: 2, Subs: 3, Msgs: msgs}, 3 * msgs},
		{"pubsub, subjects, sizes", Workload{Kind: PubSub, Subs: 2, Msgs: msgs, Subjects: 100, Spread: SpreadZipf, Size: sizes(t, "16-300")}, 2 * msgs},
		{"pubsub, headers", Workload{Kind: PubSub, Msgs: msgs, Headers: 20}, msgs},
		{"pubsub, too short for a time", Workload{Kind: PubSub, Msgs: msgs, Size: FixedSize(8)}, msgs},
		{"pubsub, too short for a number", Workload{Kind: PubSub, Msgs: msgs, Size: FixedSize(0)}, msgs},
		{"queue group", Workload{Kind: PubSub, Pubs: 2, Subs: 4, Queue: "q", Msgs: msgs}, msgs},
		{"fan-out", Workload{Kind: FanOut, Msgs: 500}, 500 * defaultFanOut},
		{"rate", Workload{Kind: PubSub, Pubs: 3, Msgs: 2000, Rate: 20_000, Arrival: ArrivalPoisson}, 2000},
		{"request", Workload{Kind: Request, Pubs: 2, Subs: 1, Msgs: 1000}, 1000},
		{"request, queue group", Workload{Kind: Request, Pubs: 2, Subs: 3, Queue: "q", Msgs: 1000, InFlight: 8}, 1000},
		{"request, several replies", Workload{Kind: Request, Subs: 3, Msgs: 500}, 500},
		{"request, rate", Workload{Kind: Request, Pubs: 2, Msgs: 500, Rate: 10_000}, 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			report, got := playOn(t, launch(t), Options{Workloads: []Workload{c.w}})
			if got.Published != c.w.Msgs || got.Delivered != c.delivered {
				t.Errorf("published %d, delivered %d; want %d and %d", got.Published, got.Delivered, c.w.Msgs, c.delivered)
			}
			if got.Lost+got.Duplicates+got.Reordered+got.Gaps+got.Foreign+got.Disconnects+got.NoResponders+got.TimedOut != 0 {
				t.Errorf("a server that loses nothing is said to: %+v", got)
			}
			_, high := got.Size.bounds()
			if timed := c.delivered > 0 && high >= stampSize; (got.Latency != nil) != timed {
				t.Errorf("latency %+v", got.Latency)
			} else if timed && (got.Latency.Count != c.delivered || got.Latency.P50 <= 0 || got.Latency.P50 > got.Latency.Max) {
				t.Errorf("latency %+v of %d deliveries", got.Latency, c.delivered)
			}
			if (got.SendLag != nil) != (c.w.Rate > 0) {
				t.Errorf("lag %+v", got.SendLag)
			}
			if report.Server.Version == "" || got.PublishRate <= 0 || got.Measured <= 0 {
				t.Errorf("server %+v, rate %v in %v", report.Server, got.PublishRate, got.Measured)
			}
		})
	}
}

func sizes(t *testing.T, text string) Sizes {
	t.Helper()
	var s Sizes
	if err := s.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestDuration: a run by the clock warms up, measures, and tells the rate that it was given.
func TestDuration(t *testing.T) {
	_, got := playOn(t, launch(t), Options{Duration: 500 * time.Millisecond, Warmup: 200 * time.Millisecond,
		Workloads: []Workload{{Kind: PubSub, Rate: 5000, Pubs: 2}}})
	if got.Published < 3000 || got.Published > 3600 || got.Delivered != got.Published || got.Lost != 0 {
		t.Errorf("published %d, delivered %d, lost %d", got.Published, got.Delivered, got.Lost)
	}
	if got.Latency.Count < 2000 || got.Latency.Count > got.Delivered-500 {
		t.Errorf("%d latencies of %d deliveries, some of which were for warming up", got.Latency.Count, got.Delivered)
	}
	if len(got.Timeline) < 3 {
		t.Errorf("timeline %+v", got.Timeline)
	}
}

// TestConnections: connections are opened and held, and it is told how many.
func TestConnections(t *testing.T) {
	report, got := playOn(t, launch(t), Options{Duration: 100 * time.Millisecond, Workloads: []Workload{{Kind: Connections, Conns: 300}}})
	if got.Published != 300 || got.Failed != 0 || got.Disconnects != 0 || got.Latency.Count != 300 {
		t.Errorf("%+v of %+v", got, report)
	}
}

// TestConnectionsRate: the rate is that of the time from the first connection that was tried to the last that was opened, however short
// that is. Source: docs/spec/cli.md §13.
func TestConnectionsRate(t *testing.T) {
	const most = 1e6 // a second: nobody shakes hands in a microsecond
	_, got := playOn(t, launch(t), Options{Duration: 50 * time.Millisecond, Workloads: []Workload{{Kind: Connections, Conns: 1}}})
	if got.PublishRate <= 0 || got.PublishRate > most {
		t.Errorf("%.0f connections a second", got.PublishRate)
	}
}

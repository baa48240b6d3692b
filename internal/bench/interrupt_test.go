package bench

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil"
)

// TestInterrupted: when a run is to end early, nothing more is published, and what is on its way comes and is no loss. Source:
// docs/spec/cli.md §13.
func TestInterrupted(t *testing.T) {
	why := errors.New("somebody says so")
	for _, w := range []Workload{{Kind: PubSub, Pubs: 2}, {Kind: PubSub, Msgs: 1 << 40}, {Kind: PubSub, Rate: 5000}, {Kind: Request, InFlight: 10}} {
		going, halt := context.WithCancelCause(t.Context())
		report, err := Run(t.Context(), Options{
			Target: Target{URLs: []string{launch(t)}}, Going: going, Workloads: []Workload{w}, Duration: 10 * testutil.Patience,
			Progress: func(p Progress) {
				if p.Delivered > 100 {
					halt(why)
				}
			},
		})
		if !errors.Is(err, why) {
			t.Fatalf("%+v: %v", w, err)
		}
		if got := report.Results[0]; got.Lost != 0 || got.Delivered != got.Expected || got.Delivered <= 100 {
			t.Errorf("%+v: %d lost, %d of %d delivered", w, got.Lost, got.Delivered, got.Expected)
		}
	}
}

// TestInterruptedTwice: a run that waits for what is late ends at once when its context does. Source: docs/spec/cli.md §13.
func TestInterruptedTwice(t *testing.T) {
	why := errors.New("somebody insists")
	ctx, cancel := context.WithCancelCause(t.Context())
	going, halt := context.WithCancel(ctx)
	defer halt()
	s := &saboteur{drop: 1, from: 100}
	report, err := Run(ctx, Options{
		Target: Target{URLs: []string{s.start(t, launch(t))}}, Going: going, Workloads: []Workload{{Kind: PubSub, Rate: 2000}},
		Duration: time.Hour, Drain: time.Hour,
		Progress: func(p Progress) {
			switch {
			case p.Phase == PhaseDrain:
				cancel(why)
			case s.dropped.Load() > 0:
				halt()
			}
		},
	})
	if err == nil || report == nil || report.Results[0].Lost == 0 {
		t.Errorf("%v, %+v", err, report)
	}
}

package bench

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil"
)

// hold plays connections by way of s, which goes down in the phase down, and returns what came of it.
func hold(t *testing.T, s *saboteur, down string, more ...Workload) (*Report, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testutil.Patience)
	defer cancel()
	var once sync.Once
	return Run(ctx, Options{
		Target: Target{URLs: []string{s.start(t, launch(t))}}, Duration: 500 * time.Millisecond,
		Workloads: append([]Workload{{Kind: Connections, Conns: 20}}, more...),
		Progress: func(p Progress) {
			if p.Phase == down {
				once.Do(s.goDown)
			}
		},
	})
}

// TestConnectionsRefused: a run in which no connection can be opened fails at once with the reason, as that of publishers does. Source:
// docs/spec/cli.md §13.
func TestConnectionsRefused(t *testing.T) {
	for _, c := range []struct {
		refuses bool
		want    string
	}{{true, "go away"}, {false, "cannot connect"}} {
		report, err := hold(t, &saboteur{refuses: c.refuses}, PhaseConnect)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "no connection could be opened") {
			t.Errorf("%v, want %q", err, c.want)
		}
		if got := report.Results[0]; got.Failed != 20 || got.Lost != 20 || got.Published != 0 {
			t.Errorf("%+v", got)
		}
	}
}

// TestConnectionsLost: connections that end while they are held count as lost, and a run at whose end none is left fails. Source:
// docs/spec/cli.md §13.
func TestConnectionsLost(t *testing.T) {
	report, err := hold(t, &saboteur{}, PhaseMeasure)
	if err == nil || !strings.Contains(err.Error(), "no connection was left") {
		t.Errorf("%v", err)
	}
	if got := report.Results[0]; got.Published != 20 || got.Disconnects != 20 || got.Lost != 20 || got.Failed != 0 {
		t.Errorf("%+v", got)
	}
}

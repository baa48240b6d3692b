package cmd

import (
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/bench"
)

// TestBaselineWorse: what is worse than before is said, also what there is nothing left of. Source: docs/spec/cli.md §13.
func TestBaselineWorse(t *testing.T) {
	type figures = bench.Result
	latency := func(p50, p99 time.Duration) *bench.Latency { return &bench.Latency{P50: p50, P99: p99} }
	good := figures{PublishRate: 1000, DeliverRate: 1000, Latency: latency(1e6, 2e6), Lost: 100}
	changed := func(change func(r *figures)) figures {
		r := good
		change(&r)
		return r
	}
	for _, c := range []struct {
		name        string
		before, now figures
		want        []string // figures that are worse
	}{
		{"the same", good, good, nil},
		{"a little worse", good, changed(func(r *figures) { r.PublishRate, r.Latency, r.Lost = 900, latency(1.1e6, 2.1e6), 110 }), nil},
		{"better", good, changed(func(r *figures) { r.PublishRate, r.DeliverRate, r.Latency, r.Lost = 2000, 2000, latency(1e5, 1e5), 0 }), nil},
		{"slower", good, changed(func(r *figures) { r.PublishRate, r.DeliverRate = 500, 600 }), []string{"publish rate", "deliver rate"}},
		{"later", good, changed(func(r *figures) { r.Latency = latency(2e6, 3e6) }), []string{"p50", "p99"}},
		{"nothing is delivered", good, changed(func(r *figures) { r.DeliverRate, r.Latency = 0, nil }), []string{"deliver rate", "p50", "p99"}},
		{"nothing is published", good, figures{Lost: 100}, []string{"publish rate", "deliver rate", "p50", "p99"}},
		{"nothing was known before", figures{}, changed(func(r *figures) { r.Lost = 0 }), nil},
		{"more is lost", good, changed(func(r *figures) { r.Lost = 150 }), []string{"lost"}},
		{"something is lost", changed(func(r *figures) { r.Lost = 0 }), changed(func(r *figures) { r.Lost = 1 }), []string{"lost"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, out, _ := testFactory()
			o := &benchOptions{factory: f, tolerance: defaultTolerance}
			c.before.Name, c.now.Name = "pubsub", "pubsub"
			err := o.compareWith(&bench.Report{Results: []bench.Result{c.before}}, &bench.Report{Results: []bench.Result{c.now}})
			var got []string
			if err != nil {
				for line := range strings.Lines(err.Error()) {
					name, _, _ := strings.Cut(strings.TrimPrefix(line, "pubsub: "), " is ")
					got = append(got, name)
				}
			}
			if strings.Join(got, ", ") != strings.Join(c.want, ", ") {
				t.Errorf("worse: %q, want %q\n%s", got, c.want, out)
			}
			if strings.Contains(out.String(), "NaN") || strings.Contains(out.String(), "Inf") {
				t.Errorf("a ratio that is none:\n%s", out)
			}
		})
	}
}

// TestBaselineWithoutUsage: what a server uses is compared only if both reports know it.
func TestBaselineWithoutUsage(t *testing.T) {
	f, _, _ := testFactory()
	o := &benchOptions{factory: f, tolerance: defaultTolerance}
	result := []bench.Result{{Workload: bench.Workload{Name: "pubsub"}, PublishRate: 1000}}
	before := &bench.Report{Results: result, Usage: &bench.UsageResult{CPUPerMessage: time.Microsecond, MemoryMax: 1 << 20}}
	if err := o.compareWith(before, &bench.Report{Results: result}); err != nil {
		t.Error(err)
	}
}

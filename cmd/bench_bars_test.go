package cmd

import (
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/bench"
)

// TestBenchBars: a bar is missed by what never came, and not only by what came too late. Source: docs/spec/cli.md §13.
func TestBenchBars(t *testing.T) {
	type figures = bench.Result
	soon := &bench.Latency{Count: 900, P99: time.Millisecond}
	scheduled := bench.Workload{Name: "w", Kind: bench.PubSub, Pubs: 1, Subs: 2, Rate: 1000}
	bulk := scheduled
	bulk.Rate = 0
	p99 := benchOptions{maxP99: 2 * time.Millisecond, maxLoss: -1}
	for _, c := range []struct {
		name string
		bars benchOptions
		got  figures
		want string // of what is said; empty: the bar is held
	}{
		{"all came", p99, figures{Workload: scheduled, Published: 500, Expected: 1000, Delivered: 1000, Latency: soon}, ""},
		{"all came too late", p99, figures{Workload: scheduled, Expected: 1000, Latency: &bench.Latency{P99: time.Second}}, "99th percentile is 1s"},
		{"one in a hundred was lost", p99, figures{Workload: scheduled, Expected: 1000, Lost: 10, Latency: soon}, ""},
		{"more were lost", p99, figures{Workload: scheduled, Expected: 1000, Lost: 11, Latency: soon}, "11 of 1000 deliveries that were due never came"},
		{"some were not sent", p99, figures{Workload: scheduled, Expected: 1000, Unsent: 50, Latency: soon}, "100 of 1100 deliveries"},
		{"lost without a schedule", p99, figures{Workload: bulk, Expected: 1000, Lost: 500, Latency: soon}, ""},
	} {
		err := c.bars.judge(&bench.Report{Results: []bench.Result{c.got}})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

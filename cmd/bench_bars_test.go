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
	heard := bench.Workload{Name: "w", Kind: bench.Sub, Subs: 1}
	loss := benchOptions{maxLoss: 0}
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
		{"nothing came", p99, figures{Workload: scheduled}, "no latency was measured"},
		{"nobody was to get it", p99, figures{Workload: bench.Workload{Name: "w", Kind: bench.Pub}, Published: 1000}, ""},
		{"none was lost", loss, figures{Workload: bulk, Expected: 1000, Delivered: 1000}, ""},
		{"one was lost", loss, figures{Workload: bulk, Expected: 1000, Delivered: 999, Lost: 1}, "1 messages are lost"},
		{"nothing to lose", loss, figures{Workload: bulk}, "no loss was measured"},
		{"nothing was heard", loss, figures{Workload: heard}, "no loss was measured"},
		{"heard", loss, figures{Workload: heard, Delivered: 1000}, ""},
		{"heard without numbers", loss, figures{Workload: heard, Delivered: 1000, Unnumbered: 1000}, "no loss was measured"},
		{"connections", loss, figures{Workload: bench.Workload{Name: "w", Kind: bench.Connections}, Published: 10}, ""},
		{"connections were lost", loss, figures{Workload: bench.Workload{Name: "w", Kind: bench.Connections}, Published: 9, Lost: 1}, "1 connections are lost"},
		{"lost without a schedule", p99, figures{Workload: bulk, Expected: 1000, Lost: 500, Latency: soon}, ""},
	} {
		err := c.bars.judge(&bench.Report{Results: []bench.Result{c.got}})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

package cmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/natsd/natsd/internal/bench"
)

// withoutMeaning returns what is wrong with bars on figures that none of the workloads has: nobody gets what pub publishes. Source:
// docs/spec/cli.md §13.
func (o *benchOptions) withoutMeaning(workloads []bench.Workload) error {
	for i := range workloads {
		if workloads[i].Kind != bench.Pub {
			return nil
		}
	}
	switch {
	case o.maxP99 > 0:
		return errors.New("--max-p99: with pub nobody gets the messages, and no latency is measured; use pubsub")
	case o.maxLoss >= 0:
		return errors.New("--max-loss: with pub nobody gets the messages, and no loss is measured; use pubsub")
	}
	return nil
}

// lostThings says what a workload loses.
func lostThings(r *bench.Result) string {
	if r.Kind == bench.Connections {
		return "connections"
	}
	return "messages"
}

// neverCame returns how many deliveries of a schedule have not come, because a message was lost or could not be sent, and of how many: they
// have taken longer than any bar, though no latency tells it. Without a schedule, nothing was due. Source: docs/spec/cli.md §13.
func neverCame(r *bench.Result) (late, due int64) {
	if r.Rate == 0 || r.Kind == bench.Pub || r.Kind == bench.Connections {
		return 0, 0
	}
	each := int64(1) // deliveries of a message
	if r.Kind != bench.Request && r.Queue == "" {
		each = int64(r.Subs)
	}
	return r.Lost + r.Unsent*each, r.Expected + r.Unsent*each
}

// judge returns an error if a bar is missed.
func (o *benchOptions) judge(report *bench.Report) error {
	var missed []string
	miss := func(format string, args ...any) { missed = append(missed, fmt.Sprintf(format, args...)) }
	for i := range report.Results {
		r := &report.Results[i]
		late, due := neverCame(r)
		switch {
		case o.maxP99 == 0:
		case late*100 > due: // percent
			miss("%s: %d of %d deliveries that were due never came, more than 1 %%: the 99th percentile is beyond the bar of %v", r.Name, late, due, o.maxP99)
		case r.Kind == bench.Pub: // others have one
		case r.Latency == nil:
			miss("%s: no latency was measured, the bar is %v", r.Name, o.maxP99)
		case r.Latency != nil && r.Latency.P99 > o.maxP99:
			miss("%s: the 99th percentile is %v, the bar is %v", r.Name, r.Latency.P99, o.maxP99)
		}
		rate := r.DeliverRate
		if r.Kind == bench.Pub || r.Kind == bench.Connections {
			rate = r.PublishRate
		}
		if rate < o.minRate {
			miss("%s: %.0f messages a second, the bar is %.0f", r.Name, rate, o.minRate)
		}
		switch {
		case o.maxLoss < 0 || r.Kind == bench.Pub:
		case r.Lost > o.maxLoss:
			miss("%s: %d %s are lost, the bar is %d", r.Name, r.Lost, lostThings(r), o.maxLoss)
		case r.Kind != bench.Connections && r.Expected+r.Delivered == 0:
			miss("%s: nothing was to come and nothing came, no loss was measured; the bar is %d", r.Name, o.maxLoss)
		case r.Unnumbered > 0:
			miss("%s: %d messages are too short for a number, no loss was measured; the bar is %d", r.Name, r.Unnumbered, o.maxLoss)
		}
	}
	if len(missed) == 0 {
		return nil
	}
	return errors.New(strings.Join(missed, "\n"))
}

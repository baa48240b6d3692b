package cmd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/natsd/natsd/internal/bench"
	"github.com/pbnjay/memory"
	"github.com/spf13/cobra"
)

const benchPlanLong = `Find out what a server on this machine can do: the highest rate at which the 99th percentile of the
latency stays below a bar, nothing is lost and the schedule is kept; and how many connections fit into
memory. A rate is tried up to three times, and holds if most tries do. The load comes from this machine
too, and takes its share of it.`

const benchPlanExample = `  natsd bench plan --p99 2ms
  natsd bench plan --p99 1ms --subs 10 --size 1024 --json`

// planOptions is what `natsd bench plan` was told.
type planOptions struct {
	benchOptions
	p99  time.Duration
	each time.Duration
}

// plan is what came of it. Times are nanoseconds, sizes bytes, rates per second.
type plan struct {
	Workload      bench.Workload `json:"workload"`
	Bar           time.Duration  `json:"bar_p99"`
	Steps         []planStep     `json:"steps"`
	PublishRate   float64        `json:"publish_rate"`  // the highest that holds in most tries
	SureRate      float64        `json:"sure_rate"`     // up to which every try held
	PossibleRate  float64        `json:"possible_rate"` // above which none held
	DeliverRate   float64        `json:"deliver_rate"`
	P99           time.Duration  `json:"p99"`
	CPUPerMessage time.Duration  `json:"cpu_per_message,omitempty"`
	Cores         float64        `json:"cores,omitempty"`
	Memory        int64          `json:"memory,omitempty"`
	PerConnection int64          `json:"memory_per_connection,omitempty"`
	Available     uint64         `json:"memory_available,omitempty"`
	Connections   int64          `json:"connections,omitempty"` // that fit into half of it
}

// planStep is one rate that was tried.
type planStep struct {
	Rate  float64       `json:"rate"`
	P99   time.Duration `json:"p99"`
	Lost  int64         `json:"lost"`
	Holds bool          `json:"holds"`
	Why   string        `json:"why,omitempty"`

	report *bench.Report
}

func newBenchPlanCmd(f *Factory) *cobra.Command {
	const bar, each = 2 * time.Millisecond, 2 * time.Second
	o := &planOptions{benchOptions: benchOptions{factory: f, workload: bench.Workload{Kind: bench.PubSub}}}
	c := &cobra.Command{
		Use: "plan", Short: "Find out what this machine can do", Long: benchPlanLong, Example: benchPlanExample,
		Args: refuseArguments,
		RunE: func(c *cobra.Command, _ []string) error { return o.plan(c) },
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.DurationVar(&o.p99, "p99", bar, "The bar: 99th percentile of the latency")
	flags.DurationVar(&o.each, "each", each, "Time to measure each rate")
	flags.StringSliceVarP(&o.servers, "server", "s", nil, "`URL` of the server, several for a cluster (default: a server of its own)")
	flags.StringVar(&o.monitor, "monitor", "", "`URL` of the server's monitor port, to tell what the server uses")
	flags.IntVar(&o.pid, "pid", 0, "Process id of the server, if it is on this machine, for the same")
	o.addTargetFlags(flags)
	flags.BoolVar(&o.json, "json", false, "Print the result as JSON")
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "Do not show how far it is")
	o.addWorkloadFlags(c, []string{"pubs", "subs", "size", "headers", "subjects", "spread", "queue", "arrival"})
	return c
}

const (
	planKept  = 0.97 // a schedule of which so much was kept holds
	planConns = 2000
)

func (o *planOptions) plan(c *cobra.Command) error {
	err := cmp.Or(checkBenchFlags(c.Flags()), o.conflict(), o.workload.Complete())
	if err == nil && (o.p99 <= 0 || o.each <= 0) {
		err = errors.New("the bar and the time for each rate are longer than 0")
	}
	if err != nil {
		return asUsageError(err, c)
	}
	ctx, stop := o.factory.untilSignal(c.Context())
	defer stop()
	p := &plan{Workload: o.workload, Bar: o.p99}
	try := func(rate float64) (planStep, error) {
		step, err := o.try(ctx, c, rate)
		if err == nil {
			p.Steps = append(p.Steps, step)
			o.tellStep(step)
		}
		return step, err
	}
	best, err := findKnee(try)
	if err != nil {
		return err
	}
	if best.report == nil {
		return fmt.Errorf("not even %d messages a second hold: %s", kneeFirst, p.Steps[len(p.Steps)-1].Why)
	}
	p.SureRate, p.PossibleRate = kneeBand(p.Steps)
	r := &best.report.Results[0]
	p.PublishRate, p.DeliverRate, p.P99 = r.PublishRate, r.DeliverRate, r.Latency.P99
	if u := best.report.Usage; u != nil {
		p.CPUPerMessage, p.Cores, p.Memory = u.CPUPerMessage, u.Cores, u.MemoryMax
	}
	if err := o.planConnections(ctx, c, p); err != nil {
		return err
	}
	return o.print(p)
}

// try plays the workload at a rate.
func (o *planOptions) try(ctx context.Context, c *cobra.Command, rate float64) (planStep, error) {
	w := o.workload
	w.Rate = rate
	report, err := o.playOnce(ctx, c, w, o.each, min(o.each/4, time.Second))
	if err != nil && !errors.Is(err, bench.ErrNotRestored) { // that is of too much load
		return planStep{}, err
	}
	r := &report.Results[0]
	step := planStep{Rate: rate, Lost: r.Lost, report: report}
	if r.Latency != nil {
		step.P99 = r.Latency.P99
	}
	switch {
	case r.Lost > 0 || r.Disconnects > 0:
		step.Why = fmt.Sprintf("%d messages and %d connections were lost", r.Lost, r.Disconnects)
	case r.Latency == nil:
		step.Why = "no latency could be measured: the messages are too short"
	case step.P99 > o.p99:
		step.Why = fmt.Sprintf("the 99th percentile is %s", duration(step.P99))
	case r.PublishRate < planKept*rate:
		step.Why = fmt.Sprintf("only %s a second were published", number(r.PublishRate))
	default:
		step.Holds = true
	}
	return step, nil
}

// playOnce plays one workload.
func (o *planOptions) playOnce(ctx context.Context, c *cobra.Command, w bench.Workload, each, warmup time.Duration) (*bench.Report, error) {
	target, usage, done, err := o.target(ctx, o.servers, c)
	if err != nil {
		return nil, err
	}
	defer done()
	return bench.Run(ctx, bench.Options{Target: target, Workloads: []bench.Workload{w}, Duration: each, Warmup: warmup, Usage: usage})
}

// planConnections finds out what a connection takes, and how many fit into half of the memory of this machine.
func (o *planOptions) planConnections(ctx context.Context, c *cobra.Command, p *plan) error {
	report, err := o.playOnce(ctx, c, bench.Workload{Kind: bench.Connections, Conns: planConns}, time.Second, 0)
	if err != nil {
		return err
	}
	if report.Usage == nil || report.Usage.PerConnection <= 0 {
		return nil
	}
	p.PerConnection = report.Usage.PerConnection
	p.Available = memory.FreeMemory()
	p.Connections = int64(p.Available/2) / p.PerConnection
	return nil
}

func (o *planOptions) tellStep(step planStep) {
	if o.quiet {
		return
	}
	text := "holds, p99 " + duration(step.P99)
	if !step.Holds {
		text = "does not hold: " + step.Why
	}
	_, _ = fmt.Fprintf(o.factory.Streams.Err, "%s msgs/s: %s\n", number(step.Rate), text) // the result is worth more
}

// print shows the result.
func (o *planOptions) print(p *plan) error {
	out := o.factory.Streams.Out
	if o.json {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(p); err != nil {
			return fmt.Errorf("cannot print the result: %w", err)
		}
		return nil
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(t, format+"\n", args...) } // tabwriter keeps the error for Flush
	line("workload\t%s", describeWorkload(&p.Workload))
	line("messages\t%s/s published, %s/s delivered, with a 99th percentile of %s (bar %s)", number(p.PublishRate), number(p.DeliverRate), duration(p.P99), duration(p.Bar))
	if p.SureRate < p.PossibleRate {
		line("certainty\t%s/s held in every try, %s/s in some, nothing above: a machine that did nothing else would say it better", number(p.SureRate), number(p.PossibleRate))
	}
	if p.CPUPerMessage > 0 {
		line("server\t%.2f cores, %s of CPU a message, %s of memory", p.Cores, duration(p.CPUPerMessage), size(float64(p.Memory)))
	}
	if p.Connections > 0 {
		line("connections\t%s of memory each: %s fit into half of the %s that are free", size(float64(p.PerConnection)), number(float64(p.Connections)), size(float64(p.Available)))
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("cannot print the result: %w", err)
	}
	return nil
}

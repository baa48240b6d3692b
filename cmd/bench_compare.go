package cmd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"text/tabwriter"

	"github.com/natsd/natsd/internal/bench"
	"github.com/spf13/cobra"
)

const benchCompareLong = `Play the same workload on two servers in turn, round by round, and tell the ratios. Rounds alternate in
who comes first, so that what else the machine does harms both alike. Of each figure, the median of both
is shown, the median of the ratios of the rounds, and the range in which that lies with 95 % confidence.

A server is a URL, several with "," between them, or the word "own" for a server that is run for this.`

const benchCompareExample = `  natsd bench compare own nats://127.0.0.1:4222
  natsd bench compare nats://10.0.0.5 nats://10.0.0.6 --workload request --rate 5000 --rounds 9`

// compareOptions is what `natsd bench compare` was told.
type compareOptions struct {
	benchOptions
	rounds   int
	kind     string
	monitors [2]string
}

func newBenchCompareCmd(f *Factory) *cobra.Command {
	const rounds = 5
	o := &compareOptions{benchOptions: benchOptions{factory: f}, rounds: rounds, kind: string(bench.PubSub)}
	c := &cobra.Command{
		Use: "compare A B", Short: "Compare two servers", Long: benchCompareLong, Example: benchCompareExample,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error { return o.compare(c, args) },
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.IntVar(&o.rounds, "rounds", o.rounds, "Number of rounds")
	flags.StringVarP(&o.kind, "workload", "w", o.kind, "What to play: "+kindNames())
	flags.DurationVarP(&o.duration, "duration", "d", benchDuration, "Time to measure in each round; without effect with --msgs unless given")
	flags.DurationVar(&o.warmup, "warmup", benchWarmup, "Time before that; without effect with --msgs unless given")
	flags.StringVar(&o.monitors[0], "monitor-a", "", "`URL` of the monitor port of A, to tell what it uses")
	flags.StringVar(&o.monitors[1], "monitor-b", "", "`URL` of the monitor port of B, for the same")
	o.addTargetFlags(flags)
	flags.BoolVar(&o.json, "json", false, "Print the figures as JSON")
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "Do not show how far it is")
	o.workload.Kind = bench.Request // for the flags of all
	o.addWorkloadFlags(c, []string{"pubs", "subs", "msgs", "size", "headers", "subject", "subjects", "spread", "queue", "rate", "arrival", "in-flight", "conns"})
	var kinds []string
	for _, k := range bench.Kinds {
		kinds = append(kinds, string(k))
	}
	_ = c.RegisterFlagCompletionFunc("workload", completeWords(kinds...)) // it fails for an unknown flag only
	return c
}

func kindNames() string {
	text := ""
	for _, k := range bench.Kinds {
		if k != bench.Sub { // nobody would publish
			text += ", " + string(k)
		}
	}
	return text[2:]
}

// comparison is one figure of two servers. Times are nanoseconds, sizes bytes, rates per second.
type comparison struct {
	Figure string    `json:"figure"`
	A      float64   `json:"a"` // median
	B      float64   `json:"b"`
	Ratio  float64   `json:"ratio"` // of A to B, median of the rounds
	Low    float64   `json:"low"`   // of the ratio, with 95 % confidence
	High   float64   `json:"high"`
	Ratios []float64 `json:"ratios"` // of each round

	text func(float64) string
}

func (o *compareOptions) compare(c *cobra.Command, args []string) error {
	o.workload.Kind = bench.Kind(o.kind)
	flags := c.Flags()
	if o.workload.Kind == bench.FanOut && !flags.Changed("subs") {
		o.workload.Subs = 0 // as many as a fan-out has
	}
	err := cmp.Or(checkBenchFlags(flags), o.workload.Complete())
	workloads := []bench.Workload{o.workload}
	o.countInstead(flags, workloads)
	err = cmp.Or(err, o.endless(workloads))
	if err == nil && o.workload.Kind == bench.Sub {
		err = errors.New("with sub nobody publishes; compare pubsub")
	}
	const most = 1000
	if err == nil && (o.rounds < 1 || o.rounds > most) {
		err = fmt.Errorf("the number of rounds is from 1 to %d", most)
	}
	if err != nil {
		return asUsageError(err, c)
	}
	ctx, stop := o.factory.untilSignal(c.Context())
	defer stop()
	var reports [2][]*bench.Report
	for round := range o.rounds {
		for _, side := range [][]int{{0, 1}, {1, 0}}[round%2] {
			report, err := o.round(ctx, c, args[side], o.monitors[side])
			if err != nil {
				return fmt.Errorf("%s, round %d: %w", "AB"[side:side+1], round+1, err)
			}
			if r := &report.Results[0]; r.Lost > 0 {
				return fmt.Errorf("%s, round %d: %d %s were lost: there is nothing to compare", "AB"[side:side+1], round+1, r.Lost, lostThings(r))
			}
			reports[side] = append(reports[side], report)
		}
		if !o.quiet {
			_, _ = fmt.Fprintf(o.factory.Streams.Err, "round %d of %d\n", round+1, o.rounds) // the result is worth more
		}
	}
	return o.print(compareRounds(reports[0], reports[1]))
}

// round plays one round on one server.
func (o *compareOptions) round(ctx context.Context, c *cobra.Command, server, monitor string) (*bench.Report, error) {
	one := o.benchOptions
	one.monitor = monitor
	var servers []string
	if server != "own" {
		servers = splitList(server)
	}
	target, usage, done, err := one.target(ctx, servers, c)
	if err != nil {
		return nil, err
	}
	defer done()
	return bench.Run(ctx, bench.Options{Target: target, Workloads: []bench.Workload{o.workload}, Duration: o.duration, Warmup: o.warmup, Usage: usage})
}

// compareRounds returns the figures that are known of both sides.
func compareRounds(a, b []*bench.Report) []comparison {
	var list []comparison
	for _, f := range benchFigures {
		c := comparison{Figure: f.name, text: f.text}
		var as, bs []float64
		for i := range a {
			va, vb := f.value(a[i], &a[i].Results[0]), f.value(b[i], &b[i].Results[0])
			if va > 0 && vb > 0 {
				as, bs, c.Ratios = append(as, va), append(bs, vb), append(c.Ratios, va/vb)
			}
		}
		if len(c.Ratios) == 0 {
			continue
		}
		c.A, c.B, c.Ratio = median(as), median(bs), median(c.Ratios)
		c.Low, c.High = confidence(c.Ratios)
		list = append(list, c)
	}
	return list
}

// median returns the median of values, which are not empty. Of an even number it is the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// confidence returns the range in which the median of what the values are drawn from lies with 95 % confidence: bootstrap, with
// the same draws every time.
func confidence(values []float64) (low, high float64) {
	const draws, tail = 4000, 0.025
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // no secret
	medians := make([]float64, draws)
	drawn := make([]float64, len(values))
	for i := range medians {
		for k := range drawn {
			drawn[k] = values[random.IntN(len(values))]
		}
		medians[i] = median(drawn)
	}
	slices.Sort(medians)
	return medians[int(draws*tail)], medians[int(draws*(1-tail))]
}

// print shows the figures.
func (o *compareOptions) print(list []comparison) error {
	out := o.factory.Streams.Out
	if o.json {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(list); err != nil {
			return fmt.Errorf("cannot print the figures: %w", err)
		}
		return nil
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(t, "figure\tA\tB\tA/B\t95 %% confidence\n") // tabwriter keeps the error for Flush
	for _, c := range list {
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%.2f\t%.2f to %.2f\n", c.Figure, c.text(c.A), c.text(c.B), c.Ratio, c.Low, c.High)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("cannot print the figures: %w", err)
	}
	return nil
}

package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/natsd/natsd/internal/bench"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const benchLong = `Put load on a server, and tell what came of it: rates, latencies up to the 99.99th percentile, and what
was lost, doubled or came out of order. Without --server it runs a server for itself, in a process of its
own.

With --rate, messages are sent by a schedule, whatever the server does, and latency counts from the
time in the schedule. Without it, everything goes as fast as it can, and latency is mostly the time
spent in queues.

User and password of a server can stand in its URL, or in the environment variables NATSD_BENCH_USER,
NATSD_BENCH_PASSWORD and NATSD_BENCH_TOKEN.`

const benchExample = `  natsd bench                                      one publisher, one subscriber
  natsd bench pubsub --pubs 4 --subs 4 --size 1024
  natsd bench request --rate 20000 --max-p99 2ms   exit with 1 if it takes longer
  natsd bench fanout --server nats://10.0.0.5:4222 --html report.html
  natsd bench compare nats://10.0.0.5 nats://10.0.0.6 --rounds 7
  natsd bench plan --p99 2ms                       what this machine can do`

// Environment variables with secrets for `natsd bench`.
const (
	envBenchUser     = "NATSD_BENCH_USER"
	envBenchPassword = "NATSD_BENCH_PASSWORD" //nolint:gosec // a name
	envBenchToken    = "NATSD_BENCH_TOKEN"    //nolint:gosec // a name
)

// What `natsd bench` does if nothing else is said.
const (
	benchDuration = 5 * time.Second
	benchWarmup   = time.Second
)

// benchOptions is what `natsd bench` and its subcommands were told.
type benchOptions struct {
	factory *Factory

	servers            []string
	creds              string
	tls                clientTLS
	monitor            string
	pid                int
	duration, warmup   time.Duration
	drain              time.Duration
	workload           bench.Workload
	json, csv, quiet   bool
	html, save, versus string
	tolerance          float64
	maxP99             time.Duration
	minRate            float64
	maxLoss            int64
}

// benchKinds are the subcommands that play one workload.
var benchKinds = []struct {
	kind  bench.Kind
	short string
	flags []string // of those of workloads
}{
	{bench.Pub, "Publish, with nobody who listens", []string{"pubs", "msgs", "size", "headers", "subject", "subjects", "spread", "rate", "arrival"}},
	{bench.Sub, "Subscribe to what another process publishes", []string{"subs", "msgs", "subject", "subjects", "queue"}},
	{bench.PubSub, "Publish and subscribe", []string{"pubs", "subs", "msgs", "size", "headers", "subject", "subjects", "spread", "queue", "rate", "arrival"}},
	{bench.FanOut, "Publish to many subscribers", []string{"pubs", "subs", "msgs", "size", "headers", "subject", "subjects", "spread", "rate", "arrival"}},
	{bench.Request, "Send requests and wait for their replies", []string{"pubs", "subs", "msgs", "size", "headers", "subject", "subjects", "spread", "queue", "rate", "arrival", "in-flight"}},
	{bench.Connections, "Open connections and hold them", []string{"conns", "rate", "subject"}},
}

// newBenchCmd returns `natsd bench`.
func newBenchCmd(f *Factory) *cobra.Command {
	o := &benchOptions{factory: f, workload: bench.Workload{Kind: bench.PubSub}}
	c := &cobra.Command{
		Use:     "bench",
		GroupID: groupOther,
		Short:   "Measure a server",
		Long:    benchLong,
		Example: benchExample,
		Args:    refuseUnknownCommand,
		RunE:    o.runOne,
	}
	c.Flags().SortFlags = false
	o.addRunFlags(c)
	o.addWorkloadFlags(c, benchKinds[2].flags)
	for _, k := range benchKinds {
		c.AddCommand(newBenchKindCmd(f, k.kind, k.short, k.flags))
	}
	c.AddCommand(newBenchMixedCmd(f), newBenchCompareCmd(f), newBenchPlanCmd(f))
	return c
}

func newBenchKindCmd(f *Factory, kind bench.Kind, short string, flags []string) *cobra.Command {
	o := &benchOptions{factory: f, workload: bench.Workload{Kind: kind}}
	c := &cobra.Command{Use: string(kind), Short: short, Args: refuseArguments, RunE: o.runOne}
	c.Flags().SortFlags = false
	o.addRunFlags(c)
	o.addWorkloadFlags(c, flags)
	return c
}

const benchMixedLong = `Play several workloads side by side, as a file describes them (YAML or JSON). The keys of a workload
are those of the flags of the other commands, with "_" for "-".`

const benchMixedExample = `  natsd bench mixed day.yml --duration 30s

  # day.yml
  workloads:
  - {name: idle, workload: connections, connections: 10000}
  - {name: orders, workload: pubsub, pubs: 4, subs: 4, rate: 20000, size: 100-2000}
  - {name: quotes, workload: fanout, subs: 64, rate: 1000}
  - {name: api, workload: request, pubs: 8, queue: workers, subs: 4, rate: 500}`

func newBenchMixedCmd(f *Factory) *cobra.Command {
	o := &benchOptions{factory: f}
	c := &cobra.Command{
		Use: "mixed FILE", Short: "Play several workloads side by side", Long: benchMixedLong, Example: benchMixedExample,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkBenchFlags(c.Flags()); err != nil {
				return asUsageError(err, c)
			}
			file, err := os.Open(args[0])
			if err != nil {
				return fmt.Errorf("cannot read the scenario: %w", err)
			}
			defer func() { _ = file.Close() }() // it was read
			workloads, err := bench.ReadScenario(args[0], file)
			if err != nil {
				return err
			}
			o.countInstead(c.Flags(), workloads)
			return o.run(c, workloads)
		},
	}
	c.Flags().SortFlags = false
	o.addRunFlags(c)
	return c
}

// addTargetFlags adds the flags that say who is measured.
func (o *benchOptions) addTargetFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.creds, "creds", "", "`file` with the seed of an nkey, or a JWT and a seed")
	o.tls.addFlags(flags)
}

// addRunFlags adds the flags of all commands that play workloads once.
func (o *benchOptions) addRunFlags(c *cobra.Command) {
	flags := c.Flags()
	flags.StringSliceVarP(&o.servers, "server", "s", nil, "`URL` of the server, several for a cluster (default: a server of its own)")
	o.addTargetFlags(flags)
	flags.StringVar(&o.monitor, "monitor", "", "`URL` of the server's monitor port, to tell what the server uses")
	flags.IntVar(&o.pid, "pid", 0, "Process id of the server, if it is on this machine, for the same")
	flags.DurationVarP(&o.duration, "duration", "d", benchDuration, "Time to measure; without effect with --msgs unless given")
	flags.DurationVar(&o.warmup, "warmup", benchWarmup, "Time before that; without effect with --msgs unless given")
	flags.DurationVar(&o.drain, "drain", 2*time.Second, "How long late messages are waited for")
	flags.BoolVar(&o.json, "json", false, "Print the report as JSON")
	flags.BoolVar(&o.csv, "csv", false, "Print a line for each workload as CSV")
	flags.StringVar(&o.html, "html", "", "Write the report to `file`, as a page with charts")
	flags.BoolVarP(&o.quiet, "quiet", "q", false, "Do not show how far it is")
	flags.StringVar(&o.save, "save", "", "Keep the report under this `name`, or as this file")
	flags.StringVar(&o.versus, "baseline", "", "Compare with the report that was kept under this `name`; exit with 1 if this one is worse")
	flags.Float64Var(&o.tolerance, "tolerance", defaultTolerance, "With --baseline: how many `percent` worse is still good")
	flags.DurationVar(&o.maxP99, "max-p99", 0, "Exit with 1 if the 99th percentile of a latency is longer")
	flags.Float64Var(&o.minRate, "min-rate", 0, "Exit with 1 if fewer messages are delivered a second; published, if nobody listens")
	flags.Int64Var(&o.maxLoss, "max-loss", -1, "Exit with 1 if more messages are lost; connections, if those are opened")
}

// addWorkloadFlags adds those flags of workloads whose names are in the list.
func (o *benchOptions) addWorkloadFlags(c *cobra.Command, names []string) {
	w, flags, all := &o.workload, c.Flags(), pflag.NewFlagSet("", pflag.ContinueOnError)
	all.IntVar(&w.Pubs, "pubs", 1, "Number of publishers, or of requesters")
	subs := 1
	if w.Kind == bench.FanOut {
		subs = 64
	}
	all.IntVar(&w.Subs, "subs", subs, "Number of subscribers, or of responders")
	all.Int64Var(&w.Msgs, "msgs", 0, "Number of messages, of all publishers together; 0: as long as it takes")
	all.TextVar(&w.Size, "size", bench.FixedSize(128), "Bytes of a payload: a number, a range such as 16-1024, or `sizes` with weights such as 16:70,1024:30")
	all.IntVar(&w.Headers, "headers", 0, "Bytes of a header in each message; 0: none")
	all.StringVar(&w.Subject, "subject", "", "What subjects begin with (default: one of its own)")
	all.IntVar(&w.Subjects, "subjects", 1, "Number of subjects")
	all.StringVar(&w.Spread, "spread", bench.SpreadRound, "How a subject is chosen: round, uniform or zipf")
	all.StringVar(&w.Queue, "queue", "", "Queue group of the subscribers")
	all.Float64Var(&w.Rate, "rate", 0, "Messages, or connections, a second, of all together; 0: as fast as it goes")
	all.StringVar(&w.Arrival, "arrival", bench.ArrivalConstant, "How the messages of a rate come: constant or poisson")
	all.IntVar(&w.InFlight, "in-flight", 1, "Requests of a requester that wait for a reply at the same time")
	all.IntVar(&w.Conns, "conns", 1000, "Number of connections")
	for _, name := range names {
		flags.AddFlag(all.Lookup(name))
	}
	for flag, words := range map[string][]string{
		"spread":  {bench.SpreadRound, bench.SpreadUniform, bench.SpreadZipf},
		"arrival": {bench.ArrivalConstant, bench.ArrivalPoisson},
	} {
		if flags.Lookup(flag) != nil {
			_ = c.RegisterFlagCompletionFunc(flag, completeWords(words...)) // it fails for an unknown flag only
		}
	}
}

// runOne plays the workload of the flags.
func (o *benchOptions) runOne(c *cobra.Command, _ []string) error {
	if err := cmp.Or(checkBenchFlags(c.Flags()), o.workload.Complete()); err != nil {
		return asUsageError(err, c)
	}
	if o.workload.Kind == bench.Sub && !c.Flags().Changed("warmup") {
		o.warmup, o.workload.Cold = 0, true
	}
	workloads := []bench.Workload{o.workload}
	o.countInstead(c.Flags(), workloads)
	return o.run(c, workloads)
}

// countInstead takes away the times that nobody has asked for from workloads with a number of messages: they have no time to warm up, and
// if all are such, the run takes as long as they do. The workloads are complete.
func (o *benchOptions) countInstead(flags *pflag.FlagSet, workloads []bench.Workload) {
	all := true
	for i := range workloads {
		w := &workloads[i]
		all = all && w.Msgs > 0
		w.Cold = w.Cold || w.Msgs > 0 && !flags.Changed("warmup")
	}
	if all && !flags.Changed("duration") {
		o.duration = 0
	}
	if all && !flags.Changed("warmup") {
		o.warmup = 0
	}
}

// run plays workloads, and shows what came of it.
func (o *benchOptions) run(c *cobra.Command, workloads []bench.Workload) error {
	if err := cmp.Or(o.conflict(), o.withoutMeaning(workloads), o.endless(workloads)); err != nil {
		return asUsageError(err, c)
	}
	var before *bench.Report
	var err error
	if o.versus != "" {
		if before, err = o.load(o.versus); err != nil {
			return err
		}
	}
	going, ctx, stop := o.factory.untilSignals(c.Context())
	defer stop()
	target, usage, done, err := o.target(going, o.servers, c)
	if err != nil {
		return err
	}
	defer done()
	show := o.progress()
	report, err := bench.Run(ctx, bench.Options{Going: going,
		Target: target, Workloads: workloads, Duration: o.duration, Warmup: o.warmup, Drain: o.drain, Usage: usage, Progress: show.tell,
	})
	show.end()
	if report == nil {
		return err
	}
	if e := o.show(report); e != nil {
		return e
	}
	if err != nil {
		return err
	}
	return errors.Join(o.judge(report), o.compareWith(before, report))
}

// conflict returns what is wrong with the flags together.
func (o *benchOptions) conflict() error {
	switch {
	case o.json && o.csv:
		return errors.New("--json and --csv exclude each other")
	case o.monitor != "" && o.pid != 0:
		return errors.New("--monitor and --pid exclude each other")
	case (o.monitor != "" || o.pid != 0) && len(o.servers) == 0:
		return errors.New("--monitor and --pid are about the server that --server names; without that, the command knows its own")
	}
	return nil
}

// target returns who is measured, what tells what it uses, and what ends it.
func (o *benchOptions) target(ctx context.Context, servers []string, c *cobra.Command) (bench.Target, bench.Usage, func(), error) {
	t := bench.Target{URLs: servers}
	var usage bench.Usage
	end := func() {}
	if err := o.secrets(&t); err != nil {
		return t, nil, end, err
	}
	pid := o.pid
	if len(servers) == 0 {
		own, err := startBenchServer(ctx, o.factory)
		if err != nil {
			return t, nil, end, err
		}
		end = own.stop
		t.URLs, t.Ended, pid = []string{own.url}, own.ended, own.pid
	}
	if err := t.Check(); err != nil {
		end()
		return t, nil, func() {}, asUsageError(err, c)
	}
	usage, err := o.usage(pid)
	if err != nil && (o.pid != 0 || o.monitor != "") {
		end()
		return t, nil, func() {}, err
	}
	return t, usage, end, nil
}

// monitorPatience is how long a monitor port may take to tell what its server uses.
const monitorPatience = 2 * time.Second

// usage returns what tells what the server uses; nil: nothing does.
func (o *benchOptions) usage(pid int) (bench.Usage, error) {
	if o.monitor != "" {
		u, err := monitorURL([]string{o.monitor})
		if err != nil {
			return nil, err
		}
		client, err := newMonitorClient(o.tls)
		if err != nil {
			return nil, err
		}
		token, _ := o.factory.LookupEnv(envMonitorToken)
		source := &topSource{client: client, base: u, token: token}
		return bench.MonitorUsage(u.Redacted(), func(answer any) error {
			ctx, cancel := context.WithTimeout(context.Background(), monitorPatience)
			defer cancel()
			return source.get(ctx, "varz", nil, answer)
		})
	}
	if pid == 0 {
		return nil, nil //nolint:nilnil // nothing is known, and nothing went wrong
	}
	return bench.ProcessUsage(pid)
}

// secrets adds credentials and TLS.
func (o *benchOptions) secrets(t *bench.Target) error {
	get := func(name string) string {
		value, _ := o.factory.LookupEnv(name)
		return value
	}
	t.Credentials = bench.Credentials{User: get(envBenchUser), Password: get(envBenchPassword), Token: get(envBenchToken)}
	if o.creds != "" {
		var err error
		if t.Credentials, err = bench.ReadCredentials(o.creds); err != nil {
			return err
		}
	}
	if !o.tls.isGiven() {
		return nil
	}
	var err error
	t.TLS, err = o.tls.load()
	return err
}

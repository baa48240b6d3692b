package bench

import (
	"runtime"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is what came of a run. Times are nanoseconds, sizes are bytes, and rates are per second.
type Report struct {
	Version   int           `json:"version"` // of this format
	Started   time.Time     `json:"started"`
	Host      Host          `json:"host"`
	Server    Server        `json:"server"`
	Duration  time.Duration `json:"duration"` // that was to be measured; 0: until all was published
	Warmup    time.Duration `json:"warmup"`
	Interval  time.Duration `json:"interval"` // of the samples
	Results   []Result      `json:"results"`
	Usage     *UsageResult  `json:"usage,omitempty"`
	Generator Generator     `json:"generator"`

	usage         Usage
	first, last   UsageSample
	generatorFrom time.Duration
	measuring     bool
	from, to      spot // what first and last are about
	lastTick      int64
	lastSent      int64
	lastUsage     int64
}

// spot is how much was published at one time by all workloads.
type spot struct {
	at        int64 // see clock
	published int64
}

// spot looks at the counters.
func (r *run) spot() spot {
	s := spot{at: max(r.clock.now(), r.startAt.Load())} // with no time to warm up, it is a moment before that
	for _, p := range r.plays {
		published, _, _ := sum(p.sent.list)
		s.published += published
	}
	return s
}

// reportVersion is that of the format.
const reportVersion = 1

// Host is the machine that the load came from.
type Host struct {
	OS   string `json:"os"`
	Arch string `json:"arch"`
	CPUs int    `json:"cpus"`
	Go   string `json:"go"`
}

// Server is who was measured.
type Server struct {
	Addresses []string `json:"addresses"`
	Name      string   `json:"name,omitempty"`
	Version   string   `json:"version,omitempty"`
}

// Generator is what the load itself has cost on this machine: if that is all there is, the server was not what was measured.
type Generator struct {
	CPU time.Duration `json:"cpu"` // while it was measured; 0: not known
}

// UsageResult is what the server has used while it was measured.
type UsageResult struct {
	Source        string        `json:"source"`
	CPU           time.Duration `json:"cpu"`
	CPUPerMessage time.Duration `json:"cpu_per_message,omitempty"` // published
	Cores         float64       `json:"cores"`                     // that it has kept busy
	MemoryBefore  int64         `json:"memory_before"`
	Memory        int64         `json:"memory"` // at the end
	MemoryMax     int64         `json:"memory_max"`
	PerConnection int64         `json:"memory_per_connection,omitempty"`
	Error         string        `json:"error,omitempty"`
}

// Result is what came of a workload. Rates are those of the time that was measured, numbers of messages those of the whole run.
type Result struct {
	Workload

	Published     int64         `json:"published"`
	Expected      int64         `json:"expected,omitempty"` // deliveries that this should have brought; 0: not known
	Delivered     int64         `json:"delivered"`          // each once
	PublishRate   float64       `json:"publish_rate"`
	DeliverRate   float64       `json:"deliver_rate,omitempty"`
	PublishBytes  float64       `json:"publish_bytes_rate"`
	DeliverBytes  float64       `json:"deliver_bytes_rate,omitempty"`
	Measured      time.Duration `json:"measured"`
	Lost          int64         `json:"lost"` // messages; connections that could not be opened, or not be held
	Duplicates    int64         `json:"duplicates"`
	Reordered     int64         `json:"reordered"`
	Gaps          int64         `json:"gaps"`        // rows of lost messages
	LongestGap    int64         `json:"longest_gap"` // such row, messages
	LongestSilent time.Duration `json:"longest_silence,omitempty"`
	ExtraReplies  int64         `json:"extra_replies,omitempty"`
	NoResponders  int64         `json:"no_responders,omitempty"`
	Unsent        int64         `json:"unsent,omitempty"`     // messages that were due by the schedule, and could not be sent
	TimedOut      int64         `json:"timed_out,omitempty"`  // requests that others did not wait for any more
	Unnumbered    int64         `json:"unnumbered,omitempty"` // messages from another process too short for a number: of these, no loss is known
	Foreign       int64         `json:"foreign,omitempty"`    // messages of somebody else
	Disconnects   int64         `json:"disconnects"`
	Failed        int64         `json:"failed,omitempty"` // connections that could not be made
	Failures      []string      `json:"failures,omitempty"`

	Latency  *Latency `json:"latency,omitempty"`
	SendLag  *Latency `json:"send_lag,omitempty"` // how late messages were sent, compared with the schedule
	Timeline []Sample `json:"timeline"`
}

// Latency is a distribution of times.
type Latency struct {
	Count int64         `json:"count"`
	Min   time.Duration `json:"min"`
	Mean  time.Duration `json:"mean"`
	P50   time.Duration `json:"p50"`
	P90   time.Duration `json:"p90"`
	P99   time.Duration `json:"p99"`
	P999  time.Duration `json:"p99.9"`
	P9999 time.Duration `json:"p99.99"`
	Max   time.Duration `json:"max"`
	CDF   []Bracket     `json:"cdf,omitempty"`
}

// Bracket says which share of all, in percent, is at most so long.
type Bracket struct {
	Percent float64       `json:"percent"`
	Value   time.Duration `json:"value"`
}

// Sample is what one interval has brought.
type Sample struct {
	At        time.Duration `json:"at"` // its end, since the first message
	Published float64       `json:"publish_rate"`
	Delivered float64       `json:"deliver_rate"`
	P50       time.Duration `json:"p50,omitempty"`
	P99       time.Duration `json:"p99,omitempty"`
}

func newReport(o *Options, r *run) *Report {
	return &Report{
		Version: reportVersion, Started: r.clock.base, Duration: o.Duration, Warmup: o.Warmup, usage: o.Usage,
		Host:   Host{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.GOMAXPROCS(0), Go: runtime.Version()},
		Server: r.server(),
	}
}

// server says who is measured, as it has introduced itself.
func (r *run) server() Server {
	s := Server{Addresses: r.target.Addresses()}
	var c *client
	for _, p := range r.plays {
		switch {
		case len(p.publishers) > 0:
			c = p.publishers[0].link.current()
		case len(p.subscribers) > 0:
			c = p.subscribers[0].link.current()
		}
	}
	if c != nil {
		s.Name, s.Version = c.info.Name, c.info.Version
	}
	return s
}

// begin notes what the server has used before there was load.
func (rep *Report) begin() {
	if rep.usage == nil {
		return
	}
	rep.Usage = &UsageResult{Source: rep.usage.Source()}
	if s, ok := rep.sample(); ok {
		rep.Usage.MemoryBefore = s.Memory
	}
}

// sample asks what the server uses.
func (rep *Report) sample() (UsageSample, bool) {
	s, err := rep.usage.Sample()
	if err != nil {
		rep.Usage.Error = err.Error()
		return s, false
	}
	rep.Usage.MemoryMax = max(rep.Usage.MemoryMax, s.Memory)
	return s, true
}

// measure begins to measure.
func (rep *Report) measure(r *run) {
	rep.measuring = true
	rep.from = r.spot()
	for _, p := range r.plays {
		if p.Cold {
			p.warm = snapshot{at: r.startAt.Load()}
			continue
		}
		p.warm = p.snapshot()
		p.warm.at = max(p.warm.at, r.startAt.Load()) // see spot
	}
	if rep.usage != nil {
		rep.first, _ = rep.sample()
	}
	rep.generatorFrom = ownCPU()
}

// published notes that the last message is out.
func (rep *Report) published(r *run) {
	rep.to = r.spot()
	for _, p := range r.plays {
		if p.Kind == Sub { // it listens as long as there is something to hear
			p.ended = p.snapshot()
		}
	}
	if rep.usage != nil {
		if s, ok := rep.sample(); ok {
			rep.last = s
		}
	}
}

// tick notes what the last interval has brought.
func (rep *Report) tick(r *run, o *Options, phase string) Progress {
	now := r.clock.now()
	start := r.startAt.Load()
	from := max(rep.lastTick, start)
	seconds := float64(now-from) / 1e9
	rep.lastTick = now
	progress := Progress{Phase: phase, Elapsed: max(0, time.Duration(now-start))}
	if o.Duration > 0 {
		progress.Total = o.Warmup + o.Duration
	}
	for _, p := range r.plays {
		s := p.snapshot()
		_, p50, p99 := p.latency.tick()
		progress.Published += s.published
		progress.Delivered += s.came
		progress.Wanted += p.Msgs
		progress.P99 = max(progress.P99, time.Duration(p99))
		if seconds <= 0 {
			continue
		}
		sample := Sample{At: time.Duration(now - start), P50: time.Duration(p50), P99: time.Duration(p99)}
		sample.Published = float64(s.published-p.lastTick.published) / seconds
		sample.Delivered = float64(s.came-p.lastTick.came) / seconds
		p.timeline = append(p.timeline, sample)
		p.lastTick = s
	}
	if seconds > 0 {
		progress.PerSecond = float64(progress.Published-rep.lastSent) / seconds
	}
	rep.lastSent = progress.Published
	if rep.usage != nil && phase != PhaseDrain && now-rep.lastUsage > int64(time.Second) {
		rep.lastUsage = now
		if s, ok := rep.sample(); ok {
			rep.last = s
		}
	}
	return progress
}

// finish puts the results together, after all has ended.
func (rep *Report) finish(r *run) {
	for _, p := range r.plays {
		rep.Results = append(rep.Results, p.result())
	}
	rep.Generator.CPU = ownCPU() - rep.generatorFrom
	if rep.Usage == nil {
		return
	}
	last := rep.last
	rep.Usage.CPU = max(0, last.CPU-rep.first.CPU)
	rep.Usage.Memory = last.Memory
	if messages := rep.to.published - rep.from.published; messages > 0 {
		rep.Usage.CPUPerMessage = rep.Usage.CPU / time.Duration(messages)
	}
	if nanoseconds := rep.to.at - rep.from.at; nanoseconds > 0 {
		rep.Usage.Cores = float64(rep.Usage.CPU) / float64(nanoseconds)
	}
	if held := r.held(); held > 0 {
		rep.Usage.PerConnection = (last.Memory - rep.Usage.MemoryBefore) / held
	}
}

// held is how many connections were held, if nothing else was done.
func (r *run) held() int64 {
	n := int64(0)
	for _, p := range r.plays {
		if p.holder == nil {
			return 0
		}
		n += p.holder.opened.Load()
	}
	return n
}

// result puts together what came of p.
func (p *play) result() Result {
	p.latency.tick()
	p.lag.tick()
	last := p.snapshot()
	res := Result{Workload: p.Workload, Published: last.published, Expected: p.expected(), Delivered: last.came,
		Reordered: p.reordered.Load(), NoResponders: p.noResponders.Load(), TimedOut: p.timedOut.Load(), Foreign: p.foreign.Load(),
		Disconnects: p.disconnects.Load(), Failures: p.failures.texts(), Timeline: p.timeline}
	if first := p.firstCame(); p.Kind == Sub && p.warm.came == 0 && first != 0 {
		p.warm.at = first // it does not know what it has waited for
	}
	if seconds := float64(p.ended.at-p.warm.at) / 1e9; seconds > 0 {
		res.Measured = time.Duration(p.ended.at - p.warm.at)
		res.PublishRate = float64(p.ended.published-p.warm.published) / seconds
		res.PublishBytes = float64(p.ended.publishedB-p.warm.publishedB) / seconds
	}
	if p.holder != nil {
		res.PublishRate = p.holder.rate(last)
	}
	end := last.lastCame
	if p.Kind != Sub || end <= p.warm.at { // who publishes knows that there should have been more; one read takes no time
		end = max(end, p.ended.at)
	}
	if seconds := float64(end-p.warm.at) / 1e9; seconds > 0 {
		res.DeliverRate = float64(last.came-p.warm.came) / seconds
		res.DeliverBytes = float64(last.cameB-p.warm.cameB) / seconds
	}
	if p.holder != nil {
		res.Failed = p.holder.failed.Load()
		res.Expected, res.Delivered = 0, 0
	}
	for _, pub := range p.publishers {
		res.Unsent += pub.unsent
	}
	p.account(&res)
	res.Latency = latencyOf(p.latency.total, true)
	if p.Rate > 0 && p.holder == nil {
		res.SendLag = latencyOf(p.lag.total, false)
	}
	return res
}

// firstCame returns when the first message came, see clock; 0: none has.
func (p *play) firstCame() int64 {
	first := int64(0)
	for _, s := range p.subscribers {
		if s.first != 0 && (first == 0 || s.first < first) {
			first = s.first
		}
	}
	return first
}

// account adds what the ledgers tell.
func (p *play) account(res *Result) {
	bare, known := int64(0), int64(0)
	for i, g := range p.groups {
		bare += g.bare
		for k := range g.ledgers {
			l := &g.ledgers[k]
			known += l.distinct
			res.Duplicates += l.doubled
			sent := uint64(0)
			switch {
			case p.Kind == Sub: // who publishes has not said how much, nor since when
				sent = l.end
			case p.Kind == Request && k != i:
			default:
				sent = uint64(p.publishers[k].counters.messages.Load()) // not all that has a number: what was not written is not lost
			}
			found := l.missing(sent)
			res.Lost += found.messages
			res.Gaps += found.gaps
			res.LongestGap = max(res.LongestGap, found.longest)
		}
	}
	if p.Kind == Sub {
		res.Unnumbered = bare
	}
	if p.Kind != Sub && (bare > 0 || known == 0) {
		res.Lost = max(0, res.Expected-res.Delivered)
		res.Duplicates += max(0, res.Delivered-res.Expected)
		res.Gaps, res.LongestGap = 0, 0
	}
	if p.Kind == Request && p.Queue == "" && p.Subs > 1 {
		res.ExtraReplies, res.Duplicates = res.Duplicates, 0
	}
	for _, s := range p.subscribers {
		res.LongestSilent = max(res.LongestSilent, time.Duration(s.silence))
	}
	switch p.Kind {
	case Pub:
		res.Lost, res.Gaps, res.LongestGap = 0, 0, 0
	case Connections:
		res.Lost, res.Gaps, res.LongestGap = res.Failed+res.Disconnects, 0, 0
	default:
	}
}

// cdfTicks is how many points the distribution has for each halving of what is left to 100 %.
const cdfTicks = 5

// latencyOf returns the figures of h; nil if there is nothing in it.
func latencyOf(h *hdrhistogram.Histogram, withCDF bool) *Latency {
	if h.TotalCount() == 0 {
		return nil
	}
	at := func(q float64) time.Duration { return time.Duration(h.ValueAtQuantile(q)) }
	l := &Latency{Count: h.TotalCount(), Min: time.Duration(h.Min()), Mean: time.Duration(h.Mean()), Max: time.Duration(h.Max()),
		P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), P9999: at(99.99)} //nolint:mnd // percentiles
	if withCDF {
		for _, b := range h.CumulativeDistributionWithTicks(cdfTicks) {
			l.CDF = append(l.CDF, Bracket{Percent: b.Quantile, Value: time.Duration(b.ValueAt)})
		}
	}
	return l
}

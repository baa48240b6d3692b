package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nuid"
)

// Options say what to run, where, and for how long.
type Options struct {
	Target    Target
	Workloads []Workload
	Duration  time.Duration // that is measured; 0: until all workloads have published their number of messages
	Warmup    time.Duration // before that; its messages count for losses only
	Drain     time.Duration // how long to wait for what is late, after the last message that came; 0: 2 s
	Usage     Usage         // what the server uses; nil: not known
	Progress  func(Progress)
}

// Progress is how far a run is.
type Progress struct {
	Phase     string        // what it does
	Elapsed   time.Duration // of Total
	Total     time.Duration // 0: not known
	Published int64
	Wanted    int64 // messages to publish in all; 0: not known
	Delivered int64
	PerSecond float64 // published in the last interval
	P99       time.Duration
}

// Phases of a run.
const (
	PhaseConnect = "connecting"
	PhaseWarmup  = "warming up"
	PhaseMeasure = "measuring"
	PhaseDrain   = "waiting for late messages"
)

// defaultDrain is how long late messages are waited for.
const defaultDrain = 2 * time.Second

// run is what all workloads of a Run share.
type run struct {
	ctx     context.Context //nolint:containedctx // it is that of one Run, for all its goroutines
	target  *Target
	clock   clock
	id      string
	seed    uint64
	drain   time.Duration
	sources sources
	inboxes atomic.Int64
	readers sync.WaitGroup // all goroutines but the publishers
	opened  sync.WaitGroup // workloads that open connections

	startAt, measureFrom, until atomic.Int64 // see clock

	plays []*play
}

// Run plays the workloads and returns what came of it. An error means that there is nothing to report, with one exception: if ctx
// ends, what was measured so far comes with its error.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &run{ctx: inner, target: &o.Target, clock: newClock(), id: nuid.Next(), seed: rand.Uint64(), drain: o.Drain} //nolint:gosec // no secret
	defer r.readers.Wait()
	defer r.stop()
	defer cancel()
	o.tell(Progress{Phase: PhaseConnect})
	for i, w := range o.Workloads {
		p := newPlay(r, i, w)
		r.plays = append(r.plays, p)
		if err := p.connect(inner); err != nil {
			return nil, fmt.Errorf("%s: %w", w.Name, err)
		}
	}
	defer context.AfterFunc(inner, r.stop)() // a write that hangs is to end
	report := newReport(&o, r)
	r.play(&o, report)
	cancel()
	r.stop()
	r.readers.Wait()
	report.finish(r)
	if err := ctx.Err(); err != nil {
		return report, fmt.Errorf("stopped early: %w", err)
	}
	return report, nil
}

// complete fills in and checks.
func (o *Options) complete() error {
	if err := o.Target.Check(); err != nil {
		return err
	}
	if len(o.Workloads) == 0 {
		return errors.New("there is no workload")
	}
	if o.Drain == 0 {
		o.Drain = defaultDrain
	}
	for i := range o.Workloads {
		w := &o.Workloads[i]
		if err := w.Complete(); err != nil {
			return err
		}
		if o.Duration <= 0 && w.Msgs == 0 {
			return fmt.Errorf("workload %s has no end; give a duration or a number of messages", w.Name)
		}
	}
	return nil
}

func (o *Options) tell(p Progress) {
	if o.Progress != nil {
		o.Progress(p)
	}
}

func (r *run) stop() {
	for _, p := range r.plays {
		p.stop()
	}
}

// Bounds of the time between two looks at the counters, and how many there are in a run of known length.
const (
	shortestTick = 100 * time.Millisecond
	longestTick  = 10 * time.Second
	ticks        = 100
)

// forever is a time that does not come.
const forever = int64(1<<63 - 1)

// play lets everything run, from the first message to the last.
func (r *run) play(o *Options, report *Report) {
	const headStart = 20 * time.Millisecond
	start := r.clock.now() + int64(headStart)
	r.startAt.Store(start)
	r.until.Store(forever)
	holds := false
	for _, p := range r.plays {
		if p.Kind == Connections {
			holds = true
			r.opened.Add(1)
		}
	}
	r.measureFrom.Store(start + int64(o.Warmup))
	if holds {
		r.measureFrom.Store(forever) // until all connections are there
	}
	if o.Duration > 0 && !holds {
		r.until.Store(start + int64(o.Warmup+o.Duration))
	}
	done := make(chan struct{})
	for _, p := range r.plays {
		p.begin()
	}
	report.begin()
	if o.Warmup == 0 && !holds {
		report.measure(r)
	}
	var all sync.WaitGroup
	for _, p := range r.plays {
		p.publish()
		all.Go(p.done.Wait)
	}
	if holds && o.Duration > 0 { // the time begins when all connections are there
		all.Go(func() {
			r.opened.Wait()
			now := r.clock.now()
			r.measureFrom.Store(now + int64(o.Warmup))
			r.until.Store(now + int64(o.Warmup+o.Duration))
		})
	}
	go func() {
		all.Wait()
		close(done)
	}()
	r.watch(o, report, done)
}

// watch looks at the counters until all is published and has come.
func (r *run) watch(o *Options, report *Report, done chan struct{}) {
	interval := min(max(o.Duration/ticks, shortestTick), longestTick)
	report.Interval = interval
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	warm := time.After(time.Duration(r.measureFrom.Load() - r.clock.now())) // of connections, nobody knows when that is
	phase, quietSince, before := PhaseWarmup, int64(0), int64(-1)
	if report.measuring {
		phase = PhaseMeasure
	}
	for {
		published := false
		select {
		case <-done:
			published = true
		case <-warm:
		case <-ticker.C:
		}
		now := r.clock.now()
		if phase == PhaseWarmup && (now >= r.measureFrom.Load() || published) {
			phase = PhaseMeasure
			report.measure(r)
		}
		if published {
			if r.onlyListens() && now < r.until.Load() && r.ctx.Err() == nil {
				done = nil // the clock says when it is over
				published = false
			}
		}
		if done == nil && phase == PhaseMeasure && (now >= r.until.Load() || r.heardAll()) {
			published = true
		}
		if published && phase != PhaseDrain {
			phase, done = PhaseDrain, nil
			report.published(r)
			quietSince = now
		}
		o.tell(report.tick(r, o, phase))
		if phase != PhaseDrain {
			continue
		}
		came, settled := r.came()
		if came != before {
			before, quietSince = came, now
		}
		if settled || now-quietSince > int64(o.Drain) || r.ctx.Err() != nil {
			return
		}
	}
}

// onlyListens reports whether nothing here publishes.
func (r *run) onlyListens() bool {
	for _, p := range r.plays {
		if p.Kind != Sub {
			return false
		}
	}
	return true
}

// heardAll reports whether those who only listen have got as many messages as they wait for.
func (r *run) heardAll() bool {
	for _, p := range r.plays {
		came, _, _ := sum(p.came.list)
		if p.Msgs == 0 || came < p.Msgs*int64(len(p.groups)) {
			return false
		}
	}
	return true
}

// came returns how many messages have come, and whether all have.
func (r *run) came() (total int64, settled bool) {
	settled = true
	for _, p := range r.plays {
		came, _, _ := sum(p.came.list)
		total += came
		settled = settled && p.settled()
	}
	return total, settled
}

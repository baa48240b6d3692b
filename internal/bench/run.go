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
	Warmup    time.Duration // before that; its messages count for losses only, except those of cold workloads
	Drain     time.Duration // how long to wait for what is late, after the last message that came; 0: 2 s
	Usage     Usage         // what the server uses; nil: not known
	Progress  func(Progress)

	// Going ends when nothing more is to be published: what is on its way is waited for as at any end, and the report comes with an error.
	// Nil: only the ctx of Run ends it, and that ends all at once.
	Going context.Context //nolint:containedctx // it is that of one Run
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
	ctx     context.Context         //nolint:containedctx // it is that of one Run, for all its goroutines
	going   context.Context         //nolint:containedctx // it ends before ctx when nothing more is to be published
	abort   context.CancelCauseFunc // ends the run at once, with a report and the reason
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

	moved, movedAt int64 // see unstick
}

// errServerEnded is why a run stops early when Target.Ended says so.
var errServerEnded = errors.New("the server has ended before the run was over; the report tells what came until then")

// ErrNotRestored is why a run is a failure in which a connection was of no use at the end: it has not measured what it was meant to.
var ErrNotRestored = errors.New("a connection was lost and not restored until the end of the run, or its server did not confirm what it got; the report tells what came of the others")

// Run plays the workloads and returns what came of it. An error without a report means that there is nothing to tell. With one, that ctx,
// o.Going or the server has ended, or connections have gone for good; the report has what was measured so far.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	going, halt := context.WithCancelCause(inner)
	defer halt(nil)
	if o.Going != nil {
		defer context.AfterFunc(o.Going, func() { halt(context.Cause(o.Going)) })()
	}
	r := &run{ctx: inner, going: going, abort: cancel, target: &o.Target, clock: newClock(), id: nuid.Next(), seed: rand.Uint64(), drain: o.Drain} //nolint:gosec // no secret
	defer r.readers.Wait()
	defer r.stop()
	defer cancel(nil)
	r.readers.Go(func() {
		select {
		case <-o.Target.Ended:
			cancel(errServerEnded)
		case <-inner.Done():
		}
	})
	o.tell(Progress{Phase: PhaseConnect})
	for i, w := range o.Workloads {
		p := newPlay(r, i, w)
		r.plays = append(r.plays, p)
		if err := p.connect(going); err != nil {
			if going.Err() != nil {
				err = context.Cause(going)
			}
			return nil, fmt.Errorf("%s: %w", w.Name, err)
		}
	}
	defer context.AfterFunc(inner, r.stop)() // a write that hangs is to end
	report := newReport(&o, r)
	r.play(&o, report)
	early, broken := context.Cause(going), r.broken()
	cancel(nil)
	r.stop()
	r.readers.Wait()
	report.finish(r)
	if early != nil {
		return report, fmt.Errorf("stopped early: %w", early)
	}
	return report, broken
}

// broken returns why a run that has come to its end is a failure all the same.
func (r *run) broken() error {
	for _, p := range r.plays {
		if p.gone.Load() > 0 {
			return fmt.Errorf("%s: %w: %s", p.Name, ErrNotRestored, p.failures.first())
		}
		if h := p.holder; h != nil && h.lost.Load() >= h.opened.Load() {
			return fmt.Errorf("%s: no connection was left at the end: %s", p.Name, p.failures.first())
		}
	}
	return nil
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
		all.Go(p.awaitEnd)
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
	stopped := r.going.Done()
	phase, quietSince, before := PhaseWarmup, int64(0), int64(-1)
	if report.measuring {
		phase = PhaseMeasure
	}
	listening := false
	for {
		published := false
		select {
		case <-done:
			done, listening = nil, r.onlyListens()
			published = !listening
		case <-stopped:
			stopped = nil
		case <-warm:
		case <-ticker.C:
		}
		now := r.clock.now()
		if done != nil {
			r.unstick(o, now)
		}
		if listening && r.heardEnough(now) {
			listening, published = false, true
		}
		if phase == PhaseWarmup && (now >= r.measureFrom.Load() || published) {
			phase = PhaseMeasure
			report.measure(r)
		}
		if published {
			phase, quietSince = PhaseDrain, now
			report.published(r)
			for _, p := range r.plays {
				p.raiseFence()
			}
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

// heardEnough reports whether a run in which nothing publishes is over: its time is up, it was stopped, all that was waited for has come,
// or nobody is left to hear it.
func (r *run) heardEnough(now int64) bool {
	return now >= r.until.Load() || r.going.Err() != nil || r.heardAll() || r.isDeaf()
}

// isDeaf reports whether all subscribers have given up.
func (r *run) isDeaf() bool {
	for _, p := range r.plays {
		for _, s := range p.subscribers {
			if s.link.current() != nil {
				return false
			}
		}
	}
	return true
}

// unstick ends publishers that would hold the run for ever, because their connection does not come back, or takes nothing. It is called
// while they publish. A server that is only slow lets a write wait for long, but something moves meanwhile: a publisher is given up when
// nothing has been published and nothing has come for the time that late messages are waited for, and its time is up. Without a
// time, a server may take as long to come back as a connection may take.
func (r *run) unstick(o *Options, now int64) {
	moved := int64(0)
	for _, p := range r.plays {
		if p.Kind == Sub {
			continue // others may publish to it
		}
		sent, _, _ := sum(p.sent.list)
		came, _, _ := sum(p.came.list)
		moved += sent + came
	}
	if moved != r.moved {
		r.moved, r.movedAt = moved, now
	}
	patience := int64(o.Drain)
	if o.Duration == 0 {
		patience = max(patience, int64(o.Target.Timeout))
	} else if now < r.until.Load() && r.going.Err() == nil {
		return
	}
	if now-r.movedAt <= patience {
		return
	}
	for _, p := range r.plays {
		for _, pub := range p.publishers {
			if since := pub.waiting.Load(); since != 0 && now-since > patience {
				pub.giveUp()
			}
		}
	}
}

// moves is a number that grows with each message that is sent or comes, of whatever workload.
func (r *run) moves() int64 {
	total := int64(0)
	for _, p := range r.plays {
		sent, _, _ := sum(p.sent.list)
		came, _, _ := sum(p.came.list)
		total += sent + came
	}
	return total
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

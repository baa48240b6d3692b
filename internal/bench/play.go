package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// play is a workload that runs: its connections, and what they have counted.
type play struct {
	Workload
	run     *run
	subject string // prefix of the subjects

	publishers  []*publisher
	subscribers []*subscriber
	responders  []*subscriber
	holder      *holder

	sent, came *meterCounters
	latency    *meter
	lag        *meter // how late messages were sent, compared with the schedule

	groups []*group       // what each subscriber, or a queue group together, has got
	done   sync.WaitGroup // the publishers

	foreign      atomic.Int64 // messages that are not of this run
	reordered    atomic.Int64
	noResponders atomic.Int64
	timedOut     atomic.Int64 // requests
	disconnects  atomic.Int64
	gone         atomic.Int64 // connections that were lost and have not come back, were given up, or got no PONG at the end
	failures     failures
	fenced       bool // see fence.go; of the goroutine that watches

	warm, ended, lastTick snapshot
	timeline              []Sample
}

// meterCounters are the counters of some connections.
type meterCounters struct{ list []*counters }

func (m *meterCounters) fresh() *counters {
	c := &counters{}
	m.list = append(m.list, c)
	return c
}

// snapshot is what was counted at one time.
type snapshot struct {
	at                 int64
	published, came    int64
	publishedB, cameB  int64
	lastSent, lastCame int64
}

// snapshot looks at the counters.
func (p *play) snapshot() snapshot {
	s := snapshot{at: p.run.clock.now()}
	s.published, s.publishedB, s.lastSent = sum(p.sent.list)
	s.came, s.cameB, s.lastCame = sum(p.came.list)
	return s
}

// group is who gets each message once: a subscriber, or all members of a queue group.
type group struct {
	mu      sync.Mutex
	ledgers []ledger // by publisher; guarded by mu
	bare    int64    // messages without a number; guarded by mu
}

// failures keeps the first of what went wrong.
type failures struct {
	mu   sync.Mutex
	list []string // guarded by mu
	more int      // guarded by mu
}

// maxFailures is how many are told.
const maxFailures = 5

// add notes err, unless it is there already. Locks: takes f.mu.
func (f *failures) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch text := err.Error(); {
	case slices.Contains(f.list, text):
	case len(f.list) < maxFailures:
		f.list = append(f.list, text)
	default:
		f.more++
	}
}

// first returns what went wrong first. Locks: takes f.mu.
func (f *failures) first() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.list) == 0 {
		return "nobody says why"
	}
	return f.list[0]
}

// texts returns what was noted. Locks: takes f.mu.
func (f *failures) texts() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := slices.Clone(f.list)
	if f.more > 0 {
		list = append(list, fmt.Sprintf("and %d more", f.more))
	}
	return list
}

func newPlay(r *run, i int, w Workload) *play {
	p := &play{Workload: w, run: r, sent: &meterCounters{}, came: &meterCounters{}, latency: newMeter(), lag: newMeter()}
	p.subject = w.Subject
	if p.subject == "" {
		p.subject = fmt.Sprintf("natsd.bench.%s.%d", r.id, i)
	}
	return p
}

// subjectOf returns subject i.
func (p *play) subjectOf(i int) string {
	if p.Subjects == 1 {
		return p.subject
	}
	return fmt.Sprintf("%s.%d", p.subject, i)
}

// pattern is what all subjects match.
func (p *play) pattern() string {
	if p.Subjects == 1 {
		return p.subject
	}
	return p.subject + ".*"
}

// connect makes the connections and subscriptions.
func (p *play) connect(ctx context.Context) error {
	if p.Kind == Connections {
		p.holder = newHolder(p)
		return nil
	}
	if err := p.connectSubscribers(ctx); err != nil {
		return err
	}
	for i := range p.Pubs {
		pub, err := p.newPublisher(ctx, i)
		if err != nil {
			return err
		}
		p.publishers = append(p.publishers, pub)
	}
	return nil
}

// connectSubscribers connects those who listen. Members of a queue group share what they get.
func (p *play) connectSubscribers(ctx context.Context) error {
	var shared *group
	for i := range p.Subs {
		g := shared
		if g == nil {
			g = &group{ledgers: make([]ledger, p.Pubs)}
			if p.Kind != Request {
				p.groups = append(p.groups, g)
			}
		}
		if p.Queue != "" {
			shared = g
		}
		s := &subscriber{play: p, index: i, group: g, line: subLine(p.pattern(), p.Queue), counters: &counters{}, samples: newSamples(p.latency)}
		if p.Kind == Request {
			s.answers = true
			p.responders = append(p.responders, s)
		} else {
			s.counters = p.came.fresh()
			p.subscribers = append(p.subscribers, s)
		}
		if err := s.connect(ctx); err != nil {
			return err
		}
	}
	return nil
}

func subLine(pattern, queue string) string {
	if queue != "" {
		queue += " "
	}
	return "SUB " + pattern + " " + queue + "1\r\n"
}

// begin starts those who listen.
func (p *play) begin() {
	for _, s := range slices.Concat(p.subscribers, p.responders) {
		p.run.readers.Go(s.run)
	}
}

// publish starts those who publish, and what opens connections.
func (p *play) publish() {
	for _, pub := range p.publishers {
		p.run.readers.Go(pub.listen)
		p.done.Go(pub.run)
	}
	if p.holder != nil {
		p.done.Go(p.holder.run)
	}
}

// awaitEnd waits until everything is published, and notes what there is then. Whatever else the run goes on with is no time of this
// workload.
func (p *play) awaitEnd() {
	p.done.Wait()
	p.ended = p.snapshot()
}

// expected returns how many deliveries the messages sent so far are to bring.
func (p *play) expected() int64 {
	sent, _, _ := sum(p.sent.list)
	if p.Kind == Request {
		return sent // the first reply counts
	}
	return sent * int64(len(p.groups))
}

// settled reports whether everything that was sent has come, or nothing of it can come any more.
func (p *play) settled() bool {
	if p.Kind == Pub || p.Kind == Sub || p.Kind == Connections {
		return true
	}
	if p.fenced {
		return p.isBehindFence()
	}
	came, _, _ := sum(p.came.list)
	return came >= p.expected()
}

// stop ends all connections.
func (p *play) stop() {
	for _, s := range slices.Concat(p.subscribers, p.responders) {
		s.link.stop()
	}
	for _, pub := range p.publishers {
		pub.link.stop()
	}
	if p.holder != nil {
		p.holder.stop()
	}
}

// random returns a source of random numbers for connection i. A run is not to be repeated to the letter: it is timed.
func (p *play) random(i int) *rand.Rand { return rand.New(rand.NewPCG(p.run.seed, uint64(i))) }

// link is a connection that comes back when it breaks.
type link struct {
	mu      sync.Mutex
	client  *client // guarded by mu
	stopped bool    // guarded by mu
}

// current returns the connection; nil: it is over. Locks: takes l.mu.
func (l *link) current() *client {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return nil
	}
	return l.client
}

// set makes c the connection, unless it is over, and closes the one before: a write may hang on it. Locks: takes l.mu.
func (l *link) set(c *client) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		_ = c.Close() // nobody will use it
		return false
	}
	if l.client != nil {
		_ = l.client.Close() // it has failed
	}
	l.client = c
	return true
}

// stop ends the connection for good. Locks: takes l.mu.
func (l *link) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	if l.client != nil {
		_ = l.client.Close() // whoever reads is to wake up
	}
}

// Bounds of the time between two tries to connect again.
const (
	firstRetry = 20 * time.Millisecond
	lastRetry  = time.Second
)

// restore connects l again after a failure, with connect, and reports whether that came to something before the run ended. What the
// server refuses it would refuse again: then l is over, for whoever writes too.
func (p *play) restore(l *link, failure error, connect func(ctx context.Context) (*client, error)) bool {
	if l.current() == nil {
		return false
	}
	p.disconnects.Add(1)
	p.gone.Add(1)
	p.failures.add(failure)
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		c, err := connect(p.run.ctx)
		if err == nil {
			p.gone.Add(-1)
			return l.set(c)
		}
		if l.current() == nil {
			return false
		}
		if refused := (serverError{}); errors.As(err, &refused) {
			p.failures.add(err)
			l.stop()
			return false
		}
		select {
		case <-p.run.ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
}

package bench

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"
)

// batchBytes is about how much is written at once when nothing says when to send.
const batchBytes = 32 << 10

// publisher is a connection that publishes. As a requester, it also gets the replies.
//
// Goroutines: run, which publishes, until its work is done; listen, which reads, until link.stop.
type publisher struct {
	play     *play
	index    int
	link     link
	counters *counters
	waiting  atomic.Int64 // since when what was sent last waits for the connection to take it, see clock; 0: it does not
	inbox    *subscriber  // notes the replies; nil: not a requester
	tokens   chan struct{}
	pongs    chan struct{}

	sentAt       []int64             // when the latest requests were sent, up to the last one; see expire
	late         map[uint64]struct{} // numbers of requests that were given up; guarded by inbox.group.mu
	unanswerable int64               // requests without responders; guarded by inbox.group.mu

	random   *rand.Rand
	subjects *chooser
	lines    []string // "PUB subject ", with the reply subject behind it, if any
	header   []byte
	number   uint64 // of the next message
	out      []byte
	unsent   int64 // messages that were due and could not be sent; written by run, to be read after it
	lag      *samples
}

// fillText fills payloads.
var fillText = bytes.Repeat([]byte("natsd-bench-"), 1<<10)

// newPublisher returns publisher i, connected.
func (p *play) newPublisher(ctx context.Context, i int) (*publisher, error) {
	pub := &publisher{play: p, index: i, counters: p.sent.fresh(), random: p.random(i), pongs: make(chan struct{}, 1), lag: newSamples(p.lag)}
	pub.subjects = newChooser(p.Spread, p.Subjects, i*(p.Subjects/max(1, p.Pubs)), pub.random)
	reply := ""
	if p.Kind == Request {
		inbox := fmt.Sprintf("_INBOX.%s.%d", p.run.id, p.run.inboxes.Add(1))
		reply = inbox + " "
		g := &group{ledgers: make([]ledger, p.Pubs)}
		p.groups = append(p.groups, g)
		pub.inbox = &subscriber{play: p, group: g, line: subLine(inbox, ""), counters: p.came.fresh(), samples: newSamples(p.latency)}
		pub.late = map[uint64]struct{}{}
		pub.tokens = make(chan struct{}, p.InFlight)
		for range p.InFlight {
			pub.tokens <- struct{}{}
		}
	}
	verb := "PUB "
	if p.Headers > 0 {
		verb = "HPUB "
		pub.header = fmt.Appendf(nil, "NATS/1.0\r\nBench: %s\r\n\r\n", bytes.Repeat([]byte("h"), p.Headers))
	}
	pub.lines = make([]string, p.Subjects)
	for k := range pub.lines {
		pub.lines[k] = verb + p.subjectOf(k) + " " + reply
	}
	c, err := pub.open(ctx)
	if err != nil {
		return nil, err
	}
	_, high := p.Size.bounds()
	if limit := c.info.MaxPayload; limit > 0 && high+len(pub.header) > limit {
		_ = c.Close() // it is of no use
		return nil, fmt.Errorf("messages of %d bytes are more than the server takes: %d (max_payload)", high+len(pub.header), limit)
	}
	pub.link.set(c)
	return pub, nil
}

// open connects, and subscribes to the replies.
func (pub *publisher) open(ctx context.Context) (*client, error) {
	c, err := pub.play.run.target.dial(ctx, pub.index, nil)
	if err != nil || pub.inbox == nil {
		return c, err
	}
	if err := c.subscribe(pub.inbox.line); err != nil {
		_ = c.Close() // it is of no use
		return nil, err
	}
	return c, nil
}

// listen reads what comes: replies, and the PONG that says that all is published.
func (pub *publisher) listen() {
	if pub.inbox != nil {
		defer pub.inbox.samples.flush()
	}
	for {
		c := pub.link.current()
		if c == nil {
			return
		}
		if err := pub.read(c); !pub.play.restore(&pub.link, err, pub.open) {
			return
		}
	}
}

// read reads from c until it fails.
func (pub *publisher) read(c *client) error {
	var m message
	for {
		if err := c.fill(); err != nil {
			return err
		}
		now, came, size := pub.play.run.clock.now(), int64(0), int64(0)
		for {
			e, err := c.parse(&m)
			if err != nil {
				return err
			}
			if e == eventMore {
				break
			}
			switch {
			case e == eventPong:
				select {
				case pub.pongs <- struct{}{}:
				default:
				}
			case e == eventMessage && pub.inbox != nil && pub.reply(&m, now):
				came++
				size += int64(len(m.payload))
			}
		}
		if pub.inbox != nil {
			pub.inbox.count(came, size, now)
			pub.inbox.samples.settle(now)
		}
	}
}

// reply takes a reply, and reports whether it is the first to its request.
func (pub *publisher) reply(m *message, now int64) bool {
	if len(m.payload) == 0 && bytes.HasPrefix(m.headers, []byte("NATS/1.0 503")) {
		pub.play.noResponders.Add(1)
		pub.inbox.group.mu.Lock()
		pub.unanswerable++
		pub.inbox.group.mu.Unlock()
		pub.release()
		return false
	}
	pub.inbox.group.mu.Lock()
	first := pub.inbox.note(m, now)
	mark, _ := readStamp(m.payload)
	_, late := pub.late[mark.number]
	delete(pub.late, mark.number)
	pub.inbox.group.mu.Unlock()
	if first && !late {
		pub.release()
	}
	return first
}

// release lets the next request go.
func (pub *publisher) release() {
	select {
	case pub.tokens <- struct{}{}:
	default: // of a request that was given up
	}
}

// run publishes until its share is done, or the time is up, and waits until the server has taken it all.
func (pub *publisher) run() {
	left := int64(-1)
	if p := pub.play; p.Msgs > 0 {
		left = p.Msgs / int64(p.Pubs)
		if int64(pub.index) < p.Msgs%int64(p.Pubs) {
			left++
		}
	}
	time.Sleep(time.Duration(pub.play.run.startAt.Load() - pub.play.run.clock.now()))
	switch {
	case pub.play.Rate > 0:
		pub.bySchedule(left)
	case pub.inbox != nil:
		pub.oneByOne(left)
	default:
		pub.inBulk(left)
	}
	pub.lag.flush()
	pub.confirm()
}

// over reports whether the time is up.
func (pub *publisher) over(now int64) bool {
	return now >= pub.play.run.until.Load() || pub.play.run.going.Err() != nil
}

// inBulk publishes as fast as it goes.
func (pub *publisher) inBulk(left int64) {
	for left != 0 {
		now := pub.play.run.clock.now()
		if left < 0 && pub.over(now) || pub.play.run.going.Err() != nil {
			return
		}
		n, size := int64(0), int64(0)
		for len(pub.out) < batchBytes && n != left {
			size += int64(pub.append(now))
			n++
		}
		if !pub.send(n, size, now) {
			return
		}
		if left > 0 {
			left -= n
		}
	}
}

// oneByOne sends a request when there is one fewer on its way.
func (pub *publisher) oneByOne(left int64) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	run := pub.play.run
	for left != 0 {
		now := run.clock.now()
		next := pub.expire(now)
		if left < 0 {
			next = min(next, run.until.Load())
		}
		timer.Reset(time.Duration(next - now))
		select {
		case <-pub.tokens:
		case <-timer.C:
			if left < 0 && pub.over(run.clock.now()) {
				return
			}
			continue
		case <-run.going.Done():
			return
		}
		now = run.clock.now()
		if left < 0 && pub.over(now) {
			return
		}
		pub.sentAt = append(pub.sentAt, now)
		if !pub.send(1, int64(pub.append(now)), now) {
			return
		}
		left--
	}
}

// expire lets another request go for each that has had no answer for the time that late messages are waited for, and returns when to look
// again, see clock. Source: docs/spec/cli.md §13. Locks: takes the mu of the group of the inbox.
func (pub *publisher) expire(now int64) int64 {
	patience := int64(pub.play.run.drain)
	if len(pub.sentAt) > 0 && now-pub.sentAt[0] >= patience {
		g := pub.inbox.group
		g.mu.Lock()
		for len(pub.sentAt) > 0 && now-pub.sentAt[0] >= patience {
			oldest := pub.number - uint64(len(pub.sentAt))
			pub.sentAt = pub.sentAt[1:]
			switch {
			case g.ledgers[pub.index].has(oldest):
			case pub.unanswerable > 0: // it may be this one: what says so has no number
				pub.unanswerable--
			default:
				pub.late[oldest] = struct{}{}
				pub.play.timedOut.Add(1)
				pub.release()
			}
		}
		g.mu.Unlock()
	}
	if len(pub.sentAt) == 0 {
		return now + patience
	}
	return pub.sentAt[0] + patience
}

// Bounds of a sleep until the next message is due.
const (
	shortestSleep = 20 * time.Microsecond
	longestSleep  = 50 * time.Millisecond
)

// bySchedule publishes at a rate. Messages bear the time they were due at: what waits because the server, or this
// program, is late, has waited for its user too.
func (pub *publisher) bySchedule(left int64) {
	p := pub.play
	plan := newSchedule(p.Rate, p.Arrival, pub.index, p.Pubs, pub.random)
	start := p.run.startAt.Load()
	for left != 0 && p.run.going.Err() == nil {
		now := p.run.clock.now()
		n, size := int64(0), int64(0)
		for left != 0 && len(pub.out) < batchBytes {
			due := start + int64(plan.next)
			if due > now || left < 0 && pub.over(due) {
				break
			}
			pub.lag.add(now - due)
			size += int64(pub.append(due))
			plan.advance()
			n++
			if left > 0 {
				left--
			}
		}
		if n > 0 && !pub.send(n, size, now) {
			notWritten := int64(pub.number) - pub.counters.messages.Load() // there was no connection for them
			pub.unsent = notWritten + pub.dueAfter(start+int64(plan.next), left)
			return
		}
		pub.lag.settle(now)
		due := start + int64(plan.next)
		if left < 0 && pub.over(due) {
			return
		}
		if wait := time.Duration(due - p.run.clock.now()); wait > 0 {
			rest(min(max(wait, shortestSleep), longestSleep))
		}
	}
}

// dueAfter returns how many messages the schedule still has when nothing can be sent any more: left, if that is not negative, or those
// from next on until the time is up.
func (pub *publisher) dueAfter(next, left int64) int64 {
	p := pub.play
	if left >= 0 {
		return left
	}
	until := p.run.until.Load()
	if until == forever { // nobody knows yet
		until = p.run.clock.now()
	}
	return int64(math.Ceil(max(0, float64(until-next)) / 1e9 * p.Rate / float64(p.Pubs)))
}

// append adds the next message, which is meant to be sent at the time at, to what is sent next, and returns its size.
//
// Hot path: once per message.
func (pub *publisher) append(at int64) int {
	size := pub.play.Size.pick(pub.random)
	pub.out = append(pub.out, pub.lines[pub.subjects.choose()]...)
	if pub.header != nil {
		pub.out = strconv.AppendInt(pub.out, int64(len(pub.header)), 10)
		pub.out = append(pub.out, ' ')
	}
	pub.out = strconv.AppendInt(pub.out, int64(len(pub.header)+size), 10)
	pub.out = append(pub.out, "\r\n"...)
	pub.out = append(pub.out, pub.header...)
	from := len(pub.out)
	for left := size; left > 0; {
		n := min(left, len(fillText))
		pub.out = append(pub.out, fillText[:n]...)
		left -= n
	}
	stamp{pub.index, pub.number, at}.put(pub.out[from:])
	pub.number++
	pub.out = append(pub.out, "\r\n"...)
	return size
}

// send writes what was appended, n messages, and reports whether publishing goes on.
func (pub *publisher) send(n, size, now int64) bool {
	c := pub.link.current()
	if c == nil {
		return false
	}
	pub.counters.add(n, size, now)
	pub.waiting.Store(now)
	goesOn := c.write(pub.out) == nil || pub.awaitOther(c)
	pub.waiting.Store(0)
	pub.out = pub.out[:0]
	return goesOn
}

// awaitOther waits until listen has connected again after c has failed, and reports whether it has. What was written to c may be
// lost, and counts as sent. There is nothing to wait for when the time is up.
func (pub *publisher) awaitOther(c *client) bool {
	for {
		_ = c.Close() // listen is to notice
		select {
		case <-pub.play.run.going.Done():
			return false
		case <-time.After(firstRetry):
		}
		switch again := pub.link.current(); {
		case again == nil:
			return false
		case again != c:
			return true
		case pub.play.Msgs == 0 && pub.over(pub.play.run.clock.now()):
			return false
		}
	}
}

// giveUp ends a publisher whose connection takes nothing any more.
func (pub *publisher) giveUp() {
	pub.play.failures.add(fmt.Errorf("publisher %d: given up, the server takes nothing any more", pub.index))
	pub.play.gone.Add(1)
	pub.link.stop()
}

// confirm waits until the server has taken everything, as far as it still has a connection, and notes if it does not say so.
func (pub *publisher) confirm() {
	r := pub.play.run
	for asked, moved := (*client)(nil), int64(-1); ; {
		c := pub.link.current()
		if c == nil {
			return
		}
		if c != asked { // after a failure, the new connection is asked
			asked = c
			select { // of a PING before the failure
			case <-pub.pongs:
			default:
			}
			pub.waiting.Store(r.clock.now())
			_ = c.write([]byte("PING\r\n")) // listen notices a failure
			pub.waiting.Store(0)
		}
		select {
		case <-pub.pongs:
			return
		case <-r.ctx.Done():
			return
		case <-time.After(r.drain):
		}
		now := r.moves()
		if pub.link.current() == asked && now == moved || pub.play.gone.Load() > 0 { // a connection that is gone is a failure by itself
			break
		}
		moved = now
	}
	pub.play.failures.add(fmt.Errorf("publisher %d: no PONG after the last message", pub.index))
	if pub.play.gone.Load() == 0 {
		pub.play.gone.Add(1) // nobody knows what the server has taken
	}
}

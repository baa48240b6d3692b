package broker

import (
	"sync"
	"sync/atomic"
	"time"
)

// wheelSlots is the number of ticks of one turn.
const wheelSlots = 256

// Bounds of the time between two ticks.
const (
	minTick = 5 * time.Millisecond
	maxTick = 500 * time.Millisecond
)

// Connections that fall due with the same tick are not woken at once, since messages would wait for all of their PINGs. They are
// woken in steps: few enough in each to do no harm, but at least spread times as many as it takes on average. So a hundred thousand
// clients that connected in the same second do not stop the server once per interval: the first time they are woken over
// half an interval, the last of them late by that, and then each an interval after its own time.
const (
	maxStep    = 10 * time.Millisecond
	fewPerStep = 8
	spread     = 2
	maxCatchUp = 100 // steps at once, when the machine is busy
)

// fallenDue is the timer.due of a connection that has fallen due and is to be woken.
const fallenDue = -1

// wheel is a timer for every connection, all of the same interval: a ring of lists, one of which falls due at each tick.
// It costs a connection two pointers, where a time.Timer would be an object and a place in a heap. Its tick count is
// also the coarse clock of the broker.
//
// Goroutine: turn, started by Broker.Start, stopped by stop.
type wheel struct {
	tick  time.Duration // set by newWheel, never written again
	each  time.Duration // a step; set by newWheel, never written again
	ticks atomic.Int64  // per interval
	count atomic.Int64  // ticks so far
	mu    struct {      // guards everything inside it, and the timer of every connection
		sync.Mutex
		slots [wheelSlots]timerList
		queue timerList // fallen due, first come first
		total int       // connections in slots and queue
	}
	quit chan struct{}
}

// timer is the place of a connection in the wheel.
type timer struct {
	next, previous *conn
	due            int64 // tick, or fallenDue; 0: not in the wheel
}

// timerList is a list of connections, linked through conn.timer.
type timerList struct {
	first, last *conn
	length      int
}

// append adds c, which is in no list, at the end.
func (l *timerList) append(c *conn, due int64) {
	c.timer = timer{previous: l.last, due: due}
	if l.last != nil {
		l.last.timer.next = c
	} else {
		l.first = c
	}
	l.last = c
	l.length++
}

// remove takes out c, which is in this list.
func (l *timerList) remove(c *conn) {
	t := c.timer
	if t.previous != nil {
		t.previous.timer.next = t.next
	} else {
		l.first = t.next
	}
	if t.next != nil {
		t.next.timer.previous = t.previous
	} else {
		l.last = t.previous
	}
	l.length--
	c.timer = timer{}
}

// newWheel returns a wheel that wakes each connection once per interval.
func newWheel(interval time.Duration) *wheel {
	w := &wheel{tick: min(max(interval/100, minTick), maxTick), quit: make(chan struct{})}
	w.each = min(w.tick, maxStep)
	w.setInterval(interval)
	return w
}

// setInterval changes the interval for whoever is added, or falls due, from now on. It is rounded up to whole ticks.
func (w *wheel) setInterval(interval time.Duration) {
	w.ticks.Store(max(1, int64((interval+w.tick-1)/w.tick)))
}

// now returns the number of ticks so far.
func (w *wheel) now() int64 { return w.count.Load() }

// add makes c fall due one interval from now, and then once per interval until it is removed. Locks: takes w.mu.
func (w *wheel) add(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.linkLocked(c, w.now()+w.ticks.Load()+1) // the current tick is partly over
}

// restart makes c, if it is in the wheel, fall due one interval from now. Locks: takes w.mu.
func (w *wheel) restart(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.timer.due != 0 {
		w.unlinkLocked(c)
		w.linkLocked(c, w.now()+w.ticks.Load()+1)
	}
}

// remove takes c out. It may still be woken once if that has begun. Locks: takes w.mu.
func (w *wheel) remove(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unlinkLocked(c)
}

func (w *wheel) linkLocked(c *conn, due int64) {
	w.mu.slots[due%wheelSlots].append(c, due)
	w.mu.total++
}

func (w *wheel) unlinkLocked(c *conn) {
	switch due := c.timer.due; due {
	case 0:
		return
	case fallenDue:
		w.mu.queue.remove(c)
	default:
		w.mu.slots[due%wheelSlots].remove(c)
	}
	w.mu.total--
}

// turn calls wake for every connection that has fallen due, and tick now and then, until stop. Both run on this goroutine,
// without locks.
func (w *wheel) turn(wake func(*conn), tick func()) {
	timer := time.NewTimer(w.tick)
	defer timer.Stop()
	begin := time.Now()
	var p pace
	for {
		select {
		case <-w.quit:
			return
		case <-timer.C:
		}
		if w.pass(&p, time.Since(begin), wake) {
			tick()
		}
		timer.Reset(w.next(&p) - time.Since(begin))
	}
}

// pace is how far turn is.
type pace struct {
	steps int64 // gone by
	share int   // connections for each
	left  bool  // some are to be woken yet
}

// next returns when the next pass is to be: at the next step, or tick, since turn began.
func (w *wheel) next(p *pace) time.Duration {
	tick := time.Duration(w.now()+1) * w.tick
	if p.left {
		return min(tick, time.Duration(p.steps+1)*w.each)
	}
	return tick
}

// pass does what is due when elapsed has passed since turn began, and reports whether there was a tick. A timer is late when the
// machine is busy: the clock says how many ticks and steps it is.
func (w *wheel) pass(p *pace, elapsed time.Duration, wake func(*conn)) (ticked bool) {
	if ticks := int64(elapsed / w.tick); w.now() < ticks {
		if !p.left { // no step was missed before that tick
			p.steps = int64(time.Duration(w.now()+1)*w.tick/w.each) - 1
		}
		for w.now() < ticks {
			w.advance()
		}
		p.share, ticked = w.share(), true
	}
	steps := int64(elapsed / w.each)
	n := min(steps-p.steps, maxCatchUp)
	p.steps = steps
	p.left = w.step(p.share*int(n), wake)
	return ticked
}

// advance moves one tick on and queues the connections that fall due. Locks: takes w.mu.
func (w *wheel) advance() {
	now := w.count.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	slot := &w.mu.slots[now%wheelSlots]
	for c := slot.first; c != nil; {
		next := c.timer.next
		if c.timer.due <= now {
			slot.remove(c)
			w.mu.queue.append(c, fallenDue)
		}
		c = next
	}
}

// share returns how many connections each step of this tick wakes: enough for the queue to be empty at its end, unless those are
// too many. Locks: takes w.mu.
func (w *wheel) share() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	steps := int(w.tick / w.each)
	most := spread * ceilDiv(w.mu.total, steps*int(w.ticks.Load()))
	return min(ceilDiv(w.mu.queue.length, steps), max(most, fewPerStep))
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// step wakes n connections of the queue and reports whether there are others.
func (w *wheel) step(n int, wake func(*conn)) bool {
	for range n {
		c := w.pop()
		if c == nil {
			break
		}
		wake(c)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.queue.length > 0
}

// pop takes the next connection from the queue, which will fall due again in an interval; nil if there is none.
// Locks: takes w.mu.
func (w *wheel) pop() *conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.mu.queue.first
	if c != nil {
		w.unlinkLocked(c)
		w.linkLocked(c, w.now()+w.ticks.Load())
	}
	return c
}

// stop ends turn. It must be called once.
func (w *wheel) stop() { close(w.quit) }

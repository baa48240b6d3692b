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

// wheel is a timer for every connection, all of the same interval: a ring of lists, one of which falls due at each tick.
// It costs a connection two pointers, where a time.Timer would be an object and a place in a heap. Its tick count is
// also the coarse clock of the broker.
//
// Goroutine: turn, started by Broker.Start, stopped by stop.
type wheel struct {
	tick  time.Duration // set by newWheel, never written again
	ticks atomic.Int64  // per interval
	count atomic.Int64  // ticks so far
	mu    struct {      // guards everything inside it, and the timer of every connection
		sync.Mutex
		slots [wheelSlots]*conn // lists, linked through conn.timer
	}
	quit chan struct{}
}

// timer is the place of a connection in the wheel.
type timer struct {
	next, previous *conn
	due            int64 // tick; 0: not in the wheel
}

// newWheel returns a wheel that wakes each connection once per interval.
func newWheel(interval time.Duration) *wheel {
	w := &wheel{tick: min(max(interval/100, minTick), maxTick), quit: make(chan struct{})}
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
	head := &w.mu.slots[due%wheelSlots]
	c.timer = timer{next: *head, due: due}
	if *head != nil {
		(*head).timer.previous = c
	}
	*head = c
}

func (w *wheel) unlinkLocked(c *conn) {
	t := &c.timer
	switch {
	case t.due == 0:
		return
	case t.previous != nil:
		t.previous.timer.next = t.next
	default:
		w.mu.slots[t.due%wheelSlots] = t.next
	}
	if t.next != nil {
		t.next.timer.previous = t.previous
	}
	c.timer = timer{}
}

// turn calls wake for every connection that falls due, and tick now and then, until stop. Both run on this goroutine, without
// locks.
func (w *wheel) turn(wake func(*conn), tick func()) {
	ticker := time.NewTicker(w.tick)
	defer ticker.Stop()
	begin := time.Now()
	var due []*conn
	for {
		select {
		case <-w.quit:
			return
		case <-ticker.C:
		}
		// A ticker drops ticks when the machine is busy; the clock does not.
		for now := int64(time.Since(begin) / w.tick); w.now() < now; {
			due = w.advance(due[:0])
			for i, c := range due {
				wake(c)
				due[i] = nil
			}
		}
		tick()
	}
}

// advance moves one tick on and returns the connections that fall due, appended to due. Locks: takes w.mu.
func (w *wheel) advance(due []*conn) []*conn {
	now := w.count.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := w.mu.slots[now%wheelSlots]; c != nil; {
		next := c.timer.next
		if c.timer.due <= now {
			w.unlinkLocked(c)
			w.linkLocked(c, now+w.ticks.Load())
			due = append(due, c)
		}
		c = next
	}
	return due
}

// stop ends turn. It must be called once.
func (w *wheel) stop() { close(w.quit) }

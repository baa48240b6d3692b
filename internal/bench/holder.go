package bench

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// holder opens connections at a rate, and holds them: each subscribes once and then says nothing but PONG.
//
// Goroutines: run, and one for each connection that is held, until stop.
type holder struct {
	play    *play
	counter *counters    // of connections; written by all dialers
	begun   atomic.Int64 // when the first was tried, see clock
	opened  atomic.Int64
	failed  atomic.Int64
	lost    atomic.Int64 // while they were held

	mu      sync.Mutex
	held    []*client // guarded by mu
	stopped bool      // guarded by mu
}

// dialers is how many connections are opened at the same time.
const dialers = 32

func newHolder(p *play) *holder { return &holder{play: p, counter: p.sent.fresh()} }

// run opens all connections, and holds them until the time is up.
func (h *holder) run() {
	p := h.play
	var next atomic.Int64
	var workers sync.WaitGroup
	start := p.run.startAt.Load()
	time.Sleep(time.Duration(start - p.run.clock.now()))
	h.begun.Store(p.run.clock.now())
	for range min(dialers, p.Conns) {
		workers.Go(func() {
			for p.run.going.Err() == nil {
				i := next.Add(1) - 1
				if i >= int64(p.Conns) {
					return
				}
				if p.Rate > 0 {
					due := start + int64(float64(i)/p.Rate*1e9)
					select {
					case <-p.run.going.Done():
						return
					case <-time.After(time.Duration(due - p.run.clock.now())):
					}
				}
				h.open(int(i))
			}
		})
	}
	workers.Wait()
	p.run.opened.Done()
	if h.opened.Load() == 0 && p.run.going.Err() == nil {
		p.run.abort(fmt.Errorf("%s: no connection could be opened: %s", p.Name, p.failures.first()))
		return
	}
	for now := p.run.clock.now(); now < p.run.until.Load() && p.run.going.Err() == nil; now = p.run.clock.now() {
		select {
		case <-p.run.going.Done():
		case <-time.After(min(longestSleep, time.Duration(p.run.until.Load()-now))):
		}
	}
}

// open opens connection i.
func (h *holder) open(i int) {
	p := h.play
	begin := p.run.clock.now()
	c, err := p.run.target.dial(p.run.going, i, p.run.sources.take(p.run.target.servers[0].address, p.Conns))
	if err == nil {
		if err = c.subscribe(fmt.Sprintf("SUB %s.%d 1\r\n", p.subject, i)); err != nil {
			_ = c.Close() // it is of no use
		}
	}
	if err != nil {
		if p.run.going.Err() == nil {
			h.failed.Add(1)
			p.failures.add(err)
		}
		return
	}
	now := p.run.clock.now()
	p.latency.record([]int64{now - begin})
	h.counter.messages.Add(1)
	h.opened.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counter.last.Store(max(h.counter.last.Load(), now)) // other dialers may have been faster to say so
	if h.stopped {
		_ = c.Close() // nobody will use it
		return
	}
	h.held = append(h.held, c)
	p.run.readers.Go(func() { h.hold(c) })
}

// rate returns how many connections were opened a second, from the first that was tried to the last that was opened.
func (h *holder) rate(last snapshot) float64 {
	seconds := float64(last.lastSent-h.begun.Load()) / 1e9
	if last.published == 0 || seconds <= 0 {
		return 0
	}
	return float64(last.published) / seconds
}

// hold answers PING until the connection ends.
func (h *holder) hold(c *client) {
	if c.start == c.end {
		c.in, c.start, c.end = make([]byte, smallRead), 0, 0
	}
	for {
		if _, err := c.next(nil); err != nil {
			h.mu.Lock()
			stopped := h.stopped
			h.mu.Unlock()
			if !stopped {
				h.lost.Add(1)
				h.play.disconnects.Add(1)
				h.play.failures.add(err)
			}
			return
		}
	}
}

// smallRead is the buffer of a connection that is only held, in bytes.
const smallRead = 64

// stop closes all connections.
func (h *holder) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stopped = true
	for _, c := range h.held {
		_ = c.Close() // whoever reads is to wake up
	}
	h.held = nil
}

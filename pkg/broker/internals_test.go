package broker

import (
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// shortListener fails to accept a few times, as a process without free file descriptors does, and then hands out
// connections.
type shortListener struct {
	net.Listener
	mu       sync.Mutex
	failures int
}

func (l *shortListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	fail := l.failures > 0
	if fail {
		l.failures--
	}
	l.mu.Unlock()
	if fail {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

// TestAcceptSurvivesLackOfDescriptors: it is logged, clients that are there are served, and new ones are as soon as there
// are descriptors again.
func TestAcceptSurvivesLackOfDescriptors(t *testing.T) {
	var log strings.Builder
	b, err := New(Options{DontListen: true, Logger: zerolog.New(zerolog.SyncWriter(&log))})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	b.mu.listener = &shortListener{Listener: inner, failures: 3}
	b.mu.Unlock()
	b.tasks.Add(1)
	go b.acceptLoop(b.mu.listener)
	c, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	greeting := make([]byte, 5)
	if _, err := c.Read(greeting); err != nil || string(greeting) != "INFO " {
		t.Errorf("got %q, %v", greeting, err)
	}
	if err := b.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "cannot accept clients"); n != 3 || !strings.Contains(log.String(), "too many open files") {
		t.Errorf("%d failures in the log: %s", n, log.String())
	}
}

// TestSubscribeWhileEnding: a SUB that is under way while its client is taken out of its account makes no subscription, which nobody
// would end.
func TestSubscribeWhileEnding(t *testing.T) {
	b := launch(t, Options{})
	p, publisher := joinQuiet(t, b), joinQuiet(t, b)
	p.send("SUB x 1\r\n")
	p.roundTrip()
	b.tell(p.serverSide(b).leave)
	p.send("SUB x 2\r\nSUB y 3\r\n")
	p.roundTrip()
	publisher.send(pub("x", 1) + pub("y", 1))
	publisher.roundTrip()
	p.roundTrip()
	if a := b.live.Load().authority.global; a.subscriptions.Load() != 0 || a.index.Count() != 0 {
		t.Errorf("%d subscriptions are left, %d in the index", a.subscriptions.Load(), a.index.Count())
	}
}

// TestQueueMemoryIsBounded: a connection with a backlog keeps no more memory alive than keepShare times what it has pending,
// however little it needs of each segment; and what it keeps is right.
func TestQueueMemoryIsBounded(t *testing.T) {
	var o outbound
	piece := func(i, size int) span {
		s := newSegment(0)
		s.used = size
		for k := range size {
			s.mem[k] = byte(i)
		}
		return span{s, 0, uint32(size)}
	}
	var sizes []int
	for i := range 300 {
		sizes = append(sizes, []int{100, 3000, segmentSize / 2}[i%3])
	}
	var backlog []span
	for i, size := range sizes[:3] {
		backlog = append(backlog, piece(i, size))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.spans = o.packLocked(backlog)
	o.mu.backlogged = true
	for i, size := range sizes[3:] {
		o.pushLocked(piece(3+i, size), nil)
	}
	held, seen := 0, make(map[*segment]bool)
	var got []byte
	for _, s := range o.takeLocked() {
		if !seen[s.segment] {
			seen[s.segment] = true
			held += len(s.segment.mem)
		}
		got = append(got, s.bytes()...)
		s.segment.release(1)
	}
	o.dropTailLocked()
	want := 0
	for i, size := range sizes {
		for k := range size {
			if got[want+k] != byte(i) {
				t.Fatalf("byte %d of piece %d is %d", k, i, got[want+k])
			}
		}
		want += size
	}
	if len(got) != want {
		t.Errorf("%d bytes queued, want %d", len(got), want)
	}
	if held > keepShare*want+segmentSize {
		t.Errorf("%d bytes held for %d", held, want)
	}
	for s := range seen {
		if s.refs.Load() != 0 {
			t.Errorf("a segment has %d references left", s.refs.Load())
		}
	}
}

// TestWheel: every connection falls due once per interval, until it is removed.
func TestWheel(t *testing.T) {
	w := newWheel(time.Second) // 100 ticks
	conns := make([]*conn, 500)
	due := map[*conn][]int64{}
	for i := range conns {
		conns[i] = new(conn)
		w.add(conns[i])
		if i%5 == 4 {
			w.drain(due)
		}
	}
	w.remove(conns[7])
	w.remove(conns[7])
	for range 1000 {
		w.drain(due)
	}
	for i, c := range conns {
		first, times := int64(i/5)+w.ticks.Load()+1, due[c]
		if i == 7 {
			if len(times) != 0 {
				t.Errorf("a connection that was removed fell due at %v", times)
			}
			continue
		}
		if len(times) < 9 {
			t.Fatalf("connection %d fell due %d times", i, len(times))
		}
		for k, at := range times {
			if want := first + int64(k)*w.ticks.Load(); at != want {
				t.Fatalf("connection %d fell due at %d, want %d", i, at, want)
			}
		}
	}
}

// drain moves w one tick on and notes whom it wakes.
func (w *wheel) drain(due map[*conn][]int64) {
	w.advance()
	for w.step(w.share(), func(c *conn) { due[c] = append(due[c], w.now()) }) {
	}
}

// TestWheelSpreads: those that fall due with one tick are woken evenly over it, in order, except who has left meanwhile.
func TestWheelSpreads(t *testing.T) {
	w := newWheel(2 * time.Minute) // a tick is 50 steps
	conns := fallDue(w, 250)
	var woken []*conn
	wake := func(c *conn) { woken = append(woken, c) }
	steps, share := 1, w.share()
	for ; w.step(share, wake); steps++ {
		if len(woken) != 5*steps {
			t.Fatalf("%d woken in %d steps, want 5 each", len(woken), steps)
		}
		if steps == 1 {
			w.remove(conns[249])
			w.restart(conns[248])
		}
	}
	if !slices.Equal(woken, conns[:248]) || steps != 50 {
		t.Errorf("%d woken in %d steps, want the first 248 in 50", len(woken), steps)
	}
	for range w.ticks.Load() {
		w.advance()
	}
	if n := w.mu.queue.length; n != 248 {
		t.Errorf("%d fell due an interval later, want 248", n)
	}
	w.advance()
	if n := w.mu.queue.length; n != 249 || w.mu.total != 249 {
		t.Errorf("%d of %d fell due with the one that was restarted, want 249", n, w.mu.total)
	}
}

// fallDue adds n connections to w, which has no others, and goes on until they fall due.
func fallDue(w *wheel, n int) []*conn {
	conns := make([]*conn, n)
	for i := range conns {
		conns[i] = new(conn)
		w.add(conns[i])
	}
	for range w.ticks.Load() + 1 {
		w.advance()
	}
	return conns
}

// TestWheelHerd: a herd that connected at once is woken over half an interval, and stays spread.
func TestWheelHerd(t *testing.T) {
	for _, n := range []int{9, 10_000, 200_000} {
		w := newWheel(2 * time.Minute)
		fallDue(w, n)
		const stepsOfTick, stepsOfInterval = 50, 12_000
		woken := map[*conn]int{} // step at which it was woken the last time
		most := max(fewPerStep, 2*n/stepsOfInterval+2)
		share, last := w.share(), 0
		for step := 1; step <= 3*stepsOfInterval; step++ {
			now := 0
			w.step(share, func(c *conn) {
				now++
				before, again := woken[c]
				woken[c] = step
				switch {
				case !again:
					last = step
				case step-before < stepsOfInterval-stepsOfTick || step-before > stepsOfInterval+2*stepsOfTick:
					t.Fatalf("%d connections: one was woken at step %d and then at %d", n, before, step)
				}
			})
			if now > most {
				t.Fatalf("%d connections: %d were woken in a step, want %d at most", n, now, most)
			}
			if step%stepsOfTick == 0 {
				w.advance()
				share = w.share()
			}
		}
		if len(woken) != n || last > stepsOfInterval/2 {
			t.Errorf("%d connections: %d were woken, the last for the first time at step %d, want half an interval", n, len(woken), last)
		}
	}
}

// TestWheelTicks: the tick is a hundredth of the interval, within bounds.
func TestWheelTicks(t *testing.T) {
	for _, c := range []struct {
		interval, tick time.Duration
		ticks          int64
	}{
		{interval: 2 * time.Minute, tick: 500 * time.Millisecond, ticks: 240},
		{interval: time.Second, tick: 10 * time.Millisecond, ticks: 100},
		{interval: 7 * time.Millisecond, tick: 5 * time.Millisecond, ticks: 2},
		{interval: time.Nanosecond, tick: 5 * time.Millisecond, ticks: 1},
	} {
		if w := newWheel(c.interval); w.tick != c.tick || w.ticks.Load() != c.ticks {
			t.Errorf("%v: tick %v, %d ticks, want %v and %d", c.interval, w.tick, w.ticks.Load(), c.tick, c.ticks)
		}
	}
}

// TestReadFailures: the reason that a connection closes for is the peer's leave, or a fault.
func TestReadFailures(t *testing.T) {
	if got := readFailure(&net.OpError{Op: "read", Err: syscall.ECONNRESET}); got != reasonClientClosed {
		t.Errorf("reset: %s", got)
	}
	if got := readFailure(errors.New("cosmic ray")); got != reasonReadError {
		t.Errorf("fault: %s", got)
	}
}

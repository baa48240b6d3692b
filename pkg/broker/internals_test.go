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
	const interval = 2 * time.Minute
	for _, n := range []int{9, 10_000, 200_000} {
		w := newWheel(interval)
		for range n {
			w.add(new(conn))
		}
		var p pace
		woken := map[*conn]time.Duration{} // when, the last time
		most := max(fewPerStep, 2*(n/int(interval/w.each)+1))
		var last time.Duration
		for now := w.next(&p); now <= 4*interval; now = w.next(&p) {
			count := 0
			w.pass(&p, now, func(c *conn) {
				count++
				before, again := woken[c]
				woken[c] = now
				switch after := now - before; {
				case !again:
					last = now
				case after < interval-w.tick || after > interval+2*w.tick:
					t.Fatalf("%d connections: one was woken at %v and then at %v", n, before, now)
				}
			})
			if count > most {
				t.Fatalf("%d connections: %d were woken in a step, want %d at most", n, count, most)
			}
		}
		if len(woken) != n || last > interval*3/2+2*w.tick {
			t.Errorf("%d connections: %d were woken, the last for the first time after %v", n, len(woken), last)
		}
	}
}

// TestWheelWhenBusy: the goroutine of the wheel comes late, time and again. Nobody is woken later than that, and nobody is left behind.
func TestWheelWhenBusy(t *testing.T) {
	for _, c := range []struct{ interval, late time.Duration }{
		{interval: time.Second, late: 25 * time.Millisecond},
		{interval: time.Second, late: 300 * time.Millisecond},
		{interval: 500 * time.Millisecond, late: 20 * time.Millisecond},
		{interval: 2 * time.Minute, late: 95 * time.Millisecond},
		{interval: 2 * time.Minute, late: 800 * time.Millisecond},
	} {
		w := newWheel(c.interval)
		const n, rounds = 12_000, 5
		var p pace
		total := 0
		wake := func(*conn) { total++ }
		added := 0
		for now := time.Duration(0); now < c.interval; now += w.tick { // evenly spread
			w.pass(&p, now, wake)
			for ; added < int(n*(now+w.tick)/c.interval); added++ {
				w.add(new(conn))
			}
		}
		for now := c.interval; now <= (1+rounds)*c.interval; now = w.next(&p) + c.late {
			w.pass(&p, now, wake)
		}
		least := int(n * (rounds - 1) * c.interval / (c.interval + c.late + w.each))
		if total < least || w.mu.queue.length > n/10 {
			t.Errorf("interval %v, late by %v: %d woken, want %d; %d are left", c.interval, c.late, total, least, w.mu.queue.length)
		}
	}
}

// TestWheelTurns: turn wakes, ticks and stops by itself.
func TestWheelTurns(t *testing.T) {
	w := newWheel(20 * time.Millisecond)
	const n = 100
	for range n {
		w.add(new(conn))
	}
	counts, ticks := map[*conn]int{}, 0
	all, done := make(chan struct{}), make(chan struct{})
	enough := 0
	go func() {
		defer close(done)
		w.turn(func(c *conn) {
			if counts[c]++; counts[c] == 3 {
				if enough++; enough == n {
					close(all)
				}
			}
		}, func() { ticks++ })
	}()
	awaitClosed(t, "everybody woken three times", all)
	w.stop()
	awaitClosed(t, "the end of turn", done)
	if ticks == 0 {
		t.Error("there were no ticks")
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

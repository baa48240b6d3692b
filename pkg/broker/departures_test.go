package broker

import (
	"sync"
	"testing"
)

// TestDepartures: of many clients on one subject, those that have left get nothing, neither before nor after they are taken out of the
// index, and the others get everything.
func TestDepartures(t *testing.T) {
	const clients = 2 * crowdedSubject
	x := newBench(t, Options{})
	conns := make([]*conn, clients)
	for i := range conns {
		conns[i] = x.connect("CONNECT " + plainConnect + "\r\nSUB a 1\r\n")
	}
	index, publisher := x.b.live.Load().authority.global.index, x.connect("CONNECT "+plainConnect+"\r\n")
	publish := func(left int) {
		t.Helper()
		before := make([]int64, clients)
		for i, c := range conns {
			before[i] = sentTo(c)
		}
		publisher.feed([]byte(pub("a", 5)))
		for i, c := range conns {
			if got := sentTo(c) - before[i]; i < left && got != 0 || i >= left && got != 1 {
				t.Fatalf("%d have left: client %d got %d messages", left, i, got)
			}
		}
	}
	publish(0)
	x.b.departures.mu.drained = true // by nobody so far
	const first = 10
	for _, c := range conns[:first] {
		x.b.tell(c.leave)
	}
	if n := index.Count(); n != clients {
		t.Errorf("%d are in the index, want all %d until the next pass", n, clients)
	}
	publish(first)
	x.b.tasks.Add(1)
	x.b.drainDepartures()
	if n := index.Count(); n != clients-first {
		t.Errorf("%d are in the index after the pass, want %d", n, clients-first)
	}
	publish(first)
	var leaving sync.WaitGroup
	for _, c := range conns[first : clients-1] {
		leaving.Go(func() { x.b.tell(c.leave) })
	}
	leaving.Wait()
	x.b.tasks.Wait()
	if n := index.Count(); n != 1 {
		t.Errorf("%d are in the index, want the last", n)
	}
	publish(clients - 1)
}

// sentTo returns how many messages were queued for c so far.
func sentTo(c *conn) int64 {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.mu.sent.messages
}

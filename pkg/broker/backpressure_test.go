package broker

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// flood publishes total bytes to subject in messages of size bytes, as fast as the broker takes them, and returns the number of
// messages.
func (p *wireClient) flood(subject string, total, size int) int {
	p.t.Helper()
	batch := strings.Repeat(pub(subject, size), max(1, readSize/size))
	per := strings.Count(batch, "PUB ")
	sent := 0
	for ; sent*size < total; sent += per {
		p.send(batch)
	}
	return sent
}

// rounded returns how many messages flood sends.
func rounded(total, size int) int {
	per := max(1, readSize/size)
	return (total + per*size - 1) / (per * size) * per
}

// TestFastPublisherLosesNothing: at default limits, readers that pause now and then for a few milliseconds, but are not
// stuck, get everything from publishers that are much faster.
func TestFastPublisherLosesNothing(t *testing.T) {
	for _, c := range []struct{ publishers, subscribers, total, size int }{
		{publishers: 1, subscribers: 1, total: 200 << 20, size: 16 << 10},
		{publishers: 4, subscribers: 2, total: 100 << 20, size: 16 << 10},
	} {
		t.Run(fmt.Sprintf("%d to %d", c.publishers, c.subscribers), func(t *testing.T) {
			b := launch(t, Options{})
			n := c.publishers * rounded(c.total/c.publishers, c.size)
			var readers []*wireClient
			var results []<-chan error
			for range c.subscribers {
				p := joinQuiet(t, b)
				p.send("SUB foo 1\r\n")
				p.roundTrip()
				result := make(chan error, 1)
				go func() {
					result <- p.readMessages(n, func(i int) {
						if i%1000 == 999 {
							<-time.After(5 * time.Millisecond)
						}
					})
				}()
				readers, results = append(readers, p), append(results, result)
			}
			for range c.publishers {
				p := joinQuiet(t, b)
				go p.flood("foo", c.total/c.publishers, c.size)
			}
			for i, p := range readers {
				p.awaitRead(results[i])
				p.roundTrip()
			}
			if s := b.Stats(); s.SlowConsumers != 0 || s.OutMsgs != int64(n*c.subscribers) {
				t.Errorf("%d slow consumers, %d messages sent, want none and %d", s.SlowConsumers, s.OutMsgs, n*c.subscribers)
			}
		})
	}
}

// TestStuckReaderDelaysNobody: everybody else gets everything, also a client that asks and one that answers, while one reader is
// stuck and before it is cut.
func TestStuckReaderDelaysNobody(t *testing.T) {
	const total, size = 40 << 20, 8 << 10 // below max_pending
	b := launch(t, Options{})
	stuck, healthy, publisher := joinQuiet(t, b), joinQuiet(t, b), joinQuiet(t, b)
	for _, p := range []*wireClient{stuck, healthy} {
		p.send("SUB foo 1\r\n")
		p.roundTrip()
	}
	c := stuck.serverSide(b)
	result := healthy.reading(rounded(total, size))
	publisher.flood("foo", total, size)
	healthy.awaitRead(result)
	publisher.roundTrip()
	healthy.roundTrip()
	c.out.mu.Lock()
	pending := c.out.mu.pending
	c.out.mu.Unlock()
	if pending < total/2 || c.ended() {
		t.Errorf("%d bytes wait for the stuck reader, want most of them; it ended: %t", pending, c.ended())
	}
	// It was stuck, not dead: it gets all of it after all.
	stuck.awaitRead(stuck.reading(rounded(total, size)))
	stuck.roundTrip()
	if n := b.Stats().SlowConsumers; n != 0 {
		t.Errorf("%d slow consumers, want none", n)
	}
}

// TestStuckPublisherOfItsOwn: a client that sends to itself, and reads only when it has sent everything, is not held up.
func TestStuckPublisherOfItsOwn(t *testing.T) {
	const total, size = 30 << 20, 8 << 10
	b := launch(t, Options{})
	p := joinQuiet(t, b)
	p.send("SUB foo 1\r\n")
	p.flood("foo", total, size)
	p.awaitRead(p.reading(rounded(total, size)))
	p.roundTrip()
}

// TestStuckReaderHoldsLittleMemory: each of many small messages comes in a batch of its own. A stuck reader must not keep the
// whole segment of each alive.
func TestStuckReaderHoldsLittleMemory(t *testing.T) {
	const messages = 1000
	x := newBench(t, Options{})
	publisher := x.connect("CONNECT " + plainConnect + "\r\n")
	stuck := x.connect("CONNECT " + plainConnect + "\r\nSUB foo 1\r\n")
	stuck.out.mu.Lock()
	stuck.out.mu.flushing = true // a writer that does not come back
	stuck.out.mu.backlogged = true
	stuck.out.mu.Unlock()
	message := []byte(pub("foo", 100))
	for range messages {
		publisher.feed(message)
	}
	held := 0
	seen := map[*segment]bool{}
	stuck.out.mu.Lock()
	defer stuck.out.mu.Unlock()
	for _, s := range stuck.out.mu.spans {
		if !seen[s.segment] {
			seen[s.segment] = true
			held += len(s.segment.mem)
		}
	}
	if limit := 512<<10 + 2*keepShare*stuck.out.mu.pending; int64(held) > limit {
		t.Errorf("%d bytes are held for %d bytes that wait, want at most %d", held, stuck.out.mu.pending, limit)
	}
	if want := int64(messages * (len("MSG foo 1 100\r\n\r\n") + 100)); stuck.out.mu.pending != want {
		t.Errorf("%d bytes wait, want %d", stuck.out.mu.pending, want)
	}
}

// TestChurn: clients come, subscribe, are sent much, and go in every way, while publishers go on. Whoever stays gets
// everything.
func TestChurn(t *testing.T) {
	const rounds, size, total = 60, 2000, 30 << 20
	b := launch(t, Options{})
	steady := joinQuiet(t, b)
	steady.send("SUB foo 1\r\n")
	steady.roundTrip()
	result := steady.reading(rounded(total, size))
	publisher := joinQuiet(t, b)
	var done atomic.Bool
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		publisher.flood("foo", total, size)
		done.Store(true)
	}()
	for i := 0; i < rounds || !done.Load(); i++ {
		p := dialRaw(t, b)
		p.send("CONNECT " + plainConnect + "\r\nSUB foo 1\r\nSUB foo 2\r\nSUB foo q 3\r\nUNSUB 2 5\r\n")
		switch i % 4 {
		case 0:
			_ = p.SetLinger(0)
			_ = p.Close()
		case 1:
			_ = p.CloseWrite()
			_ = p.Close()
		case 2:
			p.send("UNSUB 1\r\nUNSUB 3\r\n")
		case 3:
			p.serverSide(b).close(reasonShutdown)
		}
	}
	<-flooded
	steady.awaitRead(result)
	steady.roundTrip()
}

// BenchmarkStuckReader is one small message, in a batch of its own, to a reader for which much waits already.
func BenchmarkStuckReader(b *testing.B) {
	x := newBench(b, Options{})
	publisher := x.connect("CONNECT " + plainConnect + "\r\n")
	stuck := x.connect("CONNECT " + plainConnect + "\r\nSUB foo 1\r\n")
	stuck.out.mu.Lock()
	stuck.out.mu.flushing = true // a writer that does not come back
	stuck.out.mu.backlogged = true
	stuck.out.mu.laggard = true
	stuck.out.mu.Unlock()
	message := []byte(pub("foo", 100))
	for range 100_000 {
		publisher.feed(message)
	}
	b.ReportAllocs()
	b.SetBytes(100)
	b.ResetTimer()
	for range b.N {
		publisher.feed(message)
	}
}

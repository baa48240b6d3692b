package broker

import (
	"sync/atomic"
	"time"
)

// latencyBounds are the upper ends of the buckets of the delivery latency. What takes longer falls into one more.
var latencyBounds = [...]time.Duration{
	10 * time.Microsecond, 25 * time.Microsecond, 50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 10 * time.Second,
}

// latencyShards is the number of parts of a latency histogram, so that workers do not share a cache line.
const latencyShards = 8

// latency is a histogram of how long messages were in the server: from the read that brought them to the write that took
// them away. It is always on: what it costs is two looks at the clock for each batch.
type latency struct {
	shards [latencyShards]latencyShard
	next   atomic.Uint32 // shard for the next worker
}

type latencyShard struct {
	counts [len(latencyBounds) + 1]atomic.Int64
	sum    atomic.Int64 // nanoseconds
	_      [64]byte
}

// shard returns the part that a new worker counts in.
func (l *latency) shard() *latencyShard { return &l.shards[l.next.Add(1)%latencyShards] }

// observe counts n messages that took d.
//
// Hot path: once per batch. 0 allocs/op. Locks: none.
func (s *latencyShard) observe(d time.Duration, n int64) {
	i := 0
	for i < len(latencyBounds) && d > latencyBounds[i] {
		i++
	}
	s.counts[i].Add(n)
	s.sum.Add(int64(d) * n)
}

// lateness counts messages that are written later than the batch that brought them ends.
type lateness struct {
	messages int64
	since    int64 // see Broker.clock: when the first of them was read
}

// add counts n messages that were read at a time.
func (l *lateness) add(n, at int64) {
	if l.messages == 0 {
		l.since = at
	}
	l.messages += n
}

// join moves what is in more to l.
func (l *lateness) join(more *lateness) {
	if more.messages > 0 {
		l.add(more.messages, more.since)
		*more = lateness{}
	}
}

// report puts what is in l into the histogram: it was written.
func (l *lateness) report(b *Broker) {
	if l.messages > 0 {
		b.latency.shards[0].observe(time.Duration(b.clock()-l.since), l.messages)
		*l = lateness{}
	}
}

// Latency is a snapshot of a histogram.
type Latency struct {
	Bounds []time.Duration // upper ends of the buckets, ascending; what took longer is in the last one
	Counts []int64         // one more than Bounds, not cumulative
	Sum    time.Duration   // of all of them
}

// Latency returns how long messages were in the server so far: from the read that brought a message to the write that took
// the last of its batch away, once per delivery. Messages for a connection with a backlog count when the backlog is written.
func (b *Broker) Latency() Latency {
	l := Latency{Bounds: latencyBounds[:], Counts: make([]int64, len(latencyBounds)+1)}
	for i := range b.latency.shards {
		s := &b.latency.shards[i]
		for k := range s.counts {
			l.Counts[k] += s.counts[k].Load()
		}
		l.Sum += time.Duration(s.sum.Load())
	}
	return l
}

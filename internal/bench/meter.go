package bench

import (
	"sync"
	"sync/atomic"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Bounds of a latency in nanoseconds, and the digits that are kept of it.
const (
	minLatency    = 1
	maxLatency    = 600_000_000_000
	latencyDigits = 3
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(minLatency, maxLatency, latencyDigits)
}

// meter collects the latencies of a workload: those of the current interval, and all.
type meter struct {
	mu sync.Mutex // guards the histograms

	interval, total *hdrhistogram.Histogram
}

func newMeter() *meter { return &meter{interval: newHistogram(), total: newHistogram()} }

// record adds latencies in nanoseconds. Locks: takes m.mu.
func (m *meter) record(latencies []int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range latencies {
		_ = m.interval.RecordValue(min(max(l, minLatency), maxLatency)) // it fails for values out of bounds only
	}
}

// tick ends the interval and returns how many there were in it, and two percentiles of them in nanoseconds. Locks: takes m.mu.
func (m *meter) tick() (count, p50, p99 int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	count = m.interval.TotalCount()
	if count > 0 {
		p50, p99 = m.interval.ValueAtQuantile(50), m.interval.ValueAtQuantile(99)
	}
	m.total.Merge(m.interval)
	m.interval.Reset()
	return count, p50, p99
}

// pad keeps counters of different goroutines off each other's cache lines.
type pad [64]byte

// counters are what one connection has done so far. One goroutine writes them, the one that looks at the clock reads.
type counters struct {
	_        pad
	messages atomic.Int64
	bytes    atomic.Int64
	last     atomic.Int64 // when, see clock
	_        pad
}

// add counts messages.
func (c *counters) add(messages, bytes, now int64) {
	c.messages.Add(messages)
	c.bytes.Add(bytes)
	c.last.Store(now)
}

// sum adds up counters.
func sum(list []*counters) (messages, bytes, last int64) {
	for _, c := range list {
		messages += c.messages.Load()
		bytes += c.bytes.Load()
		last = max(last, c.last.Load())
	}
	return messages, bytes, last
}

// sampleSize is how many latencies a connection keeps before it hands them to the meter.
const sampleSize = 1024

// samples are latencies of one connection that the meter does not have yet.
type samples struct {
	meter   *meter
	list    []int64
	flushed int64 // when, see clock
}

// keepSamples is the time in nanoseconds that they are kept at most while messages come.
const keepSamples = 20_000_000

func newSamples(m *meter) *samples { return &samples{meter: m, list: make([]int64, 0, sampleSize)} }

// add notes a latency in nanoseconds.
func (s *samples) add(latency int64) {
	if s.list = append(s.list, latency); len(s.list) == cap(s.list) {
		s.flush()
	}
}

// settle hands over what there is if that was long ago. It is called once for each read.
func (s *samples) settle(now int64) {
	if now-s.flushed > keepSamples {
		s.flushed = now
		s.flush()
	}
}

// flush hands over what there is.
func (s *samples) flush() {
	if len(s.list) > 0 {
		s.meter.record(s.list)
		s.list = s.list[:0]
	}
}

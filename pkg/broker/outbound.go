package broker

import "sync"

// outbound is what waits to be written to one connection.
//
// Workers append spans under mu and move on. Whoever finds that nobody writes becomes the flusher (flushing), takes
// the whole queue and writes it with mu dropped; there is one flusher at a time. A worker that flushes never
// waits for the socket: what it does not take at once goes to a writer goroutine, which exists only as long as there is
// a backlog. See flush.go.
type outbound struct {
	mu struct { // guards everything inside it
		sync.Mutex
		spans   []span // queued, oldest first; nil when empty, the memory is on loan from a worker
		backlog []span // taken by a flusher that could not write them all; the writer goroutine's
		pending int64  // bytes in spans, in backlog and with the flusher
		held    int64  // capacity of the segments that spans refers to, in bytes; an upper bound

		flushing  bool // a worker or the writer goroutine owns the write side of the socket
		scheduled bool // a worker has it on its list and will flush it
		closed    bool // nothing is queued any more
		laggard   bool // publishers do not wait for it, see stall.go

		written  int64         // bytes written in all
		laggedAt int64         // written when laggard was set
		looked   int64         // written when a stalled publisher looked last
		sent     tally         // queued in all
		drained  chan struct{} // closed when the queue is empty or the connection closed; nil if nobody waits
	}
}

// Bounds of the memory that a slow connection may keep alive beyond its pending bytes: it holds on to whole segments,
// of which it may need only a few bytes. Above, what it needs is copied out (compactLocked).
const (
	heldSlack  = 512 << 10 // bytes
	heldFactor = 4         // times the pending bytes
)

// pushLocked queues s, merging it with its predecessor where the two are adjacent. It takes over s's reference.
// spare is memory for the queue, used if it has none; pushLocked reports whether it did. Locks: needs o.mu.
func (o *outbound) pushLocked(s span, spare []span) (usedSpare bool) {
	o.mu.pending += int64(s.size())
	if n := len(o.mu.spans); n > 0 {
		if last := &o.mu.spans[n-1]; last.segment == s.segment && last.to == s.from {
			last.to = s.to
			s.segment.release(1) // the predecessor's will do
			return false
		}
	} else if o.mu.spans == nil {
		o.mu.spans, usedSpare = spare, spare != nil
	}
	if n := len(o.mu.spans); n == 0 || o.mu.spans[n-1].segment != s.segment {
		o.mu.held += int64(len(s.segment.mem))
	}
	o.mu.spans = append(o.mu.spans, s)
	return usedSpare
}

// compactLocked copies what the queued spans need out of the segments that they keep alive, if those are out of
// proportion. The cost is O(bytes queued), at most once per growth of the memory held by a factor of heldFactor.
// Locks: needs o.mu.
func (o *outbound) compactLocked() {
	if o.mu.held <= heldSlack+heldFactor*o.mu.pending {
		return
	}
	size := 0
	for _, s := range o.mu.spans {
		size += s.size()
	}
	packed := newSegment(size)
	for _, s := range o.mu.spans {
		packed.used += copy(packed.mem[packed.used:], s.bytes())
		s.segment.release(1)
	}
	clear(o.mu.spans)
	o.mu.spans = append(o.mu.spans[:0], span{packed, 0, uint32(size)})
	o.mu.held = int64(len(packed.mem))
}

// takeLocked hands the whole queue to a flusher. Locks: needs o.mu.
func (o *outbound) takeLocked() []span {
	spans := o.mu.spans
	o.mu.spans, o.mu.held = nil, 0
	return spans
}

// dropLocked lets go of everything that is queued. What a flusher has taken is the flusher's. Locks: needs o.mu.
func (o *outbound) dropLocked() {
	for _, s := range o.mu.spans {
		o.mu.pending -= int64(s.size())
		s.segment.release(1)
	}
	o.mu.spans, o.mu.held = nil, 0
}

// settledLocked wakes who waits for the queue to empty. Locks: needs o.mu.
func (o *outbound) settledLocked() {
	if o.mu.drained != nil {
		close(o.mu.drained)
		o.mu.drained = nil
	}
}

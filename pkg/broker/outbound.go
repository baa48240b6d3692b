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

		backlogged bool     // the writer goroutine exists
		tail       *segment // memory of its own for what is queued meanwhile, see keepLocked; nil: none

		flushing  bool // a worker or the writer goroutine owns the write side of the socket
		scheduled bool // a worker has it on its list and will flush it
		closed    bool // nothing is queued any more
		laggard   bool // publishers do not wait for it, see stall.go

		late        lateness // messages that another flusher will write
		sentAt      int64    // see Broker.clock: of the last message
		behindSince int64    // likewise, of the beginning of the backlog; 0: there is none, or it is the usual way

		written  int64         // bytes written in all
		laggedAt int64         // written when laggard was set
		sent     tally         // queued in all
		drained  chan struct{} // closed when the queue is empty or the connection closed; nil if nobody waits
	}
}

// A connection with a backlog may have to keep what is queued for long. It must not keep a whole segment alive for a few
// bytes of it: a span of less than 1/keepShare of its segment is copied to memory of the connection's own. So the
// memory behind a queue is at most keepShare times what is pending, and a little more.
const (
	keepShare = 4
	minTail   = 1 << 10 // bytes
)

// pushLocked queues s, merging it with its predecessor where the two are adjacent. It takes over s's reference.
// spare is memory for the queue, used if it has none; pushLocked reports whether it did. Locks: needs o.mu.
func (o *outbound) pushLocked(s span, spare []span) (usedSpare bool) {
	o.mu.pending += int64(s.size())
	if o.mu.backlogged {
		s = o.keepLocked(s)
	}
	if n := len(o.mu.spans); n > 0 {
		if last := &o.mu.spans[n-1]; last.segment == s.segment && last.to == s.from {
			last.to = s.to
			s.segment.release(1) // the predecessor's will do
			return false
		}
	} else if o.mu.spans == nil {
		o.mu.spans, usedSpare = spare, spare != nil
	}
	o.mu.spans = append(o.mu.spans, s)
	return usedSpare
}

// keepLocked returns s, or a copy of it if it is a small part of its segment, whose reference it then drops. The memory
// for copies grows with what is queued. Amortised O(bytes). Locks: needs o.mu.
func (o *outbound) keepLocked(s span) span {
	if s.segment.fixed || s.size()*keepShare >= len(s.segment.mem) {
		return s
	}
	size := minTail
	if tail := o.mu.tail; tail != nil {
		size = min(2*len(tail.mem), segmentSize)
		if tail.room() < s.size() {
			o.dropTailLocked()
		}
	}
	if o.mu.tail == nil {
		o.mu.tail = newExactSegment(max(size, s.size()))
	}
	tail := o.mu.tail
	kept := span{tail, uint32(tail.used), uint32(tail.used + s.size())}
	tail.used += copy(tail.mem[tail.used:], s.bytes())
	tail.retain(1)
	s.segment.release(1)
	return kept
}

// packLocked makes the spans of a new backlog the connection's own, as far as they are small parts of their segments.
// Spans in a row that share a segment are one part of it. Locks: needs o.mu.
func (o *outbound) packLocked(spans []span) []span {
	size, held := 0, 0
	for i, s := range spans {
		size += s.size()
		if i == 0 || spans[i-1].segment != s.segment {
			held += len(s.segment.mem)
		}
	}
	if size*keepShare >= held {
		return spans
	}
	packed := newExactSegment(size)
	for _, s := range spans {
		packed.used += copy(packed.mem[packed.used:], s.bytes())
		s.segment.release(1)
	}
	clear(spans)
	return append(spans[:0], span{packed, 0, uint32(size)})
}

// dropTailLocked lets go of the memory for copies. Locks: needs o.mu.
func (o *outbound) dropTailLocked() {
	if o.mu.tail != nil {
		o.mu.tail.release(1)
		o.mu.tail = nil
	}
}

// takeLocked hands the whole queue to a flusher. Locks: needs o.mu.
func (o *outbound) takeLocked() []span {
	spans := o.mu.spans
	o.mu.spans = nil
	return spans
}

// dropLocked lets go of everything that is queued. What a flusher has taken is the flusher's. Locks: needs o.mu.
func (o *outbound) dropLocked() {
	for _, s := range o.mu.spans {
		o.mu.pending -= int64(s.size())
		s.segment.release(1)
	}
	o.mu.spans = nil
}

// settledLocked wakes who waits for the queue to empty. Locks: needs o.mu.
func (o *outbound) settledLocked() {
	if o.mu.drained != nil {
		close(o.mu.drained)
		o.mu.drained = nil
	}
}

// drainedLocked reports whether nothing waits to be written, or never will be. Locks: needs o.mu.
func (o *outbound) drainedLocked() bool { return o.mu.closed || o.mu.pending == 0 && !o.mu.flushing }

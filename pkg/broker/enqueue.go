package broker

import "github.com/natsd/natsd/internal/wire"

// enqueue queues what segment holds from the index from on, the messages that n counts, for subscription s of c.
// A nil s stands for a line of the protocol and an empty n. Of more messages than s may still get, the first ones
// are queued.
//
// Hot path: once per run and subscription. 0 allocs/op. Locks: takes c.out.mu.
func (w *worker) enqueue(c *conn, s *subscription, segment *segment, from int, n tally) verdict {
	v, _ := w.enqueueBoth(c, s, span{segment, uint32(from), uint32(segment.used)}, span{}, n)
	return v
}

// enqueueBoth is enqueue for a message in two pieces: head, and tail, which is empty if its segment is nil. The spans
// hold no references yet. It also returns how many messages were queued.
func (w *worker) enqueueBoth(c *conn, s *subscription, head, tail span, n tally) (v verdict, taken int64) {
	o := &c.out
	size := head.size() + tail.size()
	v = queued
	o.mu.Lock()
	if o.mu.closed || s != nil && s.over() {
		o.mu.Unlock()
		return refused, 0
	}
	if !w.fitsLocked(o, size) && !w.relieveLocked(c, size) {
		alreadyClosed := o.mu.closed
		o.mu.Unlock()
		if !alreadyClosed {
			c.tooSlow()
		}
		return refused, 0
	}
	if s != nil {
		if s.max.Load() != 0 {
			if n, v = s.admitLocked(&head, n); v == refused {
				o.mu.Unlock()
				return refused, 0
			}
			if v == spent {
				s.max.Store(closedForGood)
			}
		}
		s.delivered += n.messages
		o.mu.sent.messages += n.messages
		o.mu.sent.bytes += n.bytes
		o.mu.sentAt = w.readAt
		if o.mu.flushing || c.raw.RawConn == nil {
			o.mu.late.add(n.messages, w.readAt)
		} else {
			w.delivered += n.messages
		}
	}
	w.pushLocked(o, head)
	if tail.segment != nil {
		w.pushLocked(o, tail)
	}
	if !o.mu.flushing && !o.mu.scheduled {
		o.mu.scheduled = true
		w.dirty = append(w.dirty, c)
	}
	if o.mu.pending > w.b.crowdedAt && !o.mu.laggard {
		w.crowd(c)
	}
	o.mu.Unlock()
	return v, n.messages
}

// pushLocked queues s on o, with a reference of its own. Locks: needs o.mu.
func (w *worker) pushLocked(o *outbound, s span) {
	s.segment.retain(1)
	if o.pushLocked(s, w.peekSpareLocked(o)) {
		w.spare = w.spare[:len(w.spare)-1]
	}
}

// relieveLocked tries to write what is queued for c, because the next size bytes would be too many, and reports whether
// they fit now. A batch may bring more than max_pending to a connection that keeps up: it is waited for, see stall.go.
// Locks: needs c.out.mu, drops and retakes it.
func (w *worker) relieveLocked(c *conn, size int) bool {
	o := &c.out
	if !o.mu.flushing {
		o.mu.Unlock()
		w.flush(c)
		o.mu.Lock()
		if !o.mu.closed && w.fitsLocked(o, size) {
			return true
		}
	}
	o.mu.Unlock()
	w.flushDirty() // the others do not wait
	o.mu.Lock()
	return w.lastChanceLocked(c, size)
}

// fitsLocked reports whether o may take size more bytes. Locks: needs o.mu.
func (w *worker) fitsLocked(o *outbound, size int) bool {
	return o.mu.pending == 0 || o.mu.pending+int64(size) <= w.live.MaxPending
}

// admitLocked returns how many of the n messages in head s may still get, and cuts off the others.
// Spec: docs/spec/client-protocol.md §7. Locks: needs out.mu of the connection.
func (s *subscription) admitLocked(head *span, n tally) (tally, verdict) {
	left := s.max.Load() - s.delivered
	switch {
	case left <= 0:
		return tally{}, refused
	case n.messages > left: // never in two pieces
		length, bytes := wire.Messages(head.bytes(), int(left))
		head.to = head.from + uint32(length)
		return tally{left, int64(bytes)}, spent
	case n.messages == left:
		return n, spent
	}
	return n, queued
}

// peekSpareLocked returns memory for the queue o if it has none. It stays the worker's unless the queue takes it.
// Locks: needs o.mu.
func (w *worker) peekSpareLocked(o *outbound) []span {
	if o.mu.spans != nil {
		return nil
	}
	if len(w.spare) == 0 {
		w.spare = append(w.spare, make([]span, 0, 4))
	}
	return w.spare[len(w.spare)-1]
}

// say queues a fixed line of the protocol for c.
func (w *worker) say(c *conn, line *segment) {
	w.seal()
	w.enqueue(c, nil, line, 0, tally{})
	if w.live.traceOn {
		c.traceOut(line.mem)
	}
}

// sayErr queues -ERR with text for c.
func (w *worker) sayErr(c *conn, text string) {
	w.seal()
	segment := w.room(aside, len(text)+len("-ERR ''\r\n"))
	from := segment.used
	segment.advance(wire.AppendErr(segment.free(), text))
	w.enqueue(c, nil, segment, from, tally{})
	if w.live.traceOn {
		c.traceOut(segment.mem[from:segment.used])
	}
}

// sayInfo queues an INFO for c and returns its version. It is the one of this moment, and not of the beginning of the batch: what
// has changed since may have been announced already, to c too.
func (w *worker) sayInfo(c *conn, lameDuck bool) (version uint32) {
	w.seal()
	now := w.b.live.Load()
	segment := w.room(aside, now.info.size())
	from := segment.used
	segment.advance(now.info.appendTo(segment.free(), c, lameDuck))
	c.infoAt.Store(now.infoVersion)
	w.enqueue(c, nil, segment, from, tally{})
	if w.live.traceOn {
		c.traceOut(segment.mem[from:segment.used])
	}
	return now.infoVersion
}

// sayNews queues an INFO for c, which takes it at any time, and another one as long as there was a change meanwhile: that may have been
// queued for c already, before this one. Only the first says that this is a lame duck. Spec: docs/spec/client-protocol.md §2.3.
func (w *worker) sayNews(c *conn, lameDuck bool) {
	for w.sayInfo(c, lameDuck) != w.b.live.Load().infoVersion {
		lameDuck = false
	}
}

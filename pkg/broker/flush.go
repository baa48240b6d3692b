package broker

import (
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	// flushRounds is how often a worker looks for more to write to the same connection before it leaves that to the
	// writer goroutine: its own client is waiting.
	flushRounds = 4

	// maxWrite is the most bytes that the writer goroutine hands to the system at a time; each such write has
	// write_deadline to complete. So a slow but steady reader is not cut for having much queued.
	maxWrite = 256 << 10
)

// flush writes what is queued for c to its socket, without waiting: a rest that the socket does not take goes to
// the writer goroutine.
//
// Hot path: once per batch and destination. 0 allocs/op. Locks: takes c.out.mu twice, drops it for the write.
func (w *worker) flush(c *conn) {
	o := &c.out
	o.mu.Lock()
	o.mu.scheduled = false
	if o.mu.flushing || len(o.mu.spans) == 0 {
		o.mu.Unlock()
		return
	}
	o.mu.flushing = true
	spans := o.takeLocked()
	o.mu.Unlock()
	for round := 0; ; round++ {
		n, err := w.write(c, spans)
		rest := advance(spans, n)
		o.mu.Lock()
		o.wroteLocked(n)
		if err != nil || o.mu.closed && len(rest) > 0 {
			c.abandonLocked(rest)
			o.mu.Unlock()
			w.recycle(spans)
			if err != nil {
				c.close(writeFailure(err))
			}
			return
		}
		if len(rest) > 0 || len(o.mu.spans) > 0 && round >= flushRounds {
			c.handOverLocked(rest, spans)
			o.mu.Unlock()
			return
		}
		w.recycle(spans)
		if len(o.mu.spans) == 0 {
			late := o.mu.late
			o.mu.late = lateness{}
			o.emptiedLocked()
			o.mu.Unlock()
			late.report(w.b)
			return
		}
		spans = o.takeLocked()
		o.mu.Unlock()
	}
}

// emptiedLocked ends a flush after which nothing is left. Locks: needs o.mu.
func (o *outbound) emptiedLocked() {
	o.mu.flushing, o.mu.laggard, o.mu.backlogged = false, false, false
	o.mu.behindSince = 0
	o.dropTailLocked()
	o.settledLocked()
}

// abandonLocked ends a flush that cannot go on, with rest unwritten. Locks: needs c.out.mu.
func (c *conn) abandonLocked(rest []span) {
	o := &c.out
	for _, s := range rest {
		o.mu.pending -= int64(s.size())
		s.segment.release(1)
	}
	o.mu.flushing, o.mu.backlogged = false, false
	o.dropLocked()
	o.dropTailLocked()
	o.settledLocked()
}

// handOverLocked gives rest, a tail of spans, to a new writer goroutine, which owns the write side from then on. It
// ends when everything is written or the connection closes; Broker.Shutdown waits for it.
// Locks: needs c.out.mu.
func (c *conn) handOverLocked(rest, spans []span) {
	o := &c.out
	n := copy(spans, rest)
	clear(spans[n:])
	o.mu.backlog = o.packLocked(spans[:n])
	o.mu.spans = o.packLocked(o.mu.spans)
	o.mu.backlogged = true
	if c.raw.RawConn != nil {
		o.mu.behindSince = c.b.clock() // else all output goes this way
	}
	c.b.tasks.Add(1)
	go c.writeBacklog()
}

// writeBacklog is the writer goroutine. Locks: takes c.out.mu, drops it for each write.
func (c *conn) writeBacklog() {
	defer c.b.tasks.Done()
	o := &c.out
	armed := false // the write deadline is set
	var late lateness
	o.mu.Lock()
	for {
		spans := o.mu.backlog
		o.mu.backlog = nil
		if len(spans) == 0 {
			spans = o.takeLocked()
		}
		late.join(&o.mu.late)
		if o.mu.closed {
			c.abandonLocked(spans)
			o.mu.Unlock()
			return
		}
		if len(spans) == 0 && !armed {
			o.emptiedLocked()
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()
		if len(spans) == 0 {
			// The deadline must not outlive the backlog: it would fail the next write of a worker.
			_ = c.net.SetWriteDeadline(time.Time{}) // a failure means that c is closed; the next write will tell
			armed = false
			o.mu.Lock()
			continue
		}
		armed = true
		n, err := c.writeWaiting(spans)
		rest := advance(spans, n)
		o.mu.Lock()
		o.wroteLocked(n)
		if err != nil {
			pending := o.mu.pending
			o.mu.closed = true // a worker must not find the deadline passed before it is known why
			o.mu.Unlock()
			c.writeFailed(err, rest, pending)
			return
		}
		o.mu.backlog = rest
		if len(rest) == 0 {
			late.report(c.b)
		}
	}
}

// writeFailed ends the writer goroutine of c after a write failed with err, of pending bytes in all left. It closes c.
// Locks: takes c.out.mu.
func (c *conn) writeFailed(err error, rest []span, pending int64) {
	reason, chunks := writeFailure(err), len(rest)
	var description SlowConsumer
	if reason == reasonSlowDeadline {
		description = c.describeSlow("write_deadline", int64(c.writeDeadline())) // while the backlog is there
	}
	c.out.mu.Lock()
	c.abandonLocked(rest)
	c.out.mu.Unlock()
	if !c.close(reason) || reason != reasonSlowDeadline {
		return
	}
	c.b.noteSlow(description)
	c.noticef("Slow Consumer Detected: WriteDeadline of %v exceeded with %d chunks of %d total bytes.",
		c.writeDeadline(), chunks, pending)
}

// writeDeadline returns the time that one write to c may take.
func (c *conn) writeDeadline() time.Duration {
	if c.route != nil && c.route.writeDeadline > 0 {
		return c.route.writeDeadline
	}
	return c.b.live.Load().WriteDeadline
}

// writeFailure returns the reason to close a connection whose write failed with err.
func writeFailure(err error) closeReason {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return reasonSlowDeadline
	}
	return reasonWriteError
}

// writeWaiting writes the first spans, about maxWrite bytes, and waits until the socket took them. It returns how
// many bytes were written.
func (c *conn) writeWaiting(spans []span) (written int, err error) {
	if err := c.net.SetWriteDeadline(time.Now().Add(c.writeDeadline())); err != nil {
		return 0, fmt.Errorf("cannot set the write deadline: %w", err)
	}
	buffers := make([][]byte, 0, min(len(spans), maxVectors))
	size := 0
	for _, s := range spans {
		b := s.bytes()
		if room := maxWrite - size; len(b) > room {
			b = b[:room]
		}
		buffers = append(buffers, b)
		if size += len(b); size == maxWrite || len(buffers) == cap(buffers) {
			break
		}
	}
	return c.writeBuffers(buffers)
}

// advance drops the first n bytes of spans, releases those that are written as a whole, and returns the rest, which
// shares their memory.
func advance(spans []span, n int) []span {
	for i := range spans {
		s := &spans[i]
		if n < s.size() {
			s.from += uint32(n)
			return spans[i:]
		}
		n -= s.size()
		s.segment.release(1)
		s.segment = nil
	}
	return nil
}

package broker

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/natsd/natsd/internal/bufpool"
	"github.com/natsd/natsd/internal/wire"
)

const (
	// minRead is the least room in bytes that a read is offered.
	minRead = 512
	// waitingRead is the size in bytes of the buffer with which a connection that cannot be asked for readiness waits.
	waitingRead = 2 << 10
	// soon is how long such a connection may keep a worker for what has probably come already.
	soon = time.Millisecond
	// lingerTime is how long input is drained after an -ERR that closes, so that the text survives unread input
	// (docs/spec/client-protocol.md §9).
	lingerTime = time.Second
)

// input is what a connection keeps between two batches, and its serving goroutine in between. An idle connection has
// no memory here.
type input struct {
	held     []byte                // input not parsed yet, in memory of bufpool; nil mostly
	inbox    *segment              // the same in an inbox of its own, which it begins, when it is much
	w        *worker               // borrowed while there is something to read; nil otherwise
	wake     func(fd uintptr) bool // c.tryRead, so that waiting does not allocate
	err      error                 // of the last read
	need     int32                 // length of the message that held is the beginning of; 0: not known
	skipping wire.Op               // see wire.Parser.Skipping
	batches  uint8                 // in quick succession, see conn.quiet
	settled  bool                  // it has had its first batches, see conn.quiet
	rooted   bool                  // it cannot be parked
	small    []byte                // to wait with, if the connection has no raw socket
	full     bool                  // the last read filled its buffer
	emptied  bool                  // the last read took all there was
	idle     bool                  // there is nothing to read, and the connection is to be parked
	refused  bool                  // the message that is coming in was refused when its control line was read
}

// serve reads, parses and answers until c closes or is parked. It is the body of the serving goroutine.
//
// Stop: any goroutine, with c.close. Wait: Shutdown, for b.tasks.
func (c *conn) serve() {
	defer c.b.tasks.Done()
	if c.in.wake == nil {
		c.in.wake = c.tryRead
	}
	for !c.ended() {
		if !c.read() {
			if c.in.idle && c.park() {
				return // everything about c may belong to another goroutine by now
			}
			if c.in.err != nil {
				c.lost(c.in.err)
			}
			continue
		}
		if c.route != nil {
			c.batchRoute()
		} else {
			c.batch()
		}
	}
	c.cleanUp()
}

// lost ends c, whose read failed with err. A peer that has said everything, and closed its half, may still read: what
// waits for it is written first.
func (c *conn) lost(err error) {
	reason := readFailure(err)
	if errors.Is(err, io.EOF) && !c.drained() {
		c.closeAfterFlush(reason)
		return
	}
	c.close(reason)
}

// readFailure returns the reason to close a connection whose read failed with err.
func readFailure(err error) closeReason {
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, syscall.ECONNRESET) {
		return reasonClientClosed
	}
	return reasonReadError
}

// read waits for input and reads it into a worker's buffer. False means that there is none: because of c.in.err, or
// because c has been quiet and is to be parked (c.in.idle).
func (c *conn) read() bool {
	c.in.err, c.in.idle = nil, false
	if c.raw.RawConn == nil {
		return c.readBlocking()
	}
	if c.in.emptied {
		c.in.emptied = false
		if c.quiet() { // what has come since wakes it at once
			if c.in.w != nil {
				c.in.giveBack(c.b)
			}
			c.in.idle = true
			return false
		}
	}
	err := c.raw.Read(c.in.wake)
	switch {
	case c.in.err != nil:
	case errors.Is(err, os.ErrDeadlineExceeded) && c.ended():
		c.in.err = err // lingerBusy's deadline
	case errors.Is(err, os.ErrDeadlineExceeded):
		// The wheel asks for it: c has been quiet for long.
		c.in.err = c.net.SetReadDeadline(time.Time{})
		c.in.idle = c.in.err == nil && !c.in.rooted
		if c.in.rooted {
			return c.in.err == nil && c.read()
		}
	case err != nil:
		c.in.err = err
	}
	return c.in.err == nil && !c.in.idle
}

// tryRead reads what there is, and reports whether waiting is over. The worker goes back while there is nothing.
// It runs inside RawConn.Read.
func (c *conn) tryRead(fd uintptr) bool {
	c.in.borrow(c.b)
	w := c.in.w
	room := w.in[w.end:]
	n, again, err := readNow(fd, room)
	if again {
		c.in.giveBack(c.b)
		c.in.idle = c.quiet()
		return c.in.idle
	}
	w.end += n
	c.in.emptied = n > 0 && n < len(room)
	c.in.err = err
	return true
}

// readBlocking reads with net.Conn.Read, which must have a buffer to wait with: a small one of its own. If the last read filled
// the one it had, more has probably come, and that is read with the worker's; but nobody waits with a worker for long
// (docs/adr/0001-goroutines-without-buffers.md).
func (c *conn) readBlocking() bool {
	if c.in.w != nil {
		room := c.in.w.in[c.in.w.end:]
		n, err := c.readSoon(room)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return c.haveRead(n, len(room), err)
		}
		c.in.giveBack(c.b)
	}
	if c.in.small == nil {
		c.in.small = make([]byte, waitingRead)
	}
	n, err := c.net.Read(c.in.small)
	if n > 0 {
		c.in.borrow(c.b)
		c.in.w.makeRoom(n)
		copy(c.in.w.in[c.in.w.end:], c.in.small[:n])
	}
	return c.haveRead(n, len(c.in.small), err)
}

// readSoon reads into room, and waits no longer than soon.
func (c *conn) readSoon(room []byte) (n int, err error) {
	if err := c.net.SetReadDeadline(time.Now().Add(soon)); err != nil {
		return 0, err
	}
	n, err = c.net.Read(room)
	if reset := c.net.SetReadDeadline(time.Time{}); reset != nil && n == 0 {
		err = reset
	}
	return n, err
}

// haveRead notes that a read has brought n bytes, which are in the worker's buffer, and had room for so many.
func (c *conn) haveRead(n, room int, err error) bool {
	if n == 0 {
		c.in.err = err
		return false
	}
	c.in.w.end += n
	c.in.full = n == room
	return true
}

// borrow takes a worker, if there is none yet, and gives it what is held.
func (in *input) borrow(b *Broker) {
	if in.w != nil {
		return
	}
	w := b.borrow()
	in.w = w
	w.parser.Skipping, w.parser.Need = in.skipping, int(in.need)
	w.start, w.end = 0, len(in.held)
	if in.inbox != nil {
		w.inbox.release(1)
		w.takeInbox(in.inbox)
		w.end = in.inbox.used
		in.inbox = nil
	}
	copy(w.in, in.held)
	bufpool.Put(in.held)
	in.held = nil
	w.makeRoom(minRead)
}

// giveBack returns the worker and keeps what it has not parsed yet, in no more memory than that needs.
func (in *input) giveBack(b *Broker) {
	w := in.w
	in.w = nil
	in.skipping, in.need = w.parser.Skipping, int32(w.parser.Need)
	rest := w.in[w.start:w.end]
	if len(rest) > readSize/2 {
		in.inbox = w.inbox
		in.inbox.used = copy(w.in, rest)
		w.takeInbox(newSegment(readSize))
	} else if len(rest) > 0 {
		in.held = bufpool.Get(len(rest))
		copy(in.held, rest)
	}
	w.empty()
	b.giveBack(w)
}

// drop gives up what is kept, when the connection ends.
func (in *input) drop(b *Broker) {
	if w := in.w; w != nil {
		in.w = nil
		w.empty()
		b.giveBack(w)
	}
	if in.inbox != nil {
		in.inbox.release(1)
		in.inbox = nil
	}
	bufpool.Put(in.held)
	in.held = nil
}

// takeInbox makes s, which nobody else refers to, the memory that input is read into.
func (w *worker) takeInbox(s *segment) { w.inbox, w.in = s, s.mem }

// empty forgets all input, and a large inbox.
func (w *worker) empty() {
	w.start, w.end = 0, 0
	if len(w.in) > readSize {
		w.inbox.release(1)
		w.takeInbox(newSegment(readSize))
	}
}

// detach moves input that is not parsed yet to a new inbox if outbound queues refer to the old one.
func (w *worker) detach() {
	if w.inbox.refs.Load() == 1 {
		return
	}
	rest := w.in[w.start:w.end]
	fresh := newSegment(max(readSize, len(rest)+minRead))
	copy(fresh.mem, rest)
	w.inbox.release(1)
	w.takeInbox(fresh)
	w.start, w.end = 0, len(rest)
}

// makeRoom makes sure that at least n bytes can be read behind w.end, and all of a message whose length is known if
// that does not take more than twice what is there: a size that a client has merely announced costs no memory.
// Nobody else may refer to the inbox.
func (w *worker) makeRoom(n int) {
	if w.start == w.end {
		w.empty()
	}
	want := min(max(w.end-w.start+n, w.parser.Need), 2*len(w.in))
	if w.start > 0 && (want > len(w.in)-w.start || len(w.in)-w.end < n) {
		w.end = copy(w.in, w.in[w.start:w.end])
		w.start = 0
	}
	if len(w.in)-w.end >= n && (want <= len(w.in) || w.end < len(w.in)/2) {
		return
	}
	larger := newSegment(max(want, w.end+n))
	copy(larger.mem, w.in[:w.end])
	w.inbox.release(1)
	w.takeInbox(larger)
}

// batch handles everything that the last read brought and flushes what came of it.
func (c *conn) batch() {
	w := c.in.w
	w.refresh()
	w.parser.Forget()
	w.readAt = c.b.clock()
	c.noteActivity()
	for w.start < w.end && !c.ended() {
		if c.identity.Load() == nil && c.locked(w.in[w.start]) {
			c.breakIn(w)
			c.hangUp(w)
			return
		}
		op, n, err := w.parser.Next(w.in[w.start:w.end])
		if err != nil {
			c.refuse(w, err)
			c.hangUp(w)
			return
		}
		w.start += n
		if op == wire.OpNone {
			if !c.peek(w) {
				c.hangUp(w)
				return
			}
			break
		}
		open := c.dispatch(w, op)
		w = c.in.w // CONNECT may have given the other one back
		if !open {
			c.hangUp(w)
			return
		}
	}
	c.endBatch(w)
}

// endBatch flushes what came of a batch, and makes ready for the next.
func (c *conn) endBatch(w *worker) {
	w.finish(c)
	if len(w.crowded) > 0 {
		crowded := w.crowded
		w.crowded = nil
		c.in.giveBack(c.b)
		c.b.stall(c, crowded)
		return
	}
	w.makeRoom(minRead)
	if c.raw.RawConn == nil && !c.in.full {
		c.in.giveBack(c.b)
	}
}

// hangUp ends c from its serving goroutine after a line that closes: what is queued is written, then the outgoing
// half is closed and input is drained for a moment, since the peer would lose the text to a reset otherwise. A client
// gets no messages meanwhile: those for a queue group go to the other members (docs/spec/client-protocol.md §6.4).
func (c *conn) hangUp(w *worker) {
	w.seal() // what was published before counts
	c.leave(w)
	w.finish(c)
	w.crowded = nil
	c.in.drop(c.b)
	c.awaitDrain(c.writeDeadline())
	closeWrite(c.net)
	c.linger()
	c.sever()
}

// linger reads and ignores input until the peer closes or lingerTime has passed, and reports whether it was the latter.
func (c *conn) linger() bool {
	if c.net.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return false
	}
	var ignored [waitingRead]byte
	for {
		if _, err := c.net.Read(ignored[:]); err != nil {
			return errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
}

// lingerBusy is linger for a connection that is closed from outside its serving goroutine. It waits only if there is input
// unread, which would turn the end into a reset and take output along that the system has not sent yet. It goes on
// while there is such output, up to the write deadline.
func (c *conn) lingerBusy() {
	if c.raw.RawConn == nil || !c.raw.unread() {
		return
	}
	cut := time.AfterFunc(c.writeDeadline(), func() { _ = c.net.Close() })
	defer cut.Stop()
	for c.linger() {
		if n, _ := c.raw.unsent(); n == 0 {
			return
		}
	}
}

package broker

import (
	"math/rand/v2"
	"time"

	"github.com/natsd/natsd/internal/sublist"
	"github.com/natsd/natsd/internal/wire"
)

// readSize is the size of a read buffer in bytes: the most that one batch brings, unless a single message is larger.
const readSize = 128 << 10

// worker is everything a goroutine needs to serve one batch of input: a parser, a read buffer, output under way and
// memory to reuse. Workers are pooled; a connection borrows one when there is something to read and gives it
// back before it waits, which is why an idle connection owns no buffer. A worker is for one goroutine at a time.
type worker struct {
	b      *Broker
	parser wire.Parser
	reader sublist.Reader[*subscription]
	random *rand.PCG

	inbox *segment // holds the input; readSize bytes, or more for a message that does not fit
	in    []byte   // the memory of inbox
	start int      // in[start:end] is input not parsed yet
	end   int

	segments [aside + 1]*segment
	run      run
	dirty    []*conn   // have something queued that this worker has promised to flush
	crowded  []crowded // have much queued, see stall.go
	spare    [][]span
	members  map[*conn]struct{} // see run.prepare
	remotes  []remoteCopy       // see address; the memory of earlier ones stays behind the end
	leaving  []*subscription    // see dismissLater

	live      *live // options, as of the beginning of the batch
	permitted permitted
	crossing  *crossing // nil: none so far
	lots      lots
	received  tally // of this batch
	routed    struct {
		account  *account // nil: none so far
		messages int64    // that another server sent for it, see countRouted
	}
	delivered int64 // messages of this batch that its end writes
	readAt    int64 // see Broker.clock: when this batch was read
	active    bool  // there was more than PING and PONG in it
	latency   *latencyShard
	io        socketIO
}

// newWorker returns a worker for b.
func newWorker(b *Broker) *worker {
	w := &worker{b: b, random: rand.NewPCG(rand.Uint64(), rand.Uint64()), latency: b.latency.shard()}
	w.takeInbox(newSegment(readSize))
	w.io.init()
	return w
}

// borrow returns an idle worker.
func (b *Broker) borrow() *worker {
	w, ok := b.workers.Get().(*worker)
	if !ok {
		w = newWorker(b)
	}
	w.refresh()
	return w
}

// refresh takes notice of a reload.
func (w *worker) refresh() {
	now := w.b.live.Load()
	if now == w.live {
		return
	}
	w.live = now
	w.parser.MaxControlLine = now.MaxControlLine
	w.parser.MaxPayload = now.MaxPayload
}

// giveBack returns w to the pool. Nothing may be open, leaving or dirty. The parser forgets what it has read: whoever gets w next may put
// other input into the same memory, and a subject compared with itself would count as allowed (docs/spec/client-protocol.md §12).
func (b *Broker) giveBack(w *worker) {
	w.parser.Forget()
	b.workers.Put(w)
}

// finish ends a batch of c: it queues what is still open and flushes every connection that got something. What it leaves
// in w.crowded is the caller's to wait for, or to drop.
func (w *worker) finish(c *conn) {
	w.seal()
	w.run.forget()
	w.dismiss()
	w.countRouted()
	w.reader.Settle()
	if w.received.messages > 0 {
		c.received.messages.Add(w.received.messages)
		c.received.bytes.Add(w.received.bytes)
		w.received = tally{}
	}
	w.flushDirty()
	if w.active {
		c.activeAt.Store(w.readAt)
		w.active = false
	}
	if w.delivered > 0 {
		w.latency.observe(time.Duration(w.b.clock()-w.readAt), w.delivered)
		w.delivered = 0
	}
	w.tidy()
	w.detach()
}

// flushDirty flushes every connection on the list and empties it.
func (w *worker) flushDirty() {
	for i, c := range w.dirty {
		w.flush(c)
		w.dirty[i] = nil
	}
	w.dirty = w.dirty[:0]
}

// keptClasses is the number of classes whose segments a worker keeps from one batch to the next.
const keptClasses = 3

// tidy keeps the segments that are used most, if nobody refers to them any more, and lets go of all others.
func (w *worker) tidy() {
	for i, s := range w.segments {
		switch {
		case s == nil:
		case (i < keptClasses || i == aside) && s.refs.Load() == 1 && len(s.mem) == segmentSize:
			s.used = 0
		default:
			s.release(1)
			w.segments[i] = nil
		}
	}
}

// room returns segment i with room for n bytes. The one before it, if it is replaced, must have no open range.
func (w *worker) room(i, n int) *segment {
	s := w.segments[i]
	if s != nil {
		if s.room() >= n {
			return s
		}
		s.release(1)
	}
	s = newSegment(n)
	w.segments[i] = s
	return s
}

// write writes spans to the socket of c without waiting and returns how many bytes it took.
func (w *worker) write(c *conn, spans []span) (int, error) {
	if c.raw.RawConn == nil {
		return 0, nil // the writer goroutine does it
	}
	return w.io.tryWrite(c.raw.RawConn, spans)
}

// Bounds of the queue memory that a worker keeps: many small ones, for a fan-out to many, and a few large ones.
const (
	maxSpare   = 1024
	smallSpare = 16 // spans
	maxLarge   = 32
)

// recycle takes back the memory of a queue whose spans have all been released.
func (w *worker) recycle(spans []span) {
	if n := len(w.spare); n < maxLarge && cap(spans) <= maxVectors || n < maxSpare && cap(spans) <= smallSpare {
		clear(spans)
		w.spare = append(w.spare, spans[:0])
	}
}

// pick returns a random number below n, which is at least 1 and well below 2^32.
func (w *worker) pick(n int) int { return int((w.random.Uint64() >> 32) * uint64(n) >> 32) }

// countRouted counts the messages of another server where they belong.
func (w *worker) countRouted() {
	if w.routed.messages > 0 {
		w.routed.account.routed.Add(w.routed.messages)
	}
	w.routed.account, w.routed.messages = nil, 0
}

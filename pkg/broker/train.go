package broker

import (
	"bytes"

	"github.com/natsd/natsd/internal/wire"
)

// train is a row of messages that lie one behind the other in the read buffer and differ in their payloads alone.
type train struct {
	n    int // messages
	each int // bytes from one to the next
	from int // where the tail of the first one begins in worker.in, see wire.Event.Tail
	tail int // bytes of a tail
}

// first returns the first n messages of t.
func (t train) first(n int) train {
	t.n = n
	return t
}

// rest returns t without its first n messages.
func (t train) rest(n int) train {
	t.n -= n
	t.from += n * t.each
	return t
}

// encode appends the messages of t, which lie in in, with head in front of each tail.
func (t train) encode(dst, head, in []byte) []byte {
	for i := range t.n {
		from := t.from + i*t.each
		dst = append(dst, head...)
		dst = append(dst, in[from:from+t.tail]...)
	}
	return dst
}

// maxTrain is the most bytes of a train that are encoded at once for one subscriber: what fits an ordinary segment twice.
const maxTrain = segmentSize / 2

// publishTrain publishes the messages that follow m in the read buffer and differ from it in their payloads alone. They go where m
// went: nothing needs to be looked up, allowed or refused again. Whatever needs a decision of its own is left to publish.
//
// Hot path: once per row of messages on one subject. 0 allocs/op.
func (c *conn) publishTrain(w *worker, m message, r *matches, id *identity) {
	if len(m.Reply) > 0 && c.noResponders || !c.brisk(w, m, r, id, true) {
		return
	}
	n, each := w.parser.More(w.in[w.start:w.end])
	if n == 0 {
		return
	}
	t := train{n, each, w.start + each - len(m.Tail), len(m.Tail)}
	switch {
	case w.run.matches == r:
		if m.Size >= bigPayload && w.run.members <= fewMembers {
			return
		}
		w.extendTrain(m, t)
	case !r.Empty():
		if t = w.trainTo(c, m, r, t); t.n == 0 {
			return
		}
	}
	w.start += t.n * t.each
	w.received.messages += int64(t.n)
	w.received.bytes += int64(t.n) * int64(m.Size)
}

// brisk reports whether what follows m from c, and goes where m went, which is r, may be published without a look at each message. repeated
// says that it has the same subject.
func (c *conn) brisk(w *worker, m message, r *matches, id *identity, repeated bool) bool {
	return !c.pedantic && !c.verbose && !w.live.traceOn &&
		(id.rules == nil || w.permitted.has(id, r, repeated)) &&
		// Those go each to whoever asked, see deliverAcross.
		(m.Subject[0] != '_' || !bytes.HasPrefix(m.Subject, w.b.responsePrefix))
}

// extendTrain adds t, which follows m, to the open run.
func (w *worker) extendTrain(m message, t train) {
	var scratch [headRoom]byte
	for t.n > 0 {
		fits := t.n
		for i := range w.run.classes {
			fits = min(fits, w.segments[i].room()/encodedSize(m, w.run.classes[i].text))
		}
		if fits == 0 {
			w.widen(m)
			continue
		}
		part := t.first(fits)
		for i := range w.run.classes {
			k, s := &w.run.classes[i], w.segments[i]
			head := k.appendHead(scratch[:0], m, false)
			s.advance(part.encode(s.free(), head, w.in))
		}
		w.run.open.messages += int64(fits)
		w.run.open.bytes += int64(fits) * int64(m.Size)
		t = t.rest(fits)
	}
}

// headRoom is the length in bytes of what stands before the tail of most messages.
const headRoom = 256

// trainTo queues t, which follows m from c, for everybody in r who gets messages one by one, and returns the part of t that was
// queued: nothing if there is somebody for whom each message needs a decision.
func (w *worker) trainTo(c *conn, m message, r *matches, t train) train {
	t.n = min(t.n, maxTrain/encodedSize(m, ""))
	if t.n == 0 || c.route != nil || !w.trainable(c, r) {
		return train{}
	}
	for _, s := range r.Plain {
		if s.conn != c || c.echo {
			w.queueTrain(m, s, t)
		}
	}
	for i := range r.Queues() {
		w.trainToGroup(c, m, &r.Queues()[i], t)
	}
	return t
}

// trainable reports whether each connection of r may get a train at once: see run.begin for the reasons why not.
func (w *worker) trainable(c *conn, r *matches) bool {
	possible := true
	check := func(subs []*subscription) {
		for _, s := range subs {
			if s.conn.route != nil || s.max.Load() != 0 || s.conn.watched.Load() || s.conn == c && !c.echo || s.conn.many.Load() && w.seenBefore(s.conn) {
				possible = false
				return
			}
		}
	}
	check(r.Plain)
	for i := range r.Queues() {
		check(r.Queues()[i].Members)
	}
	if len(w.members) > 0 {
		clear(w.members)
	}
	return possible
}

// queueTrain queues t, which follows m, for s.
func (w *worker) queueTrain(m message, s *subscription, t train) {
	var scratch [headRoom]byte
	segment := w.room(aside, t.n*encodedSize(m, s.sid))
	from := segment.used
	head := wire.AppendMsgHead(scratch[:0], m.Subject, s.sid, false)
	segment.advance(t.encode(segment.free(), head, w.in))
	w.offer(s, segment, from, tally{int64(t.n), int64(t.n) * int64(m.Size)})
}

// offer queues the messages in segment from the index from on, which n counts, for s, and returns how many it took: the first ones.
func (w *worker) offer(s *subscription, segment *segment, from int, n tally) (taken int64) {
	verdict, taken := w.enqueueBoth(s.conn, s, span{segment, uint32(from), uint32(segment.used)}, span{}, n)
	switch verdict {
	case refused:
		segment.used = from // nobody has seen it
	case spent:
		w.dismissLater(s)
	}
	return taken
}

// lots is the memory for drawing who of a queue group gets which message.
type lots struct {
	first []int32 // for each member, the first of its messages; -1: none
	next  []int32 // for each message, the next one of the same member; -1: none
}

// draw gives each of n messages to one of so many members, at random.
func (l *lots) draw(w *worker, n, members int) {
	l.first, l.next = l.first[:0], l.next[:0]
	for range members {
		l.first = append(l.first, -1)
	}
	for range n {
		l.next = append(l.next, -1)
	}
	for i := n - 1; i >= 0; i-- {
		member := 0
		if members > 1 {
			member = w.pick(members)
		}
		l.next[i], l.first[member] = l.first[member], int32(i)
	}
}

// trainToGroup queues each message of t, which follows m from c, for one member of a queue group, chosen at random. What a member
// cannot take goes to the next that can.
func (w *worker) trainToGroup(c *conn, m message, group *queueOfMatches, t train) {
	w.lots.draw(w, t.n, len(group.Members))
	for k, s := range group.Members {
		i := w.lots.first[k]
		if i < 0 {
			continue
		}
		for range w.queueLot(m, s, t, i) {
			i = w.lots.next[i]
		}
		for ; i >= 0; i = w.lots.next[i] {
			event := *m.Event
			at := t.rest(int(i)).from
			event.Tail = w.in[at : at+t.tail]
			event.Payload = w.in[at+t.tail-len(wire.CRLF)-m.Size : at+t.tail-len(wire.CRLF)]
			w.deliverGroup(c, message{&event, false}, group)
		}
	}
}

// queueLot queues those messages of t for s that were drawn for it, i being the first, and returns how many of them were taken: fewer
// than there are if it has just got a limit.
func (w *worker) queueLot(m message, s *subscription, t train, i int32) (taken int64) {
	var scratch [headRoom]byte
	head := wire.AppendMsgHead(scratch[:0], m.Subject, s.sid, false)
	segment := w.room(aside, t.n*encodedSize(m, s.sid))
	from := segment.used
	dst, n := segment.free(), int64(0)
	for ; i >= 0; i = w.lots.next[i] {
		dst = t.rest(int(i)).first(1).encode(dst, head, w.in)
		n++
	}
	segment.advance(dst)
	return w.offer(s, segment, from, tally{n, n * int64(m.Size)})
}

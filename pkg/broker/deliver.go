package broker

import (
	"strconv"

	"github.com/natsd/natsd/internal/sublist"
	"github.com/natsd/natsd/internal/wire"
)

type matches = sublist.Result[*subscription]

// message is a publish on its way to its subscribers. Its bytes lie in the worker's read buffer.
type message struct {
	*wire.Event
	headers bool // it came with HPUB
}

// deliver queues m, published by c, for everybody in r and reports whether anybody took it.
//
// Messages in a row that go to the same set of plain subscribers, which is most of them, form a run: they are
// encoded once for each class of subscribers and queued when the run ends. Everything that needs a decision per
// message takes the direct path.
//
// Hot path: once per message. 0 allocs/op (TestDeliverAllocs, BenchmarkDeliver). Locks: none in a run.
func (w *worker) deliver(c *conn, m message, r *matches) bool {
	if w.run.matches == r {
		w.extend(m)
		return true
	}
	if r.Empty() {
		return false
	}
	w.seal()
	if w.run.refused != r && w.run.begin(w, c, r) {
		w.extend(m)
		return true
	}
	return w.deliverEach(c, m, r)
}

// deliverEach is the direct path: every subscription is looked at for every message.
// Spec: docs/spec/client-protocol.md §6.4.
func (w *worker) deliverEach(c *conn, m message, r *matches) bool {
	taken := false
	for _, s := range r.Plain {
		if w.deliverTo(c, m, s) {
			taken = true
		}
	}
	for i := range r.Queues {
		if w.deliverGroup(c, m, r.Queues[i].Members) {
			taken = true
		}
	}
	return taken
}

// deliverGroup queues m for one member, chosen at random, or for the next that can take it.
func (w *worker) deliverGroup(c *conn, m message, members []*subscription) bool {
	first := 0
	if len(members) > 1 {
		first = w.pick(len(members))
	}
	for i := range members {
		at := first + i
		if at >= len(members) {
			at -= len(members)
		}
		if w.deliverTo(c, m, members[at]) {
			return true
		}
	}
	return false
}

// deliverTo queues m for s alone and reports whether it could.
func (w *worker) deliverTo(c *conn, m message, s *subscription) bool {
	to := s.conn
	if to == c && !c.echo || to.watched.Load() && !to.mayReceive(m, s) {
		return false
	}
	segment := w.room(aside, encodedSize(m, s.sid))
	from := segment.used
	segment.advance(appendMessage(segment.free(), m, s.sid, to.headers.Load()))
	verdict := w.enqueue(to, s, segment, from, tally{1, int64(m.Size)})
	if verdict == refused {
		segment.used = from // nobody has seen it
		return false
	}
	if w.live.traceOn {
		to.traceOut(segment.mem[from:segment.used])
	}
	if verdict == spent {
		to.unsubscribe(s)
	}
	return true
}

// withHeaders reports whether m goes out as HMSG.
func (m message) withHeaders(wanted bool) bool { return m.headers && m.HeaderSize > 0 && wanted }

// tailFits reports whether m.Tail can be sent as it is.
func (m message) tailFits(wantsHeaders bool) bool {
	return m.Tail != nil && (!m.headers || m.withHeaders(wantsHeaders))
}

// encodedSize returns an upper bound for the length of m, encoded for a subscription with this sid.
func encodedSize(m message, sid string) int {
	const fixed = len("HMSG     \r\n\r\n") + 20 // blanks, line ends, and a size that has to be written anew
	return fixed + len(m.Subject) + len(sid) + len(m.Reply) + len(m.HeaderText) + len(m.SizeText) + m.Size
}

// appendMessage appends m as a subscription with this sid gets it. Headers are cut off for a connection that did not
// ask for them (docs/spec/client-protocol.md §8.2).
func appendMessage(dst []byte, m message, sid string, wantsHeaders bool) []byte {
	withHeaders := m.withHeaders(wantsHeaders)
	dst = wire.AppendMsgHead(dst, m.Subject, sid, withHeaders)
	switch {
	case m.tailFits(wantsHeaders):
		return append(dst, m.Tail...)
	case withHeaders:
		return wire.AppendMsgTail(dst, m.Reply, m.HeaderText, m.SizeText, m.Payload)
	case !m.headers:
		return wire.AppendMsgTail(dst, m.Reply, nil, m.SizeText, m.Payload)
	}
	var digits [20]byte
	body := m.Payload[m.HeaderSize:]
	return wire.AppendMsgTail(dst, m.Reply, nil, strconv.AppendInt(digits[:0], int64(len(body)), 10), body)
}

// verdict is what became of a message that was offered to a subscription.
type verdict uint8

const (
	refused verdict = iota // not queued
	queued
	spent // queued, and the last that the subscription takes
)

package broker

import (
	"strconv"

	"github.com/natsd/natsd/internal/sublist"
	"github.com/natsd/natsd/internal/wire"
)

type (
	matches        = sublist.Result[*subscription]
	queueOfMatches = sublist.Queue[*subscription]
)

// message is a publish on its way to its subscribers. Its bytes lie in the worker's read buffer.
type message struct {
	*wire.Event
	headers bool // it came with HPUB
}

// matched returns the subject that decides who may get m.
func (m message) matched() []byte {
	if m.Matched != nil {
		return m.Matched
	}
	return m.Subject
}

// deliver queues m, published by c in account a, for everybody in r and reports whether anybody took it. If c is another
// server, that is everybody here, and queue groups are left out.
//
// Messages in a row that go to the same set of plain subscribers, which is most of them, form a run: they are
// encoded once for each class of subscribers and queued when the run ends. Everything that needs a decision per
// message takes the direct path.
//
// Hot path: once per message. 0 allocs/op (TestDeliverAllocs, BenchmarkDeliver). Locks: none in a run.
func (w *worker) deliver(c *conn, m message, r *matches, a *account) bool {
	if w.run.matches == r {
		w.extend(m)
		return true
	}
	if r.Empty() {
		return false
	}
	w.seal()
	if w.run.refused != r && w.run.begin(w, c, r, a) {
		w.extend(m)
		return true
	}
	if c.route != nil {
		w.deliverPlain(c, m, r)
		return true
	}
	return w.deliverEach(c, m, r, a, true)
}

// deliverEach is the direct path: every subscription is looked at for every message. Other servers are left out if abroad
// is false. Spec: docs/spec/client-protocol.md §6.4.
func (w *worker) deliverEach(c *conn, m message, r *matches, a *account, abroad bool) bool {
	taken := false
	abroad = abroad && MayForward(c.route != nil, true)
	for _, s := range r.Plain {
		switch {
		case s.conn.route != nil:
			if abroad {
				w.address(c, m, s, "")
			}
		case w.deliverTo(c, m, s):
			taken = true
		}
	}
	for i := range r.Queues() {
		group := &r.Queues()[i]
		if abroad && w.deliverGroup(c, m, group) || !abroad && w.deliverLocal(c, m, group.Members) {
			taken = true
		}
	}
	if len(w.remotes) > 0 {
		taken = w.deliverRemotes(m, a) || taken
	}
	return taken
}

// deliverGroup queues m for one member, chosen at random, or for the next that can take it. Members of other servers count
// like those of this one.
func (w *worker) deliverGroup(c *conn, m message, group *queueOfMatches) bool {
	members := group.Members
	first := 0
	if len(members) > 1 {
		first = w.pick(len(members))
	}
	for i := range members {
		at := first + i
		if at >= len(members) {
			at -= len(members)
		}
		s := members[at]
		if s.conn.route == nil && w.deliverTo(c, m, s) || s.conn.route != nil && w.address(c, m, s, group.Name) {
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
	segment.advance(appendMessage(segment.free(), m, target{s.sid, false}, to.headers.Load()))
	verdict := w.enqueue(to, s, segment, from, tally{1, int64(m.Size)})
	if verdict == refused {
		segment.used = from // nobody has seen it
		return false
	}
	if w.live.traceOn {
		to.traceOut(segment.mem[from:segment.used])
	}
	if verdict == spent {
		w.dismissLater(s)
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

// target says what stands before a message: a sid, or the account where another server of the second generation gets it.
type target struct {
	text   string
	abroad bool
}

// target is that of s, which is in a.
func (a *account) target(s *subscription) target {
	if s.conn.route != nil && s.sid == "" {
		return target{a.name, true}
	}
	return target{s.sid, false}
}

// appendHead appends what stands before the tail of m.
func (t target) appendHead(dst []byte, m message, withHeaders bool) []byte {
	if t.abroad {
		return wire.AppendRMsgHead(dst, t.text, m.Subject, withHeaders)
	}
	return wire.AppendMsgHead(dst, m.Subject, t.text, withHeaders)
}

// appendMessage appends m as t gets it. Headers are cut off for a connection that did not ask for them
// (docs/spec/client-protocol.md §8.2).
func appendMessage(dst []byte, m message, t target, wantsHeaders bool) []byte {
	dst = t.appendHead(dst, m, m.withHeaders(wantsHeaders))
	if m.tailFits(wantsHeaders) {
		return append(dst, m.Tail...)
	}
	return appendBody(dst, m, m.Reply, wantsHeaders)
}

// appendBody appends reply, sizes and payload of m.
func appendBody(dst []byte, m message, reply []byte, wantsHeaders bool) []byte {
	switch {
	case m.withHeaders(wantsHeaders):
		return wire.AppendMsgTail(dst, reply, m.HeaderText, m.SizeText, m.Payload)
	case !m.headers:
		return wire.AppendMsgTail(dst, reply, nil, m.SizeText, m.Payload)
	}
	var digits [20]byte
	body := m.Payload[m.HeaderSize:]
	return wire.AppendMsgTail(dst, reply, nil, strconv.AppendInt(digits[:0], int64(len(body)), 10), body)
}

// verdict is what became of a message that was offered to a subscription.
type verdict uint8

const (
	refused verdict = iota // not queued
	queued
	spent // queued, and the last that the subscription takes
)

package broker

import (
	"bytes"
	"strconv"

	"github.com/natsd/natsd/internal/subject"
	"github.com/natsd/natsd/internal/wire"
)

// reservedPrefix begins the subjects that clients may not publish to (docs/spec/client-protocol.md §6.3).
var reservedPrefix = []byte("_SYS.")

// publish handles PUB and HPUB. Spec: docs/spec/client-protocol.md §5, §6.3, §6.4.
//
// Hot path: once per message. 0 allocs/op.
func (c *conn) publish(w *worker, op wire.Op) bool {
	m := message{&w.parser.Event, op == wire.OpHPub}
	if m.headers && !c.headers.Load() {
		c.logBadInput(w, errHeadersNotAsked)
		return c.fail(w, errTextParser, reasonParseError)
	}
	id := c.identity.Load()
	if id.tooMuch > 0 && int64(m.Size) >= id.tooMuch {
		return c.tooLarge(w, id.tooMuch-1)
	}
	w.received.messages++
	w.received.bytes += int64(m.Size)
	if m.Subject[0] == '_' && bytes.HasPrefix(m.Subject, reservedPrefix) {
		c.refusePublish(w, m.Subject)
		return true
	}
	links := id.account.links.Load()
	if links != nil && links.mappings != nil {
		w.mapSubject(links, m.Event)
	}
	r := w.reader.Match(id.account.index, m.Subject)
	if id.rules != nil && !w.permitted.has(id, r, w.parser.Repeated) && !c.mayPublish(w, id, r, m.Subject) {
		c.refusePublish(w, m.Subject)
		return true
	}
	if c.pedantic || c.verbose {
		if !c.checkPublish(w, m.Subject) {
			return true
		}
	}
	again := w.run.matches == r
	taken := w.deliver(c, m, r, id.account)
	if links != nil || id.account.responses.waiting.Load() > 0 {
		taken = w.deliverAcross(c, m, id.account, 0) || taken
	}
	switch {
	case !taken && c.noResponders && len(m.Reply) > 0:
		c.tellNoResponders(w, m)
	case links != nil || m.headers:
	case w.parser.Repeated:
		c.publishTrain(w, m, r, id)
	case again:
		c.publishKin(w, m, r, id)
	}
	return true
}

// checkPublish does what pedantic and verbose clients ask for and reports whether the message is to be delivered. The
// +OK comes before what the client itself gets of the message (docs/spec/client-protocol.md §8.1).
func (c *conn) checkPublish(w *worker, text []byte) bool {
	valid := !c.pedantic || subject.ValidLiteral(text)
	if !valid && !c.in.refused {
		w.sayErr(c, errTextInvalidSubject)
	}
	c.in.refused = false
	c.acknowledge(w)
	return valid
}

// peek looks at a message whose control line is there but not its payload, and reports whether c stays open: one that is too
// large for the account ends it (docs/spec/client-protocol.md §9), and a pedantic client is told at once that the subject is
// invalid (§6.3).
func (c *conn) peek(w *worker) bool {
	if w.parser.Need == 0 {
		return true
	}
	if id := c.identity.Load(); id.tooMuch > 0 && int64(w.parser.Size) >= id.tooMuch {
		return c.tooLarge(w, id.tooMuch-1)
	}
	if c.pedantic && !c.in.refused && !subject.ValidLiteral(w.parser.Subject) {
		c.in.refused = true
		w.sayErr(c, errTextInvalidSubject)
	}
	return true
}

// tooLarge ends c, whose message is larger than limit (docs/spec/client-protocol.md §9).
func (c *conn) tooLarge(w *worker, limit int64) bool {
	c.errorf("Maximum Payload Exceeded: %d vs %d", w.parser.Size, limit)
	return c.fail(w, errTextMaxPayload, reasonMaxPayload)
}

// refusePublish answers a publish to a subject that is not allowed. The message is dropped, c stays open
// (docs/spec/client-protocol.md §12.1).
func (c *conn) refusePublish(w *worker, text []byte) {
	w.sayErr(c, errTextPublishPermission+strconv.Quote(string(text)))
	c.errorf("Publish Violation - %sSubject %q", c.userForLog(), text)
}

// tellNoResponders tells c that nobody took m, if it has a plain subscription on the reply subject.
// Spec: docs/spec/client-protocol.md §8.3, the form of 2.12.
func (c *conn) tellNoResponders(w *worker, m message) {
	s := c.subscribedTo(w, m.Reply)
	if s == nil {
		return
	}
	w.seal()
	const fixed = len("HMSG   \r\n\r\n") + 2*20 + len(noRespondersStatus) + len(noRespondersSubject) + 2*len(wire.CRLF)
	segment := w.room(aside, fixed+len(m.Reply)+len(s.sid)+len(m.Subject))
	from := segment.used
	size := len(noRespondersStatus) + len(noRespondersSubject) + len(m.Subject) + 2*len(wire.CRLF)
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], int64(size), 10)
	dst := wire.AppendMsgHead(segment.free(), m.Reply, s.sid, true)
	dst = append(dst, text...)
	dst = append(dst, ' ')
	dst = append(dst, text...)
	dst = append(dst, "\r\n"+noRespondersStatus+noRespondersSubject...)
	dst = append(dst, m.Subject...)
	segment.advance(append(dst, "\r\n\r\n\r\n"...))
	// Not a message to s: it does not count towards an auto-unsubscribe (docs/spec/client-protocol.md §7).
	w.enqueue(c, nil, segment, from, tally{})
	if c.b.live.Load().traceOn {
		c.traceOut(segment.mem[from:segment.used])
	}
}

const (
	noRespondersStatus  = "NATS/1.0 503\r\n"
	noRespondersSubject = "Nats-Subject: "
)

// subscribedTo returns the first plain subscription of c that matches text, nil if there is none.
func (c *conn) subscribedTo(w *worker, text []byte) *subscription {
	for _, s := range w.reader.Match(c.identity.Load().account.index, text).Plain {
		if s.conn == c {
			return s
		}
	}
	return nil
}

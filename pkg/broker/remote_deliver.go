package broker

import (
	"bytes"
	"slices"

	"github.com/natsd/natsd/internal/wire"
)

// MayForward is the rule of one hop: a message goes on to another server only if it comes from a client.
// Spec: docs/spec/route-protocol.md §1 (1).
func MayForward(fromRoute, toRoute bool) bool { return !fromRoute || !toRoute }

// remoteCopy is the one message that another server gets, whatever it has there that matches.
// Spec: docs/spec/route-protocol.md §2.4, §3.6.
type remoteCopy struct {
	sub    *subscription // one of those that match
	queues []string      // groups of which a member there was chosen; v2 only
}

// address notes that the server of s gets the message that is being delivered: once, and with queue, unless that is
// empty, among the groups it is for. A member of a group on a v1 route gets a message of its own, at once.
func (w *worker) address(c *conn, m message, s *subscription, queue string) (taken bool) {
	if queue != "" && s.sid != "" {
		return w.deliverTo(c, m, s)
	}
	for i := range w.remotes {
		if r := &w.remotes[i]; r.sub.conn == s.conn {
			if queue != "" {
				r.queues = append(r.queues, queue)
			}
			return true
		}
	}
	if s.conn.ended() || s.conn.watched.Load() && !s.conn.mayReceive(m, s) {
		return false
	}
	n := len(w.remotes)
	if n == cap(w.remotes) {
		w.remotes = append(w.remotes, remoteCopy{})
	} else {
		w.remotes = w.remotes[:n+1]
	}
	r := &w.remotes[n]
	r.sub, r.queues = s, r.queues[:0]
	if queue != "" {
		r.queues = append(r.queues, queue)
	}
	return true
}

// deliverRemotes queues the copies that address has noted, of a message in account a, and reports whether one could be.
func (w *worker) deliverRemotes(m message, a *account) bool {
	taken := false
	for i := range w.remotes {
		r := &w.remotes[i]
		if w.deliverRemote(m, a, r) {
			taken = true
		}
		r.sub = nil
		clear(r.queues)
	}
	w.remotes = w.remotes[:0]
	return taken
}

// deliverRemote queues the one copy r.
func (w *worker) deliverRemote(m message, a *account, r *remoteCopy) bool {
	to, headers := r.sub.conn, r.sub.conn.headers.Load()
	size := encodedSize(m, r.sub.sid) + len(a.name)
	for _, q := range r.queues {
		size += len(q) + 1
	}
	segment := w.room(aside, size)
	from := segment.used
	dst := segment.free()
	if r.sub.sid == "" && len(r.queues) > 0 {
		dst = wire.AppendRMsgHead(dst, a.name, m.Subject, m.withHeaders(headers))
		dst = wire.AppendRMsgQueues(dst, m.Reply, r.queues)
		dst = appendBody(dst, m, nil, headers)
	} else {
		dst = appendMessage(dst, m, a.target(r.sub), headers)
	}
	segment.advance(dst)
	if w.enqueue(to, r.sub, segment, from, tally{1, int64(m.Size)}) == refused {
		segment.used = from
		return false
	}
	if w.live.traceOn {
		to.traceOut(segment.mem[from:segment.used])
	}
	return true
}

// accountNamed returns the account with this name, nil if there is none.
func (w *worker) accountNamed(name []byte) *account { return w.live.authority.accounts[string(name)] }

// deliverRouted queues a message that another server has sent for clients of this one.
// Spec: docs/spec/route-protocol.md §1 (1), §2.4, §2.6, §3.6.
//
// Hot path: once per message of a route. 0 allocs/op.
func (w *worker) deliverRouted(c *conn, op wire.Op) {
	e := &w.parser.Event
	w.received.messages++
	w.received.bytes += int64(e.Size)
	a := w.live.authority.global
	if op != wire.OpMsg && string(e.Account) != globalAccount {
		if a = w.accountNamed(e.Account); a == nil {
			return
		}
	}
	if c.route.imports != nil && !c.route.imports.Publish(e.Subject) {
		return
	}
	if a != w.routed.account {
		w.countRouted()
		w.routed.account = a
	}
	w.routed.messages++
	r := w.reader.Match(a.index, e.Subject)
	if op != wire.OpMsg && len(e.Reply) > len(ackPrefix) && string(e.Reply[:len(ackPrefix)]) == ackPrefix {
		unwrapAck(e)
	}
	m := message{e, op == wire.OpRHMsg}
	switch {
	case op == wire.OpMsg && bytes.HasPrefix(e.SID, queueRSID):
		w.seal()
		w.deliverMember(c, m, r)
		return
	case e.Listed:
		w.seal()
		w.deliverPlain(c, m, r)
		w.deliverListed(c, m, r)
	case len(r.Plain) > 0:
		w.deliver(c, m, r, a)
	}
	if a.links.Load() != nil || a.responses.waiting.Load() > 0 {
		w.deliverAcross(c, m, a, 0)
	}
	e.Matched = nil
}

// deliverPlain queues m, which comes from another server, for the plain subscriptions of clients among r.
func (w *worker) deliverPlain(c *conn, m message, r *matches) {
	for _, s := range r.Plain {
		if MayForward(true, s.conn.route != nil) {
			w.deliverTo(c, m, s)
		}
	}
}

// deliverListed queues m for one client of each group that the other server has named. A group without one here is
// passed over: its members have gone since, and sending the message on could bring it to some twice.
func (w *worker) deliverListed(c *conn, m message, r *matches) {
	name, rest := wire.CutToken(m.Queues)
	for ; len(name) > 0; name, rest = wire.CutToken(rest) {
		for i := range r.Queues() {
			if r.Queues()[i].Name == string(name) {
				w.deliverLocal(c, m, r.Queues()[i].Members)
				break
			}
		}
	}
}

// blindPicks is how often a member is picked at random in the hope that it is a client of this server.
const blindPicks = 8

// deliverLocal queues m for one client among members, each with the same chance, or for the next that can take it.
func (w *worker) deliverLocal(c *conn, m message, members []*subscription) bool {
	first := -1
	for range blindPicks {
		if i := w.pick(len(members)); members[i].conn.route == nil {
			first = i
			break
		}
	}
	if first < 0 {
		if first = w.pickLocal(members); first < 0 {
			return false
		}
	}
	for i := range members {
		s := members[(first+i)%len(members)]
		if s.conn.route == nil && w.deliverTo(c, m, s) {
			return true
		}
	}
	return false
}

// pickLocal picks one of the clients among members; -1 if there are none.
func (w *worker) pickLocal(members []*subscription) int {
	found, chosen := 0, -1
	for i, s := range members {
		if s.conn.route != nil {
			continue
		}
		if found++; w.pick(found) == 0 {
			chosen = i
		}
	}
	return chosen
}

// queueRSID begins the rsid of a member of a queue group.
var queueRSID = []byte("QRSID:")

// deliverMember queues m for the member of a queue group that another server of the first generation has chosen, or
// for another one of its group if it has gone. Spec: docs/spec/route-protocol.md §2.6.
func (w *worker) deliverMember(c *conn, m message, r *matches) {
	cid, sid, found := parseRSID(m.SID)
	if !found {
		c.errorf("invalid QRSID: %q", m.SID)
		return
	}
	for i := range r.Queues() {
		for _, s := range r.Queues()[i].Members {
			if s.conn.id == cid && s.sid == string(sid) && s.conn.route == nil {
				if !w.deliverTo(c, m, s) {
					w.deliverLocal(c, m, r.Queues()[i].Members)
				}
				return
			}
		}
	}
	if queue := w.b.vanished.queueOf(m.SID); queue != "" {
		if i := slices.IndexFunc(r.Queues(), func(q queueOfMatches) bool { return q.Name == queue }); i >= 0 {
			w.deliverLocal(c, m, r.Queues()[i].Members)
		}
	}
}

// parseRSID takes "QRSID:cid:sid" apart.
func parseRSID(text []byte) (cid uint64, sid []byte, found bool) {
	digits, sid, found := bytes.Cut(text[len(queueRSID):], []byte(":"))
	if !found || len(digits) == 0 || len(digits) > 19 || len(sid) == 0 {
		return 0, nil, false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, nil, false
		}
		cid = cid*10 + uint64(d-'0')
	}
	return cid, sid, true
}

// ackPrefix begins the reply of a message that a JetStream consumer of another server delivers.
const ackPrefix = "$JS.ACK."

// unwrapAck gives such a message the subject that clients are to see, which stands behind an '@' after the eighth dot of
// its reply. The one that it was sent to goes on deciding who gets it. Source: docs/spec/route-protocol.md §3.6.
func unwrapAck(e *wire.Event) {
	at := 0
	for range 8 {
		dot := bytes.IndexByte(e.Reply[at:], '.')
		if dot < 0 {
			return
		}
		at += dot + 1
	}
	mark := bytes.IndexByte(e.Reply[at:], '@')
	if mark < 0 || at+mark+1 == len(e.Reply) {
		return
	}
	e.Matched, e.Subject, e.Reply, e.Tail = e.Subject, e.Reply[at+mark+1:], e.Reply[:at+mark], nil
}

package broker

// maxClasses is the most classes of subscribers that messages are encoded for. With more, their segments would not stay in
// the processor's cache, and most would have so few members that encoding once gains nothing.
const maxClasses = 8

// aside is the index of the segment for everything that does not belong to the run.
const aside = maxClasses

// run is a row of messages that go to the same plain subscribers. Each message is encoded once per class; when
// the run ends, each subscriber gets all of them as one span.
type run struct {
	matches *matches // whom they go to; nil: there is no run
	refused *matches // no run was possible for these, the last time
	classes []class  // the memory of earlier runs stays behind the end
	members int      // subscribers, of all classes
	open    tally    // encoded and not queued yet

	strangers uint // messages in a row that were not kin of the one before, see publishKin
}

// A message with a payload of at least bigPayload bytes for at most fewMembers subscribers is not copied: only what stands
// before the subscriber's part of the line is encoded, the rest is queued as it lies in the read buffer.
const (
	bigPayload = 4 << 10
	fewMembers = 8
)

// tally counts messages and the bytes of their payloads.
type tally struct{ messages, bytes int64 }

// class is the subscribers that get identical bytes: the same target, and headers or none.
type class struct {
	target
	headers bool
	from    int // the open range is segments[i] from here on, i being the index of the class
	subs    []*subscription
}

// begin starts a run of messages from c to r and reports whether r can be served this way: no queue groups, no
// subscription that counts its messages, no connection twice (it would get its messages out of order), none that
// wants no echo or whose messages have to be looked at, few classes. Of another server, which gets one copy whatever it has
// there, one subscription counts; none of them if c is another server itself, whose messages are not for queue groups.
func (u *run) begin(w *worker, c *conn, r *matches, a *account) bool {
	u.forget()
	if len(r.Queues()) > 0 && c.route == nil || !r.Stable() || w.live.traceOn {
		return false
	}
	sorted := u.classify(w, c, r.Plain, a)
	if len(w.members) > 0 {
		clear(w.members)
	}
	if !sorted {
		u.forget()
		u.refused = r
		return false
	}
	for i := range u.classes {
		u.classes[i].from = w.room(i, 0).used
	}
	u.matches, u.members = r, len(r.Plain)
	return true
}

// classify sorts subs into classes; false if that cannot be done.
func (u *run) classify(w *worker, c *conn, subs []*subscription, a *account) bool {
	unique := len(subs) == 1
	for _, s := range subs {
		if s.conn.route != nil && !MayForward(c.route != nil, true) {
			continue
		}
		if s.max.Load() != 0 || s.conn == c && !c.echo || s.conn.watched.Load() {
			return false
		}
		if !unique && s.conn.many.Load() && w.seenBefore(s.conn) {
			if s.conn.route != nil {
				continue
			}
			return false
		}
		k := u.classOf(a.target(s), s.conn.headers.Load())
		if k == nil {
			return false
		}
		k.subs = append(k.subs, s)
	}
	return true
}

// seenBefore reports whether c was asked about before in the run that begins. It is asked only about connections
// with more than one subscription.
func (w *worker) seenBefore(c *conn) bool {
	if w.members == nil {
		w.members = make(map[*conn]struct{})
	}
	if _, seen := w.members[c]; seen {
		return true
	}
	w.members[c] = struct{}{}
	return false
}

// classOf returns the class for t and headers, a new one if need be, nil if there are too many.
func (u *run) classOf(t target, headers bool) *class {
	for i := range u.classes {
		if k := &u.classes[i]; k.headers == headers && k.target == t {
			return k
		}
	}
	n := len(u.classes)
	if n == maxClasses {
		return nil
	}
	if n == cap(u.classes) {
		u.classes = append(u.classes, class{})
	} else {
		u.classes = u.classes[:n+1]
	}
	k := &u.classes[n]
	k.target, k.headers = t, headers
	return k
}

// extend adds m to the open run.
//
// Hot path: once per message. 0 allocs/op.
func (w *worker) extend(m message) {
	if m.Size >= bigPayload && w.run.members <= fewMembers && w.extendBig(m) {
		return
	}
	classes := w.run.classes
	for i := range classes {
		if w.segments[i].room() < encodedSize(m, classes[i].text) {
			w.widen(m)
			break
		}
	}
	for i := range classes {
		k, s := &classes[i], w.segments[i]
		s.advance(appendMessage(s.free(), m, k.target, k.headers))
	}
	w.run.open.messages++
	w.run.open.bytes += int64(m.Size)
}

// extendBig queues m for the members of the run without copying its payload, and reports whether it could.
func (w *worker) extendBig(m message) bool {
	classes := w.run.classes
	for i := range classes {
		if !m.tailFits(classes[i].headers) {
			return false
		}
	}
	w.seal()
	end := uint32(w.start) // the parser has just gone past m
	tail := span{w.inbox, end - uint32(len(m.Tail)), end}
	for i := range classes {
		k := &classes[i]
		segment := w.room(i, encodedSize(m, k.text)-m.Size)
		from := uint32(segment.used)
		segment.advance(k.appendHead(segment.free(), m, m.withHeaders(k.headers)))
		head := span{segment, from, uint32(segment.used)}
		for _, s := range k.subs {
			if v, _ := w.enqueueBoth(s.conn, s, head, tail, tally{1, int64(m.Size)}); v == spent {
				w.dismissLater(s)
			}
		}
		k.from = segment.used
	}
	return true
}

// widen queues what the run has so far and makes room for m in every segment.
func (w *worker) widen(m message) {
	w.seal()
	for i := range w.run.classes {
		k := &w.run.classes[i]
		k.from = w.room(i, encodedSize(m, k.text)).used
	}
}

// seal queues what the open run has encoded so far for its subscribers. The run goes on behind it. It comes
// before anything else is queued for anybody, so that each connection gets everything in order.
func (w *worker) seal() {
	if w.run.open.messages == 0 {
		return
	}
	for i := range w.run.classes {
		k, segment := &w.run.classes[i], w.segments[i]
		for _, s := range k.subs {
			if w.enqueue(s.conn, s, segment, k.from, w.run.open) == spent {
				w.dismissLater(s)
			}
		}
		k.from = segment.used
	}
	w.run.open = tally{}
}

// forget ends the run, which must be sealed.
func (u *run) forget() {
	for i := range u.classes {
		k := &u.classes[i]
		clear(k.subs)
		k.subs, k.target = k.subs[:0], target{}
	}
	u.classes, u.matches, u.refused, u.strangers = u.classes[:0], nil, nil, 0
}

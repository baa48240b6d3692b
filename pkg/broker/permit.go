package broker

import (
	"strconv"
	"sync"
	"time"
	"unsafe"

	"github.com/natsd/natsd/internal/permission"
)

// permitted is what a worker found allowed last, and for whom: most messages in a row are alike.
type permitted struct {
	id      *identity
	matches *matches // of a pattern that is allowed as a whole; nil: none
	pattern string   // the same, for matches that do not stay; empty: none
	seen    string   // pattern of the last message that was looked at
	allowed bool     // the message before was, whatever comes
}

// has reports whether the message before tells that id may publish to a subject, which has just been matched with r.
// repeated says that it has the same subject.
//
// Hot path: once per message of a user with permissions. It is inlined.
func (p *permitted) has(id *identity, r *matches, repeated bool) bool {
	return p.id == id && (repeated && p.allowed || p.matches == r)
}

// mayPublish reports whether c, which is id, may publish to a subject, which has just been matched with r.
//
// Hot path: once per change of subject of a user with permissions. 0 allocs/op. Fast paths: a subject whose cached match
// was stamped as allowed for id; matches of the same pattern as the last time, which is allowed as a whole. They touch
// little that matching has not.
func (c *conn) mayPublish(w *worker, id *identity, r *matches, text []byte) bool {
	p := &w.permitted
	if p.id != id {
		*p = permitted{id: id}
	}
	p.allowed = false
	stamp, stampable := w.reader.Stamp(id.account.index, text)
	if stamp == id.stamp && stamp != 0 || !r.Empty() && c.mayPublishAll(p, id, r) {
		p.allowed = true
		return true
	}
	if !id.rules.Publish(text) {
		return id.rules.Responses() != nil && c.replies.take(text)
	}
	if stampable && id.stamp != 0 {
		w.reader.SetStamp(id.stamp)
	}
	p.allowed = true
	return true
}

// mayPublishAll reports whether c may publish to everything that a pattern among r matches. It looks that up for the
// second message in a row.
func (c *conn) mayPublishAll(p *permitted, id *identity, r *matches) bool {
	pattern := patternOf(r)
	if !sameText(p.pattern, pattern) {
		again := sameText(p.seen, pattern)
		p.seen = pattern
		if !again || !id.rules.PublishAll(pattern) {
			return false
		}
		p.pattern = pattern
	}
	if r.Stable() {
		p.matches = r
	}
	return true
}

// sameText reports whether a and b are one text in memory, as all subscriptions on a pattern have it.
func sameText(a, b string) bool {
	return len(a) == len(b) && unsafe.StringData(a) == unsafe.StringData(b)
}

// patternOf returns a pattern that matches every subject that has the matches r, which are not empty.
func patternOf(r *matches) string {
	if len(r.Plain) > 0 {
		return r.Plain[0].subject
	}
	return r.Queues()[0].Members[0].subject
}

// mayReceive reports whether m may go to s, a subscription of c, which is watched; and if it may, and has a reply subject
// to which c is allowed to answer, notes that.
func (c *conn) mayReceive(m message, s *subscription) bool {
	if c.route != nil {
		return c.route.exports.Receive(m.matched(), s.queue())
	}
	id := c.identity.Load()
	if id == nil || !id.rules.Receive(m.matched(), s.queue()) {
		return false
	}
	if r := id.rules.Responses(); r != nil && len(m.Reply) > 0 {
		c.replies.allow(m.Reply, r)
	}
	return true
}

// subscribeViolation returns the text for a subscription that is not allowed (docs/spec/client-protocol.md §12.1).
func subscribeViolation(subject, queue string) string {
	text := errTextSubscribePermission + strconv.Quote(subject)
	if queue != "" {
		text += " using queue " + strconv.Quote(queue)
	}
	return text
}

// refuseSubscribe answers a subscription that is not allowed. It is not made, and its sid stays free.
func (c *conn) refuseSubscribe(w *worker, subject, queue, sid string) {
	w.sayErr(c, subscribeViolation(subject, queue))
	c.errorf("Subscription Violation - %sSubject %q, SID %s", c.userForLog(), subject, sid)
}

// userForLog is how log lines call the user of c, if it has a name.
func (c *conn) userForLog() string {
	if id := c.identity.Load(); id != nil && id.name != "" {
		return "User " + strconv.Quote(id.name) + ", "
	}
	return ""
}

// maxReplies is the most reply subjects that are open to one connection. One more replaces another.
const maxReplies = 16 << 10

// replies are the reply subjects that a connection may publish to for having received messages with them.
type replies struct {
	mu struct { // guards everything inside it
		sync.Mutex
		open map[string]reply
	}
}

// reply is one reply subject.
type reply struct {
	left    int       // messages; negative: no limit
	expires time.Time // zero: never
}

// allow opens a reply subject. Locks: takes r.mu.
func (r *replies) allow(text []byte, limits *permission.Responses) {
	opened := reply{left: limits.Max}
	now := time.Now()
	if limits.Expires > 0 {
		opened.expires = now.Add(limits.Expires)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.open == nil {
		r.mu.open = make(map[string]reply)
	}
	if len(r.mu.open) >= maxReplies {
		r.makeRoomLocked(now)
	}
	r.mu.open[string(text)] = opened
}

// makeRoomLocked drops what has expired, and others if few have. Locks: needs r.mu.
func (r *replies) makeRoomLocked(now time.Time) {
	for text, open := range r.mu.open {
		if open.expired(now) {
			delete(r.mu.open, text)
		}
	}
	for text := range r.mu.open {
		if len(r.mu.open) < maxReplies-maxReplies/8 {
			return // for a while: looking through all of them takes time
		}
		delete(r.mu.open, text)
	}
}

func (r *reply) expired(now time.Time) bool { return !r.expires.IsZero() && now.After(r.expires) }

// take uses one message of a reply subject, and reports whether it is open. Locks: takes r.mu.
func (r *replies) take(text []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	open, found := r.mu.open[string(text)]
	switch {
	case !found:
		return false
	case open.expired(time.Now()):
		delete(r.mu.open, string(text))
		return false
	case open.left < 0:
		return true
	case open.left <= 1:
		delete(r.mu.open, string(text))
	default:
		open.left--
		r.mu.open[string(text)] = open
	}
	return true
}

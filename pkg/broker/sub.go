package broker

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/natsd/natsd/internal/subject"
	"github.com/natsd/natsd/internal/wire"
)

// subscription is one SUB of one connection.
type subscription struct {
	conn    *conn   // set when it is made, like group and sid; never written again
	subject string  // shared by all subscriptions on it; set by isOn, never written again
	group   *string // nil: plain
	sid     string

	max       atomic.Int64 // messages it takes before it ends by itself; 0: no limit; closedForGood. Stored with conn.out.mu held
	delivered int64        // messages queued for it; guarded by conn.out.mu
}

// closedForGood is subscription.max of one that takes nothing any more.
const closedForGood = -1

// newSubscription returns a subscription of c, as a member of a queue group if queue is not empty.
func newSubscription(c *conn, queue, sid string) *subscription {
	s := &subscription{conn: c, sid: sid}
	if queue != "" {
		s.group = &queue
	}
	return s
}

// queue returns the name of the queue group of s; empty: it is plain.
func (s *subscription) queue() string {
	if s.group == nil {
		return ""
	}
	return *s.group
}

// over reports whether s takes nothing any more.
func (s *subscription) over() bool { return s.max.Load() == closedForGood }

// fewSubscriptions is the most that a connection keeps in a list. More are found through a table.
const fewSubscriptions = 8

// subscriptions are those of one connection, by sid.
type subscriptions struct {
	mu struct { // guards everything inside it
		sync.Mutex
		list  []*subscription // nil while bySID is in use
		bySID *sidTable       // nil while there are few
	}
}

// findLocked returns the subscription with this sid, nil if there is none. Locks: needs subs.mu.
func (subs *subscriptions) findLocked(sid []byte) *subscription {
	if subs.mu.bySID != nil {
		return subs.mu.bySID.find(sid)
	}
	for _, s := range subs.mu.list {
		if s.sid == string(sid) {
			return s
		}
	}
	return nil
}

// countLocked returns the number of subscriptions. Locks: needs subs.mu.
func (subs *subscriptions) countLocked() int {
	if subs.mu.bySID != nil {
		return subs.mu.bySID.count
	}
	return len(subs.mu.list)
}

// addLocked adds s, whose sid must be free. Locks: needs subs.mu.
func (subs *subscriptions) addLocked(s *subscription) {
	switch {
	case subs.mu.bySID != nil:
		subs.mu.bySID.add(s)
	case len(subs.mu.list) < fewSubscriptions:
		if subs.mu.list == nil {
			subs.mu.list = make([]*subscription, 0, 1) // most have one
		}
		subs.mu.list = append(subs.mu.list, s)
	default:
		subs.mu.bySID = newSIDTable(4 * fewSubscriptions)
		for _, old := range subs.mu.list {
			subs.mu.bySID.add(old)
		}
		subs.mu.list = nil
		subs.mu.bySID.add(s)
	}
}

// removeLocked takes s out and reports whether it was there. Locks: needs subs.mu.
func (subs *subscriptions) removeLocked(s *subscription) bool {
	if subs.mu.bySID != nil {
		return subs.mu.bySID.remove(s)
	}
	i := slices.Index(subs.mu.list, s)
	if i < 0 {
		return false
	}
	subs.mu.list = slices.Delete(subs.mu.list, i, i+1)
	return true
}

// allLocked returns all subscriptions in memory of the caller's. Locks: needs subs.mu.
func (subs *subscriptions) allLocked() []*subscription {
	all := slices.Clone(subs.mu.list)
	if subs.mu.bySID != nil {
		all = subs.mu.bySID.appendTo(all)
	}
	return all
}

// takeAllLocked empties subs and returns what was there. Locks: needs subs.mu.
func (subs *subscriptions) takeAllLocked() []*subscription {
	all := subs.allLocked()
	subs.mu.list, subs.mu.bySID = nil, nil
	return all
}

// subscribe handles SUB. Spec: docs/spec/client-protocol.md §6.2, and §5 for a sid in use.
func (c *conn) subscribe(w *worker) {
	e := &w.parser.Event
	w.seal()
	w.dismiss() // what that was the last message for
	switch c.addSubscription(w, e) {
	case subscriptionDenied:
		c.refuseSubscribe(w, string(e.Subject), string(e.Queue), string(e.SID))
	case subscriptionMalformed:
		w.sayErr(c, errTextInvalidSubject)
	case subscriptionTooMany:
		w.sayErr(c, errTextMaxSubscriptions)
	case subscriptionMade:
		c.acknowledge(w)
	}
}

// What became of a SUB.
type subscribeOutcome uint8

const (
	subscriptionMade subscribeOutcome = iota // or its sid was in use, or its connection is ending, which is as good
	subscriptionDenied
	subscriptionMalformed
	subscriptionTooMany
)

// addSubscription makes the subscription that e asks for, if it is allowed. Permissions and index go together, so that
// a reload sees it or it sees the reload. Locks: takes c.subs.mu, below it the index's.
func (c *conn) addSubscription(w *worker, e *wire.Event) subscribeOutcome {
	c.subs.mu.Lock()
	defer c.subs.mu.Unlock()
	id := c.identity.Load()
	if id.rules != nil && !id.rules.Subscribe(string(e.Subject), string(e.Queue)).Allowed {
		return subscriptionDenied
	}
	if !subject.ValidSubscription(e.Subject) { // the permission check comes first: docs/spec/client-protocol.md §6.2
		return subscriptionMalformed
	}
	if c.left {
		return subscriptionMade // c is ending
	}
	if s := c.subs.findLocked(e.SID); s != nil {
		if !s.over() {
			return subscriptionMade // there it is
		}
		c.subs.removeLocked(s) // whoever gave it its last message has not come to dismiss it yet
		id.account.removeSubscription(w, s)
	}
	count := c.subs.countLocked()
	if full(int64(count), c.b.live.Load().MaxSubscriptions) || accountFull(id.account.subscriptions.Load(), id.account.limits.Load().MaxSubscriptions) {
		return subscriptionTooMany
	}
	if count > 0 {
		c.many.Store(true) // before anybody can match the second one, see run.classify
	}
	s := newSubscription(c, string(e.Queue), string(e.SID))
	if id.rules.Filters(string(e.Subject), s.queue()) {
		c.watched.Store(true) // likewise
	}
	c.subs.addLocked(s)
	_ = id.account.index.Insert(e.Subject, s.queue(), s)
	id.account.added(w, s)
	return subscriptionMade
}

// isOn tells s its subject, before anybody can match it. One that moves to another account keeps the text it has, since
// others read it.
func (s *subscription) isOn(text string) {
	if s.subject == "" {
		s.subject = text
	}
}

// addSubscription adds s, which is not new, under its subject.
func (a *account) addSubscription(w *worker, s *subscription, text string) {
	_ = a.index.Insert([]byte(text), s.queue(), s) // it keeps its own copy of the text
	a.added(w, s)
}

// added notes that s, a client's, has come. w is for telling other servers of the cluster; nil without one.
// Locks: needs subs.mu of the connection of s.
func (a *account) added(w *worker, s *subscription) {
	first := a.subscriptions.Add(1) == 1
	if a.announcer != nil {
		a.announcer.change(w, a, s, 1, first)
	}
}

// removeSubscription takes s out of a, where it is.
func (a *account) removeSubscription(w *worker, s *subscription) {
	a.index.Remove(s.subject, s.queue(), s)
	a.removed(w, s)
}

// removeSubscriptions is removeSubscription for all in list, which takes little longer for many on one subject.
func (a *account) removeSubscriptions(w *worker, list []*subscription) {
	a.index.RemoveAll(len(list), subscriptionsAt(list))
	for _, s := range list {
		a.removed(w, s)
	}
}

// subscriptionsAt returns what tells the index where those in list are.
func subscriptionsAt(list []*subscription) func(i int) (pattern, queue string, s *subscription) {
	return func(i int) (pattern, queue string, s *subscription) { return list[i].subject, list[i].queue(), list[i] }
}

// removed notes that s, a client's, has gone. w and locks: as added.
func (a *account) removed(w *worker, s *subscription) {
	last := a.subscriptions.Add(-1) == 0
	if a.announcer != nil {
		a.announcer.change(w, a, s, -1, last)
	}
}

// closeSubscription makes s, a subscription of c, take nothing any more. Locks: takes c.out.mu.
func (c *conn) closeSubscription(s *subscription) {
	c.out.mu.Lock()
	s.max.Store(closedForGood)
	c.out.mu.Unlock()
}

// unsubscribeSID handles UNSUB. Spec: docs/spec/client-protocol.md §7.
func (c *conn) unsubscribeSID(w *worker) {
	e := &w.parser.Event
	w.seal() // what was published before counts
	c.subs.mu.Lock()
	s := c.subs.findLocked(e.SID)
	c.subs.mu.Unlock()
	if s != nil {
		c.out.mu.Lock()
		over := e.Max <= s.delivered
		switch {
		case over:
			s.max.Store(closedForGood)
		case !s.over():
			s.max.Store(e.Max)
		}
		c.out.mu.Unlock()
		if over {
			w.dismissLater(s)
		}
	}
	c.acknowledge(w)
}

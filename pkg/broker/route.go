package broker

import (
	"bytes"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/natsd/natsd/internal/permission"
	"github.com/natsd/natsd/internal/subject"
	"github.com/natsd/natsd/internal/wire"
	"github.com/rs/zerolog"
)

// route is what a connection to another server has and a client has not. Its interest is in the indexes of the accounts
// like the subscriptions of clients, so that one match finds both; what becomes of a match is in remote_deliver.go.
type route struct {
	link    *Link       // set by Attach, like what follows, never written again
	handler LinkHandler // as above
	imports *permission.Set
	exports *permission.Set
	most    int // subjects of interest

	writeDeadline time.Duration // 0: that of clients

	open     bool // it has shown what it must; the serving goroutine's, like leaning
	leaning  bool // what is in excess of most was logged
	old      bool // its generation is v1; set by Announce before the link is in links
	interest struct {
		mu struct { // guards everything inside it
			sync.Mutex
			byKey map[string]*remoteInterest // v2: "account subject queue", v1: the rsid
		}
		key []byte // memory for keys; the serving goroutine's
	}
}

// remoteInterest is what another server has announced with one RS+ or SUB.
type remoteInterest struct {
	sub     *subscription
	key     string   // under which it is known; the texts are parts of it where they can be
	text    string   // the subject
	name    string   // of the account
	account *account // nil: there is none of this name
	weight  int      // how often sub is in the index
}

// maxWeight is the most members of a queue group of another server that count when one is chosen.
const maxWeight = 4096

// batchRoute is batch for a connection to another server.
func (c *conn) batchRoute() {
	w := c.in.w
	w.refresh()
	w.parser.Forget()
	w.readAt = c.b.clock()
	c.noteActivity()
	for w.start < w.end && !c.ended() {
		if !c.route.open && c.locked(w.in[w.start]) {
			c.breakIn(w)
			c.hangUp(w)
			return
		}
		op, n, err := w.parser.NextRoute(w.in[w.start:w.end])
		if err != nil {
			c.refuseRoute(w, err)
			c.hangUp(w)
			return
		}
		w.start += n
		if op == wire.OpNone {
			break
		}
		if !c.dispatchRoute(w, op) {
			c.hangUp(w)
			return
		}
	}
	c.endBatch(w)
}

// refuseRoute ends a connection to another server that sent what is not in the protocol.
// Source: docs/spec/route-protocol.md §5.
func (c *conn) refuseRoute(w *worker, err error) {
	c.logBadInput(w, err)
	switch {
	case errors.Is(err, wire.ErrUnknownOp):
		c.fail(w, errTextUnknownOp, reasonParseError)
	case errors.Is(err, wire.ErrControlLine):
		c.fail(w, errTextRouteLine, reasonMaxControlLine)
	default:
		c.end(reasonParseError) // silently, as peers do
	}
}

// dispatchRoute does what the event op in w.parser asks for and reports whether c stays open.
func (c *conn) dispatchRoute(w *worker, op wire.Op) bool {
	if c.b.live.Load().traceOn {
		c.traceIn(op, &w.parser.Event)
	}
	w.active = w.active || op != wire.OpPing && op != wire.OpPong
	w.dismiss()
	switch op {
	case wire.OpRMsg, wire.OpRHMsg, wire.OpMsg:
		w.deliverRouted(c, op)
		w.dismiss()
	case wire.OpRSub, wire.OpSub:
		w.seal()
		c.remoteSubscribe(&w.parser.Event, op == wire.OpSub)
	case wire.OpRUnsub, wire.OpUnsub:
		w.seal()
		c.remoteUnsubscribe(&w.parser.Event, op == wire.OpUnsub)
	case wire.OpPing:
		w.say(c, pongLine)
	case wire.OpPong:
		c.ponged(w)
		c.route.handler.Pong(c.route.link)
	case wire.OpConnect, wire.OpInfo, wire.OpErr:
		return c.tellHandler(w, op)
	}
	return true
}

// tellHandler lets the handler know of a line that is its business, and reports whether c stays open.
func (c *conn) tellHandler(w *worker, op wire.Op) bool {
	text := bytes.Clone(w.parser.Arg)
	w.seal()
	w.run.forget()
	w.dismiss()
	w.flushDirty() // the handler may take its time
	r := c.route
	switch op {
	case wire.OpConnect:
		if refusal := r.handler.Connect(r.link, text); refusal != "" {
			return c.fail(w, refusal, reasonAuthorization)
		}
		r.open = true
	case wire.OpInfo:
		if !r.handler.Info(r.link, text) {
			c.end(reasonProtocol)
			return false
		}
	default:
		r.handler.Error(r.link, string(text))
		c.end(reasonClientClosed)
		return false
	}
	return true
}

// remoteSubscribe handles RS+ and, if old, SUB. Spec: docs/spec/route-protocol.md §2.3, §3.5.
func (c *conn) remoteSubscribe(e *wire.Event, old bool) {
	r := c.route
	if !subject.ValidSubscription(e.Subject) {
		c.errorf("Invalid subject %q in the interest of a route, ignored", e.Subject)
		return
	}
	if !r.exports.Subscribe(string(e.Subject), string(e.Queue)).Allowed {
		c.log(zerolog.DebugLevel).Msgf("Interest in %q ignored, it may not be exported", e.Subject)
		return
	}
	if old {
		e.Account, e.Weight = []byte(globalAccount), min(1, int64(len(e.Queue)))
	}
	key := c.interestKey(e, old)
	if r.exports.Filters(string(e.Subject), string(e.Queue)) {
		c.watched.Store(true) // before anybody can match it
	}
	if !c.noteInterest(e, key, old) && !r.leaning {
		r.leaning = true
		c.errorf("More than %d subjects of interest; the rest of this route's is ignored", r.most)
	}
}

// noteInterest makes e, whose key is given, part of what the other server is interested in; false if that is too much.
// Locks: takes the lock of the interest, below it the index's.
func (c *conn) noteInterest(e *wire.Event, key []byte, old bool) bool {
	r := c.route
	r.interest.mu.Lock()
	defer r.interest.mu.Unlock()
	known := r.interest.mu.byKey[string(key)]
	if known == nil {
		if len(r.interest.mu.byKey) >= r.most {
			return false
		}
		known = newRemoteInterest(c, e, string(key), old)
		known.account = c.b.live.Load().authority.accounts[known.name]
		r.interest.mu.byKey[known.key] = known
	}
	known.weigh(int(min(e.Weight, maxWeight)))
	return true
}

// interestKey returns the key of what e is about, good until the next call.
func (c *conn) interestKey(e *wire.Event, old bool) []byte {
	key := c.route.interest.key[:0]
	if old {
		key = append(key, e.SID...)
	} else {
		key = append(key, e.Account...)
		key = append(key, ' ')
		key = append(key, e.Subject...)
		key = append(key, ' ')
		key = append(key, e.Queue...)
	}
	c.route.interest.key = key
	return key
}

// newRemoteInterest returns what e announces, in no index yet.
func newRemoteInterest(c *conn, e *wire.Event, key string, old bool) *remoteInterest {
	i := &remoteInterest{key: key, name: globalAccount}
	if old {
		i.sub = newSubscription(c, string(e.Queue), key)
		i.text = string(e.Subject)
		return i
	}
	account, subject := len(e.Account), len(e.Subject)
	i.sub = newSubscription(c, key[account+subject+2:], "")
	i.name, i.text = key[:account], key[account+1:account+1+subject]
	return i
}

// weigh makes i count as often as a queue group has members, or once if weight is 0, for a plain subscription.
func (i *remoteInterest) weigh(weight int) {
	weight = max(1, weight)
	if i.account == nil {
		i.weight = weight
		return
	}
	for ; i.weight < weight; i.weight++ {
		_ = i.account.index.Insert([]byte(i.text), i.sub.queue(), i.sub)
	}
	for ; i.weight > weight; i.weight-- {
		i.account.index.Remove(i.text, i.sub.queue(), i.sub)
	}
}

// vanish takes i out of the index.
func (i *remoteInterest) vanish() {
	if i.account == nil {
		return
	}
	for ; i.weight > 0; i.weight-- {
		i.account.index.Remove(i.text, i.sub.queue(), i.sub)
	}
}

// remoteUnsubscribe handles RS- and, if old, UNSUB. An UNSUB with a number does nothing: the final one comes in any case.
// Spec: docs/spec/route-protocol.md §2.3, §3.5.
func (c *conn) remoteUnsubscribe(e *wire.Event, old bool) {
	if old && e.Max > 0 {
		return
	}
	key := c.interestKey(e, old)
	known := &c.route.interest
	known.mu.Lock()
	defer known.mu.Unlock()
	if i := known.mu.byKey[string(key)]; i != nil {
		delete(known.mu.byKey, string(key))
		i.vanish()
	}
}

// adopt gives the interest that came for accounts which were not there its place. Locks: takes the lock of the interest.
func (c *conn) adopt(accounts map[string]*account) {
	known := &c.route.interest
	known.mu.Lock()
	defer known.mu.Unlock()
	for _, i := range known.mu.byKey {
		if now := accounts[i.name]; now != i.account {
			weight := i.weight
			i.vanish()
			i.account, i.weight = now, 0
			i.weigh(weight)
		}
	}
}

// cleanUpRoute is cleanUp for a connection to another server.
func (c *conn) cleanUpRoute() {
	known := &c.route.interest
	known.mu.Lock()
	for _, i := range known.mu.byKey {
		i.vanish()
	}
	known.mu.byKey = nil
	known.mu.Unlock()
	c.b.leaveLinks(c)
	c.b.forget(c)
	reason := *c.ending.Load()
	c.b.countClosed(reason)
	why := string(reason)
	if reason == reasonReadError && c.in.err != nil {
		why += ": " + c.in.err.Error() // with TLS, who dials learns only by reading that its certificate was refused
	}
	if !c.muted() {
		c.log(zerolog.InfoLevel).Msg("Router connection closed: " + why)
	}
	c.route.handler.Closed(c.route.link, why)
}

// interests returns the number of subjects that the other server is interested in. Locks: takes the lock of the interest.
func (r *route) interests() int {
	r.interest.mu.Lock()
	defer r.interest.mu.Unlock()
	return len(r.interest.mu.byKey)
}

// rsid is how the subscription s is called on a route of the first generation. Spec: docs/spec/route-protocol.md §2.3.
func (s *subscription) rsid() string {
	kind := "RSID:"
	if s.queue() != "" {
		kind = "QRSID:"
	}
	return kind + strconv.FormatUint(s.conn.id, 10) + ":" + s.sid
}

package broker

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/natsd/natsd/internal/interest"
	"github.com/natsd/natsd/internal/wire"
)

// announcer tells other servers of the cluster what clients of this one are subscribed to.
// Spec: docs/spec/route-protocol.md §1 (2), §2.3, §3.5.
type announcer struct {
	b     *Broker
	table interest.Table[*account]
	links atomic.Pointer[[]*conn] // that are told; stored with the lock of the table held
	old   atomic.Int32            // of them of the first generation

	mu struct { // guards everything inside it
		sync.Mutex
		imported map[interest.Key[*account]]bool // see refreshImports
	}
}

// linked returns the connections that are told.
func (n *announcer) linked() []*conn {
	if list := n.links.Load(); list != nil {
		return *list
	}
	return nil
}

// change notes that s, a client's, has come to account a (by is 1) or gone (-1). edge says that it is the first one of a, or
// was the last. Locks: needs subs.mu of the connection of s; takes those of the tables, and out.mu of the links.
func (n *announcer) change(w *worker, a *account, s *subscription, by int, edge bool) {
	n.table.Change(interest.Key[*account]{Account: a, Subject: s.subject, Queue: s.queue()}, by, func(k interest.Key[*account], weight int) {
		w.announceInterest(n.linked(), k, weight)
	})
	if n.old.Load() > 0 && a.name == globalAccount {
		n.changeOld(w, s, by)
	}
	if edge {
		n.refreshImports(w)
	}
}

// changeOld tells links of the first generation of s. Locks: as change.
func (n *announcer) changeOld(w *worker, s *subscription, by int) {
	if by < 0 && s.queue() != "" {
		n.b.vanished.add(s.rsid(), s.queue())
	}
	for _, c := range n.linked() {
		if c.route.old && c.route.imports.Subscribe(s.subject, s.queue()).Allowed {
			w.announceOld(c, s, by)
		}
	}
}

// announceOld queues SUB or UNSUB for s on c.
func (w *worker) announceOld(c *conn, s *subscription, by int) {
	rsid := s.rsid()
	segment := w.room(aside, len("SUB   \r\n")+len("UNSUB")+len(s.subject)+len(s.queue())+len(rsid))
	from, dst := segment.used, segment.free()
	if by > 0 {
		dst = append(append(dst, "SUB "...), s.subject...)
		if s.queue() != "" {
			dst = append(append(dst, ' '), s.queue()...)
		}
		dst = append(append(dst, ' '), rsid...)
	} else {
		dst = append(append(dst, "UNSUB "...), rsid...)
	}
	segment.advance(append(dst, wire.CRLF...))
	w.enqueueInterest(c, segment, from)
}

// announceInterest queues RS+ or RS- for k on all links of the second generation.
func (w *worker) announceInterest(links []*conn, k interest.Key[*account], weight int) {
	var segment *segment
	from := 0
	for _, c := range links {
		if c.route.old || !c.route.imports.Subscribe(k.Subject, k.Queue).Allowed {
			continue
		}
		if segment == nil {
			segment = w.room(aside, len("RS+    \r\n")+20+len(k.Account.name)+len(k.Subject)+len(k.Queue))
			from = segment.used
			segment.advance(wire.AppendInterest(segment.free(), k.Account.name, k.Subject, k.Queue, weight))
		}
		w.enqueueInterest(c, segment, from)
	}
}

// enqueueInterest queues what segment holds from the index from on for c, whatever is queued there already: interest must
// not get lost, and does not wait under a lock. What a link that is stuck can have queued this way is bounded by the write
// deadline. Locks: takes c.out.mu.
func (w *worker) enqueueInterest(c *conn, segment *segment, from int) {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.closed {
		return
	}
	w.pushLocked(o, span{segment, uint32(from), uint32(segment.used)})
	if !o.mu.flushing && !o.mu.scheduled {
		o.mu.scheduled = true
		w.dirty = append(w.dirty, c)
	}
}

// join makes c a link that is told, of everything there is first. Locks: takes the lock of the table, subs.mu of one
// connection after the other, and c.out.mu below them.
func (n *announcer) join(c *conn) {
	n.b.tell(func(w *worker) {
		only := []*conn{c}
		n.table.Join(func() { n.setLinked(append(append([]*conn(nil), n.linked()...), c)) },
			func(k interest.Key[*account], weight int) { w.announceInterest(only, k, weight) })
		if !c.route.old {
			return
		}
		// Changes are announced from here on: one that comes twice does no harm.
		for _, client := range n.b.connections() {
			client.subs.mu.Lock()
			if id := client.identity.Load(); id != nil && id.account.name == globalAccount {
				for _, s := range client.subs.allLocked() {
					if c.route.imports.Subscribe(s.subject, s.queue()).Allowed {
						w.announceOld(c, s, 1)
					}
				}
			}
			client.subs.mu.Unlock()
		}
	})
}

// setLinked replaces the links. Locks: needs the lock of the table.
func (n *announcer) setLinked(links []*conn) {
	n.links.Store(&links)
	old := 0
	for _, c := range links {
		if c.route.old {
			old++
		}
	}
	n.old.Store(int32(old))
}

// leaveLinks makes c, a connection to another server that has ended, a link no more.
func (b *Broker) leaveLinks(c *conn) {
	n := b.announcer
	n.table.Join(func() {
		var rest []*conn
		for _, other := range n.linked() {
			if other != c {
				rest = append(rest, other)
			}
		}
		n.setLinked(rest)
	}, func(interest.Key[*account], int) {})
}

// refreshImports announces what follows from imports: the subjects of streams that accounts with clients here import, in
// the account that they come from; and the replies to requests that cross accounts here. What is announced is decided with the
// lock held: whoever comes last has seen all changes before. Source: docs/spec/route-protocol.md §3.5.
// Locks: takes n.mu, below it the lock of the table and out.mu of the links.
func (n *announcer) refreshImports(w *worker) {
	tell := func(k interest.Key[*account], weight int) { w.announceInterest(n.linked(), k, weight) }
	n.mu.Lock()
	defer n.mu.Unlock()
	wanted := n.wantedImports()
	for k := range wanted {
		if !n.mu.imported[k] {
			n.table.Change(k, 1, tell)
		}
	}
	for k := range n.mu.imported {
		if !wanted[k] {
			n.table.Change(k, -1, tell)
		}
	}
	n.mu.imported = wanted
}

// wantedImports returns what refreshImports announces.
func (n *announcer) wantedImports() map[interest.Key[*account]]bool {
	wanted := make(map[interest.Key[*account]]bool)
	for _, a := range n.b.live.Load().authority.accounts {
		l := a.links.Load()
		if l == nil {
			continue
		}
		for _, s := range l.streams {
			if s.to.subscriptions.Load() > 0 {
				wanted[interest.Key[*account]{Account: a, Subject: s.subject}] = true
			}
		}
		for _, s := range l.services {
			wanted[interest.Key[*account]{Account: s.from, Subject: string(n.b.responsePrefix) + ">"}] = true
		}
	}
	return wanted
}

// vanishedTime is how long the group of a subscription is remembered that has gone. Source: docs/spec/route-protocol.md §2.6.
const vanishedTime = 30 * time.Second

// vanished remembers the queue groups of subscriptions that have gone, by rsid, while there are links of the first
// generation. It forgets in steps of vanishedTime.
type vanished struct {
	mu struct { // guards everything inside it
		sync.Mutex
		recent, older map[string]string
		turned        time.Time
	}
}

// add remembers the group of a subscription. Locks: takes v.mu.
func (v *vanished) add(rsid, queue string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if now := time.Now(); now.Sub(v.mu.turned) > vanishedTime {
		v.mu.older, v.mu.recent, v.mu.turned = v.mu.recent, make(map[string]string), now
	}
	v.mu.recent[rsid] = queue
}

// queueOf returns the group of a subscription, "" if it is not known. Locks: takes v.mu.
func (v *vanished) queueOf(rsid []byte) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if queue, found := v.mu.recent[string(rsid)]; found {
		return queue
	}
	return v.mu.older[string(rsid)]
}

package broker

import (
	"errors"
	"net"
	"strings"
	"time"

	"github.com/natsd/natsd/internal/interest"
	"github.com/natsd/natsd/internal/permission"
)

// ErrNotClustered is returned by Attach of a broker whose Options do not say Clustered.
var ErrNotClustered = errors.New("broker is not clustered; set Options.Clustered")

// Link is a connection to another server. It is served on the engine like that of a client: messages and interest that
// come in go to the clients and indexes of the broker, those of its clients go out. What servers say to each other beyond
// that is for a LinkHandler. All methods may be called from any goroutine.
//
// Spec: docs/spec/route-protocol.md.
type Link struct{ c *conn }

// LinkHandler is told what another server says about itself. Its methods are called from the goroutine that serves the
// link, one at a time and without a lock held; what they wait for, the link waits for. Texts are the handler's to keep.
type LinkHandler interface {
	// Connect handles CONNECT. A text that is not empty refuses it: it is sent as -ERR, and the link closes.
	Connect(l *Link, text []byte) (refusal string)
	// Info handles INFO. False closes the link without a word.
	Info(l *Link, text []byte) bool
	// Pong handles a PONG.
	Pong(l *Link)
	// Error handles -ERR; the link closes after it.
	Error(l *Link, text string)
	// Closed says that the link has ended, and why. It is the last call.
	Closed(l *Link, reason string)
}

// LinkOptions say how a link is served.
type LinkOptions struct {
	// Locked links take nothing but CONNECT until a handler has accepted one.
	Locked bool
	// Stranger says that the other server has connected, and may be none: until Announce, only so many lines about such links and
	// about clients that have not logged in are logged.
	Stranger bool
	// Imports and Exports limit the interest that is announced and accepted, by their subscribe side, and the messages that are
	// taken in, by the publish side of Imports, since another server may send what it was not asked for. Nil: no limit.
	Imports, Exports *permission.Set
	// MaxInterest is the most subjects that the other server's interest is kept of; 0: DefaultMaxInterest.
	MaxInterest int
	// WriteDeadline is how long one write to the other server may take; 0: as for clients.
	WriteDeadline time.Duration
}

// DefaultMaxInterest bounds the memory that another server can take: some 500 bytes for each subject.
const DefaultMaxInterest = 4 << 20

// Dialect is how the server at the other end wants to be spoken to.
type Dialect struct {
	// V1 is the generation of gnatsd: SUB, UNSUB and MSG. Otherwise it is RS+, RS-, RMSG and HMSG.
	V1 bool
	// Headers says that the other server takes messages with headers. Others get them without.
	Headers bool
}

// Attach takes over nc, a connection to another server, for h. Nothing is read before Serve. An error means that nc is
// still the caller's: ErrNotRunning or ErrNotClustered.
func (b *Broker) Attach(nc net.Conn, h LinkHandler, o LinkOptions) (*Link, error) {
	if b.announcer == nil {
		return nil, ErrNotClustered
	}
	c := newConn(b, nc)
	l := &Link{c}
	most := o.MaxInterest
	if most == 0 {
		most = DefaultMaxInterest
	}
	c.route = &route{link: l, handler: h, imports: o.Imports, exports: o.Exports, most: most, open: !o.Locked, writeDeadline: o.WriteDeadline}
	c.route.interest.mu.byKey = make(map[string]*remoteInterest)
	c.in.rooted = true
	c.introduced.Store(!o.Stranger)
	c.many.Store(true) // whatever it has: a message goes there once, see run.classify
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.state != running && b.mu.state != draining {
		return nil, ErrNotRunning
	}
	b.mu.links[c.id] = c
	b.tasks.Add(1) // for serve
	return l, nil
}

// Serve begins to read. It must be called once.
func (l *Link) Serve() { go l.c.serve() }

// ID returns the number of the link, which no other connection of the broker has.
func (l *Link) ID() uint64 { return l.c.id }

// RemoteAddr returns the address of the other end.
func (l *Link) RemoteAddr() net.Addr { return l.c.net.RemoteAddr() }

// Send queues lines of the protocol, which must be complete.
func (l *Link) Send(lines string) {
	l.c.b.tell(func(w *worker) {
		segment := w.room(aside, len(lines))
		from := segment.used
		segment.advance(append(segment.free(), lines...))
		w.enqueueInterest(l.c, segment, from)
		if w.live.traceOn {
			l.c.traceOut([]byte(withoutPassword(lines)))
		}
	})
}

// withoutPassword returns lines for the log.
func withoutPassword(lines string) string {
	const verb = "CONNECT "
	if !strings.HasPrefix(lines, verb) {
		return lines
	}
	text, _, _ := strings.Cut(lines[len(verb):], "\r\n")
	return verb + redactConnect([]byte(text))
}

// Announce tells the other server what clients here are subscribed to, now and from now on. It must be called once.
func (l *Link) Announce(d Dialect) {
	l.c.introduced.Store(true)
	l.c.headers.Store(d.Headers && !d.V1)
	l.c.route.old = d.V1
	l.c.b.announcer.join(l.c)
	if l.c.ended() {
		l.c.b.leaveLinks(l.c) // it may have left before it joined
	}
}

// AnnounceAgain tells the other server once more of all that clients here are subscribed to, after Announce. It does nothing for a
// server of the first generation, which knows no such thing. Locks: takes the lock of the table, and c.out.mu below it.
func (l *Link) AnnounceAgain() {
	if l.c.route.old {
		return
	}
	only := []*conn{l.c}
	l.c.b.tell(func(w *worker) {
		l.c.b.announcer.table.Join(func() {}, func(k interest.Key[*account], weight int) { w.announceInterest(only, k, weight) })
	})
}

// Ping sends a PING and returns how many are not answered.
func (l *Link) Ping() int {
	n := l.c.pings.Add(1)
	l.c.pinged()
	l.c.b.tell(func(w *worker) { w.say(l.c, pingLine) })
	return int(n)
}

// Close ends the link, after what is queued was written; reason is for Closed and the log. Text, if not empty, is sent as
// -ERR before. It does not wait.
func (l *Link) Close(text, reason string) {
	if text != "" {
		l.c.closeAfterText(text, closeReason(reason))
		return
	}
	l.c.closeAfterFlush(closeReason(reason))
}

// Debugf and its like write to the log of the broker, with the address and number of the link in front.
func (l *Link) Debugf(format string, args ...any) {
	if l.c.b.live.Load().debugOn {
		l.c.debugf(format, args...)
	}
}

// Noticef is Debugf for what an operator should know.
func (l *Link) Noticef(format string, args ...any) {
	if !l.c.muted() {
		l.c.noticef(format, args...)
	}
}

// Errorf is Debugf for faults.
func (l *Link) Errorf(format string, args ...any) { l.c.errorf(format, args...) }

// LinkStats is a snapshot of a link. Sizes are bytes.
type LinkStats struct {
	InMsgs, InBytes   int64 // from the other server
	OutMsgs, OutBytes int64 // queued for it
	Pending           int64 // queued and not written yet
	Interest          int   // subjects that the other server is interested in
	Start             time.Time
	LastActivity      time.Time     // anything but PING and PONG, either way
	RTT               time.Duration // 0: not known
}

// Stats returns a snapshot. Locks: takes those of the link, one after the other.
func (l *Link) Stats() LinkStats {
	c := l.c
	s := LinkStats{InMsgs: c.received.messages.Load(), InBytes: c.received.bytes.Load(), Interest: c.route.interests()}
	s.Start, s.RTT = c.b.timeOf(c.startAt), time.Duration(c.rtt.Load())
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	s.OutMsgs, s.OutBytes, s.Pending = c.out.mu.sent.messages, c.out.mu.sent.bytes, c.out.mu.pending
	s.LastActivity = c.b.timeOf(max(c.activeAt.Load(), c.startAt, c.out.mu.sentAt))
	return s
}

// Subs returns what the other server is interested in. Locks: takes the lock of the interest.
func (l *Link) Subs() []SubState {
	known := &l.c.route.interest
	known.mu.Lock()
	defer known.mu.Unlock()
	list := make([]SubState, 0, len(known.mu.byKey))
	for _, i := range known.mu.byKey {
		list = append(list, SubState{Account: i.name, Subject: i.text, Queue: i.sub.queue(), SID: i.sub.sid, ConnID: l.c.id})
	}
	return list
}

// SetCluster says what clients are told about the cluster in INFO: its name, and the addresses ("host:port") of the clients'
// side of its other servers. A nil list means that none was known so far, and leaves out the own addresses too
// (docs/spec/client-protocol.md §2.4). Clients that understand it are told of a change.
func (b *Broker) SetCluster(name string, urls []string) {
	b.reloading.Lock()
	defer b.reloading.Unlock()
	b.mu.Lock()
	b.mu.cluster = clusterInfo{name, urls}
	l := *b.live.Load()
	changed := b.refreshInfoLocked(&l)
	if changed {
		b.live.Store(&l)
	}
	b.mu.Unlock()
	if changed {
		b.announceInfo()
	}
}

// ClientURLs returns the addresses ("host:port") at which clients reach this broker: what ClientAdvertise says, or where it
// listens, or every address of the machine. It is empty while the broker does not listen, or takes no clients any more.
// Source: docs/spec/client-protocol.md §2.4.
func (b *Broker) ClientURLs() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ownURLsLocked(&b.live.Load().Options)
}

// linkList returns all links at this moment. Locks: takes b.mu.
func (b *Broker) linkList() []*conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]*conn, 0, len(b.mu.links))
	for _, c := range b.mu.links {
		all = append(all, c)
	}
	return all
}

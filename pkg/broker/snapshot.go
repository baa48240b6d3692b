package broker

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"net"
	"slices"
	"time"
)

// ConnState is a snapshot of a client, or of one that has closed. Sizes are bytes; those of messages are payloads, headers
// included. Source: docs/spec/monitoring.md §5.
type ConnState struct {
	ID           uint64
	Start        time.Time
	LastActivity time.Time // message either way, SUB, UNSUB or CONNECT; Start before the first
	Stop         time.Time // zero: it is open
	Reason       string    // why it closed
	RTT          time.Duration
	Pending      int64 // queued and not written

	InMsgs, InBytes, OutMsgs, OutBytes int64

	Stalls        int64 // how often it had to wait for slow consumers
	Subscriptions int

	User    string // or public key; empty: none was given, or a token
	Token   bool   // it has shown one
	Account string // empty: nobody so far

	IP   string // empty: it is in this process
	Port int

	Name, Lang, Version string // what CONNECT said

	TLSVersion, TLSCipher uint16 // 0: no TLS
	TLSFirst              bool   // the handshake came before INFO

	conn  *conn // nil: it has closed
	certs []*x509.Certificate
}

// SubState is a snapshot of a subscription.
type SubState struct {
	Account   string
	Subject   string
	Queue     string
	SID       string
	Delivered int64
	Max       int64 // messages after which it ends; 0: none
	ConnID    uint64
}

// timeOf returns the time at which the clock of b showed ns.
func (b *Broker) timeOf(ns int64) time.Time { return b.begun.Add(time.Duration(ns)) }

// clock returns the nanoseconds since b was made.
func (b *Broker) clock() int64 { return int64(time.Since(b.begun)) }

// EachConn calls yield with a snapshot of every open client, by id and without what Describe adds, until yield returns false. The
// snapshot is good until yield returns, and may be copied. Cost: below a microsecond for each. No lock is held while yield runs,
// nor for longer than the list of connections takes to copy.
func (b *Broker) EachConn(yield func(s *ConnState) bool) {
	var s ConnState
	for _, c := range b.connsByID() {
		s = ConnState{}
		c.conn.count(&s)
		if !yield(&s) {
			return
		}
	}
}

// ConnsPage returns at most limit clients as EachConn has them, beginning with the one that has offset before it, and how many
// there are in all. Neither may be negative.
func (b *Broker) ConnsPage(offset, limit int) (list []ConnState, total int) {
	conns := b.connsByID()
	total = len(conns)
	conns = conns[min(offset, total):]
	conns = conns[:min(limit, len(conns))]
	list = make([]ConnState, len(conns))
	for i := range conns {
		conns[i].conn.count(&list[i])
	}
	return list, total
}

// numbered is a connection with its id beside it, so that sorting need not look into the connections.
type numbered struct {
	id   uint64
	conn *conn
}

// connsByID returns all open clients by id. In the order in which they came, they are mostly neighbours in memory, and going
// there is what takes the time.
func (b *Broker) connsByID() []numbered {
	b.mu.Lock()
	conns := make([]numbered, 0, len(b.mu.conns))
	for id, c := range b.mu.conns {
		conns = append(conns, numbered{id, c})
	}
	b.mu.Unlock()
	slices.SortFunc(conns, func(a, b numbered) int { return cmp.Compare(a.id, b.id) })
	return conns
}

// Conn returns one open client, and whether there is one with this id.
func (b *Broker) Conn(id uint64) (ConnState, bool) {
	c := b.connection(id)
	if c == nil {
		return ConnState{}, false
	}
	return c.state(), true
}

// state returns a snapshot of c, all of it. Locks: as count and Describe.
func (c *conn) state() ConnState {
	var s ConnState
	c.count(&s)
	s.Describe()
	return s
}

// count sets the numbers and times of s, a snapshot of c. Locks: takes c.out.mu and, of a client, c.subs.mu, one after the other.
func (c *conn) count(s *ConnState) {
	s.conn, s.ID, s.Start = c, c.id, c.b.timeOf(c.startAt)
	s.RTT, s.Stalls = time.Duration(c.rtt.Load()), c.stalls.Load()
	s.InMsgs, s.InBytes = c.received.messages.Load(), c.received.bytes.Load()
	active := max(c.activeAt.Load(), c.startAt)
	c.out.mu.Lock()
	s.Pending, s.OutMsgs, s.OutBytes = c.out.mu.pending, c.out.mu.sent.messages, c.out.mu.sent.bytes
	active = max(active, c.out.mu.sentAt)
	c.out.mu.Unlock()
	s.LastActivity = c.b.timeOf(active)
	if c.route == nil {
		c.subs.mu.Lock()
		s.Subscriptions = c.subs.countLocked()
		c.subs.mu.Unlock()
	}
}

// Describe adds who the connection belongs to, where it comes from, and what it said and showed: User, Token, Account, IP, Port,
// Name, Lang, Version and TLS. It does nothing for a connection that has closed, of which all of that is known.
// Locks: takes c.subs.mu of a client.
func (s *ConnState) Describe() {
	c := s.conn
	if c == nil {
		return
	}
	if c.route == nil {
		c.subs.mu.Lock()
		if l := c.login.Load(); l != nil {
			s.Token = l.shown.token != "" && l.shown.user == ""
		}
		c.subs.mu.Unlock()
	}
	if id := c.identity.Load(); id != nil {
		s.User, s.Account = id.name, id.account.name
	}
	if tcp, ok := c.net.RemoteAddr().(*net.TCPAddr); ok {
		s.IP, s.Port = tcp.IP.String(), tcp.Port
	}
	if a := c.about.Load(); a != nil {
		s.Name, s.Lang, s.Version = a.name, a.lang, a.version
	}
	s.secure(c)
}

// secure adds what there is to say about TLS.
func (s *ConnState) secure(c *conn) {
	secure, ok := c.net.(*secureConn)
	if !ok {
		return
	}
	established := secure.tls.Load()
	if established == nil {
		return
	}
	state := established.ConnectionState()
	s.TLSVersion, s.TLSCipher, s.certs = state.Version, state.CipherSuite, state.PeerCertificates
	if settings := c.b.live.Load().secure; settings != nil {
		s.TLSFirst = settings.HandshakeFirst
	}
}

// TLSNames returns the version of TLS, such as 1.3, and the name of the cipher suite; empty without TLS.
func (s *ConnState) TLSNames() (version, cipher string) {
	if s.TLSVersion == 0 {
		return "", ""
	}
	name := tls.VersionName(s.TLSVersion)
	const prefix = "TLS "
	if len(name) > len(prefix) {
		name = name[len(prefix):]
	}
	return name, tls.CipherSuiteName(s.TLSCipher)
}

// Certificates returns what the client has shown, its own first; nil: none.
func (s *ConnState) Certificates() []*x509.Certificate { return s.certs }

// Subs returns the subscriptions of a client that was open when the snapshot was made; nil once it has closed.
// Locks: takes those of the connection.
func (s *ConnState) Subs() []SubState {
	if s.conn == nil {
		return nil
	}
	return s.conn.subStates()
}

// subStates returns the subscriptions of c. Locks: takes c.subs.mu, below it c.out.mu.
func (c *conn) subStates() []SubState {
	c.subs.mu.Lock()
	all := c.subs.allLocked()
	account := ""
	if id := c.identity.Load(); id != nil {
		account = id.account.name
	}
	c.subs.mu.Unlock()
	list := make([]SubState, 0, len(all))
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	for _, s := range all {
		list = append(list, s.stateLocked(account))
	}
	return list
}

// stateLocked returns a snapshot of s. Locks: needs out.mu of its connection.
func (s *subscription) stateLocked(account string) SubState {
	return SubState{
		Account: account, Subject: s.subject, Queue: s.queue(), SID: s.sid, Delivered: s.delivered, Max: max(0, s.max.Load()), ConnID: s.conn.id,
	}
}

// remember keeps what is known of c, which has closed.
func (b *Broker) remember(c *conn) {
	s := c.state()
	s.conn, s.Stop, s.Pending = nil, time.Now(), 0
	if reason := c.ending.Load(); reason != nil {
		s.Reason = string(*reason)
	}
	s.Subscriptions = c.hadSubscriptions
	b.closed.add(s, b.live.Load().MaxClosedClients)
}

// ConnectionCount returns the number of clients that are connected.
func (b *Broker) ConnectionCount() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.mu.conns)
}

// Advertised returns the host and port that INFO tells clients.
func (b *Broker) Advertised() (host string, port int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.advertisedLocked(&b.live.Load().Options)
}

// advertisedLocked is Advertised for some options. Source: docs/spec/config.md B2. Locks: needs b.mu.
func (b *Broker) advertisedLocked(o *Options) (host string, port int) {
	host, port = b.mu.host, b.mu.port
	if o.ClientAdvertise != "" {
		advertised, advertisedPort, _ := SplitAdvertise(o.ClientAdvertise) // it was validated
		host = advertised
		if advertisedPort != 0 {
			port = advertisedPort
		}
	}
	return host, port
}

// ConnectURLs returns the addresses ("host:port") that INFO tells clients to connect to, their own server's included; nil: none.
func (b *Broker) ConnectURLs() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.connectURLsLocked(&b.live.Load().Options)
}

// Options returns the options that count now, defaults filled in. It is a copy, and holds secrets.
func (b *Broker) Options() Options { return b.live.Load().Options }

// Started returns when the broker was made.
func (b *Broker) Started() time.Time { return b.begun }

// State says whether a broker takes clients.
type State string

// The states of a broker.
const (
	StateStarting State = "starting"
	StateRunning  State = "running"
	StateLameDuck State = "lame duck mode" // no new clients
	StateStopping State = "stopping"
)

// State returns where b stands in its life.
func (b *Broker) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.mu.state {
	case running:
		return StateRunning
	case draining:
		return StateLameDuck
	case stopping:
		return StateStopping
	case created:
	}
	return StateStarting
}

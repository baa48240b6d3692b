package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nuid"
	"github.com/natsd/natsd/internal/password"
)

var (
	// ErrNotRunning is returned by what needs a broker that was started and not stopped.
	ErrNotRunning = errors.New("broker is not running")
	// ErrStarted is returned by a second Start.
	ErrStarted = errors.New("broker was started before; make a new one with New")
)

// Broker is one server. New makes it, Start runs it, Shutdown or LameDuck ends it; it cannot be started again. Any
// number of brokers work in one process. All methods may be called from any goroutine.
type Broker struct {
	id        string // set by New, like what follows, never written again
	begun     time.Time
	name      string
	wheel     *wheel
	passwords *password.Verifier // of who logs in
	rechecks  *password.Verifier // of who has, after a reload: another one, so that nobody who knocks delays what takes rights away
	ctx       context.Context    // ends when Shutdown begins; for those who wait for a password to be checked
	cancel    context.CancelFunc
	ready     chan struct{}
	accepted  chan struct{} // closed when nobody is accepted any more; only if the broker listens
	stop      chan struct{} // closed when Shutdown begins
	emptied   chan struct{} // closed when the last connection has gone after that
	done      chan struct{}

	departures departures

	crowdedAt   int64         // pending bytes from which publishers wait, see stall.go
	stallWindow time.Duration // the constants of stall.go; tests that are about what fits and not about time raise them
	stallBudget time.Duration
	stalled     atomic.Int64 // goroutines that wait for consumers

	announcer      *announcer // set by New, never written again; nil: not clustered
	responsePrefix []byte     // begins the reply subjects that services of other accounts see; as above
	vanished       vanished

	poller *poller // set by Start before the first connection; nil: nothing is parked

	live      atomic.Pointer[live] // options and what follows from them; stored by New, Start and Reload
	reloading sync.Mutex           // held by Reload, which is one at a time

	workers    sync.Pool
	tasks      sync.WaitGroup // goroutines of connections, and the accept loop
	lastID     atomic.Uint64
	total      atomic.Int64 // connections accepted so far
	staleConns atomic.Int64
	latency    latency
	closed     closedLog
	slow       slowLog
	noise      noise
	lameDuck   atomic.Bool

	mu struct { // guards everything inside it
		sync.Mutex
		state    state
		listener net.Listener
		host     string           // listened on; set by Start, like port
		port     int              // the real one
		conns    map[uint64]*conn // of clients, by cid
		links    map[uint64]*conn // to other servers, likewise
		cluster  clusterInfo

		pastClients, pastLinks accountTotals            // of connections that have gone
		pastOf                 map[string]accountTotals // of clients that have gone, by account
	}
}

// responseToken is how much of its id makes the reply subjects of a server different from those of others.
const responseToken = 8

// state is where a broker stands in its life.
type state uint8

const (
	created state = iota
	running
	draining // lame duck mode: no new connections
	stopping
)

// New returns a broker that is ready to be started, or an error that wraps ErrInvalidOptions. It opens nothing and
// starts no goroutine.
func New(o Options) (*Broker, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	opts := o.withDefaults()
	b := &Broker{
		id:        nuid.Next(),
		begun:     time.Now(),
		name:      opts.ServerName,
		wheel:     newWheel(opts.PingInterval),
		passwords: password.NewVerifier(passwordWorkers()),
		rechecks:  password.NewVerifier(passwordWorkers()),
		crowdedAt: min(defaultCrowdedAt, opts.MaxPending/2),

		stallWindow: stallWindow,
		stallBudget: stallBudget,

		ready:    make(chan struct{}),
		accepted: make(chan struct{}),
		stop:     make(chan struct{}),
		emptied:  make(chan struct{}),
		done:     make(chan struct{}),
	}
	if b.name == "" {
		b.name = b.id
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.responsePrefix = []byte(anyResponse + b.id[len(b.id)-responseToken:] + ".")
	if opts.Clustered {
		b.announcer = &announcer{b: b}
	}
	b.live.Store(newLive(&opts, nil, b.announcer))
	b.mu.links = make(map[uint64]*conn)
	b.mu.conns = make(map[uint64]*conn)
	b.mu.pastOf = make(map[string]accountTotals)
	return b, nil
}

// Start listens and serves clients until Shutdown. It returns as soon as clients are accepted, or with the reason why
// that cannot be: a *net.OpError if the address cannot be listened on.
func (b *Broker) Start() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.state != created {
		return ErrStarted
	}
	host, port := b.live.Load().Host, max(0, b.live.Load().Port)
	if !b.live.Load().DontListen {
		listener := b.live.Load().Listener
		host = ListenerHost(listener, host)
		if listener == nil {
			var err error
			if listener, err = listen(host, port); err != nil {
				return fmt.Errorf("cannot listen for clients: %w", err)
			}
		}
		b.mu.listener = listener
		if tcp, ok := listener.Addr().(*net.TCPAddr); ok {
			port = tcp.Port
		}
	}
	p, err := newPoller(b)
	if err != nil {
		b.live.Load().Logger.Warn().Msgf("cannot park idle connections, each keeps a goroutine: %v", err)
	}
	b.poller = p
	b.mu.host, b.mu.port = host, port
	l := *b.live.Load()
	b.refreshInfoLocked(&l)
	b.live.Store(&l)
	if b.announcer != nil {
		b.tell(b.announcer.refreshImports)
	}
	b.mu.state = running
	b.tasks.Add(1)
	go b.turnWheel()
	if b.mu.listener != nil {
		b.live.Load().Logger.Info().Msg("Listening for client connections on " + net.JoinHostPort(host, strconv.Itoa(port)))
		b.tasks.Add(1)
		go func(listener net.Listener) {
			defer close(b.accepted)
			b.acceptLoop(listener)
		}(b.mu.listener)
	}
	close(b.ready)
	return nil
}

// passwordWorkers returns how many passwords may be checked at a time: a quarter of the processors, so that messages go on.
func passwordWorkers() int { return max(1, runtime.GOMAXPROCS(0)/4) }

// turnWheel is the goroutine of the wheel.
func (b *Broker) turnWheel() {
	defer b.tasks.Done()
	b.wheel.turn((*conn).wake, b.reportNoise)
}

// Ready returns a channel that is closed when Start has succeeded.
func (b *Broker) Ready() <-chan struct{} { return b.ready }

// Done returns a channel that is closed when the broker has stopped.
func (b *Broker) Done() <-chan struct{} { return b.done }

// ID returns the server id, which is unique to this broker: 22 letters and digits.
func (b *Broker) ID() string { return b.id }

// Name returns the server name, which is the id unless Options say otherwise.
func (b *Broker) Name() string { return b.name }

// ClientAddr returns the address that clients connect to, with the real port; nil while the broker does not listen.
func (b *Broker) ClientAddr() net.Addr {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.listener == nil {
		return nil
	}
	return b.mu.listener.Addr()
}

// ListenerFile returns a copy of the socket that clients connect to, for a process that takes it over. The caller closes it.
func (b *Broker) ListenerFile() (*os.File, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l, ok := b.mu.listener.(interface{ File() (*os.File, error) })
	if !ok || b.mu.state != running {
		return nil, fmt.Errorf("cannot hand over the port for clients: %w", ErrNotRunning)
	}
	return l.File()
}

// ClientURL returns a URL that clients on this machine can connect to, "" while the broker does not listen.
func (b *Broker) ClientURL() string {
	tcp, ok := b.ClientAddr().(*net.TCPAddr)
	if !ok {
		return ""
	}
	ip := tcp.IP
	if ip.IsUnspecified() {
		ip = net.IPv4(127, 0, 0, 1)
	}
	return "nats://" + net.JoinHostPort(ip.String(), strconv.Itoa(tcp.Port))
}

// register adds c, unless there are too many connections (ErrMaxConnections) or the broker stops (ErrNotRunning). In lame duck mode
// it adds one only if it was accepted: that was before the listener was closed, and nobody is turned away who was let in.
// Locks: takes b.mu.
func (b *Broker) register(c *conn, accepted bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.mu.state != running && (!accepted || b.mu.state != draining):
		return ErrNotRunning
	case b.live.Load().MaxConnections >= 0 && len(b.mu.conns) >= b.live.Load().MaxConnections:
		return errMaxConnections
	}
	b.mu.conns[c.id] = c
	b.tasks.Add(1) // for serve; here, because Shutdown must not begin to wait in between
	return nil
}

// forget removes c. Locks: takes b.mu, below it c.out.mu.
func (b *Broker) forget(c *conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	client, link := b.mu.conns[c.id] == c, b.mu.links[c.id] == c
	if !client && !link {
		return
	}
	delete(b.mu.conns, c.id)
	delete(b.mu.links, c.id)
	var t accountTotals
	t.add(c)
	if link {
		b.mu.pastLinks.join(t)
	} else {
		b.mu.pastClients.join(t)
		if id := c.identity.Load(); id != nil {
			of := b.mu.pastOf[id.account.name]
			of.join(t)
			b.mu.pastOf[id.account.name] = of
		}
	}
	if b.mu.state == stopping && len(b.mu.conns) == 0 && len(b.mu.links) == 0 {
		close(b.emptied)
	}
}

// connection returns the connection with this cid, nil if it has gone. Locks: takes b.mu.
func (b *Broker) connection(cid uint64) *conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mu.conns[cid]
}

// connections returns all connections at this moment. Locks: takes b.mu.
func (b *Broker) connections() []*conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]*conn, 0, len(b.mu.conns))
	for _, c := range b.mu.conns {
		all = append(all, c)
	}
	return all
}

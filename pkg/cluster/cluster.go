package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/natsd/natsd/internal/password"
	"github.com/natsd/natsd/pkg/broker"
)

var (
	// ErrStarted is returned by a second Start.
	ErrStarted = errors.New("cluster was started before; make a new one with New")
	// ErrNotReloadable is wrapped by the error of Reload for options that need a new Cluster.
	ErrNotReloadable = errors.New("config reload not supported")
)

// Cluster is the membership of one broker in a cluster. New makes it, Start runs it, Shutdown ends it; it cannot be started
// again. All methods may be called from any goroutine.
type Cluster struct {
	broker    *broker.Broker
	passwords *password.Verifier
	options   atomic.Pointer[Options] // with defaults; stored by New and Reload
	reloading sync.Mutex              // held by Reload, which is one at a time

	predecessor atomic.Pointer[awaited] // nil: there is none, or it has come

	ctx    context.Context // ends when Shutdown begins
	cancel context.CancelFunc
	events chan request
	done   chan struct{}  // closed when run has ended
	dials  chan struct{}  // holds one for each attempt under way
	guests chan struct{}  // holds one for each connection that was accepted and is no route yet
	tasks  sync.WaitGroup // goroutines but run

	mu struct { // guards everything inside it
		sync.Mutex
		started  bool
		listener net.Listener
		links    map[linkID]*broker.Link // that are not closed
		guests   map[linkID]bool         // of them, those that have a place in Cluster.guests
	}
}

// request is an event, or something to be done between two events, and how to say that it was handled.
type request struct {
	event event
	do    func(*mesh)   // instead of event
	done  chan struct{} // nil: nobody waits
}

// New returns the membership of b, which must be Clustered, or an error that wraps ErrInvalidOptions. It opens nothing and
// starts no goroutine.
func New(b *broker.Broker, o Options) (*Cluster, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	c := &Cluster{broker: b, passwords: password.NewVerifier(1), events: make(chan request), done: make(chan struct{}), dials: make(chan struct{}, maxDials), guests: make(chan struct{}, maxGuests)}
	if p := o.Predecessor; p != nil && p.Token != "" {
		c.predecessor.Store(&awaited{*p, time.Now().Add(handoverTime)})
	}
	c.options.Store(o.withDefaults())
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.mu.links, c.mu.guests = make(map[linkID]*broker.Link), make(map[linkID]bool)
	return c, nil
}

// Start listens for other servers and begins to look for them. The broker must have been started.
func (c *Cluster) Start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.started {
		return ErrStarted
	}
	o := c.options.Load()
	listener := o.Listener
	if listener == nil {
		var err error
		if listener, err = listen(o.Host, max(0, o.Port)); err != nil {
			return fmt.Errorf("cannot listen for routes: %w", err)
		}
	}
	c.mu.started, c.mu.listener = true, listener
	port := o.Port
	if tcp, ok := listener.Addr().(*net.TCPAddr); ok {
		port = tcp.Port
	}
	if o.Name != "" {
		o.Logger.Info().Msg("Cluster name is " + o.Name)
		c.broker.SetCluster(o.Name, nil)
	}
	o.Logger.Info().Msg("Listening for route connections on " + net.JoinHostPort(broker.ListenerHost(o.Listener, o.Host), strconv.Itoa(port)))
	s := self{id: c.broker.ID(), name: c.broker.Name(), port: port, urls: c.broker.ClientURLs()}
	go c.run(newMesh(s, o, rand.Uint64(), time.Now()))
	c.tasks.Add(1)
	go c.acceptLoop(listener)
	return nil
}

// Addr returns the address that other servers connect to, with the real port; nil before Start.
func (c *Cluster) Addr() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.listener == nil {
		return nil
	}
	return c.mu.listener.Addr()
}

// ListenerFile returns a copy of the socket that other servers connect to, for a process that takes it over. The caller closes it.
func (c *Cluster) ListenerFile() (*os.File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, ok := c.mu.listener.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, errors.New("cannot hand over the port for routes, it is not open")
	}
	return l.File()
}

// Options returns the options that count now, defaults filled in. It is a copy, and holds secrets.
func (c *Cluster) Options() Options { return *c.options.Load() }

// Reload replaces the options, all at once or not at all. Listening elsewhere is not possible: the error then wraps
// ErrNotReloadable; Port may be RandomPort where it was so before. Source: docs/spec/config.md C3.
func (c *Cluster) Reload(o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	c.reloading.Lock()
	defer c.reloading.Unlock()
	next, before := o.withDefaults(), c.options.Load()
	if next.Host != before.Host || next.Port != before.Port {
		return fmt.Errorf("%w for cluster host or port; make a new cluster", ErrNotReloadable)
	}
	next.Listener = before.Listener // the one in use
	c.options.Store(next)
	c.tell(configured{next})
	c.tell(advertised{c.broker.ClientURLs()})
	return nil
}

// LameDuck tells other servers that this one is going down, so that they send its clients nowhere near it. It goes before
// LameDuck of the broker; routes stay until the broker stops.
func (c *Cluster) LameDuck() { c.tell(ducked{}) }

// Shutdown ends the membership: nobody is dialled or accepted any more. Links stay as long as the broker runs, so that what
// its clients have published last goes out: it is to be shut down between this and Wait.
func (c *Cluster) Shutdown() {
	c.cancel()
	c.mu.Lock()
	listener := c.mu.listener
	c.mu.Unlock()
	if listener != nil {
		_ = listener.Close() // it is gone for us, whatever this says
	}
}

// Wait returns when everything that the cluster has started has ended, after Shutdown and after the broker has stopped; or
// with the error of ctx.
func (c *Cluster) Wait(ctx context.Context) error {
	c.mu.Lock()
	started := c.mu.started
	c.mu.Unlock()
	if !started {
		return nil
	}
	ended := make(chan struct{})
	go func() {
		<-c.done
		c.tasks.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the cluster did not stop in time: %w", ctx.Err())
	}
}

// tell hands the mesh an event and waits until it was handled, or the cluster stops.
func (c *Cluster) tell(e event) { c.ask(request{event: e}) }

func (c *Cluster) ask(r request) {
	r.done = make(chan struct{})
	select {
	case c.events <- r:
	case <-c.ctx.Done():
		return
	}
	select {
	case <-r.done:
	case <-c.done:
	}
}

// run is the goroutine that owns the mesh.
//
// Stop: Shutdown. Wait: Wait.
func (c *Cluster) run(m *mesh) {
	defer close(c.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var r request
		select {
		case <-c.ctx.Done():
			return
		case r = <-c.events:
		case <-timer.C:
			r.event = tick{}
		}
		if r.do != nil {
			r.do(m)
		} else {
			for _, a := range m.step(time.Now(), r.event) {
				c.perform(m, a)
			}
		}
		if r.done != nil {
			close(r.done)
		}
		timer.Stop()
		if next := m.next(); !next.IsZero() {
			timer.Reset(max(0, time.Until(next)))
		}
	}
}

// perform does what the mesh asks for. Nothing here waits.
func (c *Cluster) perform(m *mesh, a action) {
	switch a := a.(type) {
	case resolve:
		c.tasks.Add(1)
		go c.resolve(a)
	case dial:
		c.tasks.Add(1)
		go c.dial(a)
	case send:
		if l := c.link(a.link); l != nil {
			l.Send(a.line)
		}
	case announce:
		if l := c.link(a.link); l != nil {
			l.Announce(a.dialect)
		}
		c.leave(a.link) // it is registered
	case announceAgain:
		if l := c.link(a.link); l != nil {
			l.AnnounceAgain()
		}
	case ping:
		if l := c.link(a.link); l != nil {
			l.Ping()
		}
	case drop:
		if l := c.link(a.link); l != nil {
			l.Close(a.text, a.reason)
		}
	case tellClients:
		c.broker.SetCluster(a.name, a.urls)
	case say:
		c.log(m.options, a)
	}
}

// log writes a line to the log.
func (c *Cluster) log(o *Options, s say) {
	if l := c.link(s.link); l != nil {
		switch s.level {
		case levelDebug:
			l.Debugf("%s", s.text)
		case levelInfo:
			l.Noticef("%s", s.text)
		default:
			l.Errorf("%s", s.text)
		}
		return
	}
	switch s.level {
	case levelDebug:
		o.Logger.Debug().Msg(s.text)
	case levelInfo:
		o.Logger.Info().Msg(s.text)
	case levelWarn:
		o.Logger.Warn().Msg(s.text)
	case levelError:
		o.Logger.Error().Msg(s.text)
	}
}

// link returns the link with this id, nil if it has closed.
func (c *Cluster) link(id linkID) *broker.Link {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.links[id]
}

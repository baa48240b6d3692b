package monitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/natsd/natsd/pkg/broker"
)

const (
	headerTimeout  = 5 * time.Second // to send the header of a request
	idleTimeout    = 2 * time.Minute // between two requests
	maxHeader      = 1 << 20         // bytes
	sampleInterval = time.Second
)

// ErrStarted is returned by a second Start.
var ErrStarted = errors.New("monitor was started before; make a new one with New")

// Server answers requests about a broker. New makes it, Start runs it, Shutdown ends it; it cannot be started again. All methods
// may be called from any goroutine.
type Server struct {
	options   Options
	base      string // path in front of all others, without a slash at the end
	handler   http.Handler
	metrics   http.Handler
	requests  map[string]*atomic.Int64 // by path; never changed
	stacks    stacks
	meshed    atomic.Bool // the servers of the configuration were found, see checkMesh
	usage     usage
	busy      chan struct{} // holds one for each answer that is put together
	patience  int           // see callerPatience
	large     budget        // of answers that are not written yet, like small
	small     budget
	quit      chan struct{}
	protector *Protector
	tasks     sync.WaitGroup

	mu struct { // guards everything inside it
		sync.Mutex
		listener net.Listener
		server   *http.Server
	}
}

// maxBusy is the number of answers that are put together at a time. Others wait: a thousand scrapers at once must not take
// the processors from the messages.
const maxBusy = 2

// New returns a server that is ready to be started, or an error that wraps ErrInvalidOptions. It opens nothing and starts no
// goroutine.
func New(o Options) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.About == nil {
		o.About = func() About { return About{} }
	}
	s := &Server{options: o, busy: make(chan struct{}, maxBusy), quit: make(chan struct{}), protector: NewProtector(o.User, o.Password, o.Token)}
	s.large.most, s.small.most, s.patience = maxLarge, maxSmall, callerPatience
	if base := strings.Trim(o.BasePath, "/"); base != "" {
		s.base = "/" + base
	}
	s.usage.sample(time.Now())
	s.metrics = s.newMetrics()
	s.handler = s.newHandler()
	return s, nil
}

// Handler returns what answers requests, for a program that has a listener of its own.
func (s *Server) Handler() http.Handler { return s.handler }

// Start listens and answers requests until Shutdown. It returns as soon as requests are answered, or why that cannot be.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.listener != nil {
		return ErrStarted
	}
	o := &s.options
	listener := o.Listener
	if listener == nil {
		var err error
		config := net.ListenConfig{}
		if listener, err = config.Listen(context.Background(), "tcp", net.JoinHostPort(o.Host, strconv.Itoa(max(0, o.Port)))); err != nil {
			return fmt.Errorf("can't listen to the monitor port: %w", err)
		}
	}
	s.mu.listener = listener
	s.mu.server = &http.Server{
		Handler: s.handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, TLSConfig: o.TLS,
		ErrorLog: log.New(io.Discard, "", 0), // scanners would fill the log
	}
	scheme := "http"
	if o.TLS != nil {
		scheme = "https"
	}
	o.Logger.Info().Msgf("Starting %s monitor on %s", scheme, net.JoinHostPort(broker.ListenerHost(o.Listener, o.Host), strconv.Itoa(s.portLocked())))
	if tcp, ok := listener.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() && !o.protected() {
		o.Logger.Warn().Msg("Monitoring is open to everybody who reaches its port; set monitor.authorization, or listen on 127.0.0.1")
	}
	s.tasks.Add(2)
	go s.serve(listener, s.mu.server)
	go s.watch()
	return nil
}

// serve answers requests until the listener is closed. It ends with Shutdown, which waits for it.
func (s *Server) serve(listener net.Listener, server *http.Server) {
	defer s.tasks.Done()
	var err error
	if s.options.TLS != nil {
		err = server.ServeTLS(listener, "", "")
	} else {
		err = server.Serve(listener)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		s.options.Logger.Error().Msgf("monitoring has stopped: %v", err)
	}
}

// watch samples what the process uses, once a second. It ends with Shutdown, which waits for it.
func (s *Server) watch() {
	defer s.tasks.Done()
	ticker := time.NewTicker(sampleInterval)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			s.usage.sample(now)
		case <-s.quit:
			return
		}
	}
}

// Addr returns the address that is listened on, with the real port; nil before Start.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.listener == nil {
		return nil
	}
	return s.mu.listener.Addr()
}

// Secure reports whether requests come with TLS.
func (s *Server) Secure() bool { return s.options.TLS != nil }

// ListenerFile returns a copy of the socket that is listened on, for a process that takes it over. The caller closes it.
func (s *Server) ListenerFile() (*os.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.mu.listener.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, errors.New("cannot hand over the monitor port, it is not open")
	}
	return l.File()
}

func (s *Server) portLocked() int {
	if tcp, ok := s.mu.listener.Addr().(*net.TCPAddr); ok {
		return tcp.Port
	}
	return s.options.Port
}

// lastAnswers is how long answers under way may take when the server stops.
const lastAnswers = time.Second

// Shutdown stops listening, lets answers under way finish for a moment, and cuts the rest. A second call does nothing.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	server := s.mu.server
	s.mu.server = nil
	s.mu.Unlock()
	if server == nil {
		return nil
	}
	close(s.quit)
	ctx, cancel := context.WithTimeout(ctx, lastAnswers)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close() // callers that do not read must not hold up the end
	}
	s.tasks.Wait()
	return nil
}

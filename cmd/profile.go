package cmd

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/natsd/natsd/internal/config"
	"github.com/natsd/natsd/pkg/monitor"
	"github.com/rs/zerolog"
)

// profiler serves Go's profiles. Source: docs/spec/config.md B2 (`prof_port`).
type profiler struct {
	server *http.Server
	done   chan struct{} // closed when it has stopped
	addr   net.Addr      // listened on
	socket net.Listener
}

// newProfiler answers requests for profiles, on listener if it is not nil. Who may see monitoring may see them, whether
// monitoring is on or not.
func newProfiler(c *config.Config, listener net.Listener, logger *zerolog.Logger) (*profiler, error) {
	if listener == nil {
		var err error
		config := net.ListenConfig{}
		if listener, err = config.Listen(context.Background(), "tcp", net.JoinHostPort(c.Host, strconv.Itoa(max(0, c.ProfPort)))); err != nil {
			return nil, fmt.Errorf("error starting profiler: %w", err)
		}
	}
	port := c.ProfPort
	if tcp, ok := listener.Addr().(*net.TCPAddr); ok {
		port = tcp.Port
		if !tcp.IP.IsLoopback() && c.Monitor.User == "" && c.Monitor.Token == "" {
			logger.Warn().Msg("Profiles are open to everybody who reaches their port; set monitor.authorization, or listen on 127.0.0.1")
		}
	}
	logger.Info().Msgf("profiling port: %d", port)
	runtime.SetBlockProfileRate(c.ProfBlockRate)
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	const headerTimeout = 5 * time.Second
	guarded := monitor.NewProtector(c.Monitor.User, c.Monitor.Password, c.Monitor.Token).Protect(mux)
	p := &profiler{server: &http.Server{Handler: guarded, ReadHeaderTimeout: headerTimeout}, done: make(chan struct{})}
	p.addr, p.socket = listener.Addr(), listener
	go func() {
		defer close(p.done)
		_ = p.server.Serve(listener) // it ends with stop
	}()
	return p, nil
}

// stop ends p, which may be nil, and cuts requests under way.
func (p *profiler) stop() {
	if p == nil {
		return
	}
	_ = p.server.Close() // it is gone for us, whatever this says
	<-p.done
}

// file returns a copy of the socket for a process that takes it over, nil if there is no profiler.
func (p *profiler) file() (*os.File, error) {
	if p == nil {
		return nil, nil //nolint:nilnil // as documented
	}
	l, ok := p.socket.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, fmt.Errorf("cannot hand over the port for profiles")
	}
	return l.File()
}

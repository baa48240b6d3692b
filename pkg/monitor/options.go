package monitor

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/cluster"
	"github.com/rs/zerolog"
)

// RandomPort in Options.Port stands for a free port.
const RandomPort = -1

// ErrInvalidOptions is wrapped by errors about options.
var ErrInvalidOptions = errors.New("invalid monitor options")

// Options say where a Server listens, what it shows, and to whom. Only Broker has to be set.
type Options struct {
	Broker  *broker.Broker
	Cluster *cluster.Cluster // nil: none

	Host string      // to listen on; empty: all interfaces
	Port int         // RandomPort or 0: a free one
	TLS  *tls.Config // nil: HTTP
	// Listener is used in place of listening on Host and Port; its address is shown. The server closes it. Nil: none.
	Listener net.Listener
	// BasePath is in front of all paths. Empty or "/": nothing.
	BasePath string

	// Protection: whoever shows one of those that are set may see everything. Probes answer anybody, without details. A TLS
	// config that asks for certificates of clients protects as well.
	Token          string
	User, Password string // the password may be a bcrypt hash

	// About returns what the program knows beyond the broker. It is called for every answer, from any goroutine; nil: nothing.
	About func() About

	Logger zerolog.Logger
}

// About is what a program tells of itself.
type About struct {
	ConfigLoaded  time.Time        // the start, or the last good reload
	ConfigDigest  string           // "sha256:HEX"
	Config        func() []Setting // that count, without secrets; nil: none
	ConfigFile    string
	Tags          []string
	Metadata      map[string]string
	SystemAccount string
	Certificates  []Certificate

	Reloads, FailedReloads int64 // so far
}

// Setting is an option with its value and where it comes from.
type Setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Origin string `json:"origin"` // such as "default" or "natsd.conf:3:1"
}

// Certificate is one that the server shows.
type Certificate struct {
	Name    string // what it is for: clients or routes
	Expires time.Time
}

// protected reports whether callers have to show something.
func (o *Options) protected() bool {
	return o.Token != "" || o.User != "" || o.TLS != nil && o.TLS.ClientAuth >= tls.RequireAnyClientCert
}

// Validate reports everything that is wrong with o, or nil.
func (o *Options) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.Broker == nil {
		bad("no broker; give the one to show")
	}
	if o.Port < RandomPort || o.Port > math.MaxUint16 {
		bad("port %d is out of range; use 1 to 65535, or %d for a random port", o.Port, RandomPort)
	}
	if o.Password != "" && o.User == "" {
		bad("a password without a user; give both")
	}
	if o.User != "" && o.Password == "" {
		bad("a user without a password; give both")
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInvalidOptions, errors.Join(errs...))
}

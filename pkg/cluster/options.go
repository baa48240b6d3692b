package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/natsd/natsd/internal/password"
	"github.com/natsd/natsd/internal/permission"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/rs/zerolog"
)

// Defaults of Options. Source: docs/spec/config.md B5.
const (
	DefaultHost         = "0.0.0.0"
	DefaultAuthTimeout  = time.Second
	DefaultPingInterval = 30 * time.Second // also the most: docs/spec/route-protocol.md §3.7
	DefaultPingMax      = 2

	DefaultConnectErrorReports   = 3600
	DefaultReconnectErrorReports = 1
)

// RandomPort in Options.Port stands for a free port.
const RandomPort = -1

// ErrInvalidOptions is wrapped by errors about options.
var ErrInvalidOptions = errors.New("invalid cluster options")

// Options say how a server takes part in a cluster. Only Port has to be set.
type Options struct {
	Host string // to listen on; empty: DefaultHost
	Port int    // RandomPort: a free one
	// Listener is used in place of listening on Host and Port; its address is shown. A reload does not look at it. The cluster closes
	// it. Nil: none.
	Listener net.Listener
	// Predecessor is the process that hands its port over to this one, as Listener; nil: none. New looks at it, Reload does not.
	Predecessor *Predecessor
	// Name is that of the cluster, which all servers must agree on. Empty: whatever the others call it.
	Name string

	// User and Password are asked of servers that connect, unless both are empty; the password may be a bcrypt hash. They are
	// also shown to servers that others told of, if those ask; in place of a hash, what one of Routes has.
	User, Password string
	AuthTimeout    time.Duration // for showing them; 0: DefaultAuthTimeout

	// Routes are where other servers are looked for: nats-route://[user:password@]host:port.
	Routes []*url.URL
	// TLS is for both directions; nil: none.
	TLS *TLSOptions

	Advertise   string // host[:port] that other servers are told to connect to; empty: where this one listens
	NoAdvertise bool   // keep addresses of clients to each server

	// ConnectRetries is how often a server that others told of is dialled again at once if that fails; later attempts, ever
	// more rarely, are not counted (docs/adr/0009-lost-servers.md).
	ConnectRetries int
	// ConnectBackoff doubles the time between attempts to reach Routes, up to 30 s, instead of one second each.
	ConnectBackoff bool

	// Of the attempts in a row that fail to reach a server, the first and then every so many are logged as errors:
	// ConnectErrorReports for one that was never reached, ReconnectErrorReports for one that was. 0: the defaults.
	ConnectErrorReports, ReconnectErrorReports int

	PingInterval time.Duration // 0: DefaultPingInterval, which is also the most
	PingMax      int           // PINGs that may be unanswered; 0: DefaultPingMax
	// WriteDeadline is how long one write to another server may take; 0: as for clients.
	WriteDeadline time.Duration

	// Imports limit the subjects that clients here are served from other servers, Exports those that other servers are served
	// from here. Nil: no limit.
	Imports, Exports *permission.Side

	Version, GitCommit string // for INFO
	MaxPayload         int64  // for INFO
	Logger             zerolog.Logger

	// LookupHost finds the addresses of a host. Nil: the resolver of the system.
	LookupHost func(ctx context.Context, host string) ([]string, error)
}

// TLSOptions say how links are encrypted. Both ends always verify each other (docs/spec/config.md B4).
type TLSOptions struct {
	Config  *tls.Config   // with a certificate, and with the roots for both directions
	Timeout time.Duration // of a handshake; 0: broker.DefaultTLSTimeout
	// PinnedKeys are the SHA-256 sums of the only public keys that other servers may have, see broker.TLSOptions; empty: all.
	PinnedKeys []string
}

// withDefaults returns o with defaults in place of zero values.
func (o *Options) withDefaults() *Options {
	d := *o
	d.Predecessor = nil // its token is kept in one place
	setDefault(&d.Host, DefaultHost)
	setDefault(&d.AuthTimeout, DefaultAuthTimeout)
	setDefault(&d.PingInterval, DefaultPingInterval)
	setDefault(&d.PingMax, DefaultPingMax)
	setDefault(&d.ConnectErrorReports, DefaultConnectErrorReports)
	setDefault(&d.ReconnectErrorReports, DefaultReconnectErrorReports)
	d.PingInterval = min(d.PingInterval, DefaultPingInterval)
	if d.LookupHost == nil {
		d.LookupHost = net.DefaultResolver.LookupHost
	}
	return &d
}

func setDefault[T comparable](v *T, instead T) {
	if var0 := *new(T); *v == var0 {
		*v = instead
	}
}

// Validate returns an error that wraps ErrInvalidOptions and says everything that is wrong with o, or nil. It shows no
// passwords.
func (o *Options) Validate() error {
	var wrong []string
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if o.Port < RandomPort || o.Port == 0 || o.Port > 65535 {
		bad("port %d cannot be listened on; use 1 to 65535, or %d for a free one", o.Port, RandomPort)
	}
	if strings.ContainsAny(o.Name, " \t\r\n") {
		bad("cluster name %q is not one word", o.Name)
	}
	if o.Password != "" && o.User == "" {
		bad("a password without a user; give both or none")
	}
	for _, r := range o.Routes {
		if r == nil || r.Hostname() == "" || r.Port() == "" {
			bad("a route without host or port; write nats-route://host:port")
		}
	}
	if o.Advertise != "" {
		if _, _, err := broker.SplitAdvertise(o.Advertise); err != nil {
			bad("advertise: %v", err)
		}
	}
	if o.AuthTimeout < 0 || o.WriteDeadline < 0 || o.PingInterval < 0 || o.PingMax < 0 || o.ConnectErrorReports < 0 || o.ReconnectErrorReports < 0 || o.ConnectRetries < 0 {
		bad("negative times and numbers make no sense")
	}
	if o.TLS != nil && o.TLS.Config == nil {
		bad("TLS without a config; give one with a certificate")
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrInvalidOptions, strings.Join(wrong, "; "))
}

// asksForPassword reports whether servers that connect have to show one.
func (o *Options) asksForPassword() bool { return o.User != "" || o.Password != "" }

// shown returns what servers that others told of are shown, if they ask. The hash of a password is of no use to them: where there is nothing
// but that, it is the user and the password in a route of the configuration that has some, best with the same user.
// Source: docs/spec/route-protocol.md §2.2.
func (o *Options) shown() (user, pass string) {
	if !password.IsHash(o.Password) {
		return o.User, o.Password
	}
	for _, r := range o.Routes {
		word, _ := r.User.Password()
		if word == "" || password.IsHash(word) {
			continue
		}
		if r.User.Username() == o.User {
			return o.User, word
		}
		if user == "" {
			user, pass = r.User.Username(), word
		}
	}
	return user, pass
}

// revokes reports whether servers that have shown what the options before them asked for may have to show something else.
func (o *Options) revokes(before *Options) bool {
	return o.asksForPassword() && (o.User != before.User || o.Password != before.Password)
}

// samePermissions reports whether links may carry the same under o and other.
func (o *Options) samePermissions(other *Options) bool {
	return sameSide(o.Imports, other.Imports) && sameSide(o.Exports, other.Exports)
}

func sameSide(a, b *permission.Side) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Open == b.Open && slices.Equal(a.Allow, b.Allow) && slices.Equal(a.Deny, b.Deny)
}

// advertised returns the host and port that other servers are told, and whether they are not just where this one listens.
func (o *Options) advertised(port int) (string, int, bool) {
	if o.Advertise == "" {
		return broker.ListenerHost(o.Listener, o.Host), port, false
	}
	host, given, _ := broker.SplitAdvertise(o.Advertise) // it was validated
	if given != 0 {
		port = given
	}
	return host, port, true
}

// imports returns the rules for interest that is announced and messages that come in, exports those for interest that is accepted
// and messages that go out; nil: no limit.
func (o *Options) imports() *permission.Set { return limits(o.Imports) }
func (o *Options) exports() *permission.Set { return limits(o.Exports) }

// limits returns the rules of one direction: they hold for interest, which may have wildcards, and for messages, which have none.
func limits(s *permission.Side) *permission.Set {
	if s == nil {
		return nil
	}
	return permission.Compile(&permission.Rules{Publish: *s, Subscribe: *s})
}

// hostPort returns the address of a route for comparing: host and port in lower case.
func hostPort(u *url.URL) string { return strings.ToLower(net.JoinHostPort(u.Hostname(), u.Port())) }

// joinPort is net.JoinHostPort for a number.
func joinPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

package broker

import (
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// Defaults of Options, as documented in docs/spec/client-protocol.md §9 and docs/spec/config.md part B.
const (
	DefaultHost                = "0.0.0.0"
	DefaultPort                = 4222
	DefaultMaxPayload          = 1 << 20  // bytes
	DefaultMaxControlLine      = 4096     // bytes
	DefaultMaxConnections      = 65536    // client connections
	DefaultMaxPending          = 64 << 20 // bytes
	DefaultWriteDeadline       = 10 * time.Second
	DefaultPingInterval        = 2 * time.Minute
	DefaultPingMax             = 2 // unanswered PINGs
	DefaultMaxClosedClients    = 10000
	DefaultLameDuckDuration    = 2 * time.Minute
	DefaultLameDuckGracePeriod = 10 * time.Second

	// RandomPort, given as Options.Port, lets the operating system choose a free port.
	RandomPort = -1
	// Unlimited, given for a limit that allows it, switches the limit off.
	Unlimited = -1
	// Nothing, given for a limit of an account, allows nothing at all: there, zero means that there is no limit.
	Nothing = math.MinInt32
)

// Version is the version a broker announces in INFO when Options.Version is empty.
const Version = "1.2.0"

// Options configures a Broker. The zero value is a usable server on DefaultHost:DefaultPort; a field left
// zero takes its default. New copies Options, so a caller may reuse the value.
type Options struct {
	// ServerName is announced as server_name in INFO. Empty means the server id. One token, no blanks.
	ServerName string

	// Host is the address to listen on: a name, an IPv4 or an IPv6 address. Empty means DefaultHost.
	Host string
	// Port is the TCP port for clients. Zero means DefaultPort, RandomPort lets the system choose.
	Port int
	// Listener is used in place of listening on Host and Port; its address is shown if it is one of TCP. A reload does not look at it.
	// The broker closes it. Nil: none.
	Listener net.Listener
	// ClientAdvertise is the host[:port] that INFO tells clients in place of the address listened on, for servers
	// behind a proxy or in a container. A port that is missing, 0 or -1 is that of the listener. Empty: none.
	ClientAdvertise string
	// Clustered lets other servers be linked with Attach. It costs some memory for each subject that clients subscribe to.
	Clustered bool
	// DontListen runs the broker without a listener: only InProcessConn reaches it.
	DontListen bool

	// MaxPayload is the largest body a client may publish, in bytes, headers included. Zero means
	// DefaultMaxPayload; a negative value means no limit other than the protocol's nine digits.
	// Sent to clients as max_payload in INFO. Source: docs/spec/client-protocol.md §9.
	MaxPayload int64
	// MaxControlLine is the largest argument part of a protocol line, in bytes, verb and line end not
	// counted. Zero means DefaultMaxControlLine. Source: docs/spec/client-protocol.md §4.1.
	MaxControlLine int
	// MaxConnections is the number of clients served at once. Zero means DefaultMaxConnections,
	// a negative value no limit.
	MaxConnections int
	// MaxSubscriptions is the number of subscriptions one connection may hold. Zero or a negative
	// value means no limit.
	MaxSubscriptions int
	// MaxPending is the number of bytes that may wait for one connection before it is cut as a slow
	// consumer. Zero means DefaultMaxPending; negative values are refused. At least MaxPayload.
	MaxPending int64
	// WriteDeadline is how long one write to a client may take before the client is cut as a slow
	// consumer. Zero means DefaultWriteDeadline; negative values are refused.
	WriteDeadline time.Duration
	// PingInterval is the time between PINGs to a client. Zero means DefaultPingInterval; negative
	// values are refused. Source: docs/spec/client-protocol.md §10.2.
	PingInterval time.Duration
	// PingMax is the number of PINGs that may stay unanswered. Zero means DefaultPingMax; negative
	// values are refused.
	PingMax int

	// MaxClosedClients is the number of closed clients that are remembered, see Broker.Closed. Zero means
	// DefaultMaxClosedClients, a negative value none.
	MaxClosedClients int

	// LameDuckDuration is the time over which a broker in lame duck mode sheds its clients, grace period
	// included. Zero means DefaultLameDuckDuration.
	LameDuckDuration time.Duration
	// LameDuckGracePeriod is the time between the announcement and the first client closed. Zero
	// means DefaultLameDuckGracePeriod; it is less than LameDuckDuration.
	LameDuckGracePeriod time.Duration

	// Auth says who may connect. Nil lets everybody do everything.
	Auth *Auth
	// Accounts are the accounts that users may belong to, besides the global one.
	Accounts []Account
	// Mappings are those of the global account.
	Mappings []Mapping
	// TLS switches TLS on for clients. Nil: off. It does not count for InProcessConn.
	TLS *TLSOptions

	// Logger receives the broker's events. The zero value discards them. Events about a connection
	// carry the field FieldConn. Trace level logs every protocol line and costs accordingly.
	Logger zerolog.Logger

	// MaxTracedPayload is the number of bytes of a payload that a trace shows. Zero means all.
	MaxTracedPayload int

	// Version and GitCommit are announced in INFO. Empty Version means the constant Version. Version
	// contains three numbers with dots between, because clients parse it.
	Version   string
	GitCommit string
}

// FieldConn is the log field with the prefix of a connection, such as "127.0.0.1:5222 - cid:3"
// (docs/spec/cli.md §8.4).
const FieldConn = "conn"

// ErrInvalidOptions is wrapped by every error Validate returns.
var ErrInvalidOptions = errors.New("invalid broker options")

// Validate reports everything that is wrong with o, all at once, or nil. It does not change o.
func (o *Options) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	d := o.withDefaults()
	if d.Port < RandomPort || d.Port > math.MaxUint16 {
		bad("port %d is out of range; use 1 to 65535, or %d for a random port", o.Port, RandomPort)
	}
	if d.MaxPayload > math.MaxInt32 {
		bad("max_payload of %d bytes is too big; the protocol allows at most %d", o.MaxPayload, math.MaxInt32)
	}
	if d.MaxControlLine < 0 {
		bad("max_control_line of %d is negative; use a number of bytes", o.MaxControlLine)
	}
	if d.MaxPending < 0 {
		bad("max_pending of %d is negative; use a number of bytes", o.MaxPending)
	} else if d.MaxPayload > d.MaxPending {
		bad("max_payload (%d) cannot be higher than max_pending (%d)", d.MaxPayload, d.MaxPending)
	}
	for _, t := range []struct {
		name  string
		value time.Duration
	}{
		{"write_deadline", d.WriteDeadline}, {"ping_interval", d.PingInterval},
		{"lame_duck_duration", d.LameDuckDuration}, {"lame_duck_grace_period", d.LameDuckGracePeriod},
	} {
		if t.value < 0 {
			bad("%s of %v is negative; use a duration such as 10s", t.name, t.value)
		}
	}
	if d.PingMax < 0 {
		bad("ping_max of %d is negative; use a number of pings", o.PingMax)
	}
	if d.LameDuckGracePeriod >= d.LameDuckDuration {
		bad("lame duck grace period (%v) should be strictly lower than lame duck duration (%v)", d.LameDuckGracePeriod, d.LameDuckDuration)
	}
	if d.MaxTracedPayload < 0 {
		bad("max_traced_msg_len of %d is negative; use a number of bytes", o.MaxTracedPayload)
	}
	if d.ClientAdvertise != "" {
		if _, _, err := SplitAdvertise(d.ClientAdvertise); err != nil {
			bad("invalid ClientAdvertise value of %s, err=%v", d.ClientAdvertise, err)
		}
	}
	if strings.ContainsAny(d.ServerName, " \t\r\n") {
		bad("server_name %q contains blanks; use one word", d.ServerName)
	}
	validateAccounts(d.Accounts, bad)
	if _, err := newMappings(d.Mappings); err != nil {
		bad("mappings: %v", err)
	}
	d.Auth.validate(d.Accounts, bad)
	d.TLS.validate(d.Auth, bad)
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInvalidOptions, errors.Join(errs...))
}

// SplitAdvertise splits host[:port]. A port that is missing, 0 or -1 is returned as 0, which stands for that of the
// listener. Source: docs/spec/config.md B2 (`client_advertise`).
func SplitAdvertise(text string) (host string, port int, err error) {
	host, portText, err := net.SplitHostPort(text)
	var address *net.AddrError
	if errors.As(err, &address) && address.Err == "missing port in address" {
		host, portText = strings.Trim(text, "[]"), "0"
	} else if err != nil {
		return "", 0, err
	}
	if port, err = strconv.Atoi(portText); err != nil || port < RandomPort || port > math.MaxUint16 {
		return "", 0, fmt.Errorf("port %q is not a number from 1 to %d", portText, math.MaxUint16)
	}
	if host == "" {
		return "", 0, errors.New("no host in it")
	}
	return host, max(0, port), nil
}

// withDefaults returns a copy of o with every zero field replaced by its default.
func (o *Options) withDefaults() Options {
	d := *o
	orDefault(&d.Host, DefaultHost)
	orDefault(&d.Port, DefaultPort)
	orDefault(&d.MaxPayload, DefaultMaxPayload)
	orDefault(&d.MaxControlLine, DefaultMaxControlLine)
	orDefault(&d.MaxConnections, DefaultMaxConnections)
	orDefault(&d.MaxPending, max(DefaultMaxPending, d.MaxPayload))
	orDefault(&d.WriteDeadline, DefaultWriteDeadline)
	orDefault(&d.PingInterval, DefaultPingInterval)
	orDefault(&d.PingMax, DefaultPingMax)
	orDefault(&d.MaxClosedClients, DefaultMaxClosedClients)
	orDefault(&d.LameDuckDuration, DefaultLameDuckDuration)
	orDefault(&d.LameDuckGracePeriod, min(DefaultLameDuckGracePeriod, d.LameDuckDuration/2))
	orDefault(&d.Version, Version)
	return d
}

// orDefault sets *v to def if it is the zero value.
func orDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

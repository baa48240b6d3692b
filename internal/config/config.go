package config

import (
	"time"

	"github.com/natsd/natsd/internal/tlsconfig"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/confparse"
)

// Config is a whole configuration with typed values, defaults included. It is never changed after Load.
type Config struct {
	// File is the path of the file, empty if there is none. Digest is the SHA-256 of its content, comments and spelling
	// not counted (docs/spec/config.md B11).
	File, Digest string

	Host            string // never empty
	Port            int    // never 0; -1 is a free port
	ServerName      string // empty: the server id
	ClientAdvertise string // host[:port], empty: none

	Log              Log
	PIDFile          string // empty: none
	PortsFileDir     string // empty: none
	Limits           Limits
	Monitor          Monitor
	ProfPort         int // 0: off, -1: a free port
	ProfBlockRate    int // nanoseconds of blocking per sample; 0: off
	MaxClosedClients int // that monitoring remembers; negative: none
	ServerTags       []string
	ServerMetadata   map[string]string
	SystemAccount    string // empty: none

	Authorization Authorization
	Accounts      []Account
	Mappings      []broker.Mapping  // of the global account
	NoAuthUser    string            // empty: none
	TLS           *TLS              // nil: off
	Secure        *tlsconfig.Source // the certificates of TLS, if Input.Certificates asks for them; nil without TLS
	Cluster       *Cluster

	// Settings are the options that are one word, in the order of the schema, each with its origin.
	Settings []*Setting
	// Blocks are the other keys that the file sets, in its order.
	Blocks []BlockSetting
}

// BlockSetting is a key of a file that is no single word.
type BlockSetting struct {
	Entry
	Value *confparse.Value
	Pos   confparse.Pos
}

// Log says what is logged, and where to.
type Log struct {
	Debug, Trace, TraceVerbose, TraceHeaders bool

	MaxTracedLen int // bytes of a payload; 0: all
	Time, UTC    bool
	File         string // empty: none
	SizeLimit    int64  // bytes; 0: none
	MaxFiles     int    // 0: all
	Syslog       bool
	RemoteSyslog string // URL, empty: none
	JSON         bool
	MaxAge       time.Duration // of old log files; 0: any
	Compress     bool          // old log files
}

// Limits are those of one client.
type Limits struct {
	MaxConnections, MaxSubscriptions    int   // negative: none
	MaxControlLine                      int   // bytes
	MaxPayload                          int64 // bytes; negative: none
	MaxPending                          int64 // bytes
	PingInterval, WriteDeadline         time.Duration
	PingMax                             int
	LameDuckDuration, LameDuckGraceTime time.Duration
}

// Monitor says where monitoring listens.
type Monitor struct {
	Host                string
	HTTPPort, HTTPSPort int // 0: off, -1: a free port
	BasePath            string

	User, Password, Token string            // that callers show; empty: none
	TLS                   *TLS              // in place of that for clients; nil: none
	Secure                *tlsconfig.Source // the certificates of TLS, as Config.Secure
}

// Broker returns the options of the engine. Logger, version and commit are left to the caller. With TLS, the
// certificates must have been read.
func (c *Config) Broker() broker.Options {
	o := broker.Options{
		ServerName: c.ServerName, Host: c.Host, Port: c.Port, ClientAdvertise: c.ClientAdvertise,
		MaxPayload: c.Limits.MaxPayload, MaxControlLine: c.Limits.MaxControlLine, MaxConnections: c.Limits.MaxConnections,
		MaxSubscriptions: c.Limits.MaxSubscriptions, MaxPending: c.Limits.MaxPending, WriteDeadline: c.Limits.WriteDeadline,
		PingInterval: c.Limits.PingInterval, PingMax: c.Limits.PingMax, MaxTracedPayload: c.Log.MaxTracedLen,
		MaxClosedClients: c.MaxClosedClients, LameDuckDuration: c.Limits.LameDuckDuration, LameDuckGracePeriod: c.Limits.LameDuckGraceTime, Auth: c.Auth(), Mappings: c.Mappings,
	}
	if c.Secure != nil {
		o.TLS = c.TLS.broker(c.Secure)
	}
	for i := range c.Accounts {
		o.Accounts = append(o.Accounts, c.Accounts[i].Account)
	}
	return o
}

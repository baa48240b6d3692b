package monitor

import (
	"math"
	"net"
	"net/url"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/cluster"
)

// Varz is the answer of /varz. Source: docs/spec/monitoring.md §4.
type Varz struct {
	ServerID     string   `json:"server_id"`
	ServerName   string   `json:"server_name"`
	Version      string   `json:"version"`
	Proto        int      `json:"proto"`
	GitCommit    string   `json:"git_commit"`
	Go           string   `json:"go"`
	Host         string   `json:"host"`
	Port         int      `json:"port"`
	Addr         string   `json:"addr"`
	IP           string   `json:"ip,omitempty"`
	AuthRequired bool     `json:"auth_required"`
	TLSRequired  bool     `json:"tls_required"`
	TLSVerify    bool     `json:"tls_verify"`
	ConnectURLs  []string `json:"connect_urls,omitempty"`

	MaxConnections   int   `json:"max_connections"`
	MaxSubscriptions int   `json:"max_subscriptions,omitempty"`
	PingInterval     int64 `json:"ping_interval"` // nanoseconds
	PingMax          int   `json:"ping_max"`

	HTTPHost     string `json:"http_host"`
	HTTPPort     int    `json:"http_port"`
	HTTPBasePath string `json:"http_base_path"`
	HTTPSPort    int    `json:"https_port"`

	AuthTimeout    float64 `json:"auth_timeout"` // seconds
	TLSTimeout     float64 `json:"tls_timeout"`  // seconds
	MaxControlLine int     `json:"max_control_line"`
	MaxPayload     int64   `json:"max_payload"`
	MaxPending     int64   `json:"max_pending"`
	WriteDeadline  int64   `json:"write_deadline"` // nanoseconds

	Cluster   VarzCluster `json:"cluster"`
	Gateway   struct{}    `json:"gateway"`
	Leaf      struct{}    `json:"leaf"`
	MQTT      struct{}    `json:"mqtt"`
	Websocket struct{}    `json:"websocket"`
	JetStream struct{}    `json:"jetstream"`

	Start      time.Time `json:"start"`
	Now        time.Time `json:"now"`
	Uptime     string    `json:"uptime"`
	Mem        int64     `json:"mem"` // bytes
	Cores      int       `json:"cores"`
	GoMaxProcs int       `json:"gomaxprocs"`
	GoMemLimit int64     `json:"gomemlimit,omitempty"` // bytes
	CPU        float64   `json:"cpu"`                  // percent of one core
	CPUTime    int64     `json:"cpu_time,omitempty"`   // nanoseconds, since the process began

	Connections      int64 `json:"connections"`
	TotalConnections int64 `json:"total_connections"`
	Routes           int   `json:"routes"`
	Remotes          int   `json:"remotes"`
	Leafnodes        int   `json:"leafnodes"`

	InMsgs         int64 `json:"in_msgs"`
	OutMsgs        int64 `json:"out_msgs"`
	InBytes        int64 `json:"in_bytes"`
	OutBytes       int64 `json:"out_bytes"`
	InClientMsgs   int64 `json:"in_client_msgs"`
	OutClientMsgs  int64 `json:"out_client_msgs"`
	InClientBytes  int64 `json:"in_client_bytes"`
	OutClientBytes int64 `json:"out_client_bytes"`

	SlowConsumers        int64    `json:"slow_consumers"`
	SlowConsumerStats    ByOrigin `json:"slow_consumer_stats"`
	StaleConnections     int64    `json:"stale_connections"`
	StaleConnectionStats ByOrigin `json:"stale_connection_stats"`
	StalledClients       int64    `json:"stalled_clients"`
	Subscriptions        int64    `json:"subscriptions"`

	HTTPReqStats    map[string]int64  `json:"http_req_stats"`
	ConfigLoadTime  time.Time         `json:"config_load_time"`
	ConfigDigest    string            `json:"config_digest"`
	Tags            []string          `json:"tags,omitempty"`
	Metadata        map[string]string `json:"metadata,omitempty"`
	SystemAccount   string            `json:"system_account,omitempty"`
	TLSCertNotAfter *time.Time        `json:"tls_cert_not_after,omitempty"`
}

// ByOrigin counts something by kind of connection.
type ByOrigin struct {
	Clients  int64 `json:"clients"`
	Routes   int64 `json:"routes"`
	Gateways int64 `json:"gateways"`
	Leafs    int64 `json:"leafs"`
}

// VarzCluster is what Varz says about the cluster. Source: docs/spec/monitoring.md §4.1.
type VarzCluster struct {
	Name            string     `json:"name,omitempty"`
	Addr            string     `json:"addr"`
	ClusterPort     int        `json:"cluster_port"`
	AuthTimeout     float64    `json:"auth_timeout"` // seconds
	URLs            []string   `json:"urls,omitempty"`
	TLSTimeout      float64    `json:"tls_timeout,omitempty"` // seconds
	TLSRequired     bool       `json:"tls_required,omitempty"`
	TLSVerify       bool       `json:"tls_verify,omitempty"`
	WriteDeadline   int64      `json:"write_deadline,omitempty"` // nanoseconds
	TLSCertNotAfter *time.Time `json:"tls_cert_not_after,omitempty"`
}

// defaultAuthTimeout is shown where nobody has to show anything, as gnatsd does.
const defaultAuthTimeout = 2.0 // seconds

// Names of certificates in About.
const (
	CertificateOfClients = "clients"
	CertificateOfRoutes  = "routes"
	CertificateOfMonitor = "monitor"
)

// varz is /varz.
func (s *Server) varz(url.Values) (any, error) { return s.Varz(), nil }

// Varz returns what /varz answers. Cost: O(connections).
func (s *Server) Varz() *Varz {
	b := s.options.Broker
	o, about, stats := b.Options(), s.options.About(), b.Stats()
	now := time.Now().UTC()
	v := &Varz{
		ServerID: b.ID(), ServerName: b.Name(), Version: o.Version, Proto: 1, GitCommit: o.GitCommit, Go: runtime.Version(), Addr: broker.ListenerHost(o.Listener, o.Host),
		AuthRequired: o.Auth != nil, ConnectURLs: b.ConnectURLs(), MaxConnections: o.MaxConnections, MaxSubscriptions: max(0, o.MaxSubscriptions),
		PingInterval: int64(o.PingInterval), PingMax: o.PingMax, HTTPHost: broker.ListenerHost(s.options.Listener, s.options.Host), HTTPBasePath: s.options.BasePath,
		AuthTimeout: defaultAuthTimeout, TLSTimeout: broker.DefaultTLSTimeout.Seconds(), MaxControlLine: o.MaxControlLine, MaxPayload: o.MaxPayload,
		MaxPending: o.MaxPending, WriteDeadline: int64(o.WriteDeadline),
		Start: b.Started().UTC(), Now: now, Uptime: uptimeText(now.Sub(b.Started())), Mem: residentMemory(), Cores: runtime.NumCPU(),
		GoMaxProcs: runtime.GOMAXPROCS(0), GoMemLimit: memoryLimit(), CPU: s.usage.percent(), CPUTime: int64(processorTime()),
		Connections: stats.Connections, TotalConnections: stats.TotalConnections,
		InMsgs: stats.InMsgs, OutMsgs: stats.OutMsgs, InBytes: stats.InBytes, OutBytes: stats.OutBytes,
		InClientMsgs: stats.ClientInMsgs, OutClientMsgs: stats.ClientOutMsgs, InClientBytes: stats.ClientInBytes, OutClientBytes: stats.ClientOutBytes,
		SlowConsumers: stats.SlowConsumers, SlowConsumerStats: ByOrigin{Clients: stats.SlowClients, Routes: stats.SlowConsumers - stats.SlowClients},
		StaleConnections: stats.StaleConnections, StaleConnectionStats: ByOrigin{Clients: stats.StaleConnections},
		StalledClients: stats.StalledClients, Subscriptions: stats.Subscriptions, HTTPReqStats: s.requestCounts(),
		ConfigLoadTime: about.ConfigLoaded.UTC(), ConfigDigest: about.ConfigDigest, Tags: about.Tags, Metadata: about.Metadata,
		SystemAccount: about.SystemAccount, TLSCertNotAfter: about.expiry(CertificateOfClients),
	}
	if about.ConfigLoaded.IsZero() {
		v.ConfigLoadTime = v.Start
	}
	v.Host, v.Port = b.Advertised()
	v.noteListener(&s.options)
	if o.Auth != nil && o.Auth.Timeout > 0 {
		v.AuthTimeout = o.Auth.Timeout.Seconds()
	}
	if o.TLS != nil {
		v.TLSRequired, v.TLSVerify = !o.TLS.AllowNonTLS, o.TLS.Verifies()
		if o.TLS.Timeout > 0 {
			v.TLSTimeout = o.TLS.Timeout.Seconds()
		}
	}
	v.noteCluster(s.options.Cluster, &about)
	return v
}

// noteListener adds where monitoring was told to listen, or does so on a listener that it was given.
func (v *Varz) noteListener(o *Options) {
	port := o.Port
	if o.Listener != nil {
		if tcp, ok := o.Listener.Addr().(*net.TCPAddr); ok {
			port = tcp.Port
		}
	}
	if o.TLS != nil {
		v.HTTPSPort = port
	} else {
		v.HTTPPort = port
	}
	if v.HTTPBasePath == "/" {
		v.HTTPBasePath = "" // as the peer shows it
	}
}

// noteCluster adds what there is to say about the cluster, c, which may be nil.
func (v *Varz) noteCluster(c *cluster.Cluster, about *About) {
	v.Cluster = VarzCluster{Addr: cluster.DefaultHost, AuthTimeout: cluster.DefaultAuthTimeout.Seconds()}
	if c == nil {
		return
	}
	o, snapshot := c.Options(), c.Snapshot()
	v.Cluster = VarzCluster{
		Name: snapshot.Name, Addr: broker.ListenerHost(o.Listener, o.Host), ClusterPort: o.Port, AuthTimeout: o.AuthTimeout.Seconds(), WriteDeadline: int64(o.WriteDeadline),
		TLSCertNotAfter: about.expiry(CertificateOfRoutes),
	}
	if tcp, ok := c.Addr().(*net.TCPAddr); ok {
		v.Cluster.ClusterPort = tcp.Port
	}
	for _, u := range o.Routes {
		v.Cluster.URLs = append(v.Cluster.URLs, u.Host)
	}
	if o.TLS != nil {
		v.Cluster.TLSRequired, v.Cluster.TLSVerify, v.Cluster.TLSTimeout = true, true, o.TLS.Timeout.Seconds()
	}
	v.Routes = len(snapshot.Routes)
	remotes := make(map[string]bool)
	for i := range snapshot.Routes {
		remotes[snapshot.Routes[i].RemoteID] = true
	}
	v.Remotes = len(remotes)
}

// requestCounts returns how often each path was asked for.
func (s *Server) requestCounts() map[string]int64 {
	counts := map[string]int64{"/": 0, "/varz": 0, "/connz": 0, "/routez": 0, "/subsz": 0} // docs/spec/monitoring.md §4
	for path, n := range s.requests {
		if n := n.Load(); n > 0 {
			counts[strings.Clone(path)] = n
		}
	}
	return counts
}

// expiry returns when a certificate expires, nil if there is none.
func (a *About) expiry(name string) *time.Time {
	for _, c := range a.Certificates {
		if c.Name == name {
			t := c.Expires.UTC()
			return &t
		}
	}
	return nil
}

// memoryLimit returns the memory limit of Go in bytes, 0 if there is none.
func memoryLimit() int64 {
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		return limit
	}
	return 0
}

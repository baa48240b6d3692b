package config

import (
	"net/url"
	"strings"
	"time"

	"github.com/natsd/natsd/internal/tlsconfig"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/cluster"
	"github.com/natsd/natsd/pkg/confparse"
)

// Cluster is what the cluster block and its flags say. Source: docs/spec/config.md B5.
type Cluster struct {
	Host           string
	Port           int    // -1: a free port
	Name           string // empty: one is made up
	User, Password string // that accepted routes show; empty: nothing is asked for
	AuthTimeout    time.Duration
	Routes         []*url.URL
	TLS            *TLS   // nil: off
	Advertise      string // empty: none
	NoAdvertise    bool
	ConnectRetries int
	ConnectBackoff bool
	PingInterval   time.Duration // 0: that of clients
	PingMax        int           // 0: that of clients
	WriteDeadline  time.Duration // 0: that of clients
	// Of failed attempts to reach a server, the first and every so many are logged as errors.
	ConnectErrorReports, ReconnectErrorReports int
	Import, Export                             *broker.PermissionSide
	Secure                                     *tlsconfig.Source // the certificates of TLS, as Config.Secure
}

// ClusterOptions returns the options of a cluster, nil without one. Logger, version and commit are left to the caller. With TLS, the certificates
// must have been read.
func (c *Config) ClusterOptions() *cluster.Options {
	if c.Cluster == nil {
		return nil
	}
	k := c.Cluster
	o := &cluster.Options{
		Host: k.Host, Port: k.Port, Name: k.Name, User: k.User, Password: k.Password, AuthTimeout: k.AuthTimeout, Routes: k.Routes,
		Advertise: k.Advertise, NoAdvertise: k.NoAdvertise, ConnectRetries: k.ConnectRetries, ConnectBackoff: k.ConnectBackoff,
		PingInterval: k.PingInterval, PingMax: k.PingMax, WriteDeadline: k.WriteDeadline, Imports: k.Import, Exports: k.Export,
		ConnectErrorReports: k.ConnectErrorReports, ReconnectErrorReports: k.ReconnectErrorReports, MaxPayload: c.Limits.MaxPayload,
	}
	if o.PingInterval == 0 {
		o.PingInterval = c.Limits.PingInterval
	}
	if o.PingMax == 0 {
		o.PingMax = c.Limits.PingMax
	}
	if k.Secure != nil {
		o.TLS = &cluster.TLSOptions{Config: k.Secure.Config(), Timeout: k.TLS.Timeout, PinnedKeys: k.TLS.PinnedCerts}
	}
	return o
}

// linkSide makes one direction of the permissions of routes, nil if there is none: everything passes.
func (b *builder) linkSide(f *field) *broker.PermissionSide {
	if f == nil {
		return nil
	}
	s := b.side(f, false)
	s.openUnless(s.Allow != nil)
	return &s.PermissionSide
}

// cluster makes the options of the cluster, nil if there is none. Source: docs/spec/cli.md §4.
func (b *builder) cluster() *Cluster {
	c := &Cluster{
		Host: b.text("cluster.host"), Port: b.int("cluster.port"), Name: b.text("cluster.name"),
		User: b.text("cluster.authorization.user"), Password: b.text("cluster.authorization.password"),
		AuthTimeout: b.duration("cluster.authorization.timeout"), Advertise: b.text("cluster.advertise"),
		ConnectErrorReports: b.int("connect_error_reports"), ReconnectErrorReports: b.int("reconnect_error_reports"),
		NoAdvertise: b.bool("cluster.no_advertise"), ConnectRetries: b.int("cluster.connect_retries"), ConnectBackoff: b.bool("cluster.connect_backoff"),
		PingInterval: b.duration("cluster.ping_interval"), PingMax: b.int("cluster.ping_max"), WriteDeadline: b.duration("cluster.write_deadline"),
	}
	c.Routes = b.routes()
	t := b.tree.sub("cluster")
	if auth := t.sub("authorization"); auth != nil {
		if f := auth.get("users"); f != nil {
			b.report(f.entry.Pos, len(f.entry.Key), "use user and password", "Cluster authorization does not allow multiple users")
		}
		if f := auth.get("token"); f != nil {
			b.report(f.entry.Pos, len(f.entry.Key), "use user and password", "Cluster authorization does not support tokens")
		}
	}
	c.TLS = b.tlsAt(clusterTLSPath)
	if permissions := t.sub("permissions"); permissions != nil {
		c.Import, c.Export = b.linkSide(permissions.get("import")), b.linkSide(permissions.get("export"))
	}
	if c.Advertise != "" {
		if _, _, err := broker.SplitAdvertise(c.Advertise); err != nil {
			b.errorAbout("cluster.advertise", "write host or host:port", "%v", err)
		}
	}
	if c.Password != "" && c.User == "" {
		b.errorAbout("cluster.authorization.password", "add user", "password given without user")
	}
	if c.Port == 0 {
		s := b.settings[routesPath]
		if len(c.Routes) > 0 && s.Origin.Layer >= FromEnv && b.tree.get("cluster") == nil && !b.given("cluster.port") {
			b.report(confparse.Pos{}, 0, "", "solicited routes require cluster capabilities, e.g. --cluster")
		}
		return nil
	}
	if strings.ContainsAny(c.Name, " \t\r\n") {
		b.errorAbout("cluster.name", "use one word", "cluster name cannot contain spaces")
	}
	return c
}

// routes makes the URLs of the routes. Errors never show them, since they may hold passwords.
func (b *builder) routes() []*url.URL {
	s := b.settings[routesPath]
	if s == nil || s.Value == nil {
		return nil
	}
	items, err := textsOf(s.Value)
	if err != nil {
		return nil // it was reported
	}
	var routes []*url.URL
	seen := make(map[string]bool)
	for _, item := range items {
		text := item.Source()
		u, err := url.Parse(text)
		if err != nil || u.Hostname() == "" || u.Port() == "" {
			b.report(item.Pos, len(item.Raw), "write nats-route://[user:password@]host:port", "error parsing route url")
			continue
		}
		if seen[text] {
			b.warn(item.Pos, len(item.Raw), "", "duplicate route %s dropped", u.Host)
			continue
		}
		seen[text] = true
		routes = append(routes, u)
	}
	return routes
}

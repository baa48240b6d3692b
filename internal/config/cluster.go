package config

import (
	"net/url"
	"strings"
	"time"

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
}

// cluster makes the options of the cluster, nil if there is none. Source: docs/spec/cli.md §4.
func (b *builder) cluster() *Cluster {
	c := &Cluster{
		Host: b.text("cluster.host"), Port: b.int("cluster.port"), Name: b.text("cluster.name"),
		User: b.text("cluster.authorization.user"), Password: b.text("cluster.authorization.password"),
		AuthTimeout: b.duration("cluster.authorization.timeout"), Advertise: b.text("cluster.advertise"),
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
	if tls := t.sub("tls"); tls != nil {
		c.TLS = b.tlsBlock(tls)
		c.TLS.Verify = true // docs/spec/config.md B4: routes are checked both ways
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
		if err != nil || u.Host == "" {
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

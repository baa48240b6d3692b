package monitor

import (
	"net/http"
	"runtime"
	"time"

	"github.com/natsd/natsd/pkg/broker"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// collector makes metrics from snapshots when they are asked for. Nothing is counted for it in between.
type collector struct {
	s *Server

	build, started, connections, maxConnections, accepted, closed, received, sent, receivedBytes, sentBytes,
	slow, stale, stalled, subscriptions, pending, mostPending, routes, missing, cache, matches, misses, inserts, removes,
	authFailures, reloads, configLoaded, certificate, requests, latency, lameDuck, noise *prometheus.Desc
}

// newMetrics returns what serves /metrics.
func (s *Server) newMetrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCollector(s), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// serveMetrics is /metrics.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) { s.metrics.ServeHTTP(w, r) }

func newCollector(s *Server) *collector {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("natsd_"+name, help, labels, nil)
	}
	return &collector{
		s:              s,
		build:          d("build_info", "Which program this is; always 1.", "version", "commit", "goversion"),
		started:        d("start_time_seconds", "When the server was started, in seconds since 1970."),
		lameDuck:       d("lame_duck", "1 while the server is in lame duck mode."),
		connections:    d("connections", "Clients that are connected."),
		maxConnections: d("connections_limit", "Clients that may be connected at a time; -1 is no limit."),
		accepted:       d("connections_accepted_total", "Clients that have connected, those turned away included."),
		closed:         d("connections_closed_total", "Clients and routes that have closed.", "reason"),
		received:       d("messages_received_total", "Messages that have come in.", "kind"),
		sent:           d("messages_sent_total", "Messages that were queued to go out.", "kind"),
		receivedBytes:  d("received_bytes_total", "Payload bytes, headers included, that have come in.", "kind"),
		sentBytes:      d("sent_bytes_total", "Payload bytes, headers included, that were queued to go out.", "kind"),
		slow:           d("slow_consumers_total", "Connections that were cut because they were too slow.", "kind"),
		stale:          d("stale_connections_total", "Clients that were cut because they did not answer pings."),
		stalled:        d("stalled_clients", "Connected clients that have had to wait for slow consumers."),
		subscriptions:  d("subscriptions", "Subscriptions, what other servers are interested in included."),
		pending:        d("pending_bytes", "Bytes that wait to be written to clients and routes."),
		mostPending:    d("pending_bytes_max", "Bytes that wait to be written to the connection that is furthest behind."),
		routes:         d("routes", "Connections to other servers."),
		missing:        d("routes_missing", "Servers of the cluster that are looked for and not there."),
		cache:          d("match_cache_entries", "Subjects for which it is known who is subscribed."),
		matches:        d("matches_total", "Messages whose subscribers were looked up."),
		misses:         d("match_cache_misses_total", "Lookups of subscribers without a result at hand."),
		inserts:        d("subscription_inserts_total", "Subscriptions that were added."),
		removes:        d("subscription_removes_total", "Subscriptions that were removed."),
		authFailures:   d("auth_failures_total", "Clients and routes that were refused.", "reason"),
		reloads:        d("config_reloads_total", "Reloads of the configuration.", "result"),
		configLoaded:   d("config_loaded_timestamp_seconds", "When the configuration that counts was loaded, in seconds since 1970."),
		certificate:    d("certificate_expiry_timestamp_seconds", "When a certificate expires, in seconds since 1970.", "certificate"),
		noise:          d("log_lines_dropped_total", "Lines about connections that did not log in that were left out of the log."),
		requests:       d("http_requests_total", "Requests to the monitor port.", "path"),
		latency: d("delivery_latency_seconds",
			"Time between the read that brought a message and the write that took the last of its batch away, once per delivery."),
	}
}

// Describe is for prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.build, c.started, c.connections, c.maxConnections, c.accepted, c.closed, c.received, c.sent, c.receivedBytes, c.sentBytes, c.slow, c.stale,
		c.stalled, c.subscriptions, c.pending, c.mostPending, c.routes, c.missing, c.cache, c.matches, c.misses, c.inserts, c.removes,
		c.authFailures, c.reloads, c.configLoaded, c.certificate, c.requests, c.latency, c.lameDuck, c.noise,
	} {
		out <- d
	}
}

// Collect is for prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	counter := func(d *prometheus.Desc, value int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	b := c.s.options.Broker
	o, stats := b.Options(), b.Stats()
	gauge(c.build, 1, o.Version, o.GitCommit, runtime.Version())
	gauge(c.started, seconds(b.Started()))
	gauge(c.lameDuck, oneIf(b.State() == broker.StateLameDuck))
	gauge(c.connections, float64(stats.Connections))
	gauge(c.maxConnections, float64(max(-1, o.MaxConnections)))
	counter(c.accepted, stats.TotalConnections)
	for kind, of := range map[string][4]int64{
		"client": {stats.ClientInMsgs, stats.ClientOutMsgs, stats.ClientInBytes, stats.ClientOutBytes},
		"route": {
			stats.InMsgs - stats.ClientInMsgs, stats.OutMsgs - stats.ClientOutMsgs,
			stats.InBytes - stats.ClientInBytes, stats.OutBytes - stats.ClientOutBytes,
		},
	} {
		counter(c.received, of[0], kind)
		counter(c.sent, of[1], kind)
		counter(c.receivedBytes, of[2], kind)
		counter(c.sentBytes, of[3], kind)
	}
	counter(c.slow, stats.SlowClients, "client")
	counter(c.slow, stats.SlowConsumers-stats.SlowClients, "route")
	counter(c.stale, stats.StaleConnections)
	counter(c.noise, b.NoiseDropped())
	gauge(c.stalled, float64(stats.StalledClients))
	gauge(c.subscriptions, float64(stats.Subscriptions))
	gauge(c.pending, float64(stats.Pending))
	gauge(c.mostPending, float64(stats.MostPending))
	c.collectCluster(gauge)
	c.collectIndexes(stats.ClientInMsgs, gauge, counter)
	c.collectClosed(counter)
	c.collectProgram(gauge, counter)
	c.collectLatency(out)
}

func (c *collector) collectCluster(gauge func(d *prometheus.Desc, value float64, labels ...string)) {
	routes, missing := 0, 0
	if k := c.s.options.Cluster; k != nil {
		snapshot := k.Snapshot()
		routes, missing = len(snapshot.Routes), len(snapshot.Missing)
	}
	gauge(c.routes, float64(routes))
	gauge(c.missing, float64(missing))
}

func (c *collector) collectIndexes(published int64, gauge func(d *prometheus.Desc, value float64, labels ...string), counter func(d *prometheus.Desc, value int64, labels ...string)) {
	sum := c.s.options.Broker.IndexTotals(published)
	gauge(c.cache, float64(sum.Cached))
	counter(c.matches, sum.Matches)
	counter(c.misses, sum.Misses)
	counter(c.inserts, sum.Inserts)
	counter(c.removes, sum.Removes)
}

// refusals are the reasons to close that mean a refusal (docs/spec/monitoring.md §5.3), and what metrics call them.
func refusals() map[string]string {
	return map[string]string{
		"Authentication Failure": "credentials", "Authentication Timeout": "timeout", "Authentication Expired": "revoked",
		"TLS Handshake Failure": "tls", "Maximum Account Connections Exceeded": "account_limit", "Maximum Connections Exceeded": "server_limit",
	}
}

func (c *collector) collectClosed(counter func(d *prometheus.Desc, value int64, labels ...string)) {
	reasons := c.s.options.Broker.CloseReasons()
	for reason, n := range reasons {
		counter(c.closed, n, reason)
	}
	for reason, name := range refusals() {
		counter(c.authFailures, reasons[reason], name)
	}
}

func (c *collector) collectProgram(gauge func(d *prometheus.Desc, value float64, labels ...string), counter func(d *prometheus.Desc, value int64, labels ...string)) {
	about := c.s.options.About()
	counter(c.reloads, about.Reloads, "ok")
	counter(c.reloads, about.FailedReloads, "failed")
	loaded := about.ConfigLoaded
	if loaded.IsZero() {
		loaded = c.s.options.Broker.Started()
	}
	gauge(c.configLoaded, seconds(loaded))
	for _, certificate := range about.Certificates {
		gauge(c.certificate, seconds(certificate.Expires), certificate.Name)
	}
	for path, n := range c.s.requests {
		counter(c.requests, n.Load(), path)
	}
}

func (c *collector) collectLatency(out chan<- prometheus.Metric) {
	l := c.s.options.Broker.Latency()
	buckets := make(map[float64]uint64, len(l.Bounds))
	total := uint64(0)
	for i, n := range l.Counts {
		total += uint64(n)
		if i < len(l.Bounds) {
			buckets[l.Bounds[i].Seconds()] = total
		}
	}
	out <- prometheus.MustNewConstHistogram(c.latency, total, l.Sum.Seconds(), buckets)
}

func seconds(t time.Time) float64 { return float64(t.UnixNano()) / float64(time.Second) }

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

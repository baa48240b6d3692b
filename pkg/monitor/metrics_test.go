package monitor_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/monitor"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// TestMetrics: the counts are those of known traffic, and the names follow the conventions.
func TestMetrics(t *testing.T) {
	r := launch(t, func(o *broker.Options, m *monitor.Options) {
		o.Auth = &broker.Auth{User: "ann", Password: "s3cret"}
		o.MaxConnections = 2
		m.About = func() monitor.About {
			return monitor.About{Reloads: 3, FailedReloads: 1, Certificates: []monitor.Certificate{{Name: "clients", Expires: time.Unix(2e9, 0)}}}
		}
	})
	login := `CONNECT {"verbose":false,"user":"ann","pass":"s3cret"}` + "\r\n"
	dial := func() *testutil.Client { return testutil.Dial(t, r.broker.ClientAddr().String()) }
	sub, pub := dial(), dial()
	sub.Send(login + "SUB x 1\r\nSUB y 2\r\nUNSUB 2\r\nPING\r\n")
	sub.Expect("PONG\r\n")
	third := dial()
	third.Expect("-ERR 'Maximum Connections Exceeded'\r\n")
	pub.Send("CONNECT {\"verbose\":false,\"user\":\"eve\",\"pass\":\"no\"}\r\n")
	pub.Expect("-ERR 'Authorization Violation'\r\n")
	eventually(t, "it has gone", func() bool { return r.broker.Stats().Connections == 1 })
	pub = dial()
	pub.Send(login + "PUB x 5\r\nhello\r\nPUB x 3\r\nabc\r\nPING\r\n")
	pub.Expect("PONG\r\n")
	sub.Expect("MSG x 1 5\r\nhello\r\nMSG x 1 3\r\nabc\r\n")
	eventually(t, "deliveries are counted", func() bool { return metric(r.get("/metrics").body, "natsd_delivery_latency_seconds_count") == "2" })
	text := r.get("/metrics").body
	for name, want := range map[string]string{
		"natsd_connections": "2", "natsd_connections_limit": "2", "natsd_connections_accepted_total": "4", "natsd_subscriptions": "1",
		`natsd_connections_closed_total{reason="Authentication Failure"}`: "1", `natsd_connections_closed_total{reason="Maximum Connections Exceeded"}`: "1",
		`natsd_auth_failures_total{reason="credentials"}`: "1", `natsd_auth_failures_total{reason="server_limit"}`: "1", `natsd_auth_failures_total{reason="tls"}`: "0",
		`natsd_messages_received_total{kind="client"}`: "2", `natsd_messages_sent_total{kind="client"}`: "2", `natsd_messages_received_total{kind="route"}`: "0",
		`natsd_received_bytes_total{kind="client"}`: "8", `natsd_sent_bytes_total{kind="client"}`: "8", `natsd_slow_consumers_total{kind="client"}`: "0",
		"natsd_subscription_inserts_total": "2", "natsd_subscription_removes_total": "1", "natsd_matches_total": "2", "natsd_routes": "0", "natsd_pending_bytes": "0",
		`natsd_config_reloads_total{result="ok"}`: "3", `natsd_config_reloads_total{result="failed"}`: "1",
		`natsd_certificate_expiry_timestamp_seconds{certificate="clients"}`: "2e+09", `natsd_delivery_latency_seconds_bucket{le="+Inf"}`: "2", "natsd_lame_duck": "0",
	} {
		if got := metric(text, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if strings.Contains(text, "s3cret") || strings.Contains(text, "cid") {
		t.Error("there is something of a connection in the metrics")
	}
	for _, name := range []string{"go_goroutines", "process_cpu_seconds_total", "process_resident_memory_bytes"} {
		if metric(text, name) == "" {
			t.Errorf("no %s", name)
		}
	}
}

// metric returns the value of a sample in text, empty if there is none.
func metric(text, name string) string {
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func TestMetricsLint(t *testing.T) {
	r := launch(t, nil)
	a := r.get("/metrics")
	problems, err := promlint.New(strings.NewReader(a.body)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	open := r.get("/metrics", func(r *http.Request) { r.Header.Set("Accept", "application/openmetrics-text; version=1.0.0") })
	if !strings.HasPrefix(open.header.Get("Content-Type"), "application/openmetrics-text") || !strings.HasSuffix(open.body, "# EOF\n") {
		t.Errorf("OpenMetrics comes as %s", open.header.Get("Content-Type"))
	}
}

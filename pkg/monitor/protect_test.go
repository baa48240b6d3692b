package monitor_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil/certs"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/monitor"
)

// all are paths of every kind.
var all = []string{
	"/", "/varz", "/connz", "/routez", "/subsz", "/subscriptionsz", "/stacksz", "/leafz", "/accountz", "/accstatz", "/slowz", "/configz", "/metrics",
	"/healthz", "/livez", "/readyz", "/startupz",
}

// TestProtection: with protection on, only probes and, with a token, the bare page answer strangers.
func TestProtection(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*monitor.Options)
		good []func(*http.Request)
		bad  []func(*http.Request)
		open string // besides the probes
	}{
		{"token", func(m *monitor.Options) { m.Token = "s3cret" },
			[]func(*http.Request){
				func(r *http.Request) { r.Header.Set("Authorization", "Bearer s3cret") },
				func(r *http.Request) { r.Header.Set("Authorization", "bearer s3cret") }, // RFC 9110 §11.1
			},
			[]func(*http.Request){
				func(r *http.Request) { r.Header.Set("Authorization", "Bearer s3cre") },
				func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") },
				func(r *http.Request) { r.Header.Set("Authorization", "Bearer") },
				func(r *http.Request) { r.Header.Set("Authorization", "Bearers3cret") },
				func(r *http.Request) { r.Header.Set("Authorization", "Token s3cret") },
				func(r *http.Request) { r.SetBasicAuth("", "s3cret") },
			}, "/"},
		{"user", func(m *monitor.Options) { m.User, m.Password = "ann", "s3cret" },
			[]func(*http.Request){func(r *http.Request) { r.SetBasicAuth("ann", "s3cret") }},
			[]func(*http.Request){
				func(r *http.Request) { r.SetBasicAuth("ann", "s3cret2") },
				func(r *http.Request) { r.SetBasicAuth("bob", "s3cret") },
				func(r *http.Request) { r.Header.Set("Authorization", "Bearer s3cret") },
				func(r *http.Request) { r.Header.Set("Authorization", "Basic !") },
			}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := launch(t, func(_ *broker.Options, m *monitor.Options) { c.set(m) })
			for _, path := range all {
				open := strings.HasSuffix(path, "healthz") || strings.HasSuffix(path, "livez") || path == "/readyz" || path == "/startupz" || path == c.open
				want := http.StatusUnauthorized
				if open {
					want = http.StatusOK
				}
				for _, change := range append(c.bad, func(*http.Request) {}) {
					if a := r.get(path, change); a.status != want || !open && a.header.Get("WWW-Authenticate") == "" {
						t.Errorf("%s for a stranger: %d %s", path, a.status, a.header)
					}
				}
				for _, change := range c.good {
					if a := r.get(path, change); a.status != http.StatusOK {
						t.Errorf("%s with credentials: %d %s", path, a.status, a.body)
					}
				}
			}
		})
	}
}

// TestMutualTLS: monitoring with certificates for callers.
func TestMutualTLS(t *testing.T) {
	ca := certs.NewAuthority(t)
	r := launch(t, func(_ *broker.Options, m *monitor.Options) {
		m.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ca.Server(nil).Certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool()}
	})
	get := func(own ...tls.Certificate) error {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), Certificates: own, MinVersion: tls.VersionTLS12}}
		defer transport.CloseIdleConnections()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/varz", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	if err := get(ca.Client("ann", nil).Certificate); err != nil {
		t.Error(err)
	}
	if get() == nil {
		t.Error("a caller without a certificate is served")
	}
}

// TestForeignPages: what natsd's own page reads is not for those of others; what tools have always read is.
func TestForeignPages(t *testing.T) {
	r := launch(t, nil)
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for _, path := range []string{"/configz", "/slowz"} {
		for i, change := range []func(*http.Request){
			host("evil.example:8222"), header("Origin", "http://evil.example"), header("Origin", "null"), header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Site", "same-site"),
		} {
			if a := r.get(path, change); a.status != http.StatusForbidden {
				t.Errorf("%s for foreign page %d: %d", path, i, a.status)
			}
		}
		if a := r.get(path + "?callback=f"); a.status != http.StatusForbidden {
			t.Errorf("%s with a callback: %d", path, a.status)
		}
		for i, change := range []func(*http.Request){
			host("localhost:8222"), host("[::1]:8222"), host("127.0.0.1"), header("Origin", r.url), header("Sec-Fetch-Site", "same-origin"), header("Sec-Fetch-Site", "none"),
		} {
			if a := r.get(path, change); a.status != http.StatusOK || a.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s for own page %d: %d %s", path, i, a.status, a.header)
			}
		}
	}
	a := r.get("/varz", header("Origin", "http://dashboard.example"), host("monitor.example"))
	if a.status != http.StatusOK || a.header.Get("Access-Control-Allow-Origin") != "*" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("varz for a dashboard: %d %s", a.status, a.header)
	}
}

// TestMethods: GET, HEAD and OPTIONS, nothing else.
func TestMethods(t *testing.T) {
	r := launch(t, nil)
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "OPTIONS": 204, "POST": 405, "PUT": 405, "DELETE": 405, "TRACE": 405, "BREW": 405} {
		a := r.get("/varz", func(r *http.Request) { r.Method = method })
		if a.status != want || method == "HEAD" && a.body != "" || want == 405 && a.header.Get("Allow") == "" {
			t.Errorf("%s: %d %q %s", method, a.status, a.body, a.header)
		}
	}
}

// TestBasePath: everything is below the base path, and nothing besides.
func TestBasePath(t *testing.T) {
	r := launch(t, func(_ *broker.Options, m *monitor.Options) { m.BasePath = "/nats/eu" })
	for path, want := range map[string]int{
		"/nats/eu": 200, "/nats/eu/varz": 200, "/nats/eu/assets/app.js": 200, "/": 404, "/varz": 404, "/nats": 404, "/nats/eu/": 404, "/nats/euvarz": 404,
		"/nats/eu//varz": 404, "/nats/eu/varz/": 404,
	} {
		if a := r.get(path); a.status != want {
			t.Errorf("%s: %d, want %d", path, a.status, want)
		}
	}
	if a := r.get("/nats/eu"); !strings.Contains(a.body, `href="./eu/varz"`) || !strings.Contains(a.body, `src="./eu/assets/app.js"`) {
		t.Errorf("the links of the page are %s", a.body)
	}
}

// TestPageFiles: the page is small, loads nothing from elsewhere, and has no script or style in its text.
func TestPageFiles(t *testing.T) {
	r := launch(t, nil)
	a := r.get("/")
	policy := a.header.Get("Content-Security-Policy")
	if a.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the page comes with %s", a.header)
	}
	for _, link := range []string{"varz", "connz", "routez", "subsz", "assets/help.html"} {
		if !strings.Contains(a.body, `href="./`+link+`"`) {
			t.Errorf("no link to %s", link)
		}
	}
	for _, file := range []string{"/assets/app.js", "/assets/app.css", "/assets/help.html", "/assets/icon.svg"} {
		f := r.get(file)
		if f.status != http.StatusOK || f.header.Get("Content-Type") == "" {
			t.Errorf("%s: %d %s", file, f.status, f.header)
		}
		a.body += f.body
	}
	for _, banned := range []string{"innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", " style=", "onclick=\"", "//cdn", "<script>"} {
		if strings.Contains(a.body, banned) {
			t.Errorf("the page has %q in it", banned)
		}
	}
	const most = 100 << 10
	if len(a.body) > most {
		t.Errorf("the page takes %d bytes even before compression, more than %d", len(a.body), most)
	}
}

// TestProbes: the named checks follow the life of the server.
func TestProbes(t *testing.T) {
	r := launch(t, func(o *broker.Options, _ *monitor.Options) {
		o.MaxConnections, o.LameDuckDuration, o.LameDuckGracePeriod = 2, time.Hour, time.Hour/2
		o.Clustered = true
	})
	expect := func(path string, status int, body string) {
		t.Helper()
		if a := r.get(path); a.status != status || a.body != body {
			t.Errorf("%s: %d %q, want %d %q", path, a.status, a.body, status, body)
		}
	}
	expect("/livez", 200, "ok\n")
	expect("/startupz?verbose", 200, "[+]clients ok\n[+]routes ok\nok\n")
	expect("/readyz", 200, "ok\n")
	expect("/healthz", 200, `{"status":"ok"}`)
	r.client("a", "")
	r.client("b", "")
	expect("/readyz", 503, "[+]clients ok\n[+]lameduck ok\n[-]connections failed: all 2 of max_connections are taken\n[+]routes ok\n[+]mesh ok\nfailed\n")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.broker.LameDuck(ctx) }()
	eventually(t, "it is in lame duck mode", func() bool { return r.broker.State() == broker.StateLameDuck })
	expect("/healthz", 503, `{"status":"unavailable","error":"lame duck mode"}`)
	expect("/healthz?details=1", 503, `{"status":"unavailable","errors":[{"type":"CONNECTION","error":"lame duck mode"}]}`)
	expect("/livez", 200, "ok\n")
	if a := r.get("/readyz"); a.status != 503 || !strings.Contains(a.body, "[-]lameduck failed: the server is in lame duck mode\n") {
		t.Errorf("/readyz: %d %s", a.status, a.body)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestProbesBeforeStart: the monitor is up before the broker.
func TestProbesBeforeStart(t *testing.T) {
	b, err := broker.New(broker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := monitor.New(monitor.Options{Broker: b, Host: "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		http.DefaultClient.CloseIdleConnections()
		if err := m.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	r := &rig{t: t, url: "http://" + m.Addr().String()}
	for path, want := range map[string]string{
		"/healthz":          `{"status":"error","error":"failed to be ready for connections after 1ms: server"}`,
		"/startupz":         "[-]clients failed: the server is starting\nfailed\n",
		"/livez":            "ok\n",
		"/readyz?verbose=1": "[-]clients failed: the server is starting\n[+]lameduck ok\n[+]connections ok\nfailed\n",
	} {
		if a := r.get(path); a.body != want {
			t.Errorf("%s: %q, want %q", path, a.body, want)
		}
	}
	for _, path := range all {
		r.get(path)
	}
	if !errors.Is(m.Start(), monitor.ErrStarted) {
		t.Error("a second Start works")
	}
}

func TestOptionsAreValidated(t *testing.T) {
	b, err := broker.New(broker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]monitor.Options{
		"no broker":                    {},
		"port 70000 is out of range":   {Broker: b, Port: 70000},
		"a password without a user":    {Broker: b, Password: "x"},
		"a user without a password":    {Broker: b, User: "x"},
		"port -2 is out of range; use": {Broker: b, Port: -2},
	} {
		if _, err := monitor.New(o); !errors.Is(err, monitor.ErrInvalidOptions) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

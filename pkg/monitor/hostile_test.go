package monitor_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/natsd/natsd/internal/testutil"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/monitor"
)

// TestHostileTexts: names, users and subjects of clients come out as JSON strings, whatever is in them.
func TestHostileTexts(t *testing.T) {
	r := launch(t, func(o *broker.Options, _ *monitor.Options) { o.MaxControlLine = 1 << 20 })
	long := strings.Repeat("A", 64<<10)
	names := []string{`<script>alert(1)</script>`, "a\x00b\x1b[31mc", "\xff\xfe", "\u2028", long, `"},{"cid":99`, "", "[INF] fake\n"}
	for i, name := range names {
		quoted, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		c := testutil.Dial(t, r.broker.ClientAddr().String())
		c.Send(fmt.Sprintf("CONNECT {\"verbose\":false,\"name\":%s,\"lang\":%s}\r\nSUB <b>.%d.\x01\xff%s 1\r\nPING\r\n", quoted, quoted, i, long))
		c.Expect("PONG\r\n")
	}
	for _, path := range []string{"/connz?auth=1&subs=detail", "/subsz?subs=1", "/connz?callback=f&subs=1", "/slowz"} {
		a := r.get(path)
		text := strings.TrimSuffix(strings.TrimPrefix(a.body, "f("), ")")
		if !json.Valid([]byte(text)) || !utf8.ValidString(text) || strings.ContainsAny(text, "<>\x00\x1b\u2028") {
			t.Errorf("%s has something in it that it should not", path)
		}
	}
	var z monitor.Connz
	r.into("/connz", &z)
	if len(z.Conns) != len(names) || z.Conns[0].Name != names[0] || z.Conns[4].Name != long {
		t.Errorf("%d connections, want %d with their names", len(z.Conns), len(names))
	}
}

// TestHostileQueries: texts in a query do not come back as they are, at length, or as HTML.
func TestHostileQueries(t *testing.T) {
	r := launch(t, nil)
	long := strings.Repeat("x", 100<<10)
	for _, path := range []string{"/connz?sort=", "/connz?state=", "/connz?limit=", "/connz?cid=", "/connz?auth=", "/subsz?test=a..", "/accountz?acc=", "/varz?callback=1"} {
		a := r.get(path + url.QueryEscape("<script>"+long))
		if a.status != http.StatusBadRequest || a.header.Get("Content-Type") != "text/plain; charset=utf-8" || len(a.body) > 1000 {
			t.Errorf("%s: %d, %d bytes of %s", path, a.status, len(a.body), a.header.Get("Content-Type"))
		}
	}
}

// TestHalfClosed: a caller that has said all it has to say, and has closed its half of the connection, gets its answer.
func TestHalfClosed(t *testing.T) {
	r := launch(t, nil)
	c := testutil.Dial(t, r.broker.ClientAddr().String())
	c.Send("CONNECT {\"verbose\":false}\r\nPING\r\n")
	c.Expect("PONG\r\n")
	for i := range 100 {
		path := []string{"/connz", "/connz?sort=subs", "/connz?state=all"}[i%3]
		caller, err := net.Dial("tcp", r.monitor.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = caller.SetDeadline(time.Now().Add(testutil.Patience))
		if _, err := fmt.Fprintf(caller, "GET %s HTTP/1.0\r\n\r\n", path); err != nil {
			t.Fatal(err)
		}
		if err := caller.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(caller)
		_ = caller.Close()
		if err != nil || !strings.HasPrefix(string(text), "HTTP/1.0 200 ") {
			t.Fatalf("%s: %v, %.100s", path, err, text)
		}
	}
}

// TestSlowCallers: a caller that does not finish its request, or does not read, keeps nobody else from an answer.
func TestSlowCallers(t *testing.T) {
	r := launch(t, nil)
	for i := range 200 {
		c, err := net.Dial("tcp", r.monitor.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		text := "GET /varz HTTP/1.1\r\nHost: x\r\nX-Slow: "
		if i%2 == 0 {
			text = strings.Repeat("GET /stacksz HTTP/1.1\r\nHost: x\r\n\r\n", 20) // answers are not read
		}
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range all {
		if a := r.get(path); a.status != http.StatusOK {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

// TestBrokenRequests: what is no HTTP gets an error or nothing.
func TestBrokenRequests(t *testing.T) {
	r := launch(t, nil)
	for _, text := range []string{
		"INFO {}\r\n", "CONNECT {}\r\nPING\r\n", "\x16\x03\x01\x02\x00\x01", "GET\r\n\r\n", "GET /varz HTTP/9.9\r\n\r\n", "GET /varz HTTP/1.1\r\n\r\n",
		"GET /varz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET /varz HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"GET http://evil.example/varz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET /%00varz HTTP/1.1\r\nHost: x\r\n\r\n",
		"POST /varz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /stacksz HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		c, err := net.Dial("tcp", r.monitor.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(testutil.Patience))
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if half, ok := c.(*net.TCPConn); ok {
			_ = half.CloseWrite()
		}
		_, _ = io.Copy(io.Discard, bufio.NewReader(c)) // it ends: that is the test
		_ = c.Close()
	}
	r.get("/varz")
}

// TestManyScrapers: a thousand requests at once while messages flow; none fails and no message is lost.
func TestManyScrapers(t *testing.T) {
	r := launch(t, nil)
	const messages = 20000
	subscriber, publisher := r.client("sub", "SUB x 1\r\n"), r.client("pub", "")
	var tasks sync.WaitGroup
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	defer transport.CloseIdleConnections()
	failures := make(chan string, 1000)
	for i := range 1000 {
		path := all[i%len(all)]
		tasks.Go(func() {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+path, nil)
			if err != nil {
				failures <- err.Error()
				return
			}
			response, err := transport.RoundTrip(request)
			if err != nil {
				failures <- err.Error()
				return
			}
			if _, err = io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK && path != "/metrics" {
				failures <- fmt.Sprintf("%s: %s %v", path, response.Status, err)
			}
			_ = response.Body.Close()
		})
	}
	go publisher.Send(strings.Repeat("PUB x 1\r\nx\r\n", messages))
	subscriber.Expect(strings.Repeat("MSG x 1 1\r\nx\r\n", messages))
	tasks.Wait()
	close(failures)
	for text := range failures {
		t.Error(text)
	}
}

// FuzzQueries asks every endpoint with random queries.
func FuzzQueries(f *testing.F) {
	_, m := crowd(f, 20)
	for _, q := range []string{
		"", "sort=cid&limit=1", "offset=-9223372036854775808&limit=9223372036854775807", "subs=detail&auth=1", "state=closed&sort=stop", "test=a.b&subs=1", "acc=$G",
		"callback=f", "callback=%3Cscript%3E", "cid=18446744073709551615", "sort=subs&limit=4611686018427387904",
		"sort=idle&state=all&offset=9223372036854775807&limit=9223372036854775807", "%zz", "a=%00&&&=;", "unused=1", "details=2", "verbose", "match=x",
	} {
		for i := range all {
			f.Add(i, q)
		}
	}
	f.Fuzz(func(t *testing.T, which int, q string) {
		path := all[uint(which)%uint(len(all))]
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.URL = &url.URL{Path: path, RawQuery: q}
		w := httptest.NewRecorder()
		m.Handler().ServeHTTP(w, request)
		body, kind := w.Body.String(), w.Header().Get("Content-Type")
		switch w.Code {
		case http.StatusOK:
			if strings.HasPrefix(kind, "application/json") && path != "/stacksz" && !json.Valid([]byte(body)) {
				t.Errorf("%s?%s: no JSON: %s", path, q, body)
			}
		case http.StatusBadRequest:
			if kind != "text/plain; charset=utf-8" && path != "/healthz" || len(body) > 1000 {
				t.Errorf("%s?%s: %s, %d bytes", path, q, kind, len(body))
			}
		case http.StatusForbidden, http.StatusServiceUnavailable, http.StatusInternalServerError:
		default:
			t.Errorf("%s?%s: %d", path, q, w.Code)
		}
	})
}

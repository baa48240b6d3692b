package monitor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/cluster"
	"github.com/natsd/natsd/pkg/monitor"
)

const quiet = `CONNECT {"verbose":false,"pedantic":false,"name":"%s","lang":"go","version":"1.2.3"}` + "\r\n"

// rig is a broker with its monitor.
type rig struct {
	t       testing.TB
	broker  *broker.Broker
	cluster *cluster.Cluster
	monitor *monitor.Server
	url     string // without a slash at the end
	token   string // that requests show
}

// launch runs a broker and its monitor on free local ports until the test ends.
func launch(t testing.TB, change func(*broker.Options, *monitor.Options)) *rig {
	t.Helper()
	testutil.CheckLeaks(t)
	o, m := broker.Options{Host: "127.0.0.1", Port: broker.RandomPort}, monitor.Options{Host: "127.0.0.1", Port: monitor.RandomPort}
	if change != nil {
		change(&o, &m)
	}
	return launchOptions(t, o, m)
}

func launchOptions(t testing.TB, o broker.Options, m monitor.Options) *rig {
	t.Helper()
	b, err := broker.New(o)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, broker: b}
	if o.Clustered {
		if r.cluster, err = cluster.New(b, cluster.Options{Host: "127.0.0.1", Port: cluster.RandomPort, Name: "tests"}); err != nil {
			t.Fatal(err)
		}
	}
	m.Broker, m.Cluster = b, r.cluster
	if r.monitor, err = monitor.New(m); err != nil {
		t.Fatal(err)
	}
	if err := r.monitor.Start(); err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	if r.cluster != nil {
		if err := r.cluster.Start(); err != nil {
			t.Fatal(err)
		}
	}
	scheme := "http://"
	if m.TLS != nil {
		scheme = "https://"
	}
	r.url = scheme + r.monitor.Addr().String()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*testutil.Patience)
		defer cancel()
		http.DefaultClient.CloseIdleConnections()
		if r.cluster != nil {
			r.cluster.Shutdown()
		}
		for _, err := range []error{b.Shutdown(ctx), r.monitor.Shutdown(ctx)} {
			if err != nil {
				t.Errorf("shutdown: %v", err)
			}
		}
	})
	return r
}

// client connects a client with this name and lets it say lines.
func (r *rig) client(name, lines string) *testutil.Client {
	r.t.Helper()
	c := testutil.Dial(r.t, r.broker.ClientAddr().String())
	c.Send(fmt.Sprintf(quiet, name) + lines + "PING\r\n")
	if !strings.Contains(lines, "PUB") {
		c.Expect("PONG\r\n")
	}
	return c
}

// answer is what a request brought.
type answer struct {
	status int
	header http.Header
	body   string
}

// get asks for a path.
func (r *rig) get(path string, change ...func(*http.Request)) answer {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.url+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.token != "" {
		request.Header.Set("Authorization", "Bearer "+r.token)
	}
	for _, f := range change {
		f(request)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

// into decodes the answer to a path.
func (r *rig) into(path string, v any) {
	r.t.Helper()
	a := r.get(path)
	if a.status != http.StatusOK {
		r.t.Fatalf("%s: %d %s", path, a.status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		r.t.Fatalf("%s: %v in %s", path, err, a.body)
	}
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(testutil.Patience); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("still waiting: " + what)
		}
	}
}

// moving are the fields whose values differ from run to run.
var moving = map[string]bool{
	"server_id": true, "go": true, "port": true, "start": true, "now": true, "uptime": true, "idle": true, "mem": true, "cores": true, "gomaxprocs": true,
	"cpu": true, "cpu_time": true, "config_load_time": true, "last_activity": true, "rtt": true, "stop": true, "cluster_port": true, "remote_id": true, "update_time": true,
	"loaded": true, "version": true, "gomemlimit": true, "time": true, "age": true, "behind": true, "pending_bytes": true, "msgs": true, "bytes": true,
}

// steadyJSON returns text with the values of moving fields replaced by their type, indented, in the order of the text.
func steadyJSON(t *testing.T, text string) []byte {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var out bytes.Buffer
	var write func(depth int, key string)
	write = func(depth int, key string) {
		token, err := d.Token()
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		pad := strings.Repeat("  ", depth+1)
		switch token {
		case json.Delim('{'):
			out.WriteString("{\n")
			for d.More() {
				name, err := d.Token()
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&out, "%s%q: ", pad, name)
				write(depth+1, name.(string))
			}
			_, _ = d.Token()
			out.WriteString(pad[2:] + "}\n")
		case json.Delim('['):
			out.WriteString("[\n")
			for d.More() {
				out.WriteString(pad)
				write(depth+1, key)
			}
			_, _ = d.Token()
			out.WriteString(pad[2:] + "]\n")
		default:
			if moving[key] {
				fmt.Fprintf(&out, "<%T>\n", token)
				return
			}
			value, err := json.Marshal(token)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "%s\n", value)
		}
	}
	write(0, "")
	return out.Bytes()
}

//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// peerCommand runs the peer.
const peerCommand = "nats-server -a 127.0.0.1 -p {port}"

// fetch returns the answer of a monitor port.
func fetch(t *testing.T, address string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	must(t, err)
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s", address, response.Status, body)
	}
	return string(body)
}

// shape notes the type of every value in v under its path.
func shape(types map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			shape(types, path+"."+name, inner)
		}
	case []any:
		types[path] = "list"
		for _, inner := range v {
			shape(types, path+"[]", inner)
		}
	default:
		types[path] = fmt.Sprintf("%T", v)
	}
}

// notOurs are fields of nats-server 2.9 that belong to what natsd does not have, or that it leaves out.
var notOurs = []string{
	".jetstream.", ".gateway.", ".leaf.", ".mqtt.", ".websocket.", ".cluster.tls_timeout", // of things that are off
	".account_detail.jwt", ".account_detail.decoded_jwt", ".account_detail.issuer_key", ".account_detail.imports", ".account_detail.exports", ".account_detail.revoked_user",
}

// TestMonitorLikePeer compares every field of every endpoint with the peer's, after the same traffic.
func TestMonitorLikePeer(t *testing.T) {
	if isPeer() {
		t.Skip("there is nothing to compare the peer with")
	}
	ours, theirs := strconv.Itoa(freePort(t)), strconv.Itoa(freePort(t))
	n := startServer(t, "-m", ours, "--cluster", "nats://127.0.0.1:"+strconv.Itoa(freePort(t)), "--cluster_name", "c")
	p := startCommand(t, peerCommand+" -m "+theirs+" --cluster nats://127.0.0.1:"+strconv.Itoa(freePort(t))+" --cluster_name c")
	for _, s := range []*server{n, p} {
		subscriber, err := nats.Connect(s.url(), nats.Name("sub"))
		must(t, err)
		t.Cleanup(subscriber.Close)
		received := make(chan *nats.Msg, 10)
		_, err = subscriber.ChanSubscribe("orders.*", received)
		must(t, err)
		_, err = subscriber.ChanQueueSubscribe("audit", "workers", received)
		must(t, err)
		must(t, subscriber.Flush())
		publisher, err := nats.Connect(s.url(), nats.Name("pub"))
		must(t, err)
		t.Cleanup(publisher.Close)
		for range 3 {
			must(t, publisher.Publish("orders.new", []byte("hello")))
		}
		must(t, publisher.Publish("audit", []byte("hi")))
		must(t, publisher.Flush())
		for range 4 {
			select {
			case <-received:
			case <-time.After(patience):
				t.Fatal("a message is missing")
			}
		}
		gone, err := nats.Connect(s.url(), nats.Name("gone"))
		must(t, err)
		gone.Close()
	}
	for _, path := range []string{
		"/varz", "/connz", "/connz?subs=1&auth=1", "/connz?subs=detail", "/connz?state=closed", "/routez", "/subsz", "/subsz?subs=1&acc=$G", "/accountz", "/accountz?acc=$G", "/accstatz?unused=1",
		"/leafz", "/healthz",
	} {
		mine, peers := make(map[string]string), make(map[string]string)
		for types, port := range map[*map[string]string]string{&mine: ours, &peers: theirs} {
			var v any
			must(t, json.Unmarshal([]byte(fetch(t, "http://127.0.0.1:"+port+path)), &v))
			shape(*types, "", v)
		}
		for field, kind := range peers {
			if slices.ContainsFunc(notOurs, func(other string) bool { return strings.HasPrefix(field, other) }) {
				continue
			}
			if kind == "<nil>" {
				kind = "list" // natsd has no null where there is a list: docs/spec/monitoring.md §2
			}
			if mine[field] != kind {
				t.Errorf("%s: %s is a %s, and with the peer a %s", path, field, mine[field], kind)
			}
		}
	}
	// Numbers that must be equal.
	for path, fields := range map[string]string{
		"/connz?sort=cid": "num_connections total offset limit in_msgs out_msgs in_bytes out_bytes subscriptions name lang",
		"/varz":           "connections total_connections ping_interval ping_max max_payload max_pending max_control_line proto http_base_path in_msgs out_msgs in_bytes out_bytes slow_consumers",
	} {
		pick := func(port string) string {
			var lines []string
			for line := range strings.Lines(fetch(t, "http://127.0.0.1:"+port+path)) {
				name, _, _ := strings.Cut(strings.Trim(line, " \""), "\"")
				if slices.Contains(strings.Fields(fields), name) {
					lines = append(lines, strings.Trim(line, " ,\n"))
				}
			}
			slices.Sort(lines)
			return strings.Join(lines, "\n")
		}
		if a, b := pick(ours), pick(theirs); a != b {
			t.Errorf("%s:\n%s\nand with the peer:\n%s", path, a, b)
		}
	}
}

// TestPrometheus lets a real Prometheus scrape natsd, and asks it everything that the dashboard and the alerts ask.
func TestPrometheus(t *testing.T) {
	if isPeer() {
		t.Skip("the peer has no metrics")
	}
	rules := "../deploy/prometheus"
	for _, words := range []string{"check rules natsd-alerts.yml", "test rules natsd-alerts_test.yml", "check config prometheus.yml"} {
		tool := exec.CommandContext(t.Context(), "promtool", strings.Fields(words)...)
		tool.Dir = rules
		if output, err := tool.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", words, err, output)
		}
	}
	monitor := strconv.Itoa(freePort(t))
	s := startServer(t, "-m", monitor)
	lint := exec.CommandContext(t.Context(), "promtool", "check", "metrics")
	lint.Stdin = strings.NewReader(fetch(t, "http://127.0.0.1:"+monitor+"/metrics"))
	if output, err := lint.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, output)
	}
	nc, err := nats.Connect(s.url())
	must(t, err)
	defer nc.Close()
	_, err = nc.Subscribe("x", func(*nats.Msg) {})
	must(t, err)

	folder := t.TempDir()
	config, err := os.ReadFile(filepath.Join(rules, "prometheus.yml"))
	must(t, err)
	config = bytes.ReplaceAll(config, []byte("127.0.0.1:8222"), []byte("127.0.0.1:"+monitor))
	config = bytes.ReplaceAll(config, []byte("scrape_interval: 15s"), []byte("scrape_interval: 1s"))
	must(t, os.WriteFile(filepath.Join(folder, "prometheus.yml"), config, 0o600))
	alerts, err := os.ReadFile(filepath.Join(rules, "natsd-alerts.yml"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(folder, "natsd-alerts.yml"), alerts, 0o600))
	port := strconv.Itoa(freePort(t))
	ctx, cancel := context.WithCancel(t.Context())
	prometheus := exec.CommandContext(ctx, "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=127.0.0.1:"+port)
	prometheus.Dir = folder
	log := new(lineLog)
	prometheus.Stderr = log
	must(t, prometheus.Start())
	defer func() {
		cancel()
		_ = prometheus.Wait()
		if t.Failed() {
			t.Log(log)
		}
	}()
	query := func(expression string) (values int, err error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1:"+port+"/api/v1/query?query="+url.QueryEscape(expression), nil)
		if err != nil {
			return 0, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return 0, err
		}
		defer response.Body.Close()
		var answer struct {
			Status, Error string
			Data          struct{ Result []any }
		}
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			return 0, err
		}
		if answer.Status != "success" {
			return 0, fmt.Errorf("%s: %s", expression, answer.Error)
		}
		return len(answer.Data.Result), nil
	}
	s.eventually("Prometheus has seen deliveries several times", func() bool {
		must(t, nc.Publish("x", []byte("hello")))
		n, err := query(`increase(natsd_delivery_latency_seconds_count[5s]) > 0 and natsd_connections == 1 and up{job="natsd"} == 1`)
		return err == nil && n == 1
	})
	text, err := os.ReadFile("../deploy/grafana/natsd.json")
	must(t, err)
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	must(t, json.Unmarshal(text, &dashboard))
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			expression := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*").Replace(target.Expr)
			n, err := query(expression)
			if err != nil || n == 0 && panel.Title != "Certificates" {
				t.Errorf("panel %q: %d values of %s, %v", panel.Title, n, expression, err)
			}
		}
	}
}

// TestTop drives `natsd top` in a real terminal, against natsd and against the peer.
func TestTop(t *testing.T) {
	if isPeer() {
		t.Skip("this is about natsd's own command")
	}
	program, err := binary()
	must(t, err)
	for name, line := range map[string]string{"natsd": "", "peer": peerCommand} {
		t.Run(name, func(t *testing.T) {
			monitor := strconv.Itoa(freePort(t))
			var s *server
			if line == "" {
				s = startServer(t, "-m", monitor)
			} else {
				s = startCommand(t, line+" -m "+monitor)
			}
			for i := range 30 {
				nc, err := nats.Connect(s.url(), nats.Name(fmt.Sprintf("client-%02d", i)))
				must(t, err)
				t.Cleanup(nc.Close)
				for range i {
					_, err := nc.SubscribeSync(fmt.Sprintf("subject.%d", i))
					must(t, err)
				}
				must(t, nc.Flush())
			}
			term := startTerminal(t, program+" top http://127.0.0.1:"+monitor)
			term.await("Connections: 30", "client-00", "sorted by cid")
			term.keys("o")
			term.await("sort by: _")
			term.keys("subs", "Enter")
			term.await("sorted by subs", "client-29")
			term.keys("n", "3", "Enter")
			term.await("client-27")
			term.awaitNot("client-26")
			term.keys("/", "CLIENT-0")
			term.await("filter: CLIENT-0_", "filter CLIENT-0: 10", "client-09", "client-07")
			term.keys("Enter")
			term.await("sorted by subs", "filter CLIENT-0: 10")
			term.keys("Escape")
			term.await("client-27")
			term.awaitNot("filter CLIENT-0")
			term.keys("s")
			term.await("SUBSCRIPTIONS")
			term.keys("o", "nonsense", "Enter")
			term.await(`cannot sort by "nonsense"`)
			term.keys("Space")
			term.await("PAUSED")
			term.keys("?")
			term.await("page up")
			term.keys("q")
			term.await("PAUSED")
			term.resize(70, 10)
			term.awaitNot("LANG")
			term.keys("q")
			term.awaitEnd()
			once := exec.CommandContext(t.Context(), program, "top", "http://127.0.0.1:"+monitor, "--once", "--json", "--delay", "100ms", "--sort", "subs", "-n", "2", "--filter", "Client-2")
			output, err := once.CombinedOutput()
			must(t, err)
			var sample struct {
				Rates       map[string]float64
				Connections []struct{ Name string }
			}
			must(t, json.Unmarshal(output, &sample))
			if len(sample.Rates) != 4 || len(sample.Connections) != 2 || sample.Connections[0].Name != "client-29" {
				t.Errorf("--once --json prints %s", output)
			}
		})
	}
}

// terminal is a program in tmux.
type terminal struct {
	t      *testing.T
	socket string
}

func startTerminal(t *testing.T, command string) *terminal {
	t.Helper()
	term := &terminal{t, filepath.Join(t.TempDir(), "tmux")}
	term.tmux("-f", "/dev/null", "new-session", "-d", "-s", "top", "-x", "200", "-y", "20", command)
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", term.socket, "kill-server").Run() })
	return term
}

func (term *terminal) tmux(words ...string) string {
	term.t.Helper()
	output, err := exec.CommandContext(term.t.Context(), "tmux", append([]string{"-S", term.socket}, words...)...).CombinedOutput()
	if err != nil {
		term.t.Fatalf("tmux %v: %v\n%s", words, err, output)
	}
	return string(output)
}

func (term *terminal) keys(keys ...string) {
	term.t.Helper()
	for _, key := range keys {
		term.tmux("send-keys", "-t", "top", key)
	}
}

func (term *terminal) resize(width, height int) {
	term.t.Helper()
	term.tmux("resize-window", "-t", "top", "-x", strconv.Itoa(width), "-y", strconv.Itoa(height))
}

// until waits until the screen is as it should be.
func (term *terminal) until(what string, good func(screen string) bool) {
	term.t.Helper()
	screen := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if screen = term.tmux("capture-pane", "-p", "-t", "top"); good(screen) {
			return
		}
	}
	term.t.Fatalf("the screen does not show %s:\n%s", what, screen)
}

func (term *terminal) await(texts ...string) {
	term.t.Helper()
	for _, text := range texts {
		term.until(strconv.Quote(text), func(screen string) bool { return strings.Contains(screen, text) })
	}
}

func (term *terminal) awaitNot(text string) {
	term.t.Helper()
	term.until("no "+strconv.Quote(text), func(screen string) bool { return !strings.Contains(screen, text) })
}

// awaitEnd waits until the program has ended, and tmux with it.
func (term *terminal) awaitEnd() {
	term.t.Helper()
	for end := time.Now().Add(patience); exec.Command("tmux", "-S", term.socket, "has-session").Run() == nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			term.t.Fatal("the program has not ended")
		}
	}
}

// TestCurl: every endpoint answers a plain curl, by IPv4 and with a callback; `natsd healthcheck` agrees.
func TestCurl(t *testing.T) {
	if isPeer() {
		t.Skip("this is about natsd's own endpoints")
	}
	monitor := strconv.Itoa(freePort(t))
	startServer(t, "-m", monitor)
	for _, path := range []string{"", "varz", "connz", "routez", "subsz", "stacksz", "accountz", "accstatz", "leafz", "slowz", "configz", "healthz", "livez", "readyz?verbose", "startupz", "metrics"} {
		output, err := exec.CommandContext(t.Context(), "curl", "-sSf", "http://127.0.0.1:"+monitor+"/"+path).CombinedOutput()
		if err != nil || len(output) == 0 {
			t.Errorf("curl /%s: %v %s", path, err, output)
		}
	}
	program, err := binary()
	must(t, err)
	if output, err := exec.CommandContext(t.Context(), program, "healthcheck", "127.0.0.1:"+monitor+"/readyz").CombinedOutput(); err != nil || string(output) != "ok\n" {
		t.Errorf("natsd healthcheck: %v %s", err, output)
	}
	var exit *exec.ExitError
	output, err := exec.CommandContext(t.Context(), program, "healthcheck", "127.0.0.1:1").CombinedOutput()
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("natsd healthcheck of nobody: %v %s", err, output)
	}
}

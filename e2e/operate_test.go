//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// runScript runs one of docs/examples with natsd from this tree.
func runScript(t *testing.T, name string, args ...string) string {
	t.Helper()
	program, err := binary()
	must(t, err)
	command := exec.CommandContext(t.Context(), "../docs/examples/"+name, args...)
	command.Env = append(os.Environ(), "NATSD="+program)
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, output)
	}
	return string(output)
}

// TestScripts runs the example scripts about one server.
func TestScripts(t *testing.T) {
	folder := t.TempDir()
	log, conf, pid := filepath.Join(folder, "natsd.log"), filepath.Join(folder, "natsd.conf"), filepath.Join(folder, "natsd.pid")
	must(t, os.WriteFile(conf, []byte("max_payload: 1mb\n"), 0o600))
	s := startServer(t, "-c", conf, "-l", log, "-P", pid, "-D")
	var stop atomic.Bool
	var tasks sync.WaitGroup
	var connected atomic.Int64
	for range 4 { // lines for the log
		tasks.Go(func() {
			for !stop.Load() {
				nc, err := nats.Connect(s.url())
				if err != nil {
					t.Error(err)
					return
				}
				connected.Add(1)
				nc.Close()
			}
		})
	}
	for range 5 {
		runScript(t, "rotate.sh", log, pid)
	}
	must(t, os.WriteFile(conf, []byte("max_payload: 2mb\n"), 0o600))
	runScript(t, "reload.sh", conf, pid)
	stop.Store(true)
	tasks.Wait()
	s.eventually("all lines are there", func() bool {
		files, err := filepath.Glob(log + "*")
		must(t, err)
		lines := 0
		for _, file := range files {
			text, err := os.ReadFile(file)
			must(t, err)
			lines += strings.Count(string(text), "Client connection created")
		}
		return len(files) == 6 && int64(lines) >= connected.Load()
	})
	text, err := os.ReadFile(log)
	must(t, err)
	if !strings.Contains(string(text), "Reloaded: max_payload = 2mb") {
		t.Errorf("the log is\n%s", text)
	}
	must(t, os.WriteFile(conf, []byte("max_payload: [\n"), 0o600))
	program, err := binary()
	must(t, err)
	bad := exec.CommandContext(t.Context(), "../docs/examples/reload.sh", conf, pid)
	bad.Env = append(os.Environ(), "NATSD="+program)
	if output, err := bad.CombinedOutput(); err == nil {
		t.Errorf("a broken configuration is reloaded: %s", output)
	}
}

// TestRollingRestart restarts the three servers of a cluster with the example script while clients publish and subscribe. What was
// confirmed by a later PONG of the publisher's server, to subscribers that were connected all the time, must arrive.
func TestRollingRestart(t *testing.T) {
	program, err := binary()
	must(t, err)
	folder := t.TempDir()
	var clients, routes, monitors []string
	for range 3 {
		clients, routes, monitors = append(clients, strconv.Itoa(freePort(t))), append(routes, strconv.Itoa(freePort(t))), append(monitors, strconv.Itoa(freePort(t)))
	}
	var args []string
	for i := range 3 {
		conf, pid := filepath.Join(folder, fmt.Sprintf("%d.conf", i)), filepath.Join(folder, fmt.Sprintf("%d.pid", i))
		text := fmt.Sprintf("listen: '127.0.0.1:%s'\nhttp: '127.0.0.1:%s'\npid_file: %q\nlog_file: %q\nlame_duck_duration: 30s\nlame_duck_grace_period: 1s\ncluster { name: c, listen: '127.0.0.1:%s', routes: [",
			clients[i], monitors[i], pid, filepath.Join(folder, fmt.Sprintf("%d.log", i)), routes[i])
		for _, r := range routes {
			text += "'nats://127.0.0.1:" + r + "', "
		}
		must(t, os.WriteFile(conf, []byte(text+"] }\n"), 0o600))
		args = append(args, conf, pid, "127.0.0.1:"+monitors[i])
		command := exec.Command(program, "serve", "-c", conf)
		must(t, command.Start())
		go func() { _ = command.Wait() }()
		t.Cleanup(func() { killByFile(pid) })
	}
	for _, m := range monitors {
		eventually(t, "the cluster is ready", func() bool {
			return exec.Command(program, "healthcheck", "http://127.0.0.1:"+m+"/readyz").Run() == nil
		})
	}
	w := newWatch(t, clients)
	runScript(t, "rolling-restart.sh", args...)
	w.stop()
	w.report(t)
	logs, err := filepath.Glob(filepath.Join(folder, "*.log"))
	must(t, err)
	for _, log := range logs {
		text, err := os.ReadFile(log)
		must(t, err)
		if n := strings.Count(string(text), "Server is ready"); n != 2 {
			t.Errorf("%s was started %d times", log, n)
		}
	}
}

// killByFile ends the process of a pid file.
func killByFile(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		return
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// watch publishes from one client at each server and subscribes with another one, through everything that happens.
type watch struct {
	t         *testing.T
	done      chan struct{}
	tasks     sync.WaitGroup
	clients   []*nats.Conn
	mu        sync.Mutex
	received  []map[string]int // by subscriber, "publisher/number"
	confirmed [][]sending      // by publisher
	outages   [][]outage       // by subscriber
	gaps      []time.Duration  // by publisher: the longest time between two confirmations
}

// sending is a message that its server has confirmed.
type sending struct {
	number   int
	from, to time.Time // between which it was sent and confirmed
}

// outage is a time in which a client was not connected, and a little more: what is published while its subscription is on its way to
// the other servers is not for it.
type outage struct{ from, to time.Time }

const spread = time.Second

func newWatch(t *testing.T, ports []string) *watch {
	t.Helper()
	w := &watch{t: t, done: make(chan struct{}), received: make([]map[string]int, len(ports)), confirmed: make([][]sending, len(ports)), outages: make([][]outage, len(ports)), gaps: make([]time.Duration, len(ports))}
	for i, port := range ports {
		w.received[i] = make(map[string]int)
		options := []nats.Option{
			nats.ReconnectWait(50 * time.Millisecond), nats.ReconnectJitter(0, 0), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true),
			nats.DisconnectErrHandler(func(*nats.Conn, error) { w.note(i, true) }), nats.ReconnectHandler(func(nc *nats.Conn) {
				_ = nc.Flush()
				w.note(i, false)
			}),
		}
		subscriber, err := nats.Connect("nats://127.0.0.1:"+port, options...)
		must(t, err)
		_, err = subscriber.Subscribe("load.>", func(m *nats.Msg) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.received[i][strings.TrimPrefix(m.Subject, "load.")+"/"+string(m.Data)]++
		})
		must(t, err)
		must(t, subscriber.Flush())
		publisher, err := nats.Connect("nats://127.0.0.1:"+port, nats.ReconnectWait(50*time.Millisecond), nats.ReconnectJitter(0, 0), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))
		must(t, err)
		w.clients = append(w.clients, subscriber, publisher)
	}
	w.await("first") // the subscriptions are known everywhere
	for i := range ports {
		publisher := w.clients[2*i+1]
		w.tasks.Go(func() { w.publish(i, publisher) })
	}
	return w
}

// note notes that subscriber i was cut off, or is back.
func (w *watch) note(i int, off bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if off {
		w.outages[i] = append(w.outages[i], outage{from: time.Now().Add(-spread)})
		return
	}
	if n := len(w.outages[i]); n > 0 {
		w.outages[i][n-1].to = time.Now().Add(spread)
	}
}

// publish publishes one message after the other, each confirmed by a PONG.
func (w *watch) publish(i int, nc *nats.Conn) {
	last := time.Now()
	for number := 0; ; number++ {
		select {
		case <-w.done:
			return
		case <-time.After(2 * time.Millisecond):
		}
		begin := time.Now()
		if nc.Publish(fmt.Sprintf("load.%d", i), []byte(strconv.Itoa(number))) != nil || nc.FlushTimeout(time.Second) != nil {
			continue
		}
		now := time.Now()
		w.mu.Lock()
		w.confirmed[i] = append(w.confirmed[i], sending{number, begin, now})
		w.gaps[i] = max(w.gaps[i], now.Sub(last))
		w.mu.Unlock()
		last = now
	}
}

// await publishes a message from everywhere until it is everywhere.
func (w *watch) await(text string) {
	w.t.Helper()
	eventually(w.t, "everybody has got the "+text+" message of everybody", func() bool {
		for i := range w.received {
			_ = w.clients[2*i+1].Publish(fmt.Sprintf("load.%d", i), []byte(text)) // it is tried again
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, got := range w.received {
			for i := range w.received {
				if got[fmt.Sprintf("%d/%s", i, text)] == 0 {
					return false
				}
			}
		}
		return true
	})
}

// stop ends the publishing, and lets everything arrive.
func (w *watch) stop() {
	close(w.done)
	w.tasks.Wait()
	w.await("last") // what was published before is there too, since messages of a publisher come in order
	for _, nc := range w.clients {
		_ = nc.Flush()
		nc.Close()
	}
}

// report checks what has arrived.
func (w *watch) report(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	checked, lost, twice := 0, 0, 0
	for s := range w.received {
		for p, sent := range w.confirmed {
			for _, m := range sent {
				excused := false
				for _, o := range w.outages[s] {
					excused = excused || m.to.After(o.from) && (o.to.IsZero() || m.from.Before(o.to))
				}
				n := w.received[s][fmt.Sprintf("%d/%d", p, m.number)]
				if n > 1 {
					twice++
				}
				if excused {
					continue
				}
				checked++
				if n == 0 {
					lost++
				}
			}
		}
	}
	t.Logf("%d deliveries checked, %d lost, %d twice; longest gaps of publishers %v; outages of subscribers %d, %d, %d", checked, lost, twice, w.gaps, len(w.outages[0]), len(w.outages[1]), len(w.outages[2]))
	if lost > 0 || twice > 0 || checked < 1000 {
		t.Error("a rolling restart is to lose nothing")
	}
}

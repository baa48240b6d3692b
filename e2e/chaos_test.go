//go:build e2e && chaos

package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// chaosNode is a server in a network namespace of its own. It has an interface for clients, which always works, and one for
// routes, which can be cut.
type chaosNode struct {
	t       *testing.T
	i       int
	command *exec.Cmd
	log     *lineLog
	exited  chan struct{}
}

func (n *chaosNode) space() string     { return fmt.Sprintf("natsd%d", n.i) }
func (n *chaosNode) clientIP() string  { return fmt.Sprintf("10.78.0.%d", n.i+1) }
func (n *chaosNode) routeIP() string   { return fmt.Sprintf("10.77.0.%d", n.i+1) }
func (n *chaosNode) routeLink() string { return fmt.Sprintf("natsdr%d", n.i) }
func (n *chaosNode) url() string       { return "nats://" + net.JoinHostPort(n.clientIP(), "4222") }

// ip runs the program of this name.
func ip(t *testing.T, words string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(words)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", words, err, out)
	}
}

// startChaos makes the namespaces and starts a server in each. It needs root.
func startChaos(t *testing.T, n int) []*chaosNode {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("network namespaces need root")
	}
	clean := func() {
		for i := range n {
			_ = exec.Command("ip", "netns", "del", fmt.Sprintf("natsd%d", i)).Run() // it may not be there
		}
		for _, bridge := range []string{"natsdbr", "natsdbc"} {
			_ = exec.Command("ip", "link", "del", bridge).Run() // as above
		}
	}
	clean()
	t.Cleanup(clean)
	for bridge, address := range map[string]string{"natsdbr": "10.77.0.254/24", "natsdbc": "10.78.0.254/24"} {
		ip(t, "link add "+bridge+" type bridge")
		ip(t, "addr add "+address+" dev "+bridge)
		ip(t, "link set "+bridge+" up")
	}
	var nodes []*chaosNode
	for i := range n {
		node := &chaosNode{t: t, i: i}
		ip(t, "netns add "+node.space())
		for kind, address := range map[string]string{"r": node.routeIP(), "c": node.clientIP()} {
			outer, inner := fmt.Sprintf("natsd%s%d", kind, i), fmt.Sprintf("eth%s", kind)
			ip(t, fmt.Sprintf("link add %s type veth peer name %s netns %s", outer, inner, node.space()))
			ip(t, fmt.Sprintf("link set %s master natsdb%s up", outer, kind))
			ip(t, fmt.Sprintf("-n %s addr add %s/24 dev %s", node.space(), address, inner))
			ip(t, fmt.Sprintf("-n %s link set %s up", node.space(), inner))
		}
		ip(t, "-n "+node.space()+" link set lo up")
		node.start()
		nodes = append(nodes, node)
	}
	t.Cleanup(func() {
		for _, node := range nodes {
			node.kill()
			if t.Failed() {
				t.Logf("log of server %d:\n%s", node.i, node.log)
			}
		}
	})
	return nodes
}

// start starts the server. All of them have the same line: the first is the seed, and ignores itself.
func (n *chaosNode) start() {
	n.t.Helper()
	path, err := binary()
	must(n.t, err)
	n.log = new(lineLog)
	n.command = exec.Command("ip", "netns", "exec", n.space(), path, "serve", "-D", "-p", "4222",
		"--cluster", "nats://"+n.routeIP()+":6222", "--routes", "nats://10.77.0.1:6222")
	n.command.Stdout, n.command.Stderr = n.log, n.log
	n.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(n.t, n.command.Start())
	exited, command := make(chan struct{}), n.command
	n.exited = exited
	go func() {
		_ = command.Wait()
		close(exited)
	}()
}

func (n *chaosNode) kill() {
	_ = n.command.Process.Kill()
	<-n.exited
}

func (n *chaosNode) signal(s syscall.Signal) { must(n.t, n.command.Process.Signal(s)) }

// cut takes the server away from the other servers, or brings it back; its clients stay.
func (n *chaosNode) cut(off bool) {
	n.t.Helper()
	state := "up"
	if off {
		state = "down"
	}
	ip(n.t, "link set "+n.routeLink()+" "+state)
}

// chaosLoad publishes on every server and receives on every server, all the time. A message may get lost in a fault; none may
// come twice or out of order, ever.
type chaosLoad struct {
	t    *testing.T
	stop chan struct{}
	wait sync.WaitGroup
	pubs []*nats.Conn
	subs []*nats.Conn
	mu   sync.Mutex
	last map[string]int      // "publisher>subscriber" -> number of the last message
	got  map[string]struct{} // "publisher number>subscriber" since mark
	sent []int
	all  int
	err  error
}

func startLoad(t *testing.T, nodes []*chaosNode) *chaosLoad {
	t.Helper()
	l := &chaosLoad{t: t, stop: make(chan struct{}), last: make(map[string]int), got: make(map[string]struct{}), sent: make([]int, len(nodes))}
	for i, n := range nodes {
		// Each client stays with its server: what is looked at is the way between servers.
		options := []nats.Option{nats.DontRandomize(), nats.IgnoreDiscoveredServers(), nats.ReconnectWait(20 * time.Millisecond), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true), nats.ReconnectBufSize(-1)}
		sub, err := nats.Connect(n.url(), options...)
		must(t, err)
		_, err = sub.Subscribe("load.*", func(m *nats.Msg) { l.take(i, string(m.Data)) })
		must(t, err)
		pub, err := nats.Connect(n.url(), options...)
		must(t, err)
		l.subs, l.pubs = append(l.subs, sub), append(l.pubs, pub)
	}
	for i := range nodes {
		l.wait.Add(1)
		go func() {
			defer l.wait.Done()
			for {
				select {
				case <-l.stop:
					return
				case <-time.After(2 * time.Millisecond):
				}
				l.publish(i)
			}
		}()
	}
	t.Cleanup(func() {
		close(l.stop)
		l.wait.Wait()
		for i := range nodes {
			l.subs[i].Close()
			l.pubs[i].Close()
		}
	})
	return l
}

// publish publishes the next message on a server.
func (l *chaosLoad) publish(i int) {
	l.mu.Lock()
	l.sent[i]++
	n := l.sent[i]
	l.mu.Unlock()
	_ = l.pubs[i].Publish(fmt.Sprintf("load.%d", i), []byte(fmt.Sprintf("%d %d", i, n))) // it may be down
}

// take notes a message that subscriber i has got.
func (l *chaosLoad) take(i int, text string) {
	publisher, number, _ := strings.Cut(text, " ")
	n, _ := strconv.Atoi(number)
	key := fmt.Sprintf("%s>%d", publisher, i)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all++
	if n <= l.last[key] && l.err == nil {
		l.err = fmt.Errorf("subscriber %d gets number %d of publisher %s after %d", i, n, publisher, l.last[key])
	}
	l.last[key] = n
	l.got[fmt.Sprintf("%s>%d", text, i)] = struct{}{}
}

// whole waits until the servers are a mesh and returns how long that took.
func (l *chaosLoad) whole(limit time.Duration) time.Duration {
	l.t.Helper()
	begin := time.Now()
	for {
		l.mu.Lock()
		marks := append([]int(nil), l.sent...)
		l.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
		l.mu.Lock()
		through := true
		for i := range marks {
			for j := range marks {
				through = through && l.last[fmt.Sprintf("%d>%d", i, j)] > marks[i]
			}
		}
		l.mu.Unlock()
		if through {
			return time.Since(begin).Round(100 * time.Millisecond)
		}
		if time.Since(begin) > limit {
			l.t.Fatalf("not whole within %v", limit)
		}
	}
}

// confirm checks that everything which is published for a while, with the mesh whole, gets to everybody once.
func (l *chaosLoad) confirm(what string) {
	l.t.Helper()
	l.mu.Lock()
	from := append([]int(nil), l.sent...)
	l.mu.Unlock()
	time.Sleep(2 * time.Second)
	l.mu.Lock()
	to := append([]int(nil), l.sent...)
	l.mu.Unlock()
	eventually(l.t, "what was published before arrives", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		for i := range to {
			for j := range to {
				if l.last[fmt.Sprintf("%d>%d", i, j)] < to[i] {
					return false
				}
			}
		}
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	count := 0
	for i := range to {
		for n := from[i] + 1; n <= to[i]; n++ {
			for j := range to {
				if _, ok := l.got[fmt.Sprintf("%d %d>%d", i, n, j)]; !ok {
					l.t.Errorf("%s: number %d of publisher %d has not come to subscriber %d", what, n, i, j)
					return
				}
				count++
			}
		}
	}
	if l.err != nil {
		l.t.Errorf("%s: %v", what, l.err)
	}
	l.t.Logf("%s: %d deliveries confirmed, each once; %d in all", what, count, l.all)
	clear(l.got)
}

// TestChaos does to real servers what happens to clusters. PARTITION is how long partitions take.
func TestChaos(t *testing.T) {
	partition := 20 * time.Second
	if text := os.Getenv("PARTITION"); text != "" {
		var err error
		partition, err = time.ParseDuration(text)
		must(t, err)
	}
	nodes := startChaos(t, 3)
	l := startLoad(t, nodes)
	l.whole(10 * time.Second)
	l.confirm("at the start")
	for i, n := range nodes {
		n.kill()
		n.start()
		t.Logf("kill -9 of server %d: whole after %v", i, l.whole(30*time.Second))
		l.confirm("after kill -9")
	}
	for i, n := range nodes {
		n.signal(syscall.SIGSTOP)
		time.Sleep(5 * time.Second)
		n.signal(syscall.SIGCONT)
		t.Logf("5 s stop of server %d: whole after %v", i, l.whole(30*time.Second))
		l.confirm("after a stop")
	}
	for i, n := range nodes[1:] {
		n.cut(true)
		time.Sleep(partition)
		n.cut(false)
		t.Logf("partition of %v of server %d: whole after %v", partition, i+1, l.whole(3*time.Minute))
		l.confirm("after a partition")
	}
	for i, n := range nodes[1:] {
		n.cut(true) // what the server says at its end gets nowhere: the others keep half of a link
		n.kill()
		n.start()
		time.Sleep(2 * time.Second)
		n.cut(false)
		t.Logf("half-open links to server %d: whole after %v", i+1, l.whole(3*time.Minute))
		l.confirm("after half-open links")
	}
}

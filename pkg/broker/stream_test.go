package broker_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil"
	"github.com/natsd/natsd/pkg/broker"
)

// TestBatchingChangesNothing: what a client is sent does not depend on how its input is cut into batches.
func TestBatchingChangesNothing(t *testing.T) {
	b := start(t)
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(seed, 3))
		m := &model{t: t}
		for range 2000 {
			m.script = append(m.script, byte(random.UintN(256)))
		}
		c := &modelClient{verbose: true, pedantic: true, echo: true}
		m.clients = []*modelClient{c}
		var script strings.Builder
		for len(m.script) > 0 {
			switch m.choose(8) {
			case 0:
				script.WriteString(m.connect(c))
			case 1, 2:
				line := m.subscribe(c)
				if words := strings.Fields(line); len(words) == 4 { // the member of a group is a matter of chance
					line = "SUB " + words[1] + " " + words[3] + "\r\n"
				}
				script.WriteString(line)
			case 3:
				script.WriteString(m.unsubscribe(c))
			default:
				script.WriteString(m.publish(c))
			}
		}
		script.WriteString("PING\r\n")
		whole := answers(t, b, script.String(), func() int { return 1 << 30 })
		pieces := answers(t, b, script.String(), func() int { return 1 + random.IntN(200) })
		if !bytes.Equal(whole, pieces) {
			i := 0
			for i < min(len(whole), len(pieces)) && whole[i] == pieces[i] {
				i++
			}
			t.Fatalf("seed %d: from byte %d on, at once\n%.200q\nin pieces\n%.200q", seed, i, whole[i:], pieces[i:])
		}
	}
}

// answers returns what the broker sends to a client that says script in pieces, and then nothing more.
func answers(t *testing.T, b *broker.Broker, script string, size func() int) []byte {
	t.Helper()
	c := dialPlain(t, b)
	defer c.Close()
	go func() {
		for rest := script; rest != ""; {
			n := min(size(), len(rest))
			if _, err := io.WriteString(c, rest[:n]); err != nil {
				return
			}
			rest = rest[n:]
		}
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	_ = c.SetReadDeadline(time.Now().Add(2 * testutil.Patience))
	in := bufio.NewReader(c)
	if _, err := in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	// Until then its subscriptions may take what the next client publishes.
	eventually(t, "the client has gone", func() bool { return b.Stats().Connections == 0 })
	return all
}

// TestBacklogKeepsEveryByte: messages of all sizes, queued for readers that start late, arrive as they were published: in
// order, once, and undamaged by the reuse of memory.
func TestBacklogKeepsEveryByte(t *testing.T) {
	b := start(t)
	const readers, count = 3, 1500
	var conns []net.Conn
	for i := range readers {
		c := dialPlain(t, b)
		fmt.Fprintf(c, quiet+"SUB x %d\r\nPING\r\n", i%2+1)
		readUntil(t, c, "PONG\r\n")
		conns = append(conns, c)
	}
	random := rand.New(rand.NewPCG(1, 1))
	sizes := make([]int, count)
	for i := range sizes {
		sizes[i] = []int{20, 200, 2000, 5000, 9000, 70_000}[random.IntN(6)] + random.IntN(50)
	}
	publisher := dial(t, b)
	publisher.Send(quiet)
	half := make(chan struct{})
	var group sync.WaitGroup
	for i, c := range conns {
		group.Go(func() {
			<-half
			sid := strconv.Itoa(i%2 + 1)
			_ = c.SetReadDeadline(time.Now().Add(6 * testutil.Patience))
			in := bufio.NewReaderSize(c, 1<<16)
			for n, size := range sizes {
				want := fmt.Sprintf("MSG x %s %d\r\n%s\r\n", sid, size, numbered(n, size))
				got := make([]byte, len(want))
				if _, err := io.ReadFull(in, got); err != nil || string(got) != want {
					t.Errorf("reader %d, message %d of %d bytes: %v, got %.60q want %.60q", i, n, size, err, got, want)
					return
				}
			}
		})
	}
	for n, size := range sizes {
		if n == count/2 {
			close(half)
		}
		publisher.Send(fmt.Sprintf("PUB x %d\r\n%s\r\n", size, numbered(n, size)))
	}
	group.Wait()
	if s := b.Stats(); s.SlowConsumers > 0 {
		t.Errorf("%d were cut", s.SlowConsumers)
	}
}

// numbered returns a payload of size bytes that tells n everywhere.
func numbered(n, size int) string {
	one := fmt.Sprintf("<%d>", n)
	return strings.Repeat(one, size/len(one)+1)[:size]
}

// TestStress: publishers and subscribers of all kinds come and go at the same time. Those that stay see every message of
// every publisher once and in order; of a queue group, one member does.
func TestStress(t *testing.T) {
	b := start(t, func(o *broker.Options) { o.MaxPending = 1 << 30 })
	const publishers, count = 4, 3000
	var group, churners sync.WaitGroup
	total := publishers * count
	shared := make([][]int, publishers) // how often a member of the group saw a message
	for p := range shared {
		shared[p] = make([]int, count)
	}
	var mu sync.Mutex
	ready := make(chan struct{}, 16)
	stay := func(lines string, streams int) {
		c := dialPlain(t, b)
		group.Go(func() { follow(t, c, lines, streams, publishers, total, ready) })
	}
	stay("SUB s.* 1\r\n", 1)
	stay("SUB s.> 7\r\n", 1)
	stay("SUB s.* 1\r\nSUB > 2\r\nSUB s.0 3\r\n", 3)
	stay("SUB s.* alone 9\r\n", 1)
	for range 3 {
		c := dialPlain(t, b)
		fmt.Fprint(c, quiet+"SUB s.* group 1\r\nPING\r\n")
		readUntil(t, c, "PONG\r\n")
		churners.Go(func() {
			in := bufio.NewReader(c)
			for {
				_, p, n, err := next(in)
				if err != nil {
					return
				}
				mu.Lock()
				shared[p][n]++
				mu.Unlock()
			}
		})
	}
	for range 4 {
		<-ready
	}
	quit := make(chan struct{})
	for i := range 4 {
		churners.Go(func() { comeAndGo(b, uint64(i), quit) })
	}
	for p := range publishers {
		c := dialPlain(t, b)
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(p), 4))
			fmt.Fprint(c, quiet)
			for n := range count {
				size := []int{0, 10, 100, 6000, 20_000}[min(random.IntN(12), 4)*random.IntN(2)]
				body := fmt.Sprintf("%d %d %s", p, n, strings.Repeat("x", size))
				fmt.Fprintf(c, "PUB s.%d %d\r\n%s\r\n", p, len(body), body)
			}
			fmt.Fprint(c, "PING\r\n")
			_, _ = io.ReadFull(c, make([]byte, 4)) // stay until all is read
		})
	}
	group.Wait()
	close(quit)
	eventually(t, "the queue group has seen all", func() bool {
		mu.Lock()
		defer mu.Unlock()
		for p := range shared {
			for _, times := range shared[p] {
				if times == 0 {
					return false
				}
			}
		}
		return true
	})
	mu.Lock()
	for p := range shared {
		for n, times := range shared[p] {
			if times != 1 {
				t.Errorf("the queue group saw message %d of publisher %d %d times", n, p, times)
			}
		}
	}
	mu.Unlock()
	if err := b.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	churners.Wait()
}

// next reads a message and returns its sid, publisher and number.
func next(in *bufio.Reader) (sid string, p, n int, err error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", 0, 0, err
	}
	words := strings.Fields(line)
	if len(words) != 4 || words[0] != "MSG" {
		return next(in)
	}
	size, err := strconv.Atoi(words[3])
	if err != nil {
		return "", 0, 0, err
	}
	payload := make([]byte, size+2)
	if _, err := io.ReadFull(in, payload); err != nil {
		return "", 0, 0, err
	}
	if _, err := fmt.Sscanf(string(payload[:min(len(payload), 30)]), "%d %d ", &p, &n); err != nil {
		return "", 0, 0, fmt.Errorf("payload %.40q: %w", payload, err)
	}
	return words[2], p, n, nil
}

// follow subscribes with lines and checks the messages of each subscription: streams of them are to see total messages, or
// all of publisher 0 for sid 3.
func follow(t *testing.T, c net.Conn, lines string, streams, publishers, total int, ready chan<- struct{}) {
	fmt.Fprint(c, quiet+lines+"PING\r\n")
	in := bufio.NewReader(c)
	for line := ""; line != "PONG\r\n"; {
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			t.Error(err)
			break
		}
	}
	ready <- struct{}{}
	want := total
	if streams == 3 {
		want = 2*total + total/publishers
	}
	last := map[string]int{}
	_ = c.SetReadDeadline(time.Now().Add(6 * testutil.Patience))
	for seen := range want {
		sid, p, n, err := next(in)
		if err != nil {
			t.Errorf("%q: after %d messages of %d: %v", lines, seen, want, err)
			return
		}
		key := fmt.Sprint(sid, "/", p)
		if n != last[key] {
			t.Errorf("%q: sid %s got message %d of publisher %d, want %d", lines, sid, n, p, last[key])
			return
		}
		last[key] = n + 1
	}
}

// comeAndGo connects, subscribes in all ways, and leaves, until quit.
func comeAndGo(b *broker.Broker, seed uint64, quit <-chan struct{}) {
	random := rand.New(rand.NewPCG(seed, 5))
	for {
		select {
		case <-quit:
			return
		default:
		}
		c, err := net.Dial("tcp", b.ClientAddr().String())
		if err != nil {
			return
		}
		var lines strings.Builder
		lines.WriteString(quiet)
		for sid := range random.IntN(20) {
			subject := []string{"s.*", "s.1", ">", "s.>", "*.2"}[random.IntN(5)]
			switch random.IntN(3) {
			case 0:
				fmt.Fprintf(&lines, "SUB %s gone 1%d\r\n", subject, sid)
			case 1:
				fmt.Fprintf(&lines, "SUB %s 1%d\r\nUNSUB 1%d %d\r\n", subject, sid, sid, random.IntN(30))
			default:
				fmt.Fprintf(&lines, "SUB %s 1%d\r\nUNSUB 1%d\r\nSUB x 1%d\r\n", subject, sid, sid, sid)
			}
		}
		if _, err := io.WriteString(c, lines.String()); err == nil && random.IntN(2) == 0 {
			_ = c.SetReadDeadline(time.Now().Add(time.Duration(random.IntN(20)) * time.Millisecond))
			_, _ = io.Copy(io.Discard, c)
		}
		_ = c.Close()
	}
}

// FuzzHostile lets one client say anything, while another one keeps talking to itself: the broker survives, and the other
// client does not notice.
func FuzzHostile(f *testing.F) {
	for _, seed := range []string{
		"", "PING\r\n", "PUB a 5\r\nhello\r\n", "SUB > 1\r\nPUB a 1\r\nx\r\n", "CONNECT {\"verbose\":\r\n", "HPUB a 5 2\r\n",
		"PUB a 18446744073709551616\r\n", "UNSUB 1 9999999999\r\n", "\x00\xff\r\n", "INFO {}\r\n-ERR 'x'\r\n",
		"CONNECT {\"headers\":true,\"no_responders\":true}\r\nSUB r 1\r\nPUB a r 0\r\n\r\n", "PING" + strings.Repeat("x", 9000),
	} {
		f.Add([]byte(seed), uint8(3), true)
	}
	b := startForModel(f)
	good, err := net.Dial("tcp", b.ClientAddr().String())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { good.Close() })
	fmt.Fprint(good, quiet+"SUB good 1\r\n")
	f.Fuzz(func(t *testing.T, input []byte, piece uint8, connect bool) {
		c, err := net.Dial("tcp", b.ClientAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if connect {
			fmt.Fprint(c, quiet)
		}
		for rest := input; len(rest) > 0; {
			n := min(int(piece)+1, len(rest))
			if _, err := c.Write(rest[:n]); err != nil {
				break
			}
			rest = rest[n:]
		}
		fmt.Fprint(good, "PUB good 2\r\nhi\r\n")
		readUntil(t, good, "MSG good 1 2\r\nhi\r\n")
		_ = c.(*net.TCPConn).CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(testutil.Patience))
		if _, err := io.Copy(io.Discard, c); isTimeout(err) {
			t.Fatalf("no end after %q", input)
		}
	})
}

//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// connect connects nats.go to s.
func connect(t *testing.T, s *server, options ...nats.Option) *nats.Conn {
	t.Helper()
	options = append([]nats.Option{nats.ReconnectWait(20 * time.Millisecond), nats.MaxReconnects(-1)}, options...)
	nc, err := nats.Connect(s.url(), options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// subscribe subscribes synchronously and makes sure that the server knows.
func subscribe(t *testing.T, nc *nats.Conn, subject, queue string) *nats.Subscription {
	t.Helper()
	sub, err := nc.QueueSubscribeSync(subject, queue)
	must(t, err)
	must(t, nc.Flush())
	return sub
}

// next returns the next message.
func next(t *testing.T, sub *nats.Subscription) *nats.Msg {
	t.Helper()
	m, err := sub.NextMsg(patience)
	must(t, err)
	return m
}

// nothing checks that sub has no message left, once the server has handled all that nc has sent.
func nothing(t *testing.T, nc *nats.Conn, sub *nats.Subscription) {
	t.Helper()
	must(t, nc.Flush())
	if m, err := sub.NextMsg(time.Millisecond); err == nil {
		t.Errorf("got %q on %s, want nothing", m.Data, m.Subject)
	}
}

func TestGoPublishSubscribe(t *testing.T) {
	nc := connect(t, startServer(t))
	sub := subscribe(t, nc, "greet", "")
	must(t, nc.Publish("greet", []byte("hello")))
	if m := next(t, sub); string(m.Data) != "hello" || m.Subject != "greet" || m.Reply != "" {
		t.Errorf("got %q on %q, reply %q", m.Data, m.Subject, m.Reply)
	}
	must(t, sub.Unsubscribe())
	must(t, nc.Publish("greet", []byte("again")))
	must(t, nc.Flush())
}

func TestGoWildcards(t *testing.T) {
	nc := connect(t, startServer(t))
	for _, c := range []struct {
		pattern string
		want    int
	}{{"a.*", 1}, {"a.*.c", 1}, {"a.>", 2}, {">", 3}, {"*.*", 1}, {"a.b", 1}, {"a", 0}, {"*", 1}} {
		sub := subscribe(t, nc, c.pattern, "")
		for _, subject := range []string{"a.b", "a.b.c", "x"} {
			must(t, nc.Publish(subject, nil))
		}
		for range c.want {
			next(t, sub)
		}
		nothing(t, nc, sub)
		must(t, sub.Unsubscribe())
	}
}

func TestGoQueueGroups(t *testing.T) {
	s := startServer(t)
	const members, messages = 4, 1000
	var total atomic.Int64
	counts := make([]atomic.Int64, members)
	seen := make([]atomic.Int64, messages)
	for i := range members {
		nc := connect(t, s)
		_, err := nc.QueueSubscribe("work", "workers", func(m *nats.Msg) {
			n, _ := strconv.Atoi(string(m.Data))
			seen[n].Add(1)
			counts[i].Add(1)
			total.Add(1)
		})
		must(t, err)
		must(t, nc.Flush())
	}
	nc := connect(t, s)
	audit := subscribe(t, nc, "work", "audit")
	for i := range messages {
		must(t, nc.Publish("work", []byte(strconv.Itoa(i))))
	}
	eventually(t, "all work is done", func() bool { return total.Load() >= messages })
	for i := range messages {
		next(t, audit)
		if n := seen[i].Load(); n != 1 {
			t.Errorf("message %d was worked on %d times", i, n)
		}
	}
	for i := range counts {
		if counts[i].Load() == 0 {
			t.Errorf("member %d got nothing", i)
		}
	}
}

func TestGoRequestReply(t *testing.T) {
	s := startServer(t)
	server, client, old := connect(t, s), connect(t, s), connect(t, s, nats.UseOldRequestStyle())
	_, err := server.Subscribe("double", func(m *nats.Msg) { _ = m.Respond(append(m.Data, m.Data...)) })
	must(t, err)
	must(t, server.Flush())
	for _, nc := range []*nats.Conn{client, old} {
		for i := range 50 {
			text := strconv.Itoa(i)
			m, err := nc.Request("double", []byte(text), patience)
			must(t, err)
			if string(m.Data) != text+text {
				t.Fatalf("got %q for %q", m.Data, text)
			}
		}
	}
}

func TestGoHeaders(t *testing.T) {
	nc := connect(t, startServer(t))
	if !nc.HeadersSupported() {
		t.Fatal("headers are not supported")
	}
	sub := subscribe(t, nc, "h", "")
	out := nats.NewMsg("h")
	out.Header.Add("Many", "one")
	out.Header.Add("Many", "two")
	out.Header.Set("case-Kept", "ä € 😀")
	out.Data = []byte("body")
	must(t, nc.PublishMsg(out))
	in := next(t, sub)
	if got := in.Header.Values("Many"); len(got) != 2 || got[0] != "one" || got[1] != "two" {
		t.Errorf("Many: %q", got)
	}
	if got := in.Header["case-Kept"]; len(got) != 1 || got[0] != "ä € 😀" {
		t.Errorf("case-Kept: %q", got)
	}
	if string(in.Data) != "body" {
		t.Errorf("data %q", in.Data)
	}
}

func TestGoNoResponders(t *testing.T) {
	nc := connect(t, startServer(t))
	if _, err := nc.Request("nobody", nil, patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("got %v, want no responders", err)
	}
}

func TestGoDrainLosesNothing(t *testing.T) {
	s := startServer(t)
	const messages = 5000
	publisher := connect(t, s)
	closed := make(chan struct{})
	subscriber := connect(t, s, nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	var got atomic.Int64
	_, err := subscriber.Subscribe("d", func(*nats.Msg) { got.Add(1) })
	must(t, err)
	must(t, subscriber.Flush())
	for range messages {
		must(t, publisher.Publish("d", []byte("x")))
	}
	must(t, publisher.Flush())
	must(t, subscriber.Drain())
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("drain does not end")
	}
	if n := got.Load(); n != messages {
		t.Errorf("%d messages after drain, want %d", n, messages)
	}
}

func TestGoReconnect(t *testing.T) {
	s := startServer(t)
	back := make(chan struct{}, 1)
	nc := connect(t, s, nats.ReconnectHandler(func(*nats.Conn) { back <- struct{}{} }))
	sub := subscribe(t, nc, "r", "")
	s.restart()
	select {
	case <-back:
	case <-time.After(patience):
		t.Fatal("no reconnect")
	}
	must(t, nc.Flush())
	must(t, nc.Publish("r", []byte("still here")))
	if m := next(t, sub); string(m.Data) != "still here" {
		t.Errorf("got %q", m.Data)
	}
}

func TestGoMaxPayload(t *testing.T) {
	s := startServer(t)
	nc := connect(t, s)
	if nc.MaxPayload() != 1<<20 {
		t.Fatalf("max payload %d", nc.MaxPayload())
	}
	sub := subscribe(t, nc, "big", "")
	payload := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for range 20 {
		must(t, nc.Publish("big", payload))
	}
	for range 20 {
		if m := next(t, sub); !bytes.Equal(m.Data, payload) {
			t.Fatal("a payload of 1 MiB was damaged")
		}
	}
	if err := nc.Publish("big", append(payload, 'x')); !errors.Is(err, nats.ErrMaxPayload) {
		t.Errorf("one byte more: %v, want ErrMaxPayload", err)
	}
	// A client that does not check for itself is told, and closed.
	r := dialRaw(t, s.addr())
	fmt.Fprintf(r, "PUB big %d\r\n", 1<<20+1)
	_ = r.SetReadDeadline(time.Now().Add(patience))
	if line, err := r.in.ReadString('\n'); err != nil || line != "-ERR 'Maximum Payload Violation'\r\n" {
		t.Errorf("got %q, %v", line, err)
	}
}

func TestGoSlowConsumer(t *testing.T) {
	if isPeer() {
		t.Log("the limit is a flag of natsd; with the peer's default the test takes more memory")
	}
	var flags []string
	if !isPeer() {
		flags = []string{"--max_pending", "32mb"}
	}
	s := startServer(t, flags...)
	stuck := dialRaw(t, s.addr())
	must(t, stuck.do("SUB flood 1\r\n"))
	healthy, publisher := connect(t, s), connect(t, s)
	var got atomic.Int64
	sub, err := healthy.Subscribe("flood", func(*nats.Msg) { got.Add(1) })
	must(t, err)
	must(t, sub.SetPendingLimits(-1, -1))
	must(t, healthy.Flush())
	const messages = 12_000 // of 8 KiB: more than any socket buffer and limit holds
	payload := make([]byte, 8<<10)
	for range messages {
		must(t, publisher.Publish("flood", payload))
	}
	must(t, publisher.Flush())
	eventually(t, "the healthy client has everything", func() bool { return got.Load() == messages })
	// The stuck client finds its connection closed once it reads what was on its way.
	_ = stuck.SetReadDeadline(time.Now().Add(patience))
	total := 0
	buffer := make([]byte, 1<<20)
	for {
		n, err := stuck.Read(buffer)
		total += n
		if err != nil {
			if errors.Is(err, syscall.ETIMEDOUT) || total >= messages*len(payload) {
				t.Errorf("the stuck client was not cut: %v after %d bytes", err, total)
			}
			break
		}
	}
	if !isPeer() {
		s.eventually("the log tells", func() bool { return bytes.Contains([]byte(s.log.String()), []byte("Slow Consumer Detected")) })
	}
}

func TestGoOrderOfManyPublishers(t *testing.T) {
	s := startServer(t)
	const publishers, messages = 20, 10_000
	nc := connect(t, s)
	var last [publishers]int
	var total, faults atomic.Int64
	sub, err := nc.Subscribe("order.*", func(m *nats.Msg) {
		var p, n int
		fmt.Sscanf(string(m.Data), "%d %d", &p, &n)
		if n != last[p]+1 {
			faults.Add(1)
		}
		last[p] = n
		total.Add(1)
	})
	must(t, err)
	must(t, sub.SetPendingLimits(-1, -1))
	must(t, nc.Flush())
	var group sync.WaitGroup
	for p := range publishers {
		client := connect(t, s)
		group.Go(func() {
			for n := 1; n <= messages; n++ {
				if err := client.Publish("order."+strconv.Itoa(p), fmt.Appendf(nil, "%d %d", p, n)); err != nil {
					t.Error(err)
					return
				}
			}
			if err := client.Flush(); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	eventually(t, "all messages have come", func() bool { return total.Load() == publishers*messages })
	if n := faults.Load(); n > 0 {
		t.Errorf("%d messages out of order", n)
	}
}

func TestGoOtherOptions(t *testing.T) {
	s := startServer(t)
	quiet := connect(t, s, nats.NoEcho(), nats.Name("quiet"))
	own := subscribe(t, quiet, "x", "")
	other := connect(t, s, func(o *nats.Options) error { o.Verbose, o.Pedantic = true, true; return nil })
	heard := subscribe(t, other, "x", "")
	must(t, quiet.Publish("x", []byte("1")))
	next(t, heard)
	nothing(t, quiet, own)
	must(t, other.Publish("x", []byte("2")))
	next(t, own)
	must(t, other.LastError())

	if id, err := quiet.GetClientID(); err != nil || id == 0 {
		t.Errorf("client id %d, %v", id, err)
	}
	if ip, err := quiet.GetClientIP(); err != nil || ip.String() != "127.0.0.1" {
		t.Errorf("client ip %v, %v", ip, err)
	}
	if rtt, err := quiet.RTT(); err != nil || rtt <= 0 {
		t.Errorf("rtt %v, %v", rtt, err)
	}
	if quiet.ConnectedServerId() == "" || quiet.ConnectedServerName() == "" || quiet.ConnectedServerVersion() == "" {
		t.Error("the server does not say who it is")
	}
}

func TestGoAutoUnsubscribe(t *testing.T) {
	nc := connect(t, startServer(t))
	sub, err := nc.SubscribeSync("few")
	must(t, err)
	must(t, sub.AutoUnsubscribe(3))
	for range 10 {
		must(t, nc.Publish("few", nil))
	}
	must(t, nc.Flush())
	for range 3 {
		next(t, sub)
	}
	if _, err := sub.NextMsg(patience); !errors.Is(err, nats.ErrMaxMessages) && !errors.Is(err, nats.ErrBadSubscription) {
		t.Errorf("after three messages: %v", err)
	}
}

func TestGoLameDuck(t *testing.T) {
	s := startServer(t)
	told := make(chan struct{})
	nc := connect(t, s, nats.LameDuckModeHandler(func(*nats.Conn) { close(told) }))
	must(t, nc.Flush())
	signal := syscall.SIGUSR2
	must(t, s.command.Process.Signal(signal))
	select {
	case <-told:
	case <-time.After(patience):
		t.Fatal("the client was not told")
	}
	must(t, nc.Flush()) // still served
	if !isPeer() {
		s.stop(syscall.SIGINT)
	}
}

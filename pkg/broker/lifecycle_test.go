package broker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/natsd/natsd/internal/testutil"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/rs/zerolog"
)

const quiet = `CONNECT {"verbose":false,"pedantic":false}` + "\r\n"

// start runs a broker on a free local port until the test ends, and checks that nothing of it is left then.
func start(t *testing.T, change ...func(*broker.Options)) *broker.Broker {
	t.Helper()
	testutil.CheckLeaks(t)
	o := broker.Options{Host: "127.0.0.1", Port: broker.RandomPort}
	for _, f := range change {
		f(&o)
	}
	return run(t, o)
}

// run runs a broker until the test ends.
func run(t testing.TB, o broker.Options) *broker.Broker {
	t.Helper()
	b, err := broker.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*testutil.Patience)
		defer cancel()
		if err := b.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return b
}

// dial connects a raw client to b.
func dial(t *testing.T, b *broker.Broker) *testutil.Client {
	t.Helper()
	return testutil.Dial(t, b.ClientAddr().String())
}

// eventually waits until condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(2 * testutil.Patience); !condition(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still waiting: %s", what)
		}
	}
}

// await waits for the end of c.
func await(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(2 * testutil.Patience):
		t.Fatalf("still waiting: %s", what)
	}
}

// logText is a log that tests look into.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func withLog(l *logText, level zerolog.Level) func(*broker.Options) {
	return func(o *broker.Options) { o.Logger = zerolog.New(l).Level(level) }
}

func TestShutdownBeforeStart(t *testing.T) {
	testutil.CheckLeaks(t)
	b, err := broker.New(broker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
	await(t, "Done", b.Done())
	if err := b.Start(); !errors.Is(err, broker.ErrStarted) {
		t.Errorf("Start after Shutdown: %v, want ErrStarted", err)
	}
	if _, err := b.InProcessConn(); !errors.Is(err, broker.ErrNotRunning) {
		t.Errorf("InProcessConn: %v, want ErrNotRunning", err)
	}
	if err := b.LameDuck(t.Context()); !errors.Is(err, broker.ErrNotRunning) {
		t.Errorf("LameDuck: %v, want ErrNotRunning", err)
	}
}

func TestStart(t *testing.T) {
	b := start(t)
	await(t, "Ready", b.Ready())
	if err := b.Start(); !errors.Is(err, broker.ErrStarted) {
		t.Errorf("second Start: %v, want ErrStarted", err)
	}
	if len(b.ID()) != 22 || b.Name() != b.ID() {
		t.Errorf("id %q, name %q", b.ID(), b.Name())
	}
	if want := "nats://" + b.ClientAddr().String(); b.ClientURL() != want {
		t.Errorf("URL %q, want %q", b.ClientURL(), want)
	}
	other, err := broker.New(broker.Options{Host: "127.0.0.1", Port: b.ClientAddr().(*net.TCPAddr).Port})
	if err != nil {
		t.Fatal(err)
	}
	var listen *net.OpError
	if err := other.Start(); !errors.As(err, &listen) {
		t.Errorf("Start on a port in use: %v, want a *net.OpError", err)
	}
}

func TestStartOnEveryInterface(t *testing.T) {
	b := start(t, func(o *broker.Options) { o.Host = "" })
	if !strings.HasPrefix(b.ClientURL(), "nats://127.0.0.1:") {
		t.Errorf("URL %q, want one that works on this machine", b.ClientURL())
	}
	testutil.Dial(t, strings.TrimPrefix(b.ClientURL(), "nats://")).ExpectAny("") // it greets
}

func TestTwoBrokersAreStrangers(t *testing.T) {
	a := start(t)
	b := start(t)
	if a.ID() == b.ID() {
		t.Error("both have the same id")
	}
	one, two := dial(t, a), dial(t, b)
	one.Send(quiet + "SUB x 1\r\nPING\r\n")
	one.Expect("PONG\r\n")
	two.Send(quiet + "PUB x 2\r\nhi\r\nPING\r\n")
	two.Expect("PONG\r\n")
	one.ExpectNothing()
}

func TestInProcessWithNatsGo(t *testing.T) {
	b := start(t, func(o *broker.Options) { o.DontListen = true })
	if b.ClientAddr() != nil || b.ClientURL() != "" {
		t.Errorf("listens on %v", b.ClientAddr())
	}
	nc, err := nats.Connect("", nats.InProcessServer(b))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Subscribe("echo", func(m *nats.Msg) { _ = m.Respond(m.Data) }); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, 5000, 1 << 20} {
		data := bytes.Repeat([]byte{'x'}, size)
		m, err := nc.Request("echo", data, testutil.Patience)
		if err != nil || !bytes.Equal(m.Data, data) {
			t.Fatalf("%d bytes: %v", size, err)
		}
	}
}

func TestShutdownLetsClientsHaveWhatIsQueued(t *testing.T) {
	b := start(t)
	reader := dialPlain(t, b)
	fmt.Fprint(reader, quiet+"SUB x 1\r\nPING\r\n")
	readUntil(t, reader, "PONG\r\n")
	publisher := dial(t, b)
	const count, size = 200, 100_000 // 20 MB: more than the sockets hold
	publisher.Send(quiet)
	payload := strings.Repeat("x", size)
	for range count {
		publisher.Send(fmt.Sprintf("PUB x %d\r\n%s\r\n", size, payload))
	}
	publisher.ExpectNothing() // all is queued
	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*testutil.Patience)
		defer cancel()
		stopped <- b.Shutdown(ctx)
	}()
	publisher.ExpectClosed()
	_ = reader.SetReadDeadline(time.Now().Add(2 * testutil.Patience))
	got, err := io.Copy(io.Discard, reader)
	if want := int64(count * len(fmt.Sprintf("MSG x 1 %d\r\n%s\r\n", size, payload))); got != want || err != nil {
		t.Errorf("read %d bytes and then %v, want %d and the end", got, err, want)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestShutdownCutsWhenItsContextEnds(t *testing.T) {
	b := start(t)
	stuck := dialPlain(t, b)
	fmt.Fprint(stuck, quiet+"SUB x 1\r\nPING\r\n")
	readUntil(t, stuck, "PONG\r\n")
	publisher := dial(t, b)
	publisher.Send(quiet)
	for range 300 {
		publisher.Send("PUB x 100000\r\n" + strings.Repeat("x", 100_000) + "\r\n")
	}
	publisher.ExpectNothing()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown: %v, want the error of the context", err)
	}
	await(t, "Done", b.Done())
}

// dialPlain connects without reading the greeting.
func dialPlain(t *testing.T, b *broker.Broker) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", b.ClientAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// readUntil reads from c until it has read end, and nothing behind it.
func readUntil(t *testing.T, c net.Conn, end string) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(testutil.Patience))
	var got []byte
	for one := make([]byte, 1); !bytes.HasSuffix(got, []byte(end)); got = append(got, one[0]) {
		if _, err := c.Read(one); err != nil {
			t.Fatalf("read %q and then %v, want %q", got, err, end)
		}
	}
	_ = c.SetReadDeadline(time.Time{})
}

func TestLameDuck(t *testing.T) {
	var log logText
	b := start(t, withLog(&log, zerolog.InfoLevel), func(o *broker.Options) {
		o.LameDuckDuration, o.LameDuckGracePeriod = 60*time.Millisecond, 20*time.Millisecond
	})
	modern, old, late := dial(t, b), dial(t, b), dial(t, b)
	modern.Send(`CONNECT {"verbose":false,"protocol":1}` + "\r\nPING\r\n")
	modern.Expect("PONG\r\n")
	old.Send(quiet + "PING\r\n")
	old.Expect("PONG\r\n")
	late.Send(`CONNECT {"verbose":true,"protocol":1}` + "\r\n") // no PONG went out yet
	late.Expect("+OK\r\n")
	addr := b.ClientAddr().String()
	ended := make(chan error, 1)
	go func() { ended <- b.LameDuck(context.Background()) }()
	if info := modern.ExpectInfo(); !strings.Contains(info, `"ldm":true`) || !strings.Contains(info, `"client_id":`) {
		t.Errorf("got %s, want the whole INFO with ldm", info)
	}
	modern.ExpectClosed()
	old.ExpectClosed() // and nothing before
	late.ExpectClosed()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	await(t, "Done", b.Done())
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("new clients are accepted")
	}
	for _, want := range []string{"Entering lame duck mode, stop accepting new clients", "Closing existing clients", "Initiating Shutdown...", "Server Exiting.."} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
}

func TestLameDuckInfoWaitsForTheFirstPong(t *testing.T) {
	b := start(t, func(o *broker.Options) { o.LameDuckDuration, o.LameDuckGracePeriod = time.Hour, time.Hour/2 })
	c := dial(t, b)
	c.Send(`CONNECT {"verbose":true,"protocol":1}` + "\r\n")
	c.Expect("+OK\r\n")
	ended := make(chan error, 1)
	told := dial(t, b)
	told.Send(`CONNECT {"verbose":false,"protocol":1}` + "\r\nPING\r\n")
	told.Expect("PONG\r\n")
	go func() { ended <- b.LameDuck(context.Background()) }()
	told.ExpectInfo() // all have been told
	c.Send("PING\r\n")
	c.Expect("PONG\r\n")
	if info := c.ExpectInfo(); !strings.Contains(info, `"ldm":true`) {
		t.Errorf("got %s, want ldm", info)
	}
	if err := b.LameDuck(context.Background()); !errors.Is(err, broker.ErrNotRunning) {
		t.Errorf("second LameDuck: %v, want ErrNotRunning", err)
	}
	if err := b.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("LameDuck cut short by Shutdown: %v", err)
	}
}

func TestLameDuckEndsWithItsContext(t *testing.T) {
	b := start(t, func(o *broker.Options) { o.LameDuckDuration, o.LameDuckGracePeriod = time.Hour, time.Hour/2 })
	c := dial(t, b)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.LameDuck(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("LameDuck: %v, want the error of the context", err)
	}
	c.Send(quiet)
	c.ExpectNothing() // still served
}

func TestLameDuckWithoutClientsStopsAtOnce(t *testing.T) {
	b := start(t, func(o *broker.Options) { o.LameDuckDuration, o.LameDuckGracePeriod = time.Hour, time.Hour/2 })
	if err := b.LameDuck(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestOptionsAreValidated(t *testing.T) {
	for _, c := range []struct {
		name   string
		o      broker.Options
		want   string
		others string // a second fault reported with it
	}{
		{name: "port", o: broker.Options{Port: 65536}, want: "port 65536 is out of range"},
		{name: "negative port", o: broker.Options{Port: -2}, want: "port -2 is out of range"},
		{name: "payload", o: broker.Options{MaxPayload: 1 << 40, MaxPending: 1 << 41}, want: "max_payload of 1099511627776 bytes is too big"},
		{name: "control line", o: broker.Options{MaxControlLine: -1}, want: "max_control_line of -1 is negative"},
		{name: "pending", o: broker.Options{MaxPending: -1}, want: "max_pending of -1 is negative"},
		{name: "payload above pending", o: broker.Options{MaxPayload: 10, MaxPending: 5}, want: "max_payload (10) cannot be higher than max_pending (5)"},
		{name: "deadline", o: broker.Options{WriteDeadline: -1}, want: "write_deadline of -1ns is negative"},
		{name: "ping interval", o: broker.Options{PingInterval: -1}, want: "ping_interval of -1ns is negative"},
		{name: "ping max", o: broker.Options{PingMax: -1}, want: "ping_max of -1 is negative"},
		{name: "lame duck", o: broker.Options{LameDuckDuration: 5, LameDuckGracePeriod: 5}, want: "should be strictly lower"},
		{name: "name", o: broker.Options{ServerName: "two words"}, want: `server_name "two words" contains blanks`},
		{name: "all at once", o: broker.Options{Port: -2, PingMax: -1}, want: "port -2", others: "ping_max"},
	} {
		_, err := broker.New(c.o)
		if !errors.Is(err, broker.ErrInvalidOptions) || !strings.Contains(fmt.Sprint(err), c.want) || !strings.Contains(fmt.Sprint(err), c.others) {
			t.Errorf("%s: %v, want ErrInvalidOptions with %q", c.name, err, c.want)
		}
	}
}

func TestStats(t *testing.T) {
	b := start(t)
	c, gone := dial(t, b), dial(t, b)
	gone.Send(quiet + "PUB x 3\r\nold\r\nPING\r\n")
	gone.Expect("PONG\r\n")
	gone.Close()
	eventually(t, "the connection has gone", func() bool { return b.Stats().Connections == 1 })
	c.Send(quiet + "SUB x 1\r\nSUB y q 2\r\nPUB x 5\r\nhello\r\nPUB y 2\r\nhi\r\nPUB z 1\r\n.\r\nPING\r\n")
	c.Expect("MSG x 1 5\r\nhello\r\nMSG y 2 2\r\nhi\r\nPONG\r\n")
	want := broker.Stats{
		Connections: 1, TotalConnections: 2, Subscriptions: 2, InMsgs: 4, InBytes: 11, OutMsgs: 2, OutBytes: 7,
		ClientInMsgs: 4, ClientInBytes: 11, ClientOutMsgs: 2, ClientOutBytes: 7,
	}
	eventually(t, "the batch is accounted for", func() bool { return b.Stats() == want })
}

// TestIdleConnectionsHaveNoGoroutine: a connection that has gone quiet is parked, wakes up, and is parked again.
func TestIdleConnectionsHaveNoGoroutine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("connections are parked on Linux only; here they just have to work")
	}
	b := start(t)
	const n = 200
	before := runtime.NumGoroutine()
	clients := make([]*testutil.Client, n)
	for i := range clients {
		clients[i] = dial(t, b)
		clients[i].Send(quiet)
		clients[i].ExpectNothing()
		clients[i].Send(fmt.Sprintf("SUB to.%d 1\r\n", i))
		clients[i].ExpectNothing()
	}
	if runtime.GOOS == "linux" {
		eventually(t, "all are parked", func() bool { return runtime.NumGoroutine() <= before+n/10 })
	}
	for range 3 {
		for i := range clients { // all wake up at once
			clients[i].Send(fmt.Sprintf("PUB to.%d 1\r\nx\r\n", (i+1)%n))
		}
		for i := range clients {
			clients[i].Expect("MSG to." + fmt.Sprint(i) + " 1 1\r\nx\r\n")
		}
	}
	for i := range clients[:n/2] { // parked ones leave
		clients[i].Close()
	}
	eventually(t, "half of them have gone", func() bool { return b.Stats().Connections == n/2 && b.Stats().Subscriptions == n/2 })
}

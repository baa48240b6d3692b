package broker_test

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/rs/zerolog"
)

// subscribeStuck connects a client that subscribes to subject and then never reads.
func subscribeStuck(t *testing.T, b *broker.Broker, subject string) net.Conn {
	t.Helper()
	c := dialPlain(t, b)
	fmt.Fprint(c, quiet+"SUB "+subject+" 1\r\nPING\r\n")
	readUntil(t, c, "PONG\r\n")
	return c
}

// TestSlowConsumerByPendingBytes: docs/spec/client-protocol.md §10.4. Others get everything meanwhile.
func TestSlowConsumerByPendingBytes(t *testing.T) {
	var log logText
	b := start(t, withLog(&log, zerolog.InfoLevel), func(o *broker.Options) { o.MaxPending, o.MaxPayload = 1<<20, 1<<20 })
	stuck := subscribeStuck(t, b, "x")
	healthy := dial(t, b)
	healthy.Send(quiet + "SUB x 1\r\n")
	healthy.ExpectNothing()
	publisher := dial(t, b)
	publisher.Send(quiet)
	payload := strings.Repeat("x", 50_000)
	message := fmt.Sprintf("x 50000\r\n%s\r\n", payload)
	for sent := 0; b.Stats().SlowConsumers == 0; sent++ {
		if sent > 2000 {
			t.Fatal("100 MB were queued for a client that does not read")
		}
		publisher.Send("PUB " + message)
		healthy.Expect("MSG x 1 50000\r\n" + payload + "\r\n")
	}
	if want := "Slow Consumer Detected: MaxPending of 1048576 Exceeded"; !strings.Contains(log.String(), want) {
		t.Errorf("the log lacks %q: %s", want, log.String())
	}
	publisher.ExpectNothing()
	healthy.ExpectNothing()
	_ = stuck.SetReadDeadline(time.Now().Add(testutil.Patience))
	if n, err := io.Copy(io.Discard, stuck); isTimeout(err) {
		t.Errorf("still connected after %d bytes", n)
	}
	eventually(t, "it has gone", func() bool { s := b.Stats(); return s.Connections == 2 && s.Subscriptions == 1 })
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}

// TestSlowConsumerByWriteDeadline: docs/spec/client-protocol.md §10.4.
func TestSlowConsumerByWriteDeadline(t *testing.T) {
	var log logText
	b := start(t, withLog(&log, zerolog.InfoLevel), func(o *broker.Options) { o.WriteDeadline = 50 * time.Millisecond })
	subscribeStuck(t, b, "x")
	publisher := dial(t, b)
	publisher.Send(quiet)
	for range 1100 { // 55 MB: more than sockets can hold, less than max_pending
		publisher.Send("PUB x 50000\r\n" + strings.Repeat("x", 50_000) + "\r\n")
	}
	publisher.ExpectNothing()
	eventually(t, "the stuck client is cut", func() bool { return b.Stats().SlowConsumers == 1 })
	eventually(t, "the log says why", func() bool {
		return strings.Contains(log.String(), "Slow Consumer Detected: WriteDeadline of 50ms exceeded with ")
	})
	eventually(t, "it has gone", func() bool { return b.Stats().Connections == 1 })
}

// TestTheDeadlineOfABacklogEndsWithIt: a client that fell behind once and caught up is served on when the time for that
// write has long passed.
func TestTheDeadlineOfABacklogEndsWithIt(t *testing.T) {
	const deadline = 2 * time.Second
	b := start(t, func(o *broker.Options) { o.WriteDeadline = deadline })
	reader := subscribeStuck(t, b, "x")
	publisher := dial(t, b)
	publisher.Send(quiet)
	const count, size = 100, 100_000 // 10 MB: more than the sockets hold
	one := fmt.Sprintf("MSG x 1 %d\r\n", size)
	for range count {
		publisher.Send(fmt.Sprintf("PUB x %d\r\n%s\r\n", size, strings.Repeat("x", size)))
	}
	publisher.ExpectNothing()
	_ = reader.SetReadDeadline(time.Now().Add(2 * testutil.Patience))
	if _, err := io.CopyN(io.Discard, reader, int64(count*(len(one)+size+2))); err != nil {
		t.Fatal(err)
	}
	caughtUp := time.Now()
	eventually(t, "the deadline has passed", func() bool { return time.Since(caughtUp) > deadline+deadline/8 })
	publisher.Send("PUB x 5\r\nhello\r\n")
	readUntil(t, reader, "MSG x 1 5\r\nhello\r\n")
	if s := b.Stats(); s.SlowConsumers != 0 || s.Connections != 2 {
		t.Errorf("%+v", s)
	}
}

// TestABatchMayBeLargerThanMaxPending: a client that reads gets it all, though one batch brings more than may wait.
func TestABatchMayBeLargerThanMaxPending(t *testing.T) {
	b := start(t, func(o *broker.Options) { o.MaxPending, o.MaxPayload = 1000, 100 })
	c := dial(t, b)
	c.Send(quiet + "SUB x 1\r\n" + strings.Repeat("PUB x 10\r\n0123456789\r\n", 1000) + "PING\r\n")
	c.Expect(strings.Repeat("MSG x 1 10\r\n0123456789\r\n", 1000) + "PONG\r\n")
}

// TestBulkLosesNothing: a publisher outruns a subscriber that keeps up in general; the subscriber gets everything at
// default limits, though far more than max_pending passes through.
func TestBulkLosesNothing(t *testing.T) {
	b := start(t)
	reader := subscribeStuck(t, b, "x")
	const count, size = 3000, 100_000 // 300 MB
	one := fmt.Sprintf("MSG x 1 %d\r\n", size)
	done := make(chan string, 1)
	go func() {
		_ = reader.SetReadDeadline(time.Now().Add(6 * testutil.Patience))
		_, err := io.CopyN(io.Discard, reader, int64(count*(len(one)+size+2)))
		done <- fmt.Sprint(err)
	}()
	publisher := dial(t, b)
	publisher.Send(quiet)
	payload := fmt.Sprintf("PUB x %d\r\n%s\r\n", size, strings.Repeat("x", size))
	for range count {
		publisher.Send(payload)
	}
	publisher.ExpectNothing()
	if err := <-done; err != "<nil>" {
		t.Errorf("the subscriber read %s", err)
	}
	if s := b.Stats(); s.SlowConsumers != 0 {
		t.Error("it was cut as a slow consumer")
	}
}

// TestAnnouncedPayloadCostsNothing: a client that announces a large message and does not send it holds no memory for it.
func TestAnnouncedPayloadCostsNothing(t *testing.T) {
	b := start(t)
	const n = 200
	before := heap()
	clients := make([]net.Conn, n)
	for i := range clients {
		clients[i] = dialPlain(t, b)
		fmt.Fprint(clients[i], quiet+"PING\r\n")
		readUntil(t, clients[i], "PONG\r\n")
		fmt.Fprint(clients[i], "PUB x 1000000\r\nonly this")
	}
	// All of it was read once the last one is answered, which came after the others.
	probe := dial(t, b)
	probe.ExpectAny("")
	eventually(t, "memory per connection is small", func() bool { return (heap()-before)/n < 20_000 })
}

// TestPreAuthMemory: a socket that has not shown its credentials holds little memory, whatever it sends.
func TestPreAuthMemory(t *testing.T) {
	b := start(t, func(o *broker.Options) { o.Auth = &broker.Auth{User: "bob", Password: "s3cret", Timeout: time.Minute} })
	const n = 200
	before := heap()
	for i := range n {
		nc := dialPlain(t, b)
		fmt.Fprint(nc, `CONNECT {"user":"`+strings.Repeat("x", 3900)) // and no end
		if i%2 == 0 {
			fmt.Fprint(nc, "y")
		}
	}
	probe := dialPlain(t, b)
	fmt.Fprint(probe, "CONNECT {\"verbose\":false,\"user\":\"bob\",\"pass\":\"s3cret\"}\r\nPING\r\n")
	readUntil(t, probe, "PONG\r\n")
	eventually(t, "memory per socket is small", func() bool { return (heap()-before)/n < 20_000 })
}

// heap returns the memory that objects and stacks take, in bytes.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc + stats.StackInuse)
}

// TestSilentSocketsAreCheap: a socket that connects and says nothing costs less than 8 KB, client side included here.
func TestSilentSocketsAreCheap(t *testing.T) {
	b := start(t)
	const n = 2000
	before := heap()
	for range n {
		dialPlain(t, b)
	}
	eventually(t, "all are connected", func() bool { return b.Stats().Connections == n })
	// What a connection needs to be accepted and greeted is given back a moment later.
	eventually(t, "each of them takes 8000 bytes or less", func() bool { return (heap()-before)/n <= 8000 })
}

// TestClientThatDiesMidPayload: nothing of an incomplete message is delivered, and others go on.
func TestClientThatDiesMidPayload(t *testing.T) {
	b := start(t)
	subscriber := dial(t, b)
	subscriber.Send(quiet + "SUB > 1\r\n")
	subscriber.ExpectNothing()
	for _, part := range []string{"P", "PUB", "PUB x", "PUB x 5\r", "PUB x 5\r\n", "PUB x 5\r\nhel", "PUB x 5\r\nhello", "PUB x 5\r\nhello\r", "PUB x 100000\r\n" + strings.Repeat("x", 70_000)} {
		c := dialPlain(t, b)
		fmt.Fprint(c, quiet+part)
		c.Close()
	}
	eventually(t, "they have gone", func() bool { return b.Stats().Connections == 1 })
	subscriber.ExpectNothing()
}

// TestLargeMessagesInSmallPieces: a message of 1 MiB that comes in pieces is put together again.
func TestLargeMessagesInSmallPieces(t *testing.T) {
	b := start(t)
	subscriber, publisher := dial(t, b), dial(t, b)
	subscriber.Send(quiet + "SUB x 1\r\n")
	subscriber.ExpectNothing()
	payload := strings.Repeat("0123456789abcdef", 1<<16)
	publisher.Send(quiet)
	for _, piece := range []int{1000, 4096, 65_535, 65_536, 65_537, 300_000} {
		text := "PUB x 1048576\r\n" + payload + "\r\n"
		for rest := text; rest != ""; {
			n := min(piece, len(rest))
			publisher.Send(rest[:n])
			rest = rest[n:]
		}
		subscriber.Expect("MSG x 1 1048576\r\n" + payload + "\r\n")
	}
}

// TestEveryByteMayStandInNames: NUL, control and high bytes in subjects, replies, queues and sids are bytes like others.
func TestEveryByteMayStandInNames(t *testing.T) {
	b := start(t)
	c := dial(t, b)
	c.Send(quiet)
	for i := range 256 {
		x := string([]byte{byte(i)})
		switch x {
		case " ", "\t", "\r", "\n", ".", "*", ">":
			continue
		}
		c.Send("SUB a" + x + " q" + x + " s" + x + "\r\nPUB a" + x + " r" + x + " 1\r\n" + x + "\r\nUNSUB s" + x + "\r\n")
		c.Expect("MSG a" + x + " s" + x + " r" + x + " 1\r\n" + x + "\r\n")
	}
	c.ExpectNothing()
}

// TestLogOfBadInput: faults are logged at error level with at most 32 bytes of the input (docs/spec/client-protocol.md §4.3),
// whatever bytes those are.
func TestLogOfBadInput(t *testing.T) {
	var log logText
	b := start(t, withLog(&log, zerolog.ErrorLevel))
	c := dial(t, b)
	c.Send("X\x1b[31m\x00\n" + strings.Repeat("y", 100))
	c.Expect("-ERR 'Unknown Protocol Operation'\r\n-ERR 'Parser Error'\r\n")
	c.ExpectClosed()
	text := log.String()
	if !strings.Contains(text, "Error reading from client: unknown protocol operation") || !strings.Contains(text, " - cid:1") {
		t.Errorf("log: %s", text)
	}
	if strings.Contains(text, "\x1b") || strings.Contains(text, strings.Repeat("y", 33)) {
		t.Errorf("log shows raw or too much input: %q", text)
	}
}

// TestSecretsStayOutOfTheLog: whatever a client says in CONNECT, in whatever form, no secret reaches the log at any level
// (docs/spec/cli.md §8.4).
func TestSecretsStayOutOfTheLog(t *testing.T) {
	const secret = "hunter2-canary"
	var log logText
	b := start(t, withLog(&log, zerolog.TraceLevel))
	for _, connect := range []string{
		`{"pass":"` + secret + `"}`,
		`{"PASS":"` + secret + `","Auth_Token":"` + secret + `","sig":"` + secret + `","jwt":"` + secret + `"}`,
		`{"pass":{"` + secret + `":"` + secret + `"}}`,
		`{"user":"u","pass":"` + secret,
		`"` + secret + `"`,
		`{"pass":"` + secret + `"} trailing`,
	} {
		c := dialPlain(t, b)
		fmt.Fprint(c, "CONNECT "+connect+"\r\nPING\r\n")
		_ = c.(*net.TCPConn).CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(testutil.Patience))
		if _, err := io.Copy(io.Discard, c); isTimeout(err) {
			t.Errorf("%s: no end", connect)
		}
	}
	eventually(t, "all have gone", func() bool { return b.Stats().Connections == 0 })
	if strings.Contains(log.String(), secret) {
		t.Errorf("the log holds the secret: %s", log.String())
	}
	if !strings.Contains(log.String(), "<<- [CONNECT {") || !strings.Contains(log.String(), "[REDACTED]") {
		t.Errorf("CONNECT is not traced: %s", log.String())
	}
}

// TestTrace: docs/spec/cli.md §8.4.
func TestTrace(t *testing.T) {
	var log logText
	b := start(t, withLog(&log, zerolog.TraceLevel))
	c := dial(t, b)
	c.Send(`CONNECT {"verbose":true}` + "\r\nSUB a q 7\r\nPUB a r 2\r\nhi\r\nUNSUB 7 3\r\nPING\r\n")
	c.Expect("+OK\r\n+OK\r\n+OK\r\nMSG a 7 r 2\r\nhi\r\n+OK\r\nPONG\r\n")
	eventually(t, "the last line is traced", func() bool { return strings.Contains(log.String(), "->> [PONG]") })
	for _, want := range []string{"<<- [SUB a q 7]", "<<- [PUB a r 2]", `<<- MSG_PAYLOAD: [\"hi\"]`, "->> [MSG a 7 r 2]", "->> [OK]", "<<- [UNSUB 7 3]", "<<- [PING]", `"conn":"127.0.0.1:`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the trace lacks %q:\n%s", want, log.String())
		}
	}
}

// TestStuckReaderCostsWhatIsPending: small messages that wait for a client, each from a batch of its own, keep little more
// memory alive than they are long.
func TestStuckReaderCostsWhatIsPending(t *testing.T) {
	b := start(t)
	subscribeStuck(t, b, "x")
	publisher := dial(t, b)
	publisher.Send(quiet)
	for range 120 { // 12 MB: more than the sockets hold
		publisher.Send("PUB x 100000\r\n" + strings.Repeat("x", 100_000) + "\r\n")
	}
	publisher.ExpectNothing()
	before := heap()
	const count = 1000
	for range count {
		publisher.Send("PUB x 100\r\n" + strings.Repeat("x", 100) + "\r\n")
		publisher.ExpectNothing()
	}
	if grown := heap() - before; grown > 10<<20 {
		t.Errorf("%d messages of 100 bytes that wait take %d bytes", count, grown)
	}
	if s := b.Stats(); s.SlowConsumers != 0 || s.Connections != 2 {
		t.Errorf("%+v", s)
	}
}

package broker

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestMaxConnections(t *testing.T) {
	var log logRecord
	b := launch(t, Options{MaxConnections: 2, Logger: log.logger(zerolog.InfoLevel)})
	first, second := joinQuiet(t, b), joinQuiet(t, b)
	third := dialRaw(t, b) // INFO comes all the same
	third.expectError(errTextMaxConnections)
	if log.count("Maximum Connections Exceeded") != 1 {
		t.Errorf("the log says %s", log.String())
	}
	if _, err := b.InProcessConn(); err == nil {
		t.Error("InProcessConn is beyond the limit and was accepted")
	}
	second.roundTrip()
	_ = first.Close()
	await(t, "the slot is free again", func() bool { return b.Stats().Connections == 1 })
	joinQuiet(t, b).roundTrip()
	if n := b.Stats().TotalConnections; n != 4 { // the one that was turned away counts
		t.Errorf("%d connections in all, want 4", n)
	}
}

// TestEndingMemberIsSkipped: a member of a queue group that is told why it ends, and drained for a moment, takes no messages any more.
// The others get all. Spec: docs/spec/client-protocol.md §6.4, §9.
func TestEndingMemberIsSkipped(t *testing.T) {
	const messages = 100
	b := launch(t, Options{MaxPayload: 1000})
	ending, other, publisher := joinQuiet(t, b), joinQuiet(t, b), joinQuiet(t, b)
	for _, p := range []*wireClient{ending, other} {
		p.send("SUB x q 1\r\n")
		p.roundTrip()
	}
	ending.send("PUB y 1000000\r\n" + strings.Repeat("y", 5000))
	ending.expectError(errTextMaxPayload) // it keeps its half open
	publisher.send(strings.Repeat(pub("x", 2), messages))
	publisher.roundTrip()
	if err := other.readMessages(messages, nil); err != nil {
		t.Error(err)
	}
	other.roundTrip()
}

// TestMaxConnectionsTextSurvivesInput: the text is read by a client that talks first.
func TestMaxConnectionsTextSurvivesInput(t *testing.T) {
	b := launch(t, Options{MaxConnections: 1})
	joinQuiet(t, b)
	for range 20 {
		p := dialRaw(t, b)
		_ = p.trySend("CONNECT " + plainConnect + "\r\nPING\r\n" + pub("foo", 1000))
		p.expect("-ERR '" + errTextMaxConnections + "'")
		_ = p.Close()
	}
}

func TestMaxSubscriptions(t *testing.T) {
	b := launch(t, Options{MaxSubscriptions: 2})
	p, other := joinQuiet(t, b), joinQuiet(t, b)
	p.send("SUB a 1\r\nSUB b 2\r\nSUB c 3\r\nSUB d 1\r\n") // the last one is ignored: its sid is in use
	p.expect("-ERR '" + errTextMaxSubscriptions + "'")
	p.roundTrip()
	p.send("PUB c 1\r\nx\r\nPUB b 1\r\nx\r\nUNSUB 1\r\nSUB c 3\r\nPUB c 1\r\nx\r\n")
	p.expect("MSG b 2 1", "x", "MSG c 3 1", "x")
	other.send("SUB a 1\r\nSUB b 2\r\n") // the limit is one connection's
	other.roundTrip()
}

// TestMaxPayloadTextSurvives: the text reaches a client that is sending the payload, and the payload is not waited for.
func TestMaxPayloadTextSurvives(t *testing.T) {
	var log logRecord
	b := launch(t, Options{MaxPayload: 1000, Logger: log.logger(zerolog.InfoLevel)})
	for _, sent := range []int{0, 1, 1001, 300_000} {
		p := joinQuiet(t, b)
		p.send("PUB foo 1000\r\n" + strings.Repeat("x", 1000) + "\r\n")
		p.roundTrip()
		_ = p.trySend("PUB foo 300000\r\n" + strings.Repeat("x", sent)) // may be cut short
		p.expectError(errTextMaxPayload)
	}
	if n := log.count("Maximum Payload Exceeded: 300000 vs 1000"); n != 4 {
		t.Errorf("logged %d times, want 4: %s", n, log.String())
	}
}

// TestUnlimitedPayload: a negative limit leaves the protocol's.
func TestUnlimitedPayload(t *testing.T) {
	b := launch(t, Options{MaxPayload: Unlimited})
	p := joinQuiet(t, b)
	p.send("SUB foo 1\r\n" + pub("foo", 3<<20))
	if _, size, err := p.readMessage(); err != nil || size != 3<<20 {
		t.Errorf("got %d bytes and %v", size, err)
	}
	p.send("PUB foo 1000000000\r\n")
	p.expectError(errTextMaxPayload)
}

// TestStuckReader: one subscriber never reads. It is cut when max_pending is reached, and the others get everything, also what was
// sent before that.
func TestStuckReader(t *testing.T) {
	const size, before = 64 << 10, 100
	var log logRecord
	b := launch(t, Options{MaxPending: 4 << 20, Logger: log.logger(zerolog.InfoLevel), WriteDeadline: time.Hour})
	stuck, healthy, publisher := joinQuiet(t, b), joinQuiet(t, b), joinQuiet(t, b)
	stuck.send("SUB foo 1\r\n")
	stuck.roundTrip()
	c := stuck.serverSide(b)
	healthy.send("SUB foo 1\r\n")
	healthy.roundTrip()

	// The stuck one holds nobody up: all of this arrives before it is cut, while it has taken in nothing.
	sent := 0
	for ; sent < 1000; sent++ {
		c.out.mu.Lock()
		pending := c.out.mu.pending
		c.out.mu.Unlock()
		if pending > 2<<20 {
			break
		}
		publisher.send(pub("foo", size))
		if err := healthy.readMessages(1, nil); err != nil {
			t.Fatal(err)
		}
	}
	if b.Stats().SlowConsumers != 0 {
		t.Fatal("cut too soon")
	}

	result := healthy.reading(before)
	for range before {
		publisher.send(pub("foo", size))
	}
	healthy.awaitRead(result)
	publisher.roundTrip()
	await(t, "the slow consumer is cut", func() bool { return b.Stats().Connections == 2 })
	if n := b.Stats().SlowConsumers; n != 1 {
		t.Errorf("%d slow consumers are counted, want 1", n)
	}
	if log.count("Slow Consumer Detected: MaxPending of 4194304 Exceeded") != 1 {
		t.Errorf("the log says %s", log.String())
	}
	if line := log.String(); !strings.Contains(line, fmt.Sprintf("127.0.0.1:%d - cid:%d", stuck.LocalAddr().(*net.TCPAddr).Port, c.id)) {
		t.Errorf("the log does not say who: %s", line)
	}
	if got := b.Stats().InMsgs; got != int64(sent+before) {
		t.Errorf("%d messages came in, want %d", got, sent+before)
	}
}

func TestWriteDeadline(t *testing.T) {
	var log logRecord
	b := launch(t, Options{WriteDeadline: 50 * time.Millisecond, Logger: log.logger(zerolog.InfoLevel)})
	stuck, publisher := joinQuiet(t, b), joinQuiet(t, b)
	stuck.send("SUB foo 1\r\n")
	stuck.roundTrip()
	await(t, "the slow consumer is cut", func() bool {
		publisher.send(pub("foo", 512<<10))
		publisher.roundTrip()
		return b.Stats().SlowConsumers == 1
	})
	await(t, "it is logged", func() bool { return log.count("Slow Consumer Detected: WriteDeadline of 50ms exceeded with ") == 1 })
	await(t, "the connection is forgotten", func() bool { return b.Stats().Connections == 1 })
}

// TestWriteDeadlineIsNotLeftBehind: a client that once had a backlog, and has read it, is not cut for that much later.
func TestWriteDeadlineIsNotLeftBehind(t *testing.T) {
	const size, deadline = 256 << 10, 200 * time.Millisecond
	b := launch(t, Options{WriteDeadline: deadline})
	p, publisher := joinQuiet(t, b), joinQuiet(t, b)
	p.send("SUB foo 1\r\n")
	p.roundTrip()
	c := p.serverSide(b)
	queued := 0
	for backlog := false; !backlog; queued++ { // until the sockets are full and the writer goroutine takes over
		publisher.send(pub("foo", size))
		publisher.roundTrip()
		backlog = !c.drained()
	}
	if err := p.readMessages(queued, nil); err != nil {
		t.Fatal(err)
	}
	await(t, "the backlog is written", c.drained)
	<-time.After(2 * deadline)
	publisher.send(pub("foo", 2))
	p.expect("MSG foo 1 2", "xx")
}

// TestWriteDeadlineOfASlowReader: a reader that is slow but steady is not cut, even when all that is queued takes many times
// the write deadline: each write has it anew.
func TestWriteDeadlineOfASlowReader(t *testing.T) {
	const messages, size = 160, 256 << 10
	b := launch(t, Options{WriteDeadline: 400 * time.Millisecond})
	slow, publisher := joinQuiet(t, b), joinQuiet(t, b)
	slow.send("SUB foo 1\r\n")
	slow.roundTrip()
	result := make(chan error, 1)
	go func() { result <- slow.readMessages(messages, func(int) { <-time.After(8 * time.Millisecond) }) }()
	for range messages {
		publisher.send(pub("foo", size))
	}
	slow.awaitRead(result)
	if n := b.Stats().SlowConsumers; n != 0 {
		t.Errorf("%d slow consumers, want none", n)
	}
}

// TestBatchLargerThanMaxPending: one batch brings a connection several times max_pending. It reads, so it is not cut.
func TestBatchLargerThanMaxPending(t *testing.T) {
	const subs, size = 400, 1000
	for _, pending := range []int64{64 << 10, 1 << 20} {
		t.Run(fmt.Sprintf("max_pending=%d", pending), func(t *testing.T) {
			b := launchWith(t, Options{MaxPending: pending, MaxPayload: 32 << 10}, func(b *Broker) {
				b.stallWindow, b.stallBudget = patience, patience // however slowly this machine lets it read
			})
			p, publisher := joinQuiet(t, b), joinQuiet(t, b)
			for i := range subs {
				p.send(fmt.Sprintf("SUB foo %d\r\n", i))
			}
			p.roundTrip()
			batch := strings.Repeat(pub("foo", size), readSize/(size+20))
			n := strings.Count(batch, "PUB")
			result := p.reading(n * subs)
			publisher.send(batch)
			p.awaitRead(result)
			p.roundTrip()
		})
	}
}

// TestManyPublishers: messages of several publishers to several subscribers arrive whole, and each publisher's in order.
func TestManyPublishers(t *testing.T) {
	const publishers, messages = 4, 5000
	b := launch(t, Options{})
	var results []<-chan error
	for _, sid := range []string{"1", "1", "2"} {
		p := joinQuiet(t, b)
		p.send("SUB foo.* " + sid + "\r\n")
		p.roundTrip()
		result := make(chan error, 1)
		results = append(results, result)
		go func() { result <- p.readInOrder(publishers * messages) }()
	}
	for i := range publishers {
		p := joinQuiet(t, b)
		go func() {
			var text strings.Builder
			for n := range messages {
				body := fmt.Sprintf("%d %d %s", i, n, strings.Repeat("x", n%200))
				fmt.Fprintf(&text, "PUB foo.%d %d\r\n%s\r\n", i, len(body), body)
			}
			_ = p.trySend(text.String()) // a failure shows at the other end
		}()
	}
	for _, result := range results {
		if err := <-result; err != nil {
			t.Error(err)
		}
	}
}

// readInOrder reads n messages whose payloads begin with the number of their publisher and a number that it counts up.
func (p *wireClient) readInOrder(n int) error {
	next := map[int]int{}
	for range n {
		_ = p.SetReadDeadline(time.Now().Add(patience))
		control, err := p.input.ReadString('\n')
		if err != nil {
			return err
		}
		body, err := p.input.ReadString('\n')
		if err != nil {
			return err
		}
		var publisher, number int
		if _, err := fmt.Sscan(body, &publisher, &number); err != nil {
			return fmt.Errorf("%q, %q: %w", control, body, err)
		}
		if !strings.HasPrefix(control, fmt.Sprintf("MSG foo.%d ", publisher)) || number != next[publisher] ||
			strings.TrimRight(body, "\r\n") != fmt.Sprintf("%d %d %s", publisher, number, strings.Repeat("x", number%200)) {
			return fmt.Errorf("got %q, %.40q; want message %d of publisher %d", control, body, next[publisher], publisher)
		}
		next[publisher]++
	}
	return nil
}

// TestByteByByte: input that comes one byte at a time is handled like any other.
func TestByteByByte(t *testing.T) {
	b := launch(t, Options{})
	p := dialRaw(t, b)
	_ = p.SetNoDelay(true)
	const input = "CONNECT " + plainConnect + "\r\nSUB foo.* 1\r\nPUB foo.bar r 5\r\nhe\r\no\r\nPUB foo.x 0\r\n\r\nUNSUB 1\r\nPUB foo.x 0\r\n\r\nPING\r\n"
	for i := range input {
		p.send(input[i : i+1])
	}
	p.expect("MSG foo.bar 1 r 5", "he", "o", "MSG foo.x 1 0", "", "PONG")
}

// TestClientDiesMidPayload: what it had subscribed to is gone, and so is the memory for its message.
func TestClientDiesMidPayload(t *testing.T) {
	b := launch(t, Options{})
	other := joinQuiet(t, b)
	other.send("SUB foo 1\r\n")
	other.roundTrip()
	for _, reset := range []bool{false, true} {
		for _, sent := range []int{0, 1, 100_000, 1<<20 - 1, 1 << 20} {
			p := joinQuiet(t, b)
			p.send("SUB foo 1\r\nPING\r\nPUB foo 1048576\r\n" + strings.Repeat("x", sent))
			p.expect("PONG")
			if reset {
				_ = p.SetLinger(0)
			}
			_ = p.Close()
			await(t, "the connection is forgotten", func() bool {
				s := b.Stats()
				return s.Connections == 1 && s.Subscriptions == 1
			})
		}
	}
	other.roundTrip() // and no message came
}

// TestHalfClosed: a client that has said everything, and says so by closing its half, still reads all the answers.
func TestHalfClosed(t *testing.T) {
	const messages, size = 200, 64 << 10 // more than the sockets hold
	b := launch(t, Options{})
	p := joinQuiet(t, b)
	sent := make(chan error, 1)
	go func() {
		err := p.trySend("SUB foo 1\r\n" + strings.Repeat(pub("foo", size), messages) + "PING\r\n")
		if err == nil {
			err = p.CloseWrite()
		}
		sent <- err
	}()
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if err := p.readMessages(messages, nil); err != nil {
		t.Fatal(err)
	}
	p.expect("PONG")
	p.expectEnd()
}

// TestBigMessageInSmallPieces sends 1 MiB in pieces of odd sizes.
func TestBigMessageInSmallPieces(t *testing.T) {
	b := launch(t, Options{})
	p := joinQuiet(t, b)
	_ = p.SetNoDelay(true)
	p.send("SUB foo 1\r\n")
	message := pub("foo", 1<<20) + pub("foo", 5)
	result := p.reading(2)
	for i := 0; i < len(message); {
		n := min(len(message)-i, 1+i%3001)
		p.send(message[i : i+n])
		i += n
	}
	p.awaitRead(result)
	p.roundTrip()
}

// TestBigMessageLeavesNoBuffer: the buffer of a big message is given back even if the beginning of the next one came with it.
func TestBigMessageLeavesNoBuffer(t *testing.T) {
	x := newBench(t, Options{})
	c := x.connect("CONNECT " + plainConnect + "\r\n")
	for rest := pub("foo", 1<<20) + "PUB foo 100\r\nxx"; rest != ""; {
		rest = rest[c.feed([]byte(rest)):]
	}
	if n := c.received.messages.Load(); n != 1 {
		t.Fatalf("%d messages are handled, want 1", n)
	}
	c.in.giveBack(x.b) // as before it waits
	if n := cap(c.in.held); n > 4096 {
		t.Errorf("%d bytes are kept for %d bytes of input", n, len(c.in.held))
	}
	c.feed([]byte(strings.Repeat("x", 98) + "\r\n"))
	if n := c.received.messages.Load(); n != 2 {
		t.Errorf("%d messages are handled, want 2", n)
	}
}

// TestDyingClient: a client that reports an error is logged and closed, without an answer.
func TestDyingClient(t *testing.T) {
	var log logRecord
	b := launch(t, Options{Logger: log.logger(zerolog.InfoLevel)})
	p := joinQuiet(t, b)
	p.send("-ERR 'it hurts'\r\nPING\r\n")
	p.expectEnd()
	if log.count("Client Error 'it hurts'") != 1 {
		t.Errorf("the log says %s", log.String())
	}
}

// TestAnyByte: subjects, sids, queue names and payloads may hold any byte that does not separate tokens.
func TestAnyByte(t *testing.T) {
	b := launch(t, Options{})
	p := joinQuiet(t, b)
	for _, c := range []byte{0, 1, 0x0b, 0x7f, 0x80, 0xa0, 0xff, '\'', '"', '\\'} {
		token := "a" + string([]byte{c}) + "b"
		p.send(fmt.Sprintf("SUB x.%s %s\r\nSUB q.%s %s z%s\r\n", token, token, token, token, token))
		p.send(fmt.Sprintf("PUB x.%s r%s 3\r\n%s\r\nPUB q.%s 3\r\n%s\r\nUNSUB %s\r\nUNSUB z%s\r\n", token, token, token, token, token, token, token))
		p.expect(fmt.Sprintf("MSG x.%s %s r%s 3", token, token, token), token, fmt.Sprintf("MSG q.%s z%s 3", token, token), token)
	}
	everything := make([]byte, 256)
	for i := range everything {
		everything[i] = byte(i)
	}
	p.send("SUB all 1\r\nPUB all 256\r\n" + string(everything) + "\r\nPING\r\n")
	p.expect("MSG all 1 256")
	got := make([]byte, len(everything)+2)
	if _, err := io.ReadFull(p.input, got); err != nil || string(got[:256]) != string(everything) {
		t.Errorf("the payload was changed: %q, %v", got, err)
	}
	p.expect("PONG")
}

// TestLogLinesStayWhole: nothing that a client sends ends a line of the log or reaches a terminal as it is.
func TestLogLinesStayWhole(t *testing.T) {
	var log logRecord
	b := launch(t, Options{Logger: log.logger(zerolog.TraceLevel)})
	const evil = "\x1b[2J\x00\x07\x7f\x9b\u2028{\"level\":\"panic\"}"
	p := joinQuiet(t, b)
	p.send("SUB foo" + evil + " 1" + evil + "\r\nPUB foo" + evil + " 2\r\n\n\x1b\r\nPUB _SYS." + evil + " 0\r\n\r\nPING\r\n")
	for p.line() != "PONG" {
	}
	p.send("-ERR " + evil + "\r\n")
	p.expectEnd()
	q := joinQuiet(t, b)
	q.send(evil + "\r\n")
	q.expect("-ERR '"+errTextUnknownOp+"'", "-ERR '"+errTextParser+"'")
	r := dialRaw(t, b)
	r.send(`CONNECT {"verbose":false,"name":"` + evil + "\"}\r\n")
	r.expect("-ERR '" + errTextParser + "'")
	await(t, "everything is logged", func() bool { return log.count("Client connection closed") >= 2 })
	for i, line := range strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n") {
		if strings.ContainsAny(line, "\x00\x07\x1b") || !strings.HasPrefix(line, `{"level":`) || strings.HasPrefix(line, `{"level":"panic"`) {
			t.Errorf("line %d of the log is %q", i+1, line)
		}
	}
}

// TestSecretsAreNotLogged: whatever is wrong with a CONNECT, its secrets stay out of the log.
func TestSecretsAreNotLogged(t *testing.T) {
	const secret = "s3cr3t"
	for _, input := range []string{
		`CONNECT {"verbose":false,"user":"u","pass":"s3cr3t"}`,
		`CONNECT {"verbose":false,"auth_token":"s3cr3t","jwt":"s3cr3t","sig":"s3cr3t"}`,
		`CONNECT {"verbose":false,"PASS":"s3cr3t","Auth_Token":"s3cr3t","pass":"s3cr3t"}`,
		`CONNECT {"verbose":false,"pa\u0073s":"s3cr3t"}`,
		`CONNECT {"pass":"s3cr3t`,
		`CONNECT {"pass":"s3cr3t"} x`,
		`CONNECT {"pass":["s3cr3t"]}`,
		`CONNECT {"pass":"s3cr3t","protocol":7}`,
		`CONNECT {"pass":"s3cr3t","account":"x"}`,
		`CONNECT "s3cr3t"`,
		`CONNECT {"pass":"s3cr3t","name":"` + strings.Repeat("x", 5000) + `"}`,
		`connect {"pass":"s3cr3t","name":"` + strings.Repeat("x", 5000) + `"}`,
		` CONNECT {"pass":"s3cr3t"}`,
		"\r\n" + `CONNECT {"pass":"s3cr3t"}`,
		`CONECT {"pass":"s3cr3t"}`,
		"CONNECT s3cr3t " + strings.Repeat("x", 5000),
		`PUB foo CONNECT {"pass":"s3cr3t"}`,
	} {
		var log logRecord
		b := launch(t, Options{Logger: log.logger(zerolog.TraceLevel)})
		p := dialRaw(t, b)
		_ = p.trySend(input + "\r\nPING\r\n")
		_ = p.CloseWrite()
		if _, err := io.Copy(io.Discard, p.input); err != nil {
			t.Logf("%v", err) // a reset is fine here
		}
		await(t, "the connection ends", func() bool { return log.count("Client connection closed") == 1 })
		if text := log.String(); strings.Contains(text, secret) {
			t.Errorf("%.60q: the secret is in the log:\n%s", input, text)
		}
	}
}

// hungryListener fails to accept as if the process were out of file descriptors, until it is fed.
type hungryListener struct {
	net.Listener
	fed    chan struct{}
	failed chan struct{}
	once   sync.Once
}

func (l *hungryListener) Accept() (net.Conn, error) {
	select {
	case <-l.fed:
		return l.Listener.Accept()
	default:
		l.once.Do(func() { close(l.failed) })
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
}

// TestOutOfFiles: a broker that cannot accept goes on serving, says so, and recovers.
func TestOutOfFiles(t *testing.T) {
	var log logRecord
	b := launch(t, Options{Logger: log.logger(zerolog.InfoLevel)})
	served := joinQuiet(t, b)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &hungryListener{Listener: inner, fed: make(chan struct{}), failed: make(chan struct{})}
	t.Cleanup(func() { _ = inner.Close() })
	b.tasks.Add(1)
	go b.acceptLoop(l)
	awaitClosed(t, "a failure", l.failed)
	await(t, "it is logged", func() bool {
		return log.count("cannot accept clients: accept tcp: accept4: too many open files; trying again in ") > 1
	})
	served.roundTrip()
	close(l.fed)
	nc, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetReadDeadline(time.Now().Add(patience))
	if _, err := nc.Read(make([]byte, 1)); err != nil {
		t.Errorf("the broker does not accept again: %v", err)
	}
}

package broker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/wire"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

// patience is how long a test waits for what must happen before it fails.
const patience = 20 * time.Second

// plainConnect is the CONNECT of most clients here: no +OK, protocol 0.
const plainConnect = `{"verbose":false,"pedantic":false}`

// launch starts a broker on a free port of the loopback interface. When the test ends, it is shut down and every goroutine
// that began after launch must have ended.
func launch(t testing.TB, o Options) *Broker {
	t.Helper()
	return launchWith(t, o, func(*Broker) {})
}

// launchWith is launch for a broker that is prepared before it starts.
func launchWith(t testing.TB, o Options, prepare func(*Broker)) *Broker {
	t.Helper()
	checkLeaks(t)
	o.Host, o.Port = "127.0.0.1", RandomPort
	b, err := New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	prepare(b)
	if err := b.Start(); err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() { halt(t, b) })
	return b
}

// checkLeaks fails the test if a goroutine that begins from now on outlives it. What must end first is to be registered
// with Cleanup later.
func checkLeaks(t testing.TB) {
	running := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, running) })
}

// halt shuts b down.
func halt(t testing.TB, b *Broker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// await waits until ready says so.
func await(t testing.TB, what string, ready func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// awaitClosed waits until ch is closed.
func awaitClosed(t testing.TB, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(patience):
		t.Fatalf("waited in vain: %s", what)
	}
}

// wireClient is a client that speaks the protocol by hand.
type wireClient struct {
	*net.TCPConn
	t     testing.TB
	input *bufio.Reader
	info  string // the first line
}

// dialRaw connects to b and reads INFO, no more.
func dialRaw(t testing.TB, b *Broker) *wireClient {
	t.Helper()
	nc, err := net.Dial("tcp", b.ClientAddr().String())
	if err != nil {
		t.Fatalf("cannot connect: %v", err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	p := &wireClient{TCPConn: nc.(*net.TCPConn), t: t, input: bufio.NewReaderSize(nc, 64<<10)}
	if p.info = p.line(); !strings.HasPrefix(p.info, "INFO {") {
		t.Fatalf("the first line is %q, want INFO", p.info)
	}
	return p
}

// join connects to b and is through with CONNECT, the first PING and its PONG.
func join(t testing.TB, b *Broker, connect string) *wireClient {
	t.Helper()
	p := dialRaw(t, b)
	p.send("CONNECT " + connect + "\r\nPING\r\n")
	p.expect("PONG")
	return p
}

// joinQuiet is join for most tests.
func joinQuiet(t testing.TB, b *Broker) *wireClient {
	t.Helper()
	return join(t, b, plainConnect)
}

// send writes text. It may block, not longer than patience.
func (p *wireClient) send(text string) {
	p.t.Helper()
	if err := p.trySend(text); err != nil {
		p.t.Fatalf("cannot send: %v", err)
	}
}

func (p *wireClient) trySend(text string) error {
	_ = p.SetWriteDeadline(time.Now().Add(patience))
	_, err := io.WriteString(p.TCPConn, text)
	return err
}

// line reads one line and returns it without its end.
func (p *wireClient) line() string {
	p.t.Helper()
	_ = p.SetReadDeadline(time.Now().Add(patience))
	text, err := p.input.ReadString('\n')
	if err != nil {
		p.t.Fatalf("cannot read a line: %v; got %q", err, text)
	}
	return strings.TrimSuffix(text, "\r\n")
}

// expect reads lines and compares them.
func (p *wireClient) expect(want ...string) {
	p.t.Helper()
	for i, w := range want {
		if got := p.line(); got != w {
			p.t.Fatalf("line %d is %q, want %q", i+1, got, w)
		}
	}
}

// roundTrip waits until the broker has handled everything sent so far. Nothing but PONG may come.
func (p *wireClient) roundTrip() {
	p.t.Helper()
	p.send("PING\r\n")
	p.expect("PONG")
}

// expectEnd reads the end of the connection, which must come at once.
func (p *wireClient) expectEnd() {
	p.t.Helper()
	_ = p.SetReadDeadline(time.Now().Add(patience))
	rest, err := io.ReadAll(p.input)
	if len(rest) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Fatalf("got %d bytes, beginning with %.60q, and %v; want the end", len(rest), rest, err)
	}
}

// expectError is expect for the last words of the broker: -ERR with text, then the end.
func (p *wireClient) expectError(text string) {
	p.t.Helper()
	p.expect("-ERR '" + text + "'")
	p.expectEnd()
}

// readMessage reads one MSG or HMSG and returns its control line and the length of its payload.
func (p *wireClient) readMessage() (control string, size int, err error) {
	_ = p.SetReadDeadline(time.Now().Add(patience))
	control, err = p.input.ReadString('\n')
	if err != nil {
		return control, 0, err
	}
	control = strings.TrimSuffix(control, "\r\n")
	if !strings.HasPrefix(control, "MSG ") && !strings.HasPrefix(control, "HMSG ") {
		return control, 0, fmt.Errorf("%q is no message", control)
	}
	if _, err := fmt.Sscan(control[strings.LastIndexByte(control, ' ')+1:], &size); err != nil {
		return control, 0, fmt.Errorf("no size in %q: %w", control, err)
	}
	_, err = p.input.Discard(size + len(wire.CRLF))
	return control, size, err
}

// readMessages reads n messages and calls each, if it is not nil, after every one.
func (p *wireClient) readMessages(n int, each func(i int)) error {
	for i := range n {
		if control, _, err := p.readMessage(); err != nil {
			return fmt.Errorf("message %d of %d: %q: %w", i+1, n, control, err)
		}
		if each != nil {
			each(i)
		}
	}
	return nil
}

// reading counts the messages of p in the background. The channel gets the error that ends it, or nil after n messages.
func (p *wireClient) reading(n int) <-chan error {
	result := make(chan error, 1)
	go func() { result <- p.readMessages(n, nil) }()
	return result
}

func (p *wireClient) awaitRead(result <-chan error) {
	p.t.Helper()
	select {
	case err := <-result:
		if err != nil {
			p.t.Error(err)
		}
	case <-time.After(2 * patience):
		p.t.Fatal("the messages do not come")
	}
}

// serverSide returns the broker's side of p.
func (p *wireClient) serverSide(b *Broker) *conn {
	p.t.Helper()
	for _, c := range b.connections() {
		if c.net.RemoteAddr().String() == p.LocalAddr().String() {
			return c
		}
	}
	p.t.Fatal("the broker does not know the connection")
	return nil
}

// pub returns a PUB with a payload of size bytes.
func pub(subject string, size int) string {
	return fmt.Sprintf("PUB %s %d\r\n%s\r\n", subject, size, strings.Repeat("x", size))
}

// logRecord keeps what a broker logs.
type logRecord struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logRecord) Write(event []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(event)
}

// String returns everything logged so far, one JSON object a line.
func (l *logRecord) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// count returns how many events contain text.
func (l *logRecord) count(text string) int { return strings.Count(l.String(), text) }

// logger returns a logger of the given level that writes to l.
func (l *logRecord) logger(level zerolog.Level) zerolog.Logger { return zerolog.New(l).Level(level) }

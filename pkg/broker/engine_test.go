package broker

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// engine is a broker without sockets: the tests hand input to its connections themselves, and what the connections are
// sent goes to files. It runs the way of a message from the read buffer to the system call.
type engine struct {
	*Broker
	t testing.TB
}

// newEngine returns an engine that ends with the test.
func newEngine(t testing.TB) *engine {
	t.Helper()
	return newLoggingEngine(t, zerolog.Logger{})
}

// newLoggingEngine is newEngine with a log.
func newLoggingEngine(t testing.TB, log zerolog.Logger) *engine {
	t.Helper()
	return newEngineWith(t, Options{Logger: log})
}

// newEngineWith is newEngine with options.
func newEngineWith(t testing.TB, o Options) *engine {
	t.Helper()
	o.DontListen = true
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	l := *b.live.Load()
	l.info = newInfoTemplate(b, &l.Options)
	b.live.Store(&l)
	return &engine{b, t}
}

// sinkSocket is a raw socket whose reads and writes go to a file. It hands out the descriptor as a socket that is always ready.
type sinkSocket struct{ fd uintptr }

func (s sinkSocket) Control(f func(uintptr)) error { f(s.fd); return nil }
func (s sinkSocket) Read(f func(uintptr) bool) error {
	f(s.fd)
	return nil
}

func (s sinkSocket) Write(f func(uintptr) bool) error {
	f(s.fd)
	return nil
}

// connect returns a connection that writes to the file at path and has said lines.
func (e *engine) connect(path, lines string) *conn {
	e.t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		e.t.Fatal(err)
	}
	client, server := net.Pipe()
	e.t.Cleanup(func() {
		_ = file.Close()
		_ = client.Close()
		_ = server.Close()
	})
	c := newConn(e.Broker, server)
	c.prepareLogin()
	c.raw = rawSocket{sinkSocket{file.Fd()}}
	e.feed(c, lines)
	return c
}

// feed makes text the input of one batch of c. It is as long as fits a read buffer, at most.
func (e *engine) feed(c *conn, text string) {
	c.in.borrow(e.Broker)
	w := c.in.w
	w.makeRoom(len(text))
	w.end += copy(w.in[w.end:], text)
	c.batch()
}

// publishes returns n times PUB of size bytes to subject.
func publishes(n, size int, subject string) string {
	return strings.Repeat(fmt.Sprintf("PUB %s %d\r\n%s\r\n", subject, size, strings.Repeat("x", size)), n)
}

const quietConnect = `CONNECT {"verbose":false,"pedantic":false}` + "\r\n"

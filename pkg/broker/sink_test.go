package broker

import (
	"net"
	"os"
	"testing"
	"time"
)

// sink is a net.Conn that swallows output. Together with the raw side of the null device it stands for a socket that
// takes everything at once: what is measured over it is the broker's work, system calls included, and no reader's.
type sink struct{ net.Conn }

func (sink) Close() error                     { return nil }
func (sink) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (sink) SetReadDeadline(time.Time) error  { return nil }
func (sink) SetWriteDeadline(time.Time) error { return nil }

// bench is a broker without a listener or goroutines, whose connections are fed by hand.
type bench struct {
	t    testing.TB
	b    *Broker
	null *os.File
}

func newBench(t testing.TB, o Options) *bench {
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = null.Close() })
	return &bench{t: t, b: b, null: null}
}

// connect returns a connection that has sent input.
func (x *bench) connect(input string) *conn {
	c := newConn(x.b, sink{})
	c.prepareLogin()
	raw, err := x.null.SyscallConn()
	if err != nil {
		x.t.Fatal(err)
	}
	c.raw = rawSocket{raw}
	c.feed([]byte(input))
	if c.ended() {
		x.t.Fatalf("the connection ended: %s", *c.ending.Load())
	}
	return c
}

// feed does what serve does with the part of input that one read brings, and returns the length of that.
func (c *conn) feed(input []byte) int {
	c.in.borrow(c.b)
	w := c.in.w
	n := copy(w.in[w.end:], input)
	w.end += n
	c.batch()
	return n
}

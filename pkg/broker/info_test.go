package broker

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil/certs"
	"github.com/rs/zerolog"
)

// interruption is a log that does something when a line with a given text is written, once.
type interruption struct {
	text string
	do   func()
	done atomic.Bool
}

func (i *interruption) Write(event []byte) (int, error) {
	if bytes.Contains(event, []byte(i.text)) && i.done.CompareAndSwap(false, true) {
		i.do()
	}
	return len(event), nil
}

// expectInfo reads INFO, which must hold every one of the texts.
func (p *wireClient) expectInfo(want ...string) {
	p.t.Helper()
	line := p.line()
	for _, text := range want {
		if !strings.HasPrefix(line, "INFO {") || !strings.Contains(line, text) {
			p.t.Fatalf("got %q, want INFO with %s", line, text)
		}
	}
}

// TestInfoWaitsForTheFirstPong: between CONNECT and the first PONG nothing else comes, however often the topology changes; then
// the latest INFO does, once. Spec: docs/spec/client-protocol.md §1, §2.3.
func TestInfoWaitsForTheFirstPong(t *testing.T) {
	b := launch(t, Options{})
	c := dialRaw(t, b)
	c.send(`CONNECT {"verbose":true,"protocol":1}` + "\r\n")
	c.expect("+OK")
	b.SetCluster("c", []string{"127.0.0.1:1"})
	b.SetCluster("c", []string{"127.0.0.1:2"})
	c.send("PING\r\n")
	c.expect("PONG")
	c.expectInfo(`"127.0.0.1:2"]`)
	c.roundTrip()
}

// TestInfoChangesDuringABatch: a change that comes while what one read brought is being handled, before CONNECT or between
// CONNECT and PING, is not missed. Spec: docs/spec/client-protocol.md §2.3.
func TestInfoChangesDuringABatch(t *testing.T) {
	for _, verb := range []string{"CONNECT", "PING"} {
		t.Run(verb, func(t *testing.T) {
			interrupt := &interruption{text: "<<- [" + verb}
			b := launch(t, Options{Logger: zerolog.New(interrupt).Level(zerolog.TraceLevel)})
			interrupt.do = func() { b.SetCluster("c", []string{"127.0.0.1:1"}) }
			c := dialRaw(t, b)
			c.send(`CONNECT {"verbose":false,"protocol":1}` + "\r\nPING\r\n")
			c.expect("PONG")
			c.expectInfo(`"connect_urls":`, `"127.0.0.1:1"`)
			c.roundTrip()
		})
	}
}

// askingListener accepts connections that do something whenever they are asked for their address, as INFO does while it is put together.
type askingListener struct {
	net.Listener
	asked func()
}

func (l *askingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &askingConn{c, l.asked}, nil
}

type askingConn struct {
	net.Conn
	asked func()
}

func (c *askingConn) RemoteAddr() net.Addr {
	c.asked()
	return c.Conn.RemoteAddr()
}

// TestInfoChangesWhileItIsPutTogether: a change that is announced to a client while the INFO that follows its first PONG is put together, from
// what was before, is what the client has heard last. Spec: docs/spec/client-protocol.md §2.3.
func TestInfoChangesWhileItIsPutTogether(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running atomic.Pointer[Broker]
	var changed atomic.Bool
	b := launch(t, Options{Listener: &askingListener{inner, func() {
		for _, c := range running.Load().connections() {
			if c.takesInfo.Load() && !c.greeting.Load() && changed.CompareAndSwap(false, true) {
				c.b.SetCluster("c", []string{"127.0.0.1:2"})
			}
		}
	}}})
	running.Store(b)
	c := dialRaw(t, b)
	c.send(`CONNECT {"verbose":false,"protocol":1,"headers":true}` + "\r\nPING\r\n")
	c.expect("PONG")
	c.send("PING\r\n")
	last := ""
	for line := c.line(); line != "PONG"; line = c.line() {
		last = line
	}
	if !changed.Load() || !strings.Contains(last, `"127.0.0.1:2"]`) {
		t.Errorf("changed: %v; the last INFO is %q", changed.Load(), last)
	}
}

// TestLameDuckBeforeConnect: a client that was greeted before lame duck mode and says CONNECT during it is told after its first
// PONG. Spec: docs/spec/client-protocol.md §2.3.
func TestLameDuckBeforeConnect(t *testing.T) {
	b := launch(t, Options{LameDuckDuration: time.Hour, LameDuckGracePeriod: time.Hour / 2})
	c, told := dialRaw(t, b), join(t, b, `{"verbose":false,"protocol":1}`)
	ended := make(chan error, 1)
	go func() { ended <- b.LameDuck(context.Background()) }()
	told.expectInfo(`"ldm":true`)
	c.send(`CONNECT {"verbose":false,"protocol":1}` + "\r\nPING\r\n")
	c.expect("PONG")
	c.expectInfo(`"ldm":true`)
	halt(t, b)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestInfoIsNotRepeatedWithTLS: INFO before the handshake counts as what the client was told.
// Spec: docs/spec/client-protocol.md §2.3.
func TestInfoIsNotRepeatedWithTLS(t *testing.T) {
	ca := certs.NewAuthority(t)
	b := launch(t, secureOptions(ca, nil))
	b.SetCluster("c", []string{"127.0.0.1:1"})
	c, err := dialSecure(t, b, ca, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.send(`CONNECT {"verbose":false,"protocol":1}` + "\r\nPING\r\nPING\r\n")
	c.expect("PONG", "PONG")
}

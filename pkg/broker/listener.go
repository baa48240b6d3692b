package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/rs/zerolog"
)

// Bounds of the pause after a failure to accept, such as running out of file descriptors.
const (
	minAcceptPause = 10 * time.Millisecond
	maxAcceptPause = time.Second
)

// errMaxConnections refuses a connection because there are Options.MaxConnections already.
var errMaxConnections = errors.New("maximum connections exceeded")

// listen opens the client port. Connections get no TCP keep-alive: the server's PINGs find dead peers sooner, and each
// accept saves four system calls.
func listen(host string, port int) (net.Listener, error) {
	config := net.ListenConfig{KeepAlive: -1}
	return config.Listen(context.Background(), "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
}

// ListenerHost returns the host that l listens on, as it is shown: host, if l is nil, has no address of TCP, or listens on all
// addresses as host says, and if host is a name: clients may need that to check a certificate.
func ListenerHost(l net.Listener, host string) string {
	if l == nil {
		return host
	}
	tcp, ok := l.Addr().(*net.TCPAddr)
	ip := net.ParseIP(host)
	if !ok || tcp.IP == nil || host != "" && ip == nil {
		return host
	}
	if tcp.IP.IsUnspecified() && (host == "" || ip.IsUnspecified()) {
		return host
	}
	return tcp.AddrPort().Addr().Unmap().String()
}

// acceptLoop accepts clients until the listener is closed. A failure to accept is logged and tried again after a
// pause, so that a server out of file descriptors goes on serving and recovers.
//
// Stop: Shutdown and LameDuck, by closing the listener. Wait: finish, for b.tasks.
func (b *Broker) acceptLoop(listener net.Listener) {
	defer b.tasks.Done()
	pause := time.Duration(0)
	for {
		nc, err := listener.Accept()
		if err == nil {
			pause = 0
			b.admit(nc)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		pause = min(max(2*pause, minAcceptPause), maxAcceptPause)
		b.live.Load().Logger.Error().Msgf("cannot accept clients: %v; trying again in %v; raise the limit of open files if it says so", err, pause)
		if b.pause(context.Background(), pause) != nil {
			return
		}
	}
}

// admit greets a new client and serves it in a goroutine of its own, or turns it away.
func (b *Broker) admit(nc net.Conn) {
	o := b.live.Load()
	var secure *secureConn
	if o.TLS != nil {
		secure = newSecureConn(nc)
		nc = secure
	}
	c := newConn(b, nc)
	if secure != nil {
		c.hold()
	}
	switch err := b.register(c, true); {
	case errors.Is(err, errMaxConnections) && secure != nil && o.TLS.HandshakeFirst:
		b.total.Add(1)
		b.countClosed(reasonMaxConnections)
		_ = nc.Close() // it would have to shake hands first
		c.errorf("%s", errTextMaxConnections)
		return
	case errors.Is(err, errMaxConnections):
		c.out.mu.flushing = false // with TLS this goes out in clear text: nobody else knows c
		b.turnAway(c)
		return
	case err != nil:
		_ = nc.Close() // the server stops; nobody reads an error
		return
	}
	if secure != nil {
		b.begin(c)
		go c.serveSecure(secure, o)
		return
	}
	b.greet(c)
}

// begin is the start of the life of c, which is registered.
func (b *Broker) begin(c *conn) {
	b.total.Add(1)
	c.log(zerolog.DebugLevel).Msg("Client connection created")
	c.prepareLogin()
}

// greet sends INFO to c, which is registered, and starts to serve it.
func (b *Broker) greet(c *conn) {
	b.begin(c)
	b.wheel.add(c)
	b.tell(func(w *worker) { w.sayInfo(c, b.lameDuck.Load()) })
	c.awaitCredentials()
	go c.serve()
}

// tell lets say queue output with a worker and flushes it, for those who are not serving a connection.
func (b *Broker) tell(say func(*worker)) {
	w := b.borrow()
	say(w)
	w.dismiss()
	w.flushDirty()
	w.tidy()
	w.crowded = nil
	b.giveBack(w)
}

// turnAway tells a client that there are too many already: INFO, -ERR, close (docs/spec/client-protocol.md §9). It
// runs in a goroutine of its own, bounded by the write deadline and lingerTime; Shutdown waits for it.
func (b *Broker) turnAway(c *conn) {
	b.tasks.Add(1)
	b.total.Add(1)
	b.countClosed(reasonMaxConnections)
	c.errorf("%s", errTextMaxConnections)
	go func() {
		defer b.tasks.Done()
		c.end(reasonMaxConnections)
		w := b.borrow()
		w.sayInfo(c, false)
		w.sayErr(c, errTextMaxConnections)
		c.in.w = w
		c.hangUp(w)
	}()
}

// InProcessConn returns the client side of a new connection to b that uses no socket. The caller closes it. Together
// with its name this makes a Broker a nats.InProcessConnProvider of nats.go: nats.Connect("", nats.InProcessServer(b)).
func (b *Broker) InProcessConn() (net.Conn, error) {
	select {
	case <-b.ready:
	default:
		return nil, fmt.Errorf("cannot connect in process: %w", ErrNotRunning)
	}
	client, server := net.Pipe()
	c := newConn(b, server)
	if err := b.register(c, false); err != nil {
		_ = server.Close()
		_ = client.Close()
		return nil, fmt.Errorf("cannot connect in process: %w", err)
	}
	b.greet(c)
	return client, nil
}

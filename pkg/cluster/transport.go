package cluster

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/natsd/natsd/internal/password"
	"github.com/natsd/natsd/pkg/broker"
)

// Times of the transport. Source: docs/spec/route-protocol.md §2.9.
const (
	dialTime    = time.Second
	resolveTime = 5 * time.Second
	acceptPause = 100 * time.Millisecond // after a failure to accept
	keepAlive   = 15 * time.Second       // of TCP; PINGs find dead peers where it is off
)

// maxGuests is the most accepted connections that may be in a TLS handshake, or not registered, at a time. More are turned away.
const maxGuests = 256

// maxDials is the most attempts to connect at a time. Others wait.
const maxDials = 64

func listen(host string, port int) (net.Listener, error) {
	config := net.ListenConfig{KeepAlive: keepAlive}
	return config.Listen(context.Background(), "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
}

// acceptLoop accepts other servers until the listener is closed.
//
// Stop: Shutdown, by closing the listener. Wait: Wait, for c.tasks.
func (c *Cluster) acceptLoop(listener net.Listener) {
	defer c.tasks.Done()
	for {
		nc, err := listener.Accept()
		switch {
		case err == nil:
		case errors.Is(err, net.ErrClosed):
			return
		default:
			c.options.Load().Logger.Error().Msgf("cannot accept routes: %v; trying again; raise the limit of open files if it says so", err)
			select {
			case <-c.ctx.Done():
				return
			case <-time.After(acceptPause):
			}
			continue
		}
		select {
		case c.guests <- struct{}{}:
			c.tasks.Add(1)
			go func() {
				defer c.tasks.Done()
				if !c.welcome(nc) {
					<-c.guests
				}
			}()
		default:
			_ = nc.Close() // whoever floods the port gets no answer
		}
	}
}

// welcome serves a server that has connected, and reports whether it is a guest from now on, until leave.
func (c *Cluster) welcome(nc net.Conn) bool {
	o := c.options.Load()
	ip := ipOf(nc.RemoteAddr())
	nc, err := c.secure(nc, o, "", false)
	if err != nil {
		c.broker.Strangerf("%s - TLS route handshake error: %v", ip, err)
		return false
	}
	l, err := c.attach(nc, o, true)
	if err != nil {
		_ = nc.Close() // the server stops
		return false
	}
	c.tell(accepted{link: linkID(l.ID()), ip: ip, key: keyOf(nc), locked: o.asksForPassword(), options: o})
	l.Serve()
	return true
}

// leave gives the place of an accepted link to another one, if it has it still: it is registered, or has closed.
func (c *Cluster) leave(id linkID) {
	c.mu.Lock()
	guest := c.mu.guests[id]
	delete(c.mu.guests, id)
	c.mu.Unlock()
	if guest {
		<-c.guests
	}
}

// resolve finds the addresses of a target.
func (c *Cluster) resolve(a resolve) {
	defer c.tasks.Done()
	ctx, cancel := context.WithTimeout(c.ctx, resolveTime)
	defer cancel()
	hosts, err := c.options.Load().LookupHost(ctx, a.host)
	e := resolved{target: a.target}
	if err != nil {
		e.err = err.Error()
	}
	for _, h := range byFamily(hosts) {
		if addr := net.JoinHostPort(h, a.port); !slices.Contains(e.addrs, addr) {
			e.addrs = append(e.addrs, addr)
		}
	}
	c.tell(e)
}

// byFamily returns addresses with those of IPv4 first: what listens on a name with both does so on one of them.
func byFamily(hosts []string) []string {
	sorted := slices.Clone(hosts)
	slices.SortStableFunc(sorted, func(a, b string) int { return strings.Count(a, ":") - strings.Count(b, ":") })
	return sorted
}

// dial connects to another server.
func (c *Cluster) dial(a dial) {
	defer c.tasks.Done()
	select {
	case c.dials <- struct{}{}:
		defer func() { <-c.dials }()
	case <-c.ctx.Done():
		return
	}
	o := c.options.Load() // there may have been a reload while others were dialled
	fail := func(err error) { c.tell(undialled{dial: a.dial, err: err.Error()}) }
	dialer := net.Dialer{Timeout: dialTime, KeepAlive: keepAlive}
	nc, err := dialer.DialContext(c.ctx, "tcp", a.addr)
	if err != nil {
		fail(err)
		return
	}
	ip := ipOf(nc.RemoteAddr())
	host := a.host
	if a.handover {
		host = ""
	}
	nc, err = c.secure(nc, o, host, true)
	if err != nil {
		fail(fmt.Errorf("TLS handshake with %s: %w", a.addr, err))
		return
	}
	l, err := c.attach(nc, o, false)
	if err != nil {
		_ = nc.Close() // the server stops
		fail(err)
		return
	}
	c.tell(dialled{dial: a.dial, link: linkID(l.ID()), ip: ip, key: keyOf(nc), options: o})
	l.Serve()
}

// secure shakes hands, if links are encrypted, and returns the connection to go on with. After an error nc is closed. The
// name that the certificate of a server must have is that of the host in the route; an empty one stands for any.
// Source: docs/spec/route-protocol.md §2.2.
func (c *Cluster) secure(nc net.Conn, o *Options, host string, dialled bool) (net.Conn, error) {
	if o.TLS == nil {
		return nc, nil
	}
	config := o.TLS.Config.Clone()
	var secured *tls.Conn
	if dialled {
		if config.ServerName = host; host == "" {
			takeAnyName(config)
		}
		secured = tls.Client(nc, config)
	} else {
		config.ClientAuth = tls.RequireAndVerifyClientCert
		if config.ClientCAs == nil {
			config.ClientCAs = config.RootCAs
		}
		secured = tls.Server(nc, config)
	}
	limit := o.TLS.Timeout
	if limit == 0 {
		limit = broker.DefaultTLSTimeout
	}
	ctx, cancel := context.WithTimeout(c.ctx, limit)
	defer cancel()
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = nc.Close() // the error is what counts
		return nil, err
	}
	if !o.TLS.pins(keyOf(secured)) {
		_ = nc.Close() // as above
		return nil, errNotPinned
	}
	return secured, nil
}

// takeAnyName makes config, of who dials, take a certificate whatever names it has, if an authority has signed it that config trusts.
func takeAnyName(config *tls.Config) {
	if config.InsecureSkipVerify {
		return
	}
	before := config.VerifyConnection
	config.InsecureSkipVerify = true // it is verified below, but for the name
	config.VerifyConnection = func(s tls.ConnectionState) error {
		options := x509.VerifyOptions{Roots: config.RootCAs, Intermediates: x509.NewCertPool()}
		for _, c := range s.PeerCertificates[1:] {
			options.Intermediates.AddCert(c)
		}
		if _, err := s.PeerCertificates[0].Verify(options); err != nil {
			return err
		}
		if before != nil {
			return before(s)
		}
		return nil
	}
}

var errNotPinned = errors.New("the certificate is not one of the pinned ones")

// pins reports whether the other end may have this key. Whoever has shown none was let in without TLS, and stays.
func (t *TLSOptions) pins(key string) bool {
	return t == nil || len(t.PinnedKeys) == 0 || key == "" || slices.Contains(t.PinnedKeys, key)
}

// keyOf returns the SHA-256 of the public key of the other end of nc, hexadecimal; "" without TLS.
func keyOf(nc net.Conn) string {
	secured, ok := nc.(*tls.Conn)
	if !ok {
		return ""
	}
	return keySum(secured.ConnectionState().PeerCertificates[0]) // there is one: both ends verify each other
}

// keySum returns the SHA-256 of the public key of a certificate, hexadecimal.
func keySum(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// attach makes nc a link of the broker. A guest was accepted, and has a place in c.guests.
func (c *Cluster) attach(nc net.Conn, o *Options, guest bool) (*broker.Link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, err := c.broker.Attach(nc, handler{c, near(nc)}, broker.LinkOptions{
		Locked: guest && o.asksForPassword(), Stranger: guest, Imports: o.imports(), Exports: o.exports(), WriteDeadline: o.WriteDeadline,
	})
	if err != nil {
		return nil, err
	}
	c.mu.links[linkID(l.ID())] = l
	if guest {
		c.mu.guests[linkID(l.ID())] = true
	}
	return l, nil
}

// ipOf returns the IP address of addr, "" if it has none.
func ipOf(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.IP.String()
	}
	return ""
}

// near reports whether the other end of nc is on this machine: it has the address that it connects to.
func near(nc net.Conn) bool {
	ip := ipOf(nc.RemoteAddr())
	return ip != "" && ip == ipOf(nc.LocalAddr())
}

// handler is told what other servers say. Its methods run on the goroutines of the links.
type handler struct {
	c    *Cluster
	near bool // the other server is on this machine
}

// Connect checks the credentials of a server and hands its CONNECT to the mesh.
func (h handler) Connect(l *broker.Link, text []byte) (refusal string) {
	c := h.c
	hello, err := parseConnect(text)
	if err != nil {
		l.Errorf("malformed CONNECT: %v", err)
		l.Close("", "Parse Error")
		return ""
	}
	handover := c.isPredecessor(hello, h.near)
	if o := c.options.Load(); hello.Lang == "" && o.asksForPassword() && !handover && !c.mayConnect(l, o, hello) {
		l.Errorf("Authorization Error")
		return "Authorization Violation"
	}
	c.tell(greeted{linkID(l.ID()), hello, handover})
	return ""
}

// mayConnect reports whether a server has shown the right credentials. Source: docs/spec/route-protocol.md §2.2.
func (c *Cluster) mayConnect(l *broker.Link, o *Options, hello *connect) bool {
	right := password.Equal(o.User, hello.User)
	if !password.IsHash(o.Password) {
		return password.Equal(o.Password, hello.Pass) && right
	}
	ctx, cancel := context.WithTimeout(c.ctx, max(o.AuthTimeout, time.Second))
	defer cancel()
	same, err := c.passwords.Verify(ctx, ipOf(l.RemoteAddr()), o.Password, hello.Pass)
	return err == nil && same && right
}

// Info hands INFO to the mesh.
func (h handler) Info(l *broker.Link, text []byte) bool {
	i, err := parseInfo(text)
	if err != nil {
		l.Errorf("malformed INFO: %v", err)
		h.c.tell(refused{linkID(l.ID()), "malformed INFO: " + err.Error()})
		return false
	}
	h.c.tell(informed{linkID(l.ID()), i})
	return true
}

// Pong hands a PONG to the mesh.
func (h handler) Pong(l *broker.Link) { h.c.tell(ponged{linkID(l.ID())}) }

// Error logs what another server does not like, and tells the mesh. Some servers dial a second time for an account of their own, and find that
// natsd has no such links: that is no error.
func (h handler) Error(l *broker.Link, text string) {
	if strings.Contains(text, "Not possible to have a dedicate") {
		l.Debugf("Route Error %s", text)
		return
	}
	l.Errorf("Route Error %s", text)
	h.c.tell(refused{linkID(l.ID()), fmt.Sprintf("the other server says '%s'", printable(strings.Trim(text, "' ")))})
}

// Closed tells the mesh that a link has ended.
func (h handler) Closed(l *broker.Link, reason string) {
	id := linkID(l.ID())
	h.c.mu.Lock()
	delete(h.c.mu.links, id)
	h.c.mu.Unlock()
	h.c.tell(closed{id, reason})
	h.c.leave(id) // the mesh has forgotten it
}

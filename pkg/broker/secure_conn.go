package broker

import (
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
)

// secureConn is the server side of a socket that is to use TLS. Until establish has returned, only the goroutine in it
// reads and writes; then everybody may, as with any net.Conn.
type secureConn struct {
	net.Conn                          // the socket; deadlines, addresses and Close are its own
	wire     cipherEnd                // what TLS reads and writes
	tls      atomic.Pointer[tls.Conn] // nil: the client is served without TLS, or has not shaken hands yet
}

// newSecureConn returns nc for TLS.
func newSecureConn(nc net.Conn) *secureConn {
	s := &secureConn{Conn: nc}
	s.wire.Conn = nc
	return s
}

func (s *secureConn) Read(p []byte) (int, error) {
	if c := s.tls.Load(); c != nil {
		return c.Read(p)
	}
	return s.wire.Read(p)
}

func (s *secureConn) Write(p []byte) (int, error) {
	if c := s.tls.Load(); c != nil {
		return c.Write(p)
	}
	return s.wire.Write(p)
}

// CloseWrite says that nothing more comes.
func (s *secureConn) CloseWrite() error {
	if c := s.tls.Load(); c != nil {
		return errors.Join(c.CloseWrite(), closeSocketWrite(s.Conn))
	}
	return closeSocketWrite(s.Conn)
}

func closeSocketWrite(nc net.Conn) error {
	if half, ok := nc.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// cipherEnd is a socket as TLS sees it: some bytes of it have been read already, and during the handshake it holds a
// slot of those that bound how many are computed at a time.
type cipherEnd struct {
	net.Conn
	ahead []byte        // read and not handed out yet
	slots chan struct{} // nil: no slot is held
}

func (e *cipherEnd) Read(p []byte) (int, error) {
	if len(e.ahead) > 0 {
		n := copy(p, e.ahead)
		if e.ahead = e.ahead[n:]; len(e.ahead) == 0 {
			e.ahead = nil
		}
		return n, nil
	}
	return e.Conn.Read(p)
}

// Write gives the slot back: what is written first in a handshake comes after everything that takes long to compute, and
// a client that lets us wait from then on holds nothing.
func (e *cipherEnd) Write(p []byte) (int, error) {
	e.release()
	return e.Conn.Write(p)
}

func (e *cipherEnd) release() {
	if e.slots != nil {
		<-e.slots
		e.slots = nil
	}
}

// peek waits for the first byte and returns it.
func (e *cipherEnd) peek() (byte, error) {
	if len(e.ahead) == 0 {
		const some = 512 // most of a ClientHello
		buffer := make([]byte, some)
		n, err := e.Conn.Read(buffer)
		if n == 0 {
			return 0, err
		}
		e.ahead = buffer[:n]
	}
	return e.ahead[0], nil
}

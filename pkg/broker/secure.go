package broker

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/natsd/natsd/internal/wire"
	"github.com/rs/zerolog"
)

// firstHandshakeByte begins every TLS handshake: the type of the record.
const firstHandshakeByte = 0x16

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

// secureSettings is TLSOptions ready for use. It is never changed, but for the count.
type secureSettings struct {
	*TLSOptions
	config *tls.Config
	begun  atomic.Int64 // handshakes in the second that is the upper half
}

// handshakesPerProcessor bounds how many handshakes are computed at a time.
const handshakesPerProcessor = 2

// newSecureSettings returns the settings for o, nil for nil.
func newSecureSettings(o *TLSOptions) *secureSettings {
	if o == nil {
		return nil
	}
	s := &secureSettings{TLSOptions: o, config: o.Config.Clone()}
	s.config.DynamicRecordSizingDisabled = true // we write much at a time, and a client that waits for a page it can show is not ours
	slots := make(chan struct{}, handshakesPerProcessor*runtime.GOMAXPROCS(0))
	before := s.config.GetConfigForClient
	s.config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if end, ours := hello.Conn.(*cipherEnd); ours && end.slots == nil {
			select {
			case slots <- struct{}{}:
				end.slots = slots
			case <-hello.Context().Done():
				return nil, hello.Context().Err()
			}
		}
		if before != nil {
			return before(hello)
		}
		return nil, nil //nolint:nilnil // keep the config, as documented
	}
	if len(o.PinnedKeys) > 0 {
		verify := s.config.VerifyConnection
		s.config.VerifyConnection = func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || !slices.Contains(o.PinnedKeys, keySum(state.PeerCertificates[0])) {
				return errNotPinned
			}
			if verify != nil {
				return verify(state)
			}
			return nil
		}
	}
	return s
}

var (
	errNotPinned     = errors.New("the certificate of the client is not one of the pinned ones")
	errNoHandshake   = errors.New("the client did not begin a TLS handshake")
	errTooManyShakes = errors.New("too many TLS handshakes in a second")
)

// keySum returns the SHA-256 of the public key of a certificate, hexadecimal.
func keySum(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// admit counts a handshake and reports whether there may be another in this second.
func (s *secureSettings) admit(now time.Time) bool {
	if s.MaxPerSecond <= 0 {
		return true
	}
	const bits = 24
	second := now.Unix() << bits
	for {
		before := s.begun.Load()
		after := before + 1
		if before>>bits<<bits != second {
			after = second + 1
		}
		if after-second > int64(min(s.MaxPerSecond, 1<<bits-1)) {
			return false
		}
		if s.begun.CompareAndSwap(before, after) {
			return true
		}
	}
}

// timeout returns the time that a handshake may take.
func (s *secureSettings) timeout() time.Duration {
	if s.Timeout == 0 {
		return DefaultTLSTimeout
	}
	return s.Timeout
}

// serveSecure shakes hands with the client of c and then serves it. It is the body of the serving goroutine of a
// connection with TLS. Nobody else writes before it has flushed: the queue has a flusher from the start.
func (c *conn) serveSecure(s *secureConn, l *live) {
	infoSent, err := c.establish(s, l.secure)
	s.wire.release()
	if err != nil {
		c.log(zerolog.DebugLevel).Msg(handshakeFailure(err))
		c.end(reasonTLSHandshake)
		c.sever() // perhaps somebody waits for the queue already
		c.cleanUp()
		c.b.tasks.Done()
		return
	}
	c.b.wheel.add(c)
	c.b.tell(func(w *worker) {
		if !infoSent {
			w.sayInfo(c, false)
		}
		c.release(w)
	})
	c.awaitCredentials()
	c.serve()
}

// hold makes c keep what is queued for it, until release. Before c is registered.
func (c *conn) hold() { c.out.mu.flushing = true }

// release ends hold. Locks: takes c.out.mu.
func (c *conn) release(w *worker) {
	c.out.mu.Lock()
	c.out.mu.flushing = false
	c.out.mu.Unlock()
	w.flush(c)
}

// handshakeFailure returns the log line for a handshake that failed (docs/spec/client-protocol.md §11).
func handshakeFailure(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "TLS handshake timeout"
	}
	return "TLS handshake error: " + err.Error()
}

// establish shakes hands and reports whether INFO was sent before that, in clear text.
// Source: docs/spec/client-protocol.md §11.
func (c *conn) establish(s *secureConn, settings *secureSettings) (infoSent bool, err error) {
	end := time.Now().Add(settings.timeout())
	if err := s.SetDeadline(end); err != nil {
		return false, fmt.Errorf("cannot set the deadline of the handshake: %w", err)
	}
	stop := context.AfterFunc(c.b.ctx, func() { _ = s.SetDeadline(time.Unix(1, 0)) }) // nobody waits when the broker stops
	defer stop()
	if !settings.admit(time.Now()) {
		c.sayClear(s, wire.AppendErr(nil, errTextThrottled))
		return false, errTooManyShakes
	}
	if !c.clientBegins(s, settings, end) {
		infoSent = true
		l := c.b.live.Load()
		c.sayClear(s, l.info.appendTo(nil, c, false))
	}
	first, err := s.wire.peek()
	switch {
	case c.ended() || c.b.ctx.Err() != nil:
		return infoSent, errNoHandshake
	case err == nil && first == firstHandshakeByte:
	case settings.AllowNonTLS && (err == nil || errors.Is(err, os.ErrDeadlineExceeded)):
		return infoSent, s.SetDeadline(time.Time{})
	case err == nil || errors.Is(err, os.ErrDeadlineExceeded):
		_ = s.SetDeadline(time.Now().Add(lingerTime))
		c.sayClear(s, wire.AppendErr(nil, errTextTLSRequired))
		closeWrite(s)
		c.linger()
		if err == nil {
			err = errNoHandshake
		}
		return infoSent, err
	default:
		return infoSent, err
	}
	secure := tls.Server(&s.wire, settings.config)
	if err := secure.HandshakeContext(c.b.ctx); err != nil {
		return infoSent, err
	}
	s.tls.Store(secure)
	c.noteCertificate(secure.ConnectionState(), settings)
	return infoSent, s.SetDeadline(time.Time{})
}

// clientBegins reports whether the handshake comes before INFO.
func (c *conn) clientBegins(s *secureConn, settings *secureSettings, end time.Time) bool {
	if settings.HandshakeFirst || settings.HandshakeDelay == 0 {
		return settings.HandshakeFirst
	}
	_ = s.SetReadDeadline(time.Now().Add(settings.HandshakeDelay)) // a failure shows at the read
	first, err := s.wire.peek()
	_ = s.SetReadDeadline(end)
	return err == nil && first == firstHandshakeByte
}

// sayClear writes a line without TLS. A failure shows at the next read.
func (c *conn) sayClear(s *secureConn, line []byte) {
	_, _ = s.Conn.Write(line)
	if c.b.live.Load().traceOn {
		c.traceOut(line)
	}
}

// noteCertificate remembers what counts of the certificate of the client.
func (c *conn) noteCertificate(state tls.ConnectionState, settings *secureSettings) {
	if len(state.PeerCertificates) == 0 {
		return
	}
	certificate := state.PeerCertificates[0]
	c.subs.mu.Lock()
	defer c.subs.mu.Unlock()
	l := c.loginOf()
	l.key = keySum(certificate)
	if settings.VerifyAndMap {
		l.certificate = namesIn(certificate)
	}
}

// namesIn returns the names of a certificate in the order in which they are looked for among the users: mail addresses, host
// names, URIs, and the subject as RFC 2253 writes it.
func namesIn(certificate *x509.Certificate) []string {
	names := slices.Concat(certificate.EmailAddresses, certificate.DNSNames)
	for _, uri := range certificate.URIs {
		names = append(names, uri.String())
	}
	return append(names, certificate.Subject.String())
}

// stillPinned reports whether the certificate that c has shown, if any, may still be used.
func (s *secureSettings) stillPinned(c *conn) bool {
	l := c.login.Load()
	if l == nil || len(s.PinnedKeys) == 0 {
		return true
	}
	c.subs.mu.Lock()
	defer c.subs.mu.Unlock()
	return l.key == "" || slices.Contains(s.PinnedKeys, l.key)
}

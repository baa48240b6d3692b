package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/natsd/natsd/internal/wire"
	"github.com/rs/zerolog"
)

// firstHandshakeByte begins every TLS handshake: the type of the record.
const firstHandshakeByte = 0x16

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
		c.infoAt.Store(l.infoVersion)
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
	if now := c.b.live.Load().secure; now != nil && !now.stillPinned(c) {
		return infoSent, errNotPinned // a reload came between, and could not see the key
	}
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

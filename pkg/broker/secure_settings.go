package broker

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

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

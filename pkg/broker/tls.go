package broker

import (
	"crypto/tls"
	"time"
)

// DefaultTLSTimeout is the time a handshake may take, unless TLSOptions says otherwise.
const DefaultTLSTimeout = 2 * time.Second

// TLSOptions says how clients are served with TLS. Source: docs/spec/client-protocol.md §11, docs/spec/config.md B4.
type TLSOptions struct {
	// Config is used for every handshake. It has a certificate, or a way to get one.
	Config *tls.Config
	// Timeout bounds a handshake. Zero means DefaultTLSTimeout; negative values are refused.
	Timeout time.Duration
	// VerifyAndMap takes the user from the certificate of the client, which Config has to ask for.
	VerifyAndMap bool
	// PinnedKeys are the SHA-256 sums of the only public keys (DER, SubjectPublicKeyInfo) that certificates of clients may
	// have, as lower-case hexadecimal; empty: all.
	PinnedKeys []string
	// HandshakeFirst begins with the handshake, and sends INFO encrypted.
	HandshakeFirst bool
	// HandshakeDelay is how long to wait for a client to begin the handshake before INFO is sent to it in clear text, so
	// that both kinds of client are served. Zero: not at all. HandshakeFirst goes before.
	HandshakeDelay time.Duration
	// AllowNonTLS serves clients that do not begin a handshake without TLS.
	AllowNonTLS bool
	// MaxPerSecond is the number of handshakes begun per second; more are turned away. Zero: no limit.
	MaxPerSecond int
}

// Verifies reports whether clients have to show a certificate.
func (o *TLSOptions) Verifies() bool {
	return o.Config.ClientAuth == tls.RequireAndVerifyClientCert || o.Config.ClientAuth == tls.RequireAnyClientCert
}

// validate calls bad for everything that is wrong with o.
func (o *TLSOptions) validate(auth *Auth, bad func(format string, args ...any)) {
	if o == nil {
		return
	}
	if o.Config == nil {
		bad("TLS without a config; give one with a certificate")
		return
	}
	if o.Timeout < 0 || o.HandshakeDelay < 0 {
		bad("TLS timeout of %v or handshake delay of %v is negative; use durations such as 2s", o.Timeout, o.HandshakeDelay)
	}
	if o.VerifyAndMap && (auth == nil || auth.Users == nil) {
		bad("verify_and_map without a list of users; add one")
	}
	if (o.VerifyAndMap || len(o.PinnedKeys) > 0) && o.Config.ClientAuth < tls.RequireAnyClientCert {
		bad("certificates of clients are to be looked at and not asked for; set ClientAuth in the TLS config")
	}
}

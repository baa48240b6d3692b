package tlsconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// Options are what a configuration says. Paths are relative to the working directory.
type Options struct {
	Certificates []Pair   // at least one
	CAFile       string   // authorities that the other side is checked against; empty: those of the system
	Verify       bool     // clients have to show a certificate
	Insecure     bool     // the other side of a connection that is dialled is not checked
	Suites       []string // for TLS 1.2; nil: strong ones
	Curves       []string // nil: Go's
	MinVersion   string   // "1.2" or "1.3"; empty is 1.2
	// Log is told when a certificate that has changed was read again, or could not be. It may be called from any goroutine.
	Log func(text string, failed bool)
}

// Pair is a certificate and its key, both PEM.
type Pair struct{ CertFile, KeyFile string }

// Source holds the certificates for one set of options. It is for any number of goroutines.
type Source struct {
	options Options
	pairs   []*pair
	config  *tls.Config
}

// lookEvery is the least time between two looks at the files of a certificate.
const lookEvery = time.Second

// pair is a certificate with where it comes from.
type pair struct {
	Pair
	current atomic.Pointer[loaded]
	looked  atomic.Int64 // when somebody looked at the files, Unix nanoseconds
}

// loaded is a certificate and what its files looked like.
type loaded struct {
	certificate *tls.Certificate
	stamp       stamp
}

// stamp tells versions of two files apart.
type stamp struct {
	certChanged, keyChanged time.Time
	certSize, keySize       int64
}

// New reads everything that o names. The error says what is wrong, in the words of docs/spec/config.md B4.
func New(o *Options) (*Source, error) {
	s := &Source{options: *o}
	config := &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: strongSuites, InsecureSkipVerify: o.Insecure} //nolint:gosec // the operator may say so, for links only
	if o.MinVersion == "1.3" {
		config.MinVersion = tls.VersionTLS13
	}
	for _, p := range o.Certificates {
		certificate := &pair{Pair: p}
		if err := certificate.load(); err != nil {
			return nil, err
		}
		s.pairs = append(s.pairs, certificate)
	}
	if len(s.pairs) == 0 {
		return nil, errors.New("TLS without a certificate; give cert_file and key_file")
	}
	if err := s.chooseNames(config); err != nil {
		return nil, err
	}
	if o.CAFile != "" {
		pool, err := readPool(o.CAFile)
		if err != nil {
			return nil, err
		}
		config.RootCAs, config.ClientCAs = pool, pool
	}
	if o.Verify {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	config.GetCertificate = s.certificateFor
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return s.pairs[0].fresh(&s.options), nil }
	s.config = config
	return s, nil
}

// chooseNames sets the suites and curves that the options name.
func (s *Source) chooseNames(config *tls.Config) error {
	if s.options.Suites != nil {
		config.CipherSuites = make([]uint16, 0, len(s.options.Suites))
	}
	for _, name := range s.options.Suites {
		id, _, known := Suite(name)
		if !known {
			return fmt.Errorf("unrecognized cipher %s", name)
		}
		config.CipherSuites = append(config.CipherSuites, id)
	}
	for _, name := range s.options.Curves {
		id, known := Curve(name)
		if !known {
			return fmt.Errorf("unrecognized curve preference %s", name)
		}
		config.CurvePreferences = append(config.CurvePreferences, id)
	}
	return nil
}

// readPool reads certificates of authorities.
func readPool(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("failed to parse root ca certificate: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("failed to parse root ca certificate: no certificate in %s", file)
	}
	return pool, nil
}

// Config returns the configuration, for servers and clients. It is the same every time, and must not be changed.
func (s *Source) Config() *tls.Config { return s.config }

// Expiry returns when the first of the certificates expires, and its file. It looks at the files like a handshake: where there is none for
// a while, a certificate that was replaced must not be taken for the one that counts.
func (s *Source) Expiry() (when time.Time, file string) {
	for _, p := range s.pairs {
		leaf := p.fresh(&s.options).Leaf
		if when.IsZero() || leaf.NotAfter.Before(when) {
			when, file = leaf.NotAfter, p.CertFile
		}
	}
	return when, file
}

// certificateFor returns the first certificate that a client can use, the first of all if it can use none.
func (s *Source) certificateFor(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	for _, p := range s.pairs {
		certificate := p.fresh(&s.options)
		if len(s.pairs) == 1 || hello.SupportsCertificate(certificate) == nil {
			return certificate, nil
		}
	}
	return s.pairs[0].fresh(&s.options), nil
}

// fresh returns the certificate, read again if its files have changed. One that cannot be read does not replace the one
// there is.
func (p *pair) fresh(o *Options) *tls.Certificate {
	now, looked := time.Now().UnixNano(), p.looked.Load()
	if now-looked < int64(lookEvery) || !p.looked.CompareAndSwap(looked, now) {
		return p.current.Load().certificate
	}
	before := p.current.Load()
	if seen, err := p.stamp(); err != nil || seen == before.stamp {
		return before.certificate // a file that is just being replaced may be missing for a moment
	}
	err := p.load()
	if o.Log != nil && err != nil {
		o.Log(fmt.Sprintf("cannot read the TLS certificate again, keeping the old one: %v", err), true)
	} else if o.Log != nil {
		o.Log("Reloaded: TLS certificate "+p.CertFile, false)
	}
	return p.current.Load().certificate
}

// load reads the files.
func (p *pair) load() error {
	seen, err := p.stamp()
	if err != nil {
		return fmt.Errorf("error parsing X509 certificate/key pair: %w", err)
	}
	certificate, err := tls.LoadX509KeyPair(p.CertFile, p.KeyFile)
	if err != nil {
		return fmt.Errorf("error parsing X509 certificate/key pair: %w", err)
	}
	if certificate.Leaf == nil {
		if certificate.Leaf, err = x509.ParseCertificate(certificate.Certificate[0]); err != nil {
			return fmt.Errorf("error parsing certificate: %w", err)
		}
	}
	p.current.Store(&loaded{&certificate, seen})
	return nil
}

// stamp returns what the files look like now.
func (p *pair) stamp() (stamp, error) {
	certificate, err := os.Stat(p.CertFile)
	if err != nil {
		return stamp{}, err
	}
	key, err := os.Stat(p.KeyFile)
	if err != nil {
		return stamp{}, err
	}
	return stamp{certificate.ModTime(), key.ModTime(), certificate.Size(), key.Size()}, nil
}

// LookAgain makes the next handshake, or Expiry, look at the files of every certificate, however short ago that was done.
func (s *Source) LookAgain() {
	for _, p := range s.pairs {
		p.looked.Store(0)
	}
}

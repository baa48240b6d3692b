package config

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/natsd/natsd/internal/tlsconfig"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/confparse"
)

// TLS is what a tls block says. Source: docs/spec/config.md B4.
type TLS struct {
	CertFile, KeyFile, CAFile string           // paths, relative to the working directory
	Certificates              []tlsconfig.Pair // in place of CertFile and KeyFile
	AllowNonTLS               bool             // clients may do without
	Verify                    bool
	VerifyAndMap              bool
	Insecure                  bool
	Timeout                   time.Duration
	CipherSuites              []string
	CurvePreferences          []string
	PinnedCerts               []string // SHA-256 of public keys, lower-case hexadecimal
	MinVersion                string
	HandshakeFirst            bool          // the handshake comes before INFO
	HandshakeDelay            time.Duration // that the client has to begin the handshake before INFO is sent; 0: none
	AllowInsecureCipherSuites bool
	ConnectionRateLimit       int
}

// Texts of errors about certificates given by flags (docs/spec/cli.md §4).
const (
	errTextNoCert = "TLS Server certificate must be present and valid"
	errTextNoKey  = "TLS Server private key must be present and valid"
)

// clientTLS makes the TLS options for clients, nil if TLS is off. Any flag about TLS drops the block of the file whole.
// Source: docs/spec/cli.md §4.
func (b *builder) clientTLS() *TLS {
	if s := b.settings[tlsPath]; s != nil && s.Value != nil && s.Origin.Layer >= FromEnv {
		if on, _ := boolOf(s.Value); !on {
			return nil
		}
	}
	fromFlags := false
	on := b.tree.get("tls") != nil
	for path, g := range b.layers.flags {
		fromFlags = fromFlags || g != nil && (path == tlsPath || strings.HasPrefix(path, tlsPath+"."))
	}
	for path := range b.layers.env {
		on = on || path == tlsPath || strings.HasPrefix(path, tlsPath+".")
	}
	if !fromFlags && !on {
		return nil
	}
	if !fromFlags {
		t := b.tlsBlock(b.tree.sub("tls"))
		t.CertFile, t.KeyFile, t.CAFile = b.text("tls.cert_file"), b.text("tls.key_file"), b.text("tls.ca_file")
		t.Verify = t.VerifyAndMap || b.bool("tls.verify")
		t.AllowNonTLS = b.bool("allow_non_tls")
		b.checkPair(t)
		return t
	}
	return b.flagTLS()
}

// flagTLS makes the TLS options from flags alone.
func (b *builder) flagTLS() *TLS {
	text := func(path string) string {
		g := b.layers.flags[path]
		if g == nil {
			return ""
		}
		return g.value.Source()
	}
	t := &TLS{CertFile: text("tls.cert_file"), KeyFile: text("tls.key_file"), CAFile: text("tls.ca_file"), Timeout: defaultTLSTimeout, MinVersion: "1.2"}
	if g := b.layers.flags["tls.verify"]; g != nil {
		t.Verify, _ = boolOf(g.value)
	}
	switch {
	case t.CertFile == "":
		b.report(confparse.Pos{}, 0, "add --tlscert", errTextNoCert)
	case t.KeyFile == "":
		b.report(confparse.Pos{}, 0, "add --tlskey", errTextNoKey)
	}
	return t
}

// defaultTLSTimeout is the time a handshake may take unless told otherwise.
const defaultTLSTimeout = 2 * time.Second

// checkPair checks that a certificate has its key.
func (b *builder) checkPair(t *TLS) {
	f := b.tree.get("tls")
	pos, width := confparse.Pos{}, 0
	if f != nil {
		pos, width = f.entry.Pos, len(f.entry.Key)
	}
	switch {
	case f != nil && f.block.get("certs") != nil:
	case t.CertFile == "":
		b.report(pos, width, "", "missing 'cert_file' in TLS configuration")
	case t.KeyFile == "":
		b.report(pos, width, "", "missing 'key_file' in TLS configuration")
	}
}

// tlsBlock makes the TLS options of a block of a file, in which everything was checked for its type.
func (b *builder) tlsBlock(t *tree) *TLS {
	o := &TLS{Timeout: defaultTLSTimeout, MinVersion: "1.2"}
	if t == nil {
		return o
	}
	o.CertFile, o.KeyFile, o.CAFile = t.text("cert_file"), t.text("key_file"), t.text("ca_file")
	o.VerifyAndMap, o.Insecure = t.bool("verify_and_map"), t.bool("insecure")
	o.Verify = o.VerifyAndMap || t.bool("verify")
	o.AllowInsecureCipherSuites = t.bool("allow_insecure_cipher_suites")
	if f := t.get("timeout"); f != nil {
		if d, err := secondsOf(f.value); err == nil {
			o.Timeout = d
		}
	}
	o.CipherSuites, o.CurvePreferences, o.PinnedCerts = b.suites(t, o), b.curves(t), b.pinned(t)
	o.Certificates = b.certificates(t)
	if f := t.get("cipher_suites"); f != nil && f.value.Kind == confparse.Array && len(f.value.Items) == 0 {
		b.report(f.valuePos(), 1, "", "error parsing tls config, 'cipher_suites' cannot be empty")
	}
	if f := t.get("min_version"); f != nil {
		o.MinVersion = t.text("min_version")
	}
	b.handshakeFirst(t, o)
	if f := t.get("connection_rate_limit"); f != nil {
		n, _ := integerOf(f.value, "") // it was checked
		o.ConnectionRateLimit = int(n)
	}
	return o
}

// bool returns the boolean of a field, false if there is none. It was checked before.
func (t *tree) bool(name string) bool {
	f := t.get(name)
	if f == nil {
		return false
	}
	yes, err := boolOf(f.value)
	return err == nil && yes
}

// suites returns the cipher suites of a block, all of which there are.
func (b *builder) suites(t *tree, o *TLS) []string {
	var names []string
	for _, item := range t.texts("cipher_suites") {
		name := item.Source()
		_, weak, known := tlsconfig.Suite(name)
		switch {
		case !known:
			b.report(item.Pos, len(item.Raw), didYouMean(name, tlsconfig.SuiteNames()), "unrecognized cipher %s", cut(name))
			continue
		case weak && !o.AllowInsecureCipherSuites:
			b.warn(item.Pos, len(item.Raw), "set allow_insecure_cipher_suites to say that you know", "cipher suite %s is weak", name)
		}
		names = append(names, name)
	}
	return names
}

// curves returns the curves of a block, all of which there are.
func (b *builder) curves(t *tree) []string {
	var names []string
	for _, item := range t.texts("curve_preferences") {
		name := item.Source()
		if _, known := tlsconfig.Curve(name); !known {
			b.report(item.Pos, len(item.Raw), "use "+strings.Join(tlsconfig.CurveNames(), ", "), "unrecognized curve preference %s", cut(name))
			continue
		}
		names = append(names, name)
	}
	return names
}

// didYouMean returns a hint that names the candidate nearest to name, empty if none is near.
func didYouMean(name string, candidates []string) string {
	near := Nearest(name, candidates)
	if near == "" {
		return ""
	}
	return "did you mean " + strconv.Quote(near) + "?"
}

// pinned returns the sums of the public keys that are accepted.
func (b *builder) pinned(t *tree) []string {
	var sums []string
	for _, item := range t.texts("pinned_certs") {
		sum := strings.ToLower(item.Source())
		if raw, err := hex.DecodeString(sum); err != nil || len(raw) != sha256.Size {
			b.report(item.Pos, len(item.Raw), "", "error parsing 'pinned_certs' key %q: not 64 hexadecimal digits", cut(item.Source()))
			continue
		}
		sums = append(sums, sum)
	}
	return sums
}

// certificates returns the pairs of `certs`.
func (b *builder) certificates(t *tree) []tlsconfig.Pair {
	f := t.get("certs")
	if f == nil {
		return nil
	}
	if t.get("cert_file") != nil {
		b.report(f.entry.Pos, len(f.entry.Key), "keep one of them", "error parsing 'certs': 'cert_file' and 'certs' exclude each other")
	}
	var pairs []tlsconfig.Pair
	for _, block := range f.blocks {
		pair := tlsconfig.Pair{CertFile: block.text("cert_file"), KeyFile: block.text("key_file")}
		if pair.CertFile == "" || pair.KeyFile == "" {
			b.report(block.pos, 1, "", "error parsing certificates config: both 'cert_file' and 'key_file' options are required")
			continue
		}
		pairs = append(pairs, pair)
	}
	return pairs
}

// autoHandshakeDelay is how long `handshake_first: auto` waits for a client to begin.
const autoHandshakeDelay = 50 * time.Millisecond

// handshakeFirst sets when the handshake comes. Source: docs/spec/config.md B4.
func (b *builder) handshakeFirst(t *tree, o *TLS) {
	f := t.get("handshake_first")
	if f == nil {
		return
	}
	if yes, err := boolOf(f.value); err == nil {
		o.HandshakeFirst = yes
		return
	}
	if strings.EqualFold(f.value.Word(), "auto") {
		o.HandshakeDelay = autoHandshakeDelay
		return
	}
	d, _, err := durationOf(f.value)
	if err != nil || d <= 0 {
		b.report(f.valuePos(), len(f.value.Raw), "", "error parsing tls config, 'handshake_first' is no boolean, not auto and no duration")
		return
	}
	o.HandshakeDelay = d
}

// readCertificates reads the certificates of all TLS blocks into c.
func (b *builder) readCertificates(c *Config, log func(text string, failed bool)) {
	if c.TLS != nil {
		c.Secure = b.readSource(c.TLS, "tls", log)
	}
	if c.Cluster != nil && c.Cluster.TLS != nil {
		c.Cluster.Secure = b.readSource(c.Cluster.TLS, "cluster.tls", log)
	}
	if c.Monitor.TLS != nil {
		c.Monitor.Secure = b.readSource(c.Monitor.TLS, "monitor.tls", log)
	}
}

// readSource reads the certificates of one block, nil if that is not possible.
func (b *builder) readSource(t *TLS, block string, log func(text string, failed bool)) *tlsconfig.Source {
	source, err := t.source(log)
	if err == nil {
		return source
	}
	path := block + ".cert_file"
	if strings.HasPrefix(err.Error(), "failed to parse root ca") {
		path = block + ".ca_file"
	}
	b.errorAbout(path, "", "%v", err)
	return nil
}

// source reads the certificates of t. log may be nil, see tlsconfig.Options.
func (t *TLS) source(log func(text string, failed bool)) (*tlsconfig.Source, error) {
	pairs := t.Certificates
	if len(pairs) == 0 {
		pairs = []tlsconfig.Pair{{CertFile: t.CertFile, KeyFile: t.KeyFile}}
	}
	return tlsconfig.New(&tlsconfig.Options{
		Certificates: pairs, CAFile: t.CAFile, Verify: t.Verify, Insecure: t.Insecure, Suites: t.CipherSuites,
		Curves: t.CurvePreferences, MinVersion: t.MinVersion, Log: log,
	})
}

// broker returns the options for the broker, whose certificates come from a source.
func (t *TLS) broker(source *tlsconfig.Source) *broker.TLSOptions {
	return &broker.TLSOptions{
		Config: source.Config(), Timeout: t.Timeout, VerifyAndMap: t.VerifyAndMap, PinnedKeys: t.PinnedCerts, HandshakeFirst: t.HandshakeFirst,
		HandshakeDelay: t.HandshakeDelay, AllowNonTLS: t.AllowNonTLS, MaxPerSecond: t.ConnectionRateLimit,
	}
}

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
	for path, g := range b.layers.flags {
		if g != nil && (path == tlsPath || strings.HasPrefix(path, tlsPath+".")) {
			return b.flagTLS()
		}
	}
	t := b.tlsAt(tlsPath)
	if t != nil {
		t.AllowNonTLS = b.bool("allow_non_tls")
	}
	return t
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

// Paths of the blocks of TLS that are not for clients.
const (
	clusterTLSPath = "cluster.tls"
	monitorTLSPath = "monitor.tls"
)

// tlsAt makes the TLS options of the block at a path, nil if neither the file nor the environment has any of it. What is one word may
// come from both, all else from the file. Source: docs/spec/cli.md §3, last paragraph, and §4.
func (b *builder) tlsAt(path string) *TLS {
	f := b.blockAt(path)
	on := f != nil
	for other := range b.layers.env {
		on = on || other == path || strings.HasPrefix(other, path+".")
	}
	if !on {
		return nil
	}
	var t *tree
	if f != nil {
		t = f.block
	}
	in := func(name string) string { return path + "." + name }
	o := &TLS{
		CertFile: b.text(in("cert_file")), KeyFile: b.text(in("key_file")), CAFile: b.text(in("ca_file")), Timeout: b.duration(in("timeout")),
		VerifyAndMap: b.bool(in("verify_and_map")), Insecure: b.bool(in("insecure")), MinVersion: b.text(in("min_version")),
		AllowInsecureCipherSuites: b.bool(in("allow_insecure_cipher_suites")), ConnectionRateLimit: b.int(in("connection_rate_limit")),
	}
	o.Verify = o.VerifyAndMap || b.bool(in("verify")) || path == clusterTLSPath // docs/spec/config.md B4: routes are checked both ways
	o.CipherSuites, o.CurvePreferences, o.PinnedCerts = b.suites(t, o), b.curves(t), b.pinned(t)
	o.Certificates = b.certificates(t, path)
	if f := t.get("cipher_suites"); f != nil && f.value.Kind == confparse.Array && len(f.value.Items) == 0 {
		b.report(f.valuePos(), 1, "", "error parsing tls config, 'cipher_suites' cannot be empty")
	}
	b.handshakeFirst(t, o)
	b.checkPair(f, path, o)
	if f := t.get("pinned_certs"); f != nil && !o.Verify {
		b.report(f.entry.Pos, len(f.entry.Key), "", "pinned_certs needs verify: true, since clients show no certificate without it")
	}
	b.warnIdle(t, path)
	return o
}

// blockAt returns the block with this path in the file, nil if there is none.
func (b *builder) blockAt(path string) *field {
	if around, name, inside := strings.Cut(path, "."); inside {
		return b.tree.sub(around).get(name)
	}
	return b.tree.get(path)
}

// checkPair checks that a certificate has its key. f is the block of the file, nil if there is none.
func (b *builder) checkPair(f *field, path string, o *TLS) {
	missing := ""
	switch {
	case f != nil && f.block.get("certs") != nil:
		return
	case o.CertFile == "":
		missing = "cert_file"
	case o.KeyFile == "":
		missing = "key_file"
	default:
		return
	}
	if f != nil {
		b.report(f.entry.Pos, len(f.entry.Key), "", "missing '%s' in TLS configuration", missing)
		return
	}
	e, _ := Lookup(path + "." + missing)
	b.report(confparse.Pos{}, 0, "set "+e.EnvVar(), "missing '%s' in TLS configuration", missing)
}

// idleTLS are the keys that have no effect in the tls block at a path.
var idleTLS = map[string][]string{
	tlsPath:        {"insecure"},
	clusterTLSPath: {"verify_and_map", "handshake_first", "connection_rate_limit"},
	monitorTLSPath: {"insecure", "timeout", "verify_and_map", "handshake_first", "connection_rate_limit"},
}

// warnIdle warns about keys that have no effect in the block at a path, unless they say what counts anyway: somebody may rely on them.
func (b *builder) warnIdle(t *tree, path string) {
	for _, name := range idleTLS[path] {
		option := path + "." + name
		switch f := t.get(name); {
		case name == "handshake_first": // it is not always one word, so there is no setting of it
			if f == nil {
				continue
			}
			if yes, err := boolOf(f.value); yes || err != nil {
				b.warn(f.valuePos(), len(f.value.Raw), "", "%q has no effect in %s", name, path)
			}
		case !b.given(option) || b.settings[option].saysDefault():
		case path == monitorTLSPath && name == "verify_and_map":
			b.warnAbout(option, "", "%q means verify in %s, where certificates name no users", name, path)
		default:
			b.warnAbout(option, "", "%q has no effect in %s", name, path)
		}
	}
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

// certificates returns the pairs of `certs` in the block at a path.
func (b *builder) certificates(t *tree, path string) []tlsconfig.Pair {
	f := t.get("certs")
	if f == nil {
		return nil
	}
	if b.given(path + ".cert_file") {
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

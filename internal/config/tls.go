package config

import (
	"strings"
	"time"

	"github.com/natsd/natsd/pkg/confparse"
)

// TLS is what a tls block says. Source: docs/spec/config.md B4.
type TLS struct {
	CertFile, KeyFile, CAFile string // paths, relative to the working directory
	Verify                    bool
	VerifyAndMap              bool
	Insecure                  bool
	Timeout                   time.Duration
	CipherSuites              []string
	CurvePreferences          []string
	PinnedCerts               []string
	MinVersion                string
	HandshakeFirst            string // empty: no
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
	o.CipherSuites, o.CurvePreferences, o.PinnedCerts = t.words("cipher_suites"), t.words("curve_preferences"), t.words("pinned_certs")
	if f := t.get("cipher_suites"); f != nil && len(o.CipherSuites) == 0 && f.value.Kind == confparse.Array {
		b.report(f.valuePos(), 1, "", "error parsing tls config, 'cipher_suites' cannot be empty")
	}
	if f := t.get("min_version"); f != nil {
		o.MinVersion = t.text("min_version")
	}
	if f := t.get("handshake_first"); f != nil {
		o.HandshakeFirst = f.value.Source()
	}
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

// words returns the strings of a list.
func (t *tree) words(name string) []string {
	var words []string
	for _, item := range t.texts(name) {
		words = append(words, item.Source())
	}
	return words
}

package config

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/natsd/natsd/internal/testutil/certs"
)

// loadTLS loads a file with flags and environment, certificates included.
func loadTLS(t *testing.T, file string, environ []string, flags ...GivenFlag) *Result {
	t.Helper()
	in := Input{Environ: environ, Flags: flags, Certificates: true}
	if file != "" {
		in.File = filepath.Join(t.TempDir(), "f.conf")
		if err := os.WriteFile(in.File, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load(in)
}

// TestSameTLSEverywhere: an option of TLS means the same in the file, as a flag and as a variable, and what is not given has
// the same safe default everywhere (CVE-2021-32026 was a default that flags forgot).
func TestSameTLSEverywhere(t *testing.T) {
	ca, folder := certs.NewAuthority(t), t.TempDir()
	certFile, keyFile := ca.Server(nil).Write(t, folder, "server")
	caFile := ca.Write(t, folder)
	for name, test := range map[string]struct {
		file    string
		environ []string
		flags   []GivenFlag
	}{
		"certificate": {
			fmt.Sprintf("tls { cert_file: %q, key_file: %q }", certFile, keyFile),
			[]string{"NATSD_TLS_CERT_FILE=" + certFile, "NATSD_TLS_KEY_FILE=" + keyFile},
			[]GivenFlag{{"tlscert", certFile}, {"tlskey", keyFile}},
		},
		"switched on": {
			fmt.Sprintf("tls { cert_file: %q, key_file: %q }", certFile, keyFile),
			[]string{"NATSD_TLS=true", "NATSD_TLS_CERT_FILE=" + certFile, "NATSD_TLS_KEY_FILE=" + keyFile},
			[]GivenFlag{{"tls", "true"}, {"tlscert", certFile}, {"tlskey", keyFile}},
		},
		"verify": {
			fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }", certFile, keyFile, caFile),
			[]string{"NATSD_TLS_CERT_FILE=" + certFile, "NATSD_TLS_KEY_FILE=" + keyFile, "NATSD_TLS_CA_FILE=" + caFile, "NATSD_TLS_VERIFY=true"},
			[]GivenFlag{{"tlscert", certFile}, {"tlskey", keyFile}, {"tlscacert", caFile}, {"tlsverify", "true"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			fromFile := loadTLS(t, test.file, nil)
			if err := fromFile.Err(); err != nil {
				t.Fatal(err)
			}
			want := fromFile.Config
			for layer, r := range map[string]*Result{
				"environment": loadTLS(t, "", test.environ), "flags": loadTLS(t, "", nil, test.flags...),
				"flags over another block": loadTLS(t, "tls { cert_file: none, key_file: none, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA], insecure: true }", nil, test.flags...),
			} {
				if err := r.Err(); err != nil {
					t.Errorf("%s: %v", layer, err)
					continue
				}
				compareTLS(t, layer, r.Config, want)
			}
		})
	}
}

// compareTLS compares what two configurations come to.
func compareTLS(t *testing.T, layer string, got, want *Config) {
	t.Helper()
	a, b := got.Broker().TLS, want.Broker().TLS
	if a.Timeout != b.Timeout || a.VerifyAndMap != b.VerifyAndMap || a.HandshakeFirst != b.HandshakeFirst || a.HandshakeDelay != b.HandshakeDelay ||
		a.AllowNonTLS != b.AllowNonTLS || a.MaxPerSecond != b.MaxPerSecond || !slices.Equal(a.PinnedKeys, b.PinnedKeys) {
		t.Errorf("%s: options %+v, want %+v", layer, a, b)
	}
	c, d := a.Config, b.Config
	if c.MinVersion != d.MinVersion || c.MaxVersion != d.MaxVersion || c.ClientAuth != d.ClientAuth || c.InsecureSkipVerify != d.InsecureSkipVerify ||
		!slices.Equal(c.CipherSuites, d.CipherSuites) || !slices.Equal(c.CurvePreferences, d.CurvePreferences) || !c.ClientCAs.Equal(d.ClientCAs) {
		t.Errorf("%s: TLS %+v, want %+v", layer, c, d)
	}
	if c.MinVersion != tls.VersionTLS12 || len(c.CipherSuites) != 6 || c.InsecureSkipVerify {
		t.Errorf("%s: weak defaults: %+v", layer, c)
	}
	certificate, err := c.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil || certificate == nil {
		t.Errorf("%s: no certificate: %v", layer, err)
	}
}

// TestTLSFindings: what is wrong with certificates is found when the configuration is loaded.
func TestTLSFindings(t *testing.T) {
	folder := t.TempDir()
	ca := certs.NewAuthority(t)
	certFile, keyFile := ca.Server(nil).Write(t, folder, "server")
	_, otherKey := ca.Server(nil).Write(t, folder, "other")
	for _, test := range []struct {
		file  string
		flags []GivenFlag
		want  string
	}{
		{fmt.Sprintf("tls {\n cert_file: %q\n key_file: \"/none\"\n}", certFile), nil, ":2:13: error parsing X509 certificate/key pair"},
		{fmt.Sprintf("tls { cert_file: %q, key_file: %q }", certFile, otherKey), nil, "private key does not match"},
		{fmt.Sprintf("tls { cert_file: %q, key_file: %q\n ca_file: \"/none\" }", certFile, keyFile), nil, ":2:11: failed to parse root ca certificate"},
		{fmt.Sprintf("tls { cert_file: %q, key_file: %q, cipher_suites: [TLS_RSA_WITH_X] }", certFile, keyFile), nil, "unrecognized cipher TLS_RSA_WITH_X"},
		{fmt.Sprintf("tls { cert_file: %q, key_file: %q, curve_preferences: [CurveP25] }", certFile, keyFile), nil, `unrecognized curve preference CurveP25; use CurveP256, `},
		{fmt.Sprintf("tls { cert_file: %q, key_file: %q, pinned_certs: [abc] }", certFile, keyFile), nil, "pinned_certs"},
		{fmt.Sprintf("tls { cert_file: %q, key_file: %q, handshake_first: maybe }", certFile, keyFile), nil, "handshake_first"},
		{fmt.Sprintf("tls { certs: [{cert_file: %q}] }", certFile), nil, "both 'cert_file' and 'key_file' options are required"},
		{"", []GivenFlag{{"tls", "true"}}, "TLS Server certificate must be present and valid"},
		{"", []GivenFlag{{"tlscert", certFile}}, "TLS Server private key must be present and valid"},
	} {
		err := loadTLS(t, test.file, nil, test.flags...).Err()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %v: got %v, want %s", test.file, test.flags, err, test.want)
		}
	}
}

// TestWeakSuites: a weak suite that is asked for is served, with a warning.
func TestWeakSuites(t *testing.T) {
	folder := t.TempDir()
	certFile, keyFile := certs.NewAuthority(t).RSAServer().Write(t, folder, "server")
	file := fmt.Sprintf("tls { cert_file: %q, key_file: %q, cipher_suites: [TLS_RSA_WITH_3DES_EDE_CBC_SHA] SURE }", certFile, keyFile)
	r := loadTLS(t, strings.Replace(file, "SURE", "", 1), nil)
	if r.Err() != nil || !strings.Contains(fmt.Sprint(r.Warnings()), "TLS_RSA_WITH_3DES_EDE_CBC_SHA is weak") {
		t.Errorf("%v, %v", r.Err(), r.Warnings())
	}
	r = loadTLS(t, strings.Replace(file, "SURE", ", allow_insecure_cipher_suites: true", 1), nil)
	if r.Err() != nil || len(r.Warnings()) > 0 {
		t.Errorf("%v, %v", r.Err(), r.Warnings())
	}
}

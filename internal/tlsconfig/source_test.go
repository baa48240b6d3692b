package tlsconfig_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil"
	"github.com/natsd/natsd/internal/testutil/certs"
	"github.com/natsd/natsd/internal/tlsconfig"
)

// shake lets a client with a configuration shake hands with a server and returns what both agreed on.
func shake(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		far, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = far.Close() }()
		_ = far.SetDeadline(time.Now().Add(testutil.Patience))
		if tls.Server(far, server).Handshake() == nil {
			_, _ = far.Read(make([]byte, 1)) // until the client closes; its error is the one that counts
		}
	}()
	near, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = near.Close() }()
	_ = near.SetDeadline(time.Now().Add(testutil.Patience))
	c := tls.Client(near, client)
	err = c.Handshake()
	return c.ConnectionState(), err
}

// TestScan offers every version and every suite in turn, as a scanner would: by default only TLS 1.2 and 1.3 and only
// suites with forward secrecy and authenticated encryption are taken.
func TestScan(t *testing.T) {
	ca, folder := certs.NewAuthority(t), t.TempDir()
	for kind, certificate := range map[string]*certs.Certificate{"ECDSA": ca.Server(nil), "RSA": ca.RSAServer()} {
		certFile, keyFile := certificate.Write(t, folder, kind)
		source, err := tlsconfig.New(&tlsconfig.Options{Certificates: []tlsconfig.Pair{{CertFile: certFile, KeyFile: keyFile}}})
		if err != nil {
			t.Fatal(err)
		}
		var taken []string
		for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12} { //nolint:gosec // that is the point
			for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
				client := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", MinVersion: version, MaxVersion: version, CipherSuites: []uint16{suite.ID}}
				if state, err := shake(t, source.Config(), client); err == nil {
					taken = append(taken, tls.VersionName(state.Version)+" "+tls.CipherSuiteName(state.CipherSuite))
				}
			}
		}
		slices.Sort(taken)
		prefix := "TLS 1.2 TLS_ECDHE_" + kind + "_WITH_"
		want := []string{prefix + "AES_128_GCM_SHA256", prefix + "AES_256_GCM_SHA384", prefix + "CHACHA20_POLY1305_SHA256"}
		if !slices.Equal(taken, want) {
			t.Errorf("%s: taken\n%s\nwant\n%s", kind, strings.Join(taken, "\n"), strings.Join(want, "\n"))
		}
		state, err := shake(t, source.Config(), &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"})
		if err != nil || state.Version != tls.VersionTLS13 {
			t.Errorf("%s: a client of today: %v, %s", kind, err, tls.VersionName(state.Version))
		}
	}
}

// TestChosen: what the options name is what counts.
func TestChosen(t *testing.T) {
	ca, folder := certs.NewAuthority(t), t.TempDir()
	certFile, keyFile := ca.RSAServer().Write(t, folder, "server")
	o := tlsconfig.Options{Certificates: []tlsconfig.Pair{{CertFile: certFile, KeyFile: keyFile}}, Suites: []string{"TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"},
		Curves: []string{"CurveP384"}}
	source, err := tlsconfig.New(&o)
	if err != nil {
		t.Fatal(err)
	}
	client := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}} //nolint:gosec // as above
	if _, err := shake(t, source.Config(), client); err != nil {
		t.Errorf("a weak suite that was asked for: %v", err)
	}
	client.CipherSuites, client.CurvePreferences = []uint16{tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256}, []tls.CurveID{tls.CurveP256}
	if _, err := shake(t, source.Config(), client); err == nil {
		t.Error("a curve that was not asked for is used")
	}
	client.CurvePreferences = []tls.CurveID{tls.CurveP384}
	if _, err := shake(t, source.Config(), client); err != nil {
		t.Errorf("the suite and the curve that were asked for: %v", err)
	}
	o.MinVersion = "1.3"
	if source, err = tlsconfig.New(&o); err != nil {
		t.Fatal(err)
	}
	if _, err := shake(t, source.Config(), client); err == nil {
		t.Error("TLS 1.2 with min_version 1.3")
	}
}

// TestClientCertificates: with verify, certificates of the right authority, in time and made for clients.
func TestClientCertificates(t *testing.T) {
	ca, folder := certs.NewAuthority(t), t.TempDir()
	certFile, keyFile := ca.Server(nil).Write(t, folder, "server")
	source, err := tlsconfig.New(&tlsconfig.Options{
		Certificates: []tlsconfig.Pair{{CertFile: certFile, KeyFile: keyFile}}, CAFile: ca.Write(t, folder), Verify: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		certificate *certs.Certificate
		want        bool
	}{
		"right":           {ca.Client("c", nil), true},
		"none":            {nil, false},
		"another CA":      {certs.NewAuthority(t).Client("c", nil), false},
		"expired":         {ca.Client("c", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), false},
		"not yet":         {ca.Client("c", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }), false},
		"for servers":     {ca.Server(nil), false},
		"for code":        {ca.Client("c", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} }), false},
		"without a usage": {ca.Client("c", func(c *x509.Certificate) { c.ExtKeyUsage = nil }), true},
	} {
		client := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", MaxVersion: tls.VersionTLS12} //nolint:gosec // with 1.3 the client learns of a refusal after its handshake
		if test.certificate != nil {
			client.Certificates = []tls.Certificate{test.certificate.Certificate}
		}
		if _, err := shake(t, source.Config(), client); (err == nil) != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRenewal: a certificate that has changed is read again; one that is broken does not replace the one there is.
func TestRenewal(t *testing.T) {
	ca, folder := certs.NewAuthority(t), t.TempDir()
	certFile, keyFile := ca.Server(nil).Write(t, folder, "server")
	var said []string
	source, err := tlsconfig.New(&tlsconfig.Options{
		Certificates: []tlsconfig.Pair{{CertFile: certFile, KeyFile: keyFile}}, Log: func(text string, _ bool) { said = append(said, text) },
	})
	if err != nil {
		t.Fatal(err)
	}
	serial := func() string {
		state, err := shake(t, source.Config(), &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		return state.PeerCertificates[0].SerialNumber.String()
	}
	first := serial()
	later := func(step int) {
		for _, file := range []string{certFile, keyFile} {
			if err := os.Chtimes(file, time.Time{}, time.Now().Add(time.Duration(step)*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		source.LookAgain()
	}
	if err := os.WriteFile(keyFile, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	later(1)
	if serial() != first || len(said) != 1 || !strings.Contains(said[0], "keeping the old one") {
		t.Errorf("with a broken key: said %q", said)
	}
	ca.Server(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(48 * time.Hour) }).Write(t, folder, "server")
	later(2)
	second := serial()
	if second == first || len(said) != 2 || !strings.Contains(said[1], "Reloaded") {
		t.Errorf("after the renewal: said %q", said)
	}
	if when, file := source.Expiry(); time.Until(when) < 25*time.Hour || file != certFile {
		t.Errorf("expires %v, %s", when, file)
	}
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	source.LookAgain()
	if serial() != second {
		t.Error("a missing file replaced the certificate")
	}
}

// TestExpiryOfRenewedCertificate: the certificate that the next handshake gets is the one that counts, also where there is no handshake.
func TestExpiryOfRenewedCertificate(t *testing.T) {
	ca, folder := certs.NewAuthority(t), t.TempDir()
	until := func(days int) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.NotAfter = time.Now().Add(time.Duration(days) * 24 * time.Hour) }
	}
	certFile, keyFile := ca.Server(until(5)).Write(t, folder, "server")
	source, err := tlsconfig.New(&tlsconfig.Options{Certificates: []tlsconfig.Pair{{CertFile: certFile, KeyFile: keyFile}}})
	if err != nil {
		t.Fatal(err)
	}
	ca.Server(until(90)).Write(t, folder, "server")
	for _, file := range []string{certFile, keyFile} {
		if err := os.Chtimes(file, time.Time{}, time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if when, file := source.Expiry(); time.Until(when) < 80*24*time.Hour || file != certFile {
		t.Errorf("expires %v, %s, want the certificate that is there now", when, file)
	}
}

// TestSeveralCertificates: a client gets the one that it can use.
func TestSeveralCertificates(t *testing.T) {
	ca, folder := certs.NewAuthority(t), t.TempDir()
	rsaCert, rsaKey := ca.RSAServer().Write(t, folder, "rsa")
	ecCert, ecKey := ca.Server(nil).Write(t, folder, "ec")
	source, err := tlsconfig.New(&tlsconfig.Options{Certificates: []tlsconfig.Pair{{CertFile: rsaCert, KeyFile: rsaKey}, {CertFile: ecCert, KeyFile: ecKey}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, suite := range []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256} {
		client := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}} //nolint:gosec // 1.3 does not choose by suite
		if _, err := shake(t, source.Config(), client); err != nil {
			t.Errorf("%s: %v", tls.CipherSuiteName(suite), err)
		}
	}
}

func TestErrors(t *testing.T) {
	ca, folder := certs.NewAuthority(t), t.TempDir()
	certFile, keyFile := ca.Server(nil).Write(t, folder, "server")
	_, otherKey := ca.Server(nil).Write(t, folder, "other")
	pair := tlsconfig.Pair{CertFile: certFile, KeyFile: keyFile}
	missing := filepath.Join(folder, "missing")
	for _, test := range []struct {
		o    tlsconfig.Options
		want string
	}{
		{tlsconfig.Options{}, "without a certificate"},
		{tlsconfig.Options{Certificates: []tlsconfig.Pair{{CertFile: missing, KeyFile: keyFile}}}, "error parsing X509 certificate/key pair"},
		{tlsconfig.Options{Certificates: []tlsconfig.Pair{{CertFile: certFile, KeyFile: missing}}}, "error parsing X509 certificate/key pair"},
		{tlsconfig.Options{Certificates: []tlsconfig.Pair{{CertFile: certFile, KeyFile: otherKey}}}, "private key does not match"},
		{tlsconfig.Options{Certificates: []tlsconfig.Pair{{CertFile: keyFile, KeyFile: certFile}}}, "error parsing X509"},
		{tlsconfig.Options{Certificates: []tlsconfig.Pair{pair}, CAFile: missing}, "failed to parse root ca certificate"},
		{tlsconfig.Options{Certificates: []tlsconfig.Pair{pair}, CAFile: keyFile}, "failed to parse root ca certificate"},
		{tlsconfig.Options{Certificates: []tlsconfig.Pair{pair}, Suites: []string{"X"}}, "unrecognized cipher X"},
		{tlsconfig.Options{Certificates: []tlsconfig.Pair{pair}, Curves: []string{"X"}}, "unrecognized curve preference X"},
	} {
		if _, err := tlsconfig.New(&test.o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: got %v, want %q", test.o, err, test.want)
		}
	}
}

// TestSuiteNames has the names that gnatsd 1.1.0 knew. Source: docs/spec/config.md B4.
func TestSuiteNames(t *testing.T) {
	for name, weak := range map[string]bool{
		"TLS_RSA_WITH_RC4_128_SHA": true, "TLS_RSA_WITH_3DES_EDE_CBC_SHA": true, "TLS_RSA_WITH_AES_128_CBC_SHA": true, "TLS_RSA_WITH_AES_256_CBC_SHA": true,
		"TLS_RSA_WITH_AES_128_CBC_SHA256": true, "TLS_RSA_WITH_AES_128_GCM_SHA256": true, "TLS_RSA_WITH_AES_256_GCM_SHA384": true,
		"TLS_ECDHE_ECDSA_WITH_RC4_128_SHA": true, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": true, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": true,
		"TLS_ECDHE_RSA_WITH_RC4_128_SHA": true, "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA": true, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": true,
		"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": true, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256": true, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256": true,
		"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": false, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": false, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": false,
		"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": false, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305": false, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305": false,
		"TLS_AES_128_GCM_SHA256": false, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": false,
	} {
		if _, got, known := tlsconfig.Suite(name); !known || got != weak {
			t.Errorf("%s: known %v, weak %v", name, known, got)
		}
	}
	if _, _, known := tlsconfig.Suite("TLS_NOTHING"); known {
		t.Error("TLS_NOTHING is known")
	}
}

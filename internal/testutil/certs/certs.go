// Package certs makes certificates for tests.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates for a test.
type Authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes an authority that nobody else trusts.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{t: t}
	a.key = newKey(t)
	template := newTemplate("test authority")
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newTemplate(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62)) // the reader never fails
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
}

// Pool returns a pool with the authority.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Certificate is a signed certificate and its key.
type Certificate struct {
	tls.Certificate
	certPEM, keyPEM []byte
}

// Server returns a certificate for 127.0.0.1 and localhost. change may be nil.
func (a *Authority) Server(change func(*x509.Certificate)) *Certificate {
	a.t.Helper()
	return a.sign("server", newKey(a.t), x509.ExtKeyUsageServerAuth, change)
}

// RSAServer is Server with an RSA key, for clients and suites that know no other.
func (a *Authority) RSAServer() *Certificate {
	a.t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.sign("server", key, x509.ExtKeyUsageServerAuth, nil)
}

// Client returns a certificate for a client with this name. change may be nil.
func (a *Authority) Client(name string, change func(*x509.Certificate)) *Certificate {
	a.t.Helper()
	return a.sign(name, newKey(a.t), x509.ExtKeyUsageClientAuth, change)
}

func (a *Authority) sign(name string, key any, usage x509.ExtKeyUsage, change func(*x509.Certificate)) *Certificate {
	a.t.Helper()
	template := newTemplate(name)
	template.ExtKeyUsage = []x509.ExtKeyUsage{usage}
	if usage == x509.ExtKeyUsageServerAuth {
		template.DNSNames, template.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
		template.KeyUsage |= x509.KeyUsageKeyEncipherment
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, publicOf(key), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	c := &Certificate{
		certPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		keyPEM:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
	if c.Certificate, err = tls.X509KeyPair(c.certPEM, c.keyPEM); err != nil {
		a.t.Fatal(err)
	}
	return c
}

// publicOf returns the public half of key.
func publicOf(key any) any {
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		return key.Public()
	case *rsa.PrivateKey:
		return key.Public()
	}
	return nil
}

// Write writes the certificate and the key as NAME.pem and NAME-key.pem into a folder and returns their paths.
func (c *Certificate) Write(t testing.TB, folder, name string) (certFile, keyFile string) {
	t.Helper()
	certFile, keyFile = filepath.Join(folder, name+".pem"), filepath.Join(folder, name+"-key.pem")
	writeFile(t, certFile, c.certPEM)
	writeFile(t, keyFile, c.keyPEM)
	return certFile, keyFile
}

// Write writes the certificate of the authority into a folder and returns its path.
func (a *Authority) Write(t testing.TB, folder string) string {
	t.Helper()
	file := filepath.Join(folder, "ca.pem")
	writeFile(t, file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
	return file
}

func writeFile(t testing.TB, name string, text []byte) {
	t.Helper()
	const ownerOnly = 0o600
	if err := os.WriteFile(name, text, ownerOnly); err != nil {
		t.Fatal(err)
	}
}

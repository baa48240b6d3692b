package config

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net/http"
	"testing"

	"github.com/natsd/natsd/internal/testutil/certs"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/monitor"
)

// TestMonitorPins: monitoring with pinned keys answers to those only, whoever else has a certificate of the right authority.
// Source: docs/spec/config.md B4.
func TestMonitorPins(t *testing.T) {
	ca, folder := certs.NewAuthority(t), t.TempDir()
	certFile, keyFile := ca.Server(nil).Write(t, folder, "server")
	pinned, other := ca.Client("pinned", nil), ca.Client("other", nil)
	sum := sha256.Sum256(pinned.Leaf.RawSubjectPublicKeyInfo)
	r := loadTLS(t, fmt.Sprintf("https: '127.0.0.1:-1', monitor { tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true, pinned_certs: [%q] } }",
		certFile, keyFile, ca.Write(t, folder), hex.EncodeToString(sum[:])), nil)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	b, err := broker.New(broker.Options{DontListen: true})
	if err != nil {
		t.Fatal(err)
	}
	o := r.Config.MonitorOptions()
	o.Broker = b
	s, err := monitor.New(*o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	ask := func(c *certs.Certificate) error {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{c.Certificate}}}
		defer transport.CloseIdleConnections()
		answer, err := (&http.Client{Transport: transport}).Get("https://" + s.Addr().String() + "/varz")
		if err != nil {
			return err
		}
		return answer.Body.Close()
	}
	if err := ask(pinned); err != nil {
		t.Errorf("the pinned key is refused: %v", err)
	}
	if err := ask(other); err == nil {
		t.Error("a key that is not pinned is let in")
	}
}

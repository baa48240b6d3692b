package bench

import (
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/natsd/natsd/internal/testutil"
	"github.com/natsd/natsd/internal/testutil/certs"
	"github.com/natsd/natsd/pkg/broker"
)

// guarded starts a server with these options, and returns its URL.
func guarded(t *testing.T, o broker.Options) string {
	t.Helper()
	testutil.CheckLeaks(t)
	o.Host, o.Port = "127.0.0.1", broker.RandomPort
	b, err := broker.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Shutdown(context.Background()) })
	return b.ClientURL()
}

// TestCredentials: every way to say who one is works, and what is wrong is refused without showing a secret.
func TestCredentials(t *testing.T) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "bench.nk")
	if err := os.WriteFile(file, append(seed, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := ReadCredentials(file)
	if err != nil {
		t.Fatal(err)
	}
	users := &broker.Auth{Users: []broker.User{{Name: "anna", Password: "geheim"}, {NKey: public}}}
	for _, c := range []struct {
		name   string
		auth   *broker.Auth
		user   string // in the URL
		secret Credentials
		fails  bool
	}{
		{name: "user in the URL", auth: users, user: "anna:geheim@"},
		{name: "user", auth: users, secret: Credentials{User: "anna", Password: "geheim"}},
		{name: "key", auth: users, secret: key},
		{name: "token in the URL", auth: &broker.Auth{Token: "geheim"}, user: "geheim@"},
		{name: "token", auth: &broker.Auth{Token: "geheim"}, secret: Credentials{Token: "geheim"}},
		{name: "wrong password", auth: users, user: "anna:geheimnis@", fails: true},
		{name: "none", auth: users, fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := strings.Replace(guarded(t, broker.Options{Auth: c.auth}), "://", "://"+c.user, 1)
			report, err := Run(t.Context(), Options{Target: Target{URLs: []string{url}, Credentials: c.secret}, Workloads: []Workload{{Kind: PubSub, Msgs: 100}}})
			switch {
			case c.fails && err == nil:
				t.Error("the server lets it in")
			case c.fails && (!strings.Contains(err.Error(), "Authorization Violation") || strings.Contains(err.Error(), "geheim")):
				t.Errorf("error %q", err)
			case !c.fails && err != nil:
				t.Error(err)
			case !c.fails && report.Results[0].Delivered != 100:
				t.Errorf("%+v", report.Results[0])
			}
		})
	}
}

// TestTLS: a server with TLS is measured if its certificate is known, and a client with a certificate shows it.
func TestTLS(t *testing.T) {
	ca := certs.NewAuthority(t)
	url := guarded(t, broker.Options{TLS: &broker.TLSOptions{Config: &tls.Config{
		Certificates: []tls.Certificate{ca.Server(nil).Certificate}, MinVersion: tls.VersionTLS12, ClientCAs: ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert,
	}}})
	workloads := []Workload{{Kind: PubSub, Msgs: 2000}, {Kind: Request, Msgs: 50}}
	config := &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{ca.Client("bench", nil).Certificate}, MinVersion: tls.VersionTLS12}
	report, err := Run(t.Context(), Options{Target: Target{URLs: []string{url}, TLS: config}, Workloads: workloads})
	if err != nil {
		t.Fatal(err)
	}
	if got := report.Results; got[0].Delivered != 2000 || got[1].Delivered != 50 {
		t.Errorf("%+v", got)
	}
	if _, err := Run(t.Context(), Options{Target: Target{URLs: []string{url}}, Workloads: workloads}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a server nobody knows: %v", err)
	}
}

// TestForeign: what others publish on the same subject is told apart, and costs no memory however it is numbered.
func TestForeign(t *testing.T) {
	g := &group{ledgers: make([]ledger, 1)}
	p := &play{Workload: Workload{Kind: PubSub, Pubs: 1}, run: &run{}, latency: newMeter()}
	p.publishers = []*publisher{{counters: &counters{}}}
	p.publishers[0].counters.add(10, 0, 0)
	s := &subscriber{play: p, group: g, samples: newSamples(p.latency)}
	now := int64(1e18)
	for _, c := range []struct {
		mark stamp
		kind Kind
		want bool
	}{
		{stamp{0, 9, now}, PubSub, true},
		{stamp{0, 10, now}, PubSub, false}, // not sent yet
		{stamp{1, 0, now}, PubSub, false},
		{stamp{0, 1, now - 2*maxLatency}, PubSub, false},
		{stamp{0, 1<<48 - 1, now}, PubSub, false},
		{stamp{3, 5, now}, Sub, true},
		{stamp{3, 1<<48 - 1, now}, Sub, false},
	} {
		p.Kind = c.kind
		payload := make([]byte, stampSize)
		c.mark.put(payload)
		if got := s.note(&message{payload: payload}, now); got != c.want {
			t.Errorf("%s: %+v counts: %v, want %v", c.kind, c.mark, got, c.want)
		}
	}
	for _, l := range g.ledgers {
		if len(l.pages) > 1 {
			t.Errorf("a ledger of %d pages", len(l.pages))
		}
	}
}

//go:build e2e

package e2e

import (
	"crypto/tls"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/natsd/natsd/internal/testutil/certs"
)

// secured is a server with a configuration, and what clients need for it.
type secured struct {
	*server
	ca                                      *certs.Authority
	caFile, certFile, keyFile               string // of a client
	seed                                    []byte
	seedFile, otherSeedFile, otherCertFile  string
	otherKeyFile, publicKey, otherPublicKey string
}

// startSecured runs the server with a configuration, in which words in capitals stand for files and keys.
func startSecured(t *testing.T, conf string) *secured {
	t.Helper()
	if isPeer() {
		t.Skip("the peer is started with a configuration of its own")
	}
	folder := t.TempDir()
	s := &secured{ca: certs.NewAuthority(t)}
	serverCert, serverKey := s.ca.Server(nil).Write(t, folder, "server")
	s.certFile, s.keyFile = s.ca.Client("bob", nil).Write(t, folder, "client")
	s.otherCertFile, s.otherKeyFile = certs.NewAuthority(t).Client("bob", nil).Write(t, folder, "stranger")
	s.caFile = s.ca.Write(t, folder)
	s.seed, s.publicKey, s.seedFile = writeSeed(t, folder, "seed")
	_, s.otherPublicKey, s.otherSeedFile = writeSeed(t, folder, "other")
	conf = strings.NewReplacer("SERVERCERT", serverCert, "SERVERKEY", serverKey, "CAFILE", s.caFile, "PUBLICKEY", s.publicKey).Replace(conf)
	file := filepath.Join(folder, "natsd.conf")
	must(t, os.WriteFile(file, []byte(conf), 0o600))
	s.server = startServer(t, "-c", file)
	return s
}

// writeSeed makes a key of a user.
func writeSeed(t *testing.T, folder, name string) (seed []byte, public, file string) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	must(t, err)
	seed, err = pair.Seed()
	must(t, err)
	public, err = pair.PublicKey()
	must(t, err)
	file = filepath.Join(folder, name+".nk")
	must(t, os.WriteFile(file, seed, 0o600))
	return seed, public, file
}

const usersConfig = `
authorization {
  users = [
    { user: bob, password: s3cret }
    { user: hash, password: "$2a$11$W2zko751KUvVy59mUTWmpOdWjpEm5qhcCZRd05GjI/sSOT.xtiHyG" }
    { user: tight, password: s3cret, permissions: { publish: { allow: "ok.>" }, subscribe: { allow: ["ok.>", "_INBOX.>", "queue work"], deny: "ok.secret" } } }
    { user: service, password: s3cret, permissions: { subscribe: service, allow_responses: true } }
    { nkey: PUBLICKEY }
  ]
}
`

const serverTLS = `tls { cert_file: "SERVERCERT", key_file: "SERVERKEY" }
`

const mutualTLS = `tls { cert_file: "SERVERCERT", key_file: "SERVERKEY", ca_file: "CAFILE", verify: true }
`

// tryConnect connects nats.go once.
func (s *secured) tryConnect(t *testing.T, options ...nats.Option) (*nats.Conn, error) {
	t.Helper()
	nc, err := nats.Connect(s.url(), append(options, nats.NoReconnect(), nats.Timeout(patience))...)
	if err == nil {
		t.Cleanup(nc.Close)
		must(t, nc.FlushTimeout(patience))
	}
	return nc, err
}

// TestGoCredentials: nats.go with every kind of credentials, right and wrong.
func TestGoCredentials(t *testing.T) {
	users := startSecured(t, usersConfig)
	token := startSecured(t, "authorization { token: t0ken }")
	seedOption := func(file string) nats.Option {
		option, err := nats.NkeyOptionFromSeed(file)
		must(t, err)
		return option
	}
	for name, test := range map[string]struct {
		s      *secured
		option nats.Option
		in     bool
	}{
		"user":             {users, nats.UserInfo("bob", "s3cret"), true},
		"user, hash":       {users, nats.UserInfo("hash", "T0pS3cr3t"), true},
		"wrong password":   {users, nats.UserInfo("bob", "secret"), false},
		"wrong, hash":      {users, nats.UserInfo("hash", "T0pS3cr3"), false},
		"unknown user":     {users, nats.UserInfo("eve", "s3cret"), false},
		"nothing":          {users, nats.Name("x"), false},
		"token for a user": {users, nats.Token("s3cret"), false},
		"key":              {users, seedOption(users.seedFile), true},
		"another key":      {users, seedOption(users.otherSeedFile), false},
		"token":            {token, nats.Token("t0ken"), true},
		"wrong token":      {token, nats.Token("token"), false},
		"user for a token": {token, nats.UserInfo("bob", "t0ken"), false},
	} {
		_, err := test.s.tryConnect(t, test.option)
		if test.in && err != nil || !test.in && !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if strings.Contains(users.log.String(), "s3cret") {
		t.Error("a password is in the log")
	}
}

// TestGoPermissions: what is refused reaches the program that asked for it, the way nats.go tells it.
func TestGoPermissions(t *testing.T) {
	s := startSecured(t, usersConfig)
	problems := make(chan error, 10)
	nc, err := s.tryConnect(t, nats.UserInfo("tight", "s3cret"), nats.PermissionErrOnSubscribe(true), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { problems <- err }))
	must(t, err)
	expect := func(want string) {
		t.Helper()
		select {
		case err := <-problems:
			if !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		case <-time.After(patience):
			t.Fatalf("nothing is told, want %s", want)
		}
	}
	must(t, nc.Publish("no", nil))
	expect(`Permissions Violation for Publish to "no"`)
	refused, err := nc.SubscribeSync("no")
	must(t, err)
	expect(`Permissions Violation for Subscription to "no"`)
	if _, err := refused.NextMsg(patience); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("the subscription tells %v", err)
	}
	refused, err = nc.QueueSubscribeSync("queue", "play")
	must(t, err)
	expect(`Permissions Violation for Subscription to "queue" using queue "play"`)
	if _, err := refused.NextMsg(patience); !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("the subscription of the queue tells %v", err)
	}
	work := subscribe(t, nc, "queue", "work")
	ok := subscribe(t, nc, "ok.*", "")
	bob, err := s.tryConnect(t, nats.UserInfo("bob", "s3cret"))
	must(t, err)
	must(t, bob.Publish("queue", []byte("w")))
	must(t, bob.Publish("ok.secret", nil))
	must(t, bob.Publish("ok.a", []byte("a")))
	if m := next(t, ok); m.Subject != "ok.a" {
		t.Errorf("got %s", m.Subject)
	}
	next(t, work)
	// A request and its answer by a service that may publish nothing else.
	service, err := s.tryConnect(t, nats.UserInfo("service", "s3cret"), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { problems <- err }))
	must(t, err)
	_, err = service.Subscribe("service", func(m *nats.Msg) { _ = m.Respond([]byte("answer")) })
	must(t, err)
	must(t, service.Flush())
	m, err := bob.Request("service", nil, patience)
	must(t, err)
	if string(m.Data) != "answer" {
		t.Errorf("got %q", m.Data)
	}
	must(t, service.Publish(m.Subject, nil))
	expect("Permissions Violation for Publish to")
}

// TestGoTLS: nats.go with TLS, with and without certificates of clients.
func TestGoTLS(t *testing.T) {
	plain, oneWay, both := startSecured(t, ""), startSecured(t, serverTLS), startSecured(t, mutualTLS+usersConfig)
	old := func(s *secured) nats.Option {
		return nats.Secure(&tls.Config{RootCAs: s.ca.Pool(), MaxVersion: tls.VersionTLS11}) //nolint:gosec // that is the point
	}
	bob := nats.UserInfo("bob", "s3cret")
	for name, test := range map[string]struct {
		s       *secured
		options []nats.Option
		in      bool
	}{
		"right":                {oneWay, []nats.Option{nats.RootCAs(oneWay.caFile)}, true},
		"unknown authority":    {oneWay, []nats.Option{nats.RootCAs(both.caFile)}, false},
		"TLS 1.1":              {oneWay, []nats.Option{old(oneWay)}, false},
		"not secure":           {oneWay, nil, false},
		"where there is none":  {plain, []nats.Option{nats.RootCAs(plain.caFile)}, false},
		"both ways":            {both, []nats.Option{bob, nats.RootCAs(both.caFile), nats.ClientCert(both.certFile, both.keyFile)}, true},
		"no certificate":       {both, []nats.Option{bob, nats.RootCAs(both.caFile)}, false},
		"a strange one":        {both, []nats.Option{bob, nats.RootCAs(both.caFile), nats.ClientCert(both.otherCertFile, both.otherKeyFile)}, false},
		"both ways, wrong":     {both, []nats.Option{nats.UserInfo("bob", "x"), nats.RootCAs(both.caFile), nats.ClientCert(both.certFile, both.keyFile)}, false},
		"both ways, signature": {both, []nats.Option{nkeyOption(t, both.seedFile), nats.RootCAs(both.caFile), nats.ClientCert(both.certFile, both.keyFile)}, true},
	} {
		nc, err := test.s.tryConnect(t, test.options...)
		if test.in != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if !test.in {
			continue
		}
		sub := subscribe(t, nc, "big", "")
		must(t, nc.Publish("big", make([]byte, 500_000)))
		if m := next(t, sub); len(m.Data) != 500_000 {
			t.Errorf("%s: %d bytes", name, len(m.Data))
		}
	}
}

func nkeyOption(t *testing.T, file string) nats.Option {
	t.Helper()
	option, err := nats.NkeyOptionFromSeed(file)
	must(t, err)
	return option
}

// TestJavaScriptSecurity runs js/security.mjs, which does the same with @nats-io/transport-node.
func TestJavaScriptSecurity(t *testing.T) {
	users, token := startSecured(t, usersConfig), startSecured(t, "authorization { token: t0ken }")
	oneWay, both := startSecured(t, serverTLS), startSecured(t, mutualTLS+usersConfig)
	command := exec.Command("node", "security.mjs")
	command.Dir = "js"
	command.Env = append(os.Environ(), "USERS="+users.url(), "TOKEN="+token.url(), "TLS="+oneWay.url(), "MUTUAL="+both.url(), "SEED="+string(users.seed),
		"TLSCA="+oneWay.caFile, "CA="+both.caFile, "CERT="+both.certFile, "KEY="+both.keyFile, "BADCERT="+both.otherCertFile, "BADKEY="+both.otherKeyFile)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

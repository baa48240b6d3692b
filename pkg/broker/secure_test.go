package broker

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil/certs"
	"github.com/rs/zerolog"
)

// secureOptions returns options with TLS under a certificate of ca.
func secureOptions(ca *certs.Authority, change func(*TLSOptions)) Options {
	o := Options{Host: "127.0.0.1", Port: RandomPort, TLS: &TLSOptions{Config: &tls.Config{Certificates: []tls.Certificate{ca.Server(nil).Certificate}, MinVersion: tls.VersionTLS12}}}
	if change != nil {
		change(o.TLS)
	}
	return o
}

// verifying makes clients show a certificate of ca.
func verifying(ca *certs.Authority) func(*TLSOptions) {
	return func(o *TLSOptions) {
		o.Config.ClientCAs, o.Config.ClientAuth = ca.Pool(), tls.RequireAndVerifyClientCert
	}
}

// secureClient is a client with TLS.
type secureClient struct {
	*tls.Conn
	t     *testing.T
	input *bufio.Reader
	info  string
}

// dialSecure reads INFO in clear text and shakes hands. certificate may be nil.
func dialSecure(t *testing.T, b *Broker, ca *certs.Authority, certificate *certs.Certificate) (*secureClient, error) {
	t.Helper()
	raw := dialRaw(t, b)
	return shakeHands(t, raw.TCPConn, raw.info, ca, certificate)
}

func shakeHands(t *testing.T, nc net.Conn, info string, ca *certs.Authority, certificate *certs.Certificate) (*secureClient, error) {
	t.Helper()
	config := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", DynamicRecordSizingDisabled: true} // what is written at once comes at once
	if certificate != nil {
		config.Certificates = []tls.Certificate{certificate.Certificate}
	}
	c := &secureClient{Conn: tls.Client(nc, config), t: t, info: info}
	c.input = bufio.NewReader(c.Conn)
	_ = c.SetDeadline(time.Now().Add(patience))
	return c, c.Handshake()
}

func (c *secureClient) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.Conn, text); err != nil {
		c.t.Fatalf("cannot send: %v", err)
	}
}

func (c *secureClient) expect(want ...string) {
	c.t.Helper()
	for _, w := range want {
		got, err := c.input.ReadString('\n')
		if got != w+"\r\n" {
			c.t.Fatalf("got %q and %v, want %q", got, err, w)
		}
	}
}

// refusedBy reports whether the server ends a connection that shook hands, as with TLS 1.3 a client learns of a refused
// certificate only then.
func (c *secureClient) refused() bool {
	_, _ = io.WriteString(c.Conn, "CONNECT {\"verbose\":false}\r\nPING\r\n")
	text, err := io.ReadAll(c.input)
	return err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && len(text) == 0
}

// TestTLS: INFO in clear text, then everything encrypted, with clients of both kinds that there are.
// Spec: docs/spec/client-protocol.md §11.
func TestTLS(t *testing.T) {
	ca := certs.NewAuthority(t)
	b := launch(t, secureOptions(ca, nil))
	c, err := dialSecure(t, b, ca, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(c.info, `"tls_required":true,"tls_verify":false`) {
		t.Error(c.info)
	}
	c.send("CONNECT {\"verbose\":false,\"protocol\":1,\"headers\":true}\r\nPING\r\nSUB a 1\r\n")
	c.expect("PONG")
	if line, err := c.input.ReadString('\n'); !strings.HasPrefix(line, "INFO {") {
		t.Fatalf("%q, %v", line, err)
	}
	payload := strings.Repeat("x", 100_000) // many records
	for range 20 {
		c.send("PUB a 100000\r\n" + payload + "\r\n")
	}
	for range 20 {
		c.expect("MSG a 1 100000", payload)
	}
	inside, err := b.InProcessConn() // has no TLS
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = inside.Close() }()
	line, err := bufio.NewReader(inside).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "INFO {") {
		t.Errorf("%q, %v", line, err)
	}
}

// TestPlainTextToTLS: who does not shake hands is told so in clear text; who says nothing is, too, after a while; who breaks
// the handshake off is not. Spec: docs/spec/client-protocol.md §11.
func TestPlainTextToTLS(t *testing.T) {
	ca := certs.NewAuthority(t)
	log := &logRecord{}
	o := secureOptions(ca, nil)
	o.Logger = log.logger(zerolog.DebugLevel)
	b := launch(t, o)
	for _, text := range []string{"CONNECT {}\r\nPING\r\n", "P", "\x00", "GET / HTTP/1.1\r\n\r\n", strings.Repeat("\x15", 100_000)} {
		c := dialRaw(t, b)
		c.send(text)
		c.expectError(errTextTLSRequired)
	}
	await(t, "the log says so", func() bool { return log.count("TLS handshake error: the client did not begin") == 5 })
	for _, text := range []string{"\x16\x03\x01\x00\x05hello", "\x16", "\x16\x03\x01\xff\xff" + strings.Repeat("\x16", 70_000)} {
		c := dialRaw(t, b)
		_ = c.trySend(text)
		_ = c.CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(patience))
		rest, _ := io.ReadAll(c.input)
		if strings.Contains(string(rest), "-ERR") {
			t.Errorf("%.20q is answered in clear text: %q", text, rest)
		}
	}
	await(t, "they are gone", func() bool { return b.Stats().Connections == 0 })
}

// TestTLSTimeout: neither silence nor a handshake that stops half way keeps a connection.
func TestTLSTimeout(t *testing.T) {
	ca := certs.NewAuthority(t)
	b := launch(t, secureOptions(ca, func(o *TLSOptions) { o.Timeout = 50 * time.Millisecond }))
	silent := dialRaw(t, b)
	silent.expectError(errTextTLSRequired)
	half := dialRaw(t, b)
	half.send("\x16\x03\x01\x02")
	half.expectEnd()
	for range 50 { // and they hold no slot that others need
		dialRaw(t, b).send("\x16\x03\x01\x02")
	}
	if _, err := dialSecure(t, b, ca, nil); err != nil {
		t.Error(err)
	}
}

// TestHandshakeSlots: clients that stop in the middle of a handshake do not keep others from theirs.
func TestHandshakeSlots(t *testing.T) {
	ca := certs.NewAuthority(t)
	b := launch(t, secureOptions(ca, func(o *TLSOptions) { o.Timeout = time.Minute }))
	for range 100 {
		raw := dialRaw(t, b)
		near, far := net.Pipe()
		go func() { // a ClientHello and no more
			_ = tls.Client(far, &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"}).Handshake()
		}()
		hello := make([]byte, 4096)
		n, err := near.Read(hello)
		if err != nil {
			t.Fatal(err)
		}
		raw.send(string(hello[:n]))
		_, _ = near.Close(), far.Close()
	}
	if _, err := dialSecure(t, b, ca, nil); err != nil {
		t.Error(err)
	}
}

// TestOldVersions: a client that offers nothing newer than TLS 1.1 is refused.
func TestOldVersions(t *testing.T) {
	ca := certs.NewAuthority(t)
	b := launch(t, secureOptions(ca, nil))
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} { //nolint:gosec // that is the point
		c := tls.Client(dialRaw(t, b), &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", MinVersion: version, MaxVersion: version})
		if err := c.Handshake(); err == nil {
			t.Errorf("%s is accepted", tls.VersionName(version))
		}
	}
}

// TestTLSToPlainPort: a handshake on a port without TLS is a fault like any other.
func TestTLSToPlainPort(t *testing.T) {
	for name, auth := range map[string]*Auth{"open": nil, "with users": {User: "bob"}} {
		t.Run(name, func(t *testing.T) {
			b := launch(t, Options{Auth: auth})
			_, err := dialSecure(t, b, certs.NewAuthority(t), nil)
			if err == nil {
				t.Error("it went well")
			}
			if c := dialRaw(t, b); !strings.Contains(c.info, `"tls_required":false`) {
				t.Error(c.info)
			}
		})
	}
}

// TestClientCertificate: with verify, only clients with a certificate get in.
func TestClientCertificate(t *testing.T) {
	ca := certs.NewAuthority(t)
	b := launch(t, secureOptions(ca, verifying(ca)))
	c, err := dialSecure(t, b, ca, ca.Client("c", nil))
	if err != nil || !strings.Contains(c.info, `"tls_verify":true`) {
		t.Fatalf("%v, %s", err, c.info)
	}
	c.send("PING\r\n")
	c.expect("PONG")
	for name, certificate := range map[string]*certs.Certificate{
		"none": nil, "another CA": certs.NewAuthority(t).Client("c", nil), "for servers": ca.Server(nil),
		"expired": ca.Client("c", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }),
	} {
		c, err := dialSecure(t, b, ca, certificate)
		if err == nil && !c.refused() {
			t.Errorf("%s: served", name)
		}
	}
}

// TestVerifyAndMap: the certificate says who a client is, whatever it shows in CONNECT.
func TestVerifyAndMap(t *testing.T) {
	ca := certs.NewAuthority(t)
	o := secureOptions(ca, func(o *TLSOptions) { verifying(ca)(o); o.VerifyAndMap = true })
	o.Auth = &Auth{Users: []User{
		{Name: "bob@example.com", Permissions: denying("x")}, {Name: "host.example.com"}, {Name: "spiffe://example.com/bob"}, {Name: "CN=bob,O=Acme"}, {Name: "other", Password: "s3cret"},
	}}
	b := launch(t, o)
	for name, test := range map[string]struct {
		change func(*x509.Certificate)
		want   string
	}{
		"mail":       {func(c *x509.Certificate) { c.EmailAddresses = []string{"no@example.com", "bob@example.com"} }, "bob@example.com"},
		"host":       {func(c *x509.Certificate) { c.DNSNames = []string{"host.example.com"} }, "host.example.com"},
		"URI":        {func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "spiffe", Host: "example.com", Path: "/bob"}} }, "spiffe://example.com/bob"},
		"subject":    {func(c *x509.Certificate) { c.Subject.CommonName, c.Subject.Organization = "bob", []string{"Acme"} }, "CN=bob,O=Acme"},
		"part of it": {func(c *x509.Certificate) { c.Subject.CommonName = "bob" }, ""},
		"more than it": {func(c *x509.Certificate) {
			c.Subject.CommonName, c.Subject.Organization = "bob", []string{"Acme", "Evil"}
		}, ""},
		"escaped":          {func(c *x509.Certificate) { c.Subject.CommonName = "bob,O=Acme" }, ""},
		"a user's name":    {func(c *x509.Certificate) { c.Subject.CommonName = "other" }, ""},
		"nobody's address": {func(c *x509.Certificate) { c.EmailAddresses = []string{"BOB@example.com"} }, ""},
	} {
		c, err := dialSecure(t, b, ca, ca.Client("c", test.change))
		if err != nil {
			t.Fatal(err)
		}
		c.send(connectLine("user", "other", "pass", "s3cret"))
		if test.want == "" {
			c.expect("-ERR 'Authorization Violation'")
			continue
		}
		c.expect("PONG")
		if got := serverSideOf(t, b, c).identity.Load().name; got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// TestReloadWithoutMapping: once certificates do not say any more who a client is, what it has shown in CONNECT does, and that was
// not looked at before. Spec: docs/spec/config.md C3.
func TestReloadWithoutMapping(t *testing.T) {
	ca := certs.NewAuthority(t)
	for name, stored := range map[string]string{"in clear text": "s3cret", "hashed": cheapHash(t, "s3cret")} {
		for given, stays := range map[string]bool{"s3cret": true, "wrong": false, "": false} {
			t.Run(name+" "+given, func(t *testing.T) {
				o := secureOptions(ca, func(o *TLSOptions) { verifying(ca)(o); o.VerifyAndMap = true })
				o.Auth = &Auth{Users: []User{{Name: "alice@example.com", Password: stored}}}
				b := launch(t, o)
				c, err := dialSecure(t, b, ca, ca.Client("c", func(c *x509.Certificate) { c.EmailAddresses = []string{"alice@example.com"} }))
				if err != nil {
					t.Fatal(err)
				}
				c.send(connectLine("user", "alice@example.com", "pass", given))
				c.expect("PONG")
				unmapped := *o.TLS
				unmapped.VerifyAndMap = false
				o.TLS = &unmapped
				reload(t, b, o)
				if !stays {
					c.expect("-ERR '" + errTextAuthorization + "'")
					return
				}
				reload(t, b, o)
				c.send("PING\r\n")
				c.expect("PONG")
			})
		}
	}
}

// serverSideOf returns the broker's side of c.
func serverSideOf(t *testing.T, b *Broker, c *secureClient) *conn {
	t.Helper()
	for _, other := range b.connections() {
		if other.net.RemoteAddr().String() == c.LocalAddr().String() {
			return other
		}
	}
	t.Fatal("the broker does not know the connection")
	return nil
}

// TestPinnedKeys: only certificates with these keys count, at the handshake and after a reload.
// Spec: docs/spec/config.md B4, C3.
func TestPinnedKeys(t *testing.T) {
	ca := certs.NewAuthority(t)
	pinned, other := ca.Client("a", nil), ca.Client("b", nil)
	sum := func(c *certs.Certificate) string { return keySum(c.Leaf) }
	o := secureOptions(ca, func(o *TLSOptions) { verifying(ca)(o); o.PinnedKeys = []string{sum(pinned)} })
	log := &logRecord{}
	o.Logger = log.logger(zerolog.InfoLevel)
	b := launch(t, o)
	c, err := dialSecure(t, b, ca, pinned)
	if err != nil {
		t.Fatal(err)
	}
	c.send("PING\r\n")
	c.expect("PONG")
	if d, err := dialSecure(t, b, ca, other); err == nil && !d.refused() {
		t.Error("another certificate is served")
	}
	next := *o.TLS
	next.PinnedKeys = []string{sum(other)}
	o.TLS = &next
	reload(t, b, o)
	if _, err := io.ReadAll(c.input); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection stays after its key is not pinned any more")
	}
	if n := log.count("Disconnect 1 clients due to pinned certs reload"); n != 1 {
		t.Errorf("%d lines about it in the log", n)
	}
	if _, err := dialSecure(t, b, ca, other); err != nil {
		t.Error(err)
	}
}

// TestPinnedKeysDuringHandshake: a client that a reload of the pinned keys finds before its handshake, which goes on under the
// settings it was accepted with, is not served with a key that is not pinned any more. Spec: docs/spec/config.md C3.
func TestPinnedKeysDuringHandshake(t *testing.T) {
	ca := certs.NewAuthority(t)
	old, other := ca.Client("a", nil), ca.Client("b", nil)
	o := secureOptions(ca, func(o *TLSOptions) { verifying(ca)(o); o.PinnedKeys = []string{keySum(old.Leaf), keySum(other.Leaf)} })
	b := launch(t, o)
	removed, stays := dialRaw(t, b), dialRaw(t, b)
	next := *o.TLS
	next.PinnedKeys = []string{keySum(other.Leaf)}
	o.TLS = &next
	reload(t, b, o)
	if c, err := shakeHands(t, removed.TCPConn, "", ca, old); err == nil {
		_, _ = io.WriteString(c, "PING\r\n")
		if text, err := io.ReadAll(c.input); len(text) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the key that was removed is served: got %q and %v", text, err)
		}
	}
	c, err := shakeHands(t, stays.TCPConn, "", ca, other)
	if err != nil {
		t.Fatal(err)
	}
	c.send("PING\r\n")
	c.expect("PONG")
}

// TestHandshakeFirst: the handshake before INFO, always, or for clients that begin it soon.
func TestHandshakeFirst(t *testing.T) {
	ca := certs.NewAuthority(t)
	for name, test := range map[string]struct {
		change      func(*TLSOptions)
		first, late bool // clients that are served
	}{
		"always": {func(o *TLSOptions) { o.HandshakeFirst = true }, true, false},
		"auto":   {func(o *TLSOptions) { o.HandshakeDelay = 100 * time.Millisecond }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := launch(t, secureOptions(ca, test.change))
			nc, err := net.Dial("tcp", b.ClientAddr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = nc.Close() }()
			c, err := shakeHands(t, nc, "", ca, nil)
			if err != nil {
				t.Fatal(err)
			}
			if line, err := c.input.ReadString('\n'); !strings.HasPrefix(line, "INFO {") {
				t.Fatalf("%q, %v", line, err)
			}
			c.send("PING\r\n")
			c.expect("PONG")
			if test.late {
				c, err := dialSecure(t, b, ca, nil)
				if err != nil {
					t.Fatal(err)
				}
				c.send("PING\r\n")
				c.expect("PONG")
			}
		})
	}
}

// TestAllowNonTLS: both kinds of client on one port.
func TestAllowNonTLS(t *testing.T) {
	ca := certs.NewAuthority(t)
	b := launch(t, secureOptions(ca, func(o *TLSOptions) { o.AllowNonTLS = true }))
	plain := joinQuiet(t, b)
	if !strings.Contains(plain.info, `"tls_required":false,"tls_verify":false`) || !strings.Contains(plain.info, `"tls_available":true`) {
		t.Error(plain.info)
	}
	c, err := dialSecure(t, b, ca, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.send("CONNECT {\"verbose\":false}\r\nSUB a 1\r\nPING\r\n")
	c.expect("PONG")
	plain.send("PUB a 2\r\nhi\r\n")
	c.expect("MSG a 1 2", "hi")
}

// TestMaxConnectionsWithTLS: whoever is turned away reads so in clear text before the handshake, unless the handshake comes
// first; then there is only the end. Spec: docs/spec/client-protocol.md §9.
func TestMaxConnectionsWithTLS(t *testing.T) {
	ca := certs.NewAuthority(t)
	for _, first := range []bool{false, true} {
		o := secureOptions(ca, func(o *TLSOptions) { o.HandshakeFirst = first })
		o.MaxConnections = 1
		b := launch(t, o)
		only, err := b.InProcessConn()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = only.Close() })
		nc, err := net.Dial("tcp", b.ClientAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = nc.Close() }()
		_ = nc.SetDeadline(time.Now().Add(patience))
		text, err := io.ReadAll(nc)
		info, rest, _ := strings.Cut(string(text), " \r\n")
		switch {
		case err != nil:
			t.Errorf("handshake first %v: %v", first, err)
		case first && len(text) > 0:
			t.Errorf("got %q before a handshake that was to come first", text)
		case !first && (!strings.HasPrefix(info, "INFO {") || rest != "-ERR '"+errTextMaxConnections+"'\r\n"):
			t.Errorf("got %q", text)
		}
	}
}

// TestHandshakeRate: more handshakes than allowed in a second are turned away, before anything was computed.
func TestHandshakeRate(t *testing.T) {
	s := newSecureSettings(&TLSOptions{Config: &tls.Config{MinVersion: tls.VersionTLS12}, MaxPerSecond: 3})
	now := time.Unix(1000, 0)
	for second := range 3 {
		for i := range 5 {
			if got := s.admit(now.Add(time.Duration(second)*time.Second + time.Duration(i))); got != (i < 3) {
				t.Errorf("second %d, handshake %d: %v", second, i, got)
			}
		}
	}
	ca := certs.NewAuthority(t)
	b := launch(t, secureOptions(ca, func(o *TLSOptions) { o.MaxPerSecond = 1 }))
	turnedAway := 0
	for range 10 {
		nc, err := net.Dial("tcp", b.ClientAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(nc).ReadString('\n')
		if strings.HasPrefix(line, "-ERR '"+errTextThrottled) {
			turnedAway++
		} else if !strings.HasPrefix(line, "INFO") {
			t.Errorf("%q, %v", line, err)
		}
		_ = nc.Close()
	}
	if turnedAway == 0 {
		t.Error("nobody was turned away")
	}
}

// TestReloadTLS: connections that there are stay as they are; new ones are served as the options say.
// Spec: docs/spec/config.md C3.
func TestReloadTLS(t *testing.T) {
	ca := certs.NewAuthority(t)
	o := Options{Host: "127.0.0.1", Port: RandomPort}
	b := launch(t, o)
	plain := joinQuiet(t, b)
	o.TLS = secureOptions(ca, nil).TLS
	reload(t, b, o)
	plain.roundTrip()
	c, err := dialSecure(t, b, ca, nil)
	if err != nil {
		t.Fatal(err)
	}
	strict := *o.TLS
	strict.Config = o.TLS.Config.Clone()
	verifying(ca)(&strict)
	o.TLS = &strict
	reload(t, b, o)
	c.send("PING\r\n")
	c.expect("PONG")
	if d, err := dialSecure(t, b, ca, nil); err == nil && !d.refused() {
		t.Error("a new client without a certificate is served")
	}
	o.TLS = nil
	reload(t, b, o)
	joinQuiet(t, b)
	plain.roundTrip()
	c.send("PING\r\n")
	c.expect("PONG")
}

// TestShutdownDuringHandshake: a client in the middle of one does not hold the broker up.
func TestShutdownDuringHandshake(t *testing.T) {
	ca := certs.NewAuthority(t)
	b := launch(t, secureOptions(ca, func(o *TLSOptions) { o.Timeout = time.Hour }))
	silent, half := dialRaw(t, b), dialRaw(t, b)
	half.send("\x16\x03\x01\x02")
	halt(t, b)
	silent.expectEnd()
	half.expectEnd()
}

// TestTLSSlowConsumer: a client with TLS that does not read is cut like any other, and those that read get everything.
func TestTLSSlowConsumer(t *testing.T) {
	ca := certs.NewAuthority(t)
	o := secureOptions(ca, nil)
	o.MaxPending, o.MaxPayload, o.WriteDeadline = 4<<20, 1<<20, time.Second
	b := launch(t, o)
	slow, err := dialSecure(t, b, ca, nil)
	if err != nil {
		t.Fatal(err)
	}
	fast, err := dialSecure(t, b, ca, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*secureClient{slow, fast} {
		c.send("CONNECT {\"verbose\":false}\r\nSUB a 1\r\nPING\r\n")
		c.expect("PONG")
	}
	publisher, err := dialSecure(t, b, ca, nil)
	if err != nil {
		t.Fatal(err)
	}
	publisher.send("CONNECT {\"verbose\":false}\r\n")
	const n = 100
	payload := strings.Repeat("x", 256<<10)
	for range n {
		publisher.send("PUB a 262144\r\n" + payload + "\r\n")
		fast.expect("MSG a 1 262144", payload)
	}
	await(t, "the slow one is cut", func() bool { return b.Stats().SlowConsumers == 1 })
}

func TestTLSValidation(t *testing.T) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	for name, o := range map[string]Options{
		"no config":           {TLS: &TLSOptions{}},
		"negative":            {TLS: &TLSOptions{Config: config, Timeout: -1}},
		"map without users":   {TLS: &TLSOptions{Config: config, VerifyAndMap: true}},
		"map without asking":  {TLS: &TLSOptions{Config: config, VerifyAndMap: true}, Auth: &Auth{Users: []User{{Name: "a"}}}},
		"pins without asking": {TLS: &TLSOptions{Config: config, PinnedKeys: []string{"x"}}},
	} {
		if _, err := New(o); !errors.Is(err, ErrInvalidOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWaitingHoldsNoWorker: a connection without a raw socket, with TLS or in the process, whose input ends where the buffer did
// that it waits with, has that buffer only while it waits for more. Source: docs/adr/0001-goroutines-without-buffers.md.
func TestWaitingHoldsNoWorker(t *testing.T) {
	ca := certs.NewAuthority(t)
	for name, connect := range map[string]func(*testing.T, *Broker) net.Conn{
		"TLS": func(t *testing.T, b *Broker) net.Conn {
			c, err := dialSecure(t, b, ca, nil)
			if err != nil {
				t.Fatal(err)
			}
			return c
		},
		"in process": func(t *testing.T, b *Broker) net.Conn {
			c, err := b.InProcessConn()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			_ = c.SetDeadline(time.Now().Add(patience))
			if _, err := c.Read(make([]byte, readSize)); err != nil { // INFO
				t.Fatal(err)
			}
			return c
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := launch(t, secureOptions(ca, nil))
			const n = 100
			clients := make([]net.Conn, n)
			for i := range clients {
				clients[i] = connect(t, b)
			}
			before := heapInUse()
			text := "PING\r\nPUB x 100000\r\n"
			text += strings.Repeat("x", waitingRead-len(text))
			for _, c := range clients {
				if _, err := io.WriteString(c, text); err != nil {
					t.Fatal(err)
				}
				answer := make([]byte, len("PONG\r\n"))
				if _, err := io.ReadFull(c, answer); err != nil || string(answer) != "PONG\r\n" {
					t.Fatalf("got %q and %v, want PONG", answer, err)
				}
			}
			await(t, "memory per connection is small", func() bool { return (heapInUse()-before)/n < 20_000 })
			runtime.KeepAlive(clients)
		})
	}
}

// heapInUse returns the memory that objects take, in bytes.
func heapInUse() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

package broker

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/natsd/natsd/internal/password"
	"github.com/rs/zerolog"
	"golang.org/x/crypto/bcrypt"
)

// cheapHash returns a bcrypt hash that costs little to check.
func cheapHash(t testing.TB, text string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(text), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

// newKey returns a user's key pair and its public key.
func newKey(t testing.TB) (pair nkeys.KeyPair, public string) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = pair.PublicKey(); err != nil {
		t.Fatal(err)
	}
	return pair, public
}

// connectLine returns a CONNECT with these fields, as names and values in turn, and a PING.
func connectLine(fields ...any) string {
	m := map[string]any{"verbose": false, "pedantic": false}
	for i := 0; i+1 < len(fields); i += 2 {
		m[fields[i].(string)] = fields[i+1]
	}
	return "CONNECT " + jsonText(m) + "\r\nPING\r\n"
}

// expectIn checks that a client with these fields gets in, or does not.
func expectIn(t *testing.T, b *Broker, in bool, fields ...any) *wireClient {
	t.Helper()
	c := dialRaw(t, b)
	c.send(connectLine(fields...))
	if in {
		c.expect("PONG")
		return c
	}
	c.expectError(errTextAuthorization)
	return nil
}

// TestCredentials checks every kind of credentials, right and wrong, stored as they are and as hashes.
// Spec: docs/spec/client-protocol.md §3, docs/spec/config.md B3.
func TestCredentials(t *testing.T) {
	hash, tokenHash := cheapHash(t, "s3cret"), cheapHash(t, "t0ken")
	for name, auth := range map[string]*Auth{
		"single user": {User: "bob", Password: "s3cret"}, "single user, hash": {User: "bob", Password: hash},
		"users":       {Users: []User{{Name: "al", Password: "x"}, {Name: "bob", Password: "s3cret"}}},
		"users, hash": {Users: []User{{Name: "al", Password: "x"}, {Name: "bob", Password: hash}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := launch(t, Options{Auth: auth})
			expectIn(t, b, true, "user", "bob", "pass", "s3cret")
			expectIn(t, b, true, "USER", "bob", "Pass", "s3cret")
			for _, wrong := range [][]any{
				{}, {"user", "bob"}, {"user", "bob", "pass", ""}, {"user", "bob", "pass", "s3cre"}, {"user", "bob", "pass", "s3cret!"},
				{"user", "Bob", "pass", "s3cret"}, {"user", "eve", "pass", "s3cret"}, {"user", "", "pass", "s3cret"}, {"pass", "s3cret"},
				{"auth_token", "s3cret"}, {"user", "bob", "pass", hash}, {"user", "bob", "auth_token", "s3cret"}, {"nkey", "bob", "sig", "s3cret"},
				{"user", "bob\x00", "pass", "s3cret"}, {"user", "bob", "pass", "s3cret\x00"}, {"jwt", "bob"},
			} {
				expectIn(t, b, false, wrong...)
			}
		})
	}
	for name, token := range map[string]string{"token": "t0ken", "token, hash": tokenHash} {
		t.Run(name, func(t *testing.T) {
			b := launch(t, Options{Auth: &Auth{Token: token}})
			expectIn(t, b, true, "auth_token", "t0ken")
			expectIn(t, b, true, "auth_token", "t0ken", "user", "whoever")
			for _, wrong := range [][]any{{}, {"auth_token", ""}, {"auth_token", "t0ke"}, {"user", "t0ken"}, {"pass", "t0ken"}, {"auth_token", tokenHash}} {
				expectIn(t, b, false, wrong...)
			}
		})
	}
	t.Run("empty password", func(t *testing.T) {
		b := launch(t, Options{Auth: &Auth{User: "bob"}})
		expectIn(t, b, true, "user", "bob")
		expectIn(t, b, false, "user", "bob", "pass", "x")
		expectIn(t, b, false, "user", "", "pass", "")
	})
	t.Run("nobody", func(t *testing.T) {
		b := launch(t, Options{Auth: &Auth{Users: []User{}}})
		expectIn(t, b, false)
		expectIn(t, b, false, "user", "", "pass", "")
	})
}

// TestLongPasswordRefused: bcrypt looks at 72 bytes, and what comes behind them must not be ignored.
func TestLongPasswordRefused(t *testing.T) {
	long := strings.Repeat("p", password.MaxLength)
	b := launch(t, Options{Auth: &Auth{User: "bob", Password: cheapHash(t, long)}})
	expectIn(t, b, true, "user", "bob", "pass", long)
	expectIn(t, b, false, "user", "bob", "pass", long+"q")
}

// TestUnknownUserCostsAsMuch: a user that there is not is compared with a hash as well, so that nobody learns the names by
// the clock. The clock itself is not looked at: what counts is whether a comparison was made.
func TestUnknownUserCostsAsMuch(t *testing.T) {
	hash := cheapHash(t, "s3cret")
	for name, auth := range map[string]*Auth{
		"single": {User: "bob", Password: hash}, "list": {Users: []User{{Name: "bob", Password: hash}}},
		"mixed": {Users: []User{{Name: "bob", Password: hash}, {Name: "plain", Password: "x"}}}, "token": {Token: hash},
	} {
		a := newAuthority(&Options{Auth: auth}, nil, nil)
		for _, user := range []string{"bob", "plain", "eve", ""} {
			compared := 0
			c := &credentials{user: user, password: "wrong", token: "wrong"}
			_, err := a.check(context.Background(), password.NewVerifier(1), "", ConnectionStandard, c, func() { compared++ })
			if compared != 1 || !errors.Is(err, errUnauthorized) {
				t.Errorf("%s: user %q: %d comparisons, %v", name, user, compared, err)
			}
		}
	}
}

// TestVerbsBeforeConnect: nothing but CONNECT may come first, and the first byte tells.
// Spec: docs/spec/client-protocol.md §3, last paragraph.
func TestVerbsBeforeConnect(t *testing.T) {
	b := launch(t, Options{Auth: &Auth{User: "bob", Password: "s3cret"}})
	for _, line := range []string{
		"PING\r\n", "PONG\r\n", "SUB a 1\r\n", "UNSUB 1\r\n", "PUB a 0\r\n\r\n", "HPUB a 12 12\r\nNATS/1.0\r\n\r\n\r\n", "INFO {}\r\n", "+OK\r\n",
		"-ERR 'x'\r\n", "\r\n", " CONNECT {}\r\n", "RS+ a\r\n", "LS+ a\r\n", "P", "\x00", "\x16\x03\x01", "GET / HTTP/1.1\r\n",
	} {
		c := dialRaw(t, b)
		c.send(line)
		c.expectError(errTextAuthorization)
	}
	c := dialRaw(t, b) // piecemeal
	for _, part := range []string{"c", "ONNE", "CT {\"verbose\":false,\"user\":\"bob\",", "\"pass\":\"s3cret\"}\r", "\n"} {
		c.send(part)
	}
	c.roundTrip()
	c.send("SUB a 1\r\nPUB a 0\r\n\r\n")
	c.expect("MSG a 1 0", "")
	c = dialRaw(t, b) // after a CONNECT that was refused nothing is done
	c.send("CONNECT {\"user\":\"eve\"}\r\nPING\r\nSUB > 1\r\n")
	c.expectError(errTextAuthorization)
}

// TestSecondConnect: it is authenticated again, merged over the first, and subscriptions survive.
// Spec: docs/spec/client-protocol.md §3.
func TestSecondConnect(t *testing.T) {
	closed := &Permissions{Publish: PermissionSide{Open: true}, Subscribe: PermissionSide{Allow: []string{"b", "c.*"}}}
	b := launch(t, Options{Accounts: []Account{{Name: "A"}, {Name: "B"}}, Auth: &Auth{Users: []User{
		{Name: "a", Password: "a", Account: "A"}, {Name: "a2", Password: "a2", Account: "A"}, {Name: "b", Password: "b", Account: "B", Permissions: closed},
	}}})
	other := expectIn(t, b, true, "user", "b", "pass", "b")
	c := expectIn(t, b, true, "user", "a", "pass", "a")
	c.send("SUB a 1\r\nSUB b 2\r\n" + connectLine("echo", true))
	c.expect("PONG") // user and password are those of before
	c.send(connectLine("user", "a2", "pass", "a2") + "PUB a 0\r\n\r\n")
	c.expect("PONG", "MSG a 1 0", "")
	c.send(connectLine("user", "b", "pass", "b"))
	c.expect(`-ERR 'Permissions Violation for Subscription to "a" (sid 1)'`, "PONG")
	other.send(pub("a", 1) + pub("b", 1))
	c.expect("MSG b 2 1", "x")
	c.send("PUB a 0\r\n\r\n") // its sid is gone, nobody gets it
	c.roundTrip()
	c.send(connectLine("pass", "wrong"))
	c.expectError(errTextAuthorization)
	if n := b.live.Load().authority.accounts["A"].index.Count(); n != 0 {
		t.Errorf("%d subscriptions are left in the account before", n)
	}
}

// TestConnectFields: fields that the server does not know change nothing, and those that ask for another account are
// refused.
func TestConnectFields(t *testing.T) {
	b := launch(t, Options{Auth: &Auth{Users: []User{{Name: "bob", Password: "s3cret"}}}})
	c := expectIn(t, b, true, "user", "bob", "pass", "s3cret", "is_admin", true, "permissions", map[string]any{"publish": ">"}, "acc", "A", "jwt", "x.y.z")
	if id := c.serverSide(b).identity.Load(); id.account.name != globalAccount {
		t.Errorf("in account %q", id.account.name)
	}
	expectIn(t, b, false, "user", "bob", "pass", "s3cret", "account", "A")
	expectIn(t, b, false, "user", "bob", "pass", "s3cret", "new_account", true)
}

// TestHostileConnect: sizes, depth, repeated keys and broken text in CONNECT.
func TestHostileConnect(t *testing.T) {
	b := launch(t, Options{Auth: &Auth{User: "bob", Password: "s3cret"}, MaxControlLine: 2 << 20})
	for name, text := range map[string]string{
		"deep":             `CONNECT {"x":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "}",
		"deeper":           `CONNECT {"x":` + strings.Repeat("[", 500_000) + strings.Repeat("]", 500_000) + "}",
		"unclosed":         `CONNECT {"user":"bob"`,
		"wrong type":       `CONNECT {"user":["bob"],"pass":"s3cret"}`,
		"array":            `CONNECT ["bob"]`,
		"number":           `CONNECT {"protocol":1e999}`,
		"repeated user":    `CONNECT {"user":"bob","pass":"s3cret","user":"eve"}`,
		"invalid UTF-8":    "CONNECT {\"user\":\"bob\",\"pass\":\"s3cret\xff\"}",
		"empty":            "CONNECT",
		"two":              "CONNECT {}{}",
		"1 MB of a secret": `CONNECT {"user":"bob","pass":"` + strings.Repeat("x", 1<<20) + `"}`,
	} {
		c := dialRaw(t, b)
		c.send(text + "\r\n")
		switch got := c.line(); got {
		case "-ERR 'Parser Error'", "-ERR 'Authorization Violation'":
			c.expectEnd()
		default:
			t.Errorf("%s: %q", name, got)
		}
	}
	c := dialRaw(t, b) // of repeated keys the last one counts, here too
	c.send(`CONNECT {"verbose":false,"user":"eve","pass":"x","user":"bob","pass":"s3cret"}` + "\r\n")
	c.roundTrip()
	c = dialRaw(t, b) // a line over the limit
	c.send(`CONNECT {"user":"` + strings.Repeat("x", 3<<20))
	c.expectError(errTextControlLine)
}

// TestAuthTimeout: who shows nothing in time is cut; who does is not. Spec: docs/spec/client-protocol.md §10.1.
func TestAuthTimeout(t *testing.T) {
	b := launch(t, Options{Auth: &Auth{User: "bob", Password: "s3cret", Timeout: 50 * time.Millisecond}})
	in := expectIn(t, b, true, "user", "bob", "pass", "s3cret")
	silent, slow := dialRaw(t, b), dialRaw(t, b)
	slow.send("CONNECT {\"user\":")
	silent.expectError(errTextAuthTimeout)
	slow.expectError(errTextAuthTimeout)
	in.roundTrip()
}

// TestNoAuthUser: a client that shows nothing is that user, and only such a client.
// Spec: docs/spec/client-protocol.md §2.2, §3.
func TestNoAuthUser(t *testing.T) {
	rules := &Permissions{Publish: PermissionSide{Allow: []string{"open.>"}}, Subscribe: PermissionSide{Allow: []string{"open.>"}}}
	b := launch(t, Options{Auth: &Auth{NoAuthUser: "guest", Users: []User{{Name: "guest", Password: "g", Permissions: rules}, {Name: "bob", Password: "s3cret"}}}})
	c := dialRaw(t, b)
	if !strings.Contains(c.info, `"auth_required":false`) {
		t.Error(c.info)
	}
	c.send("CONNECT {\"verbose\":false}\r\nSUB open.a 1\r\nSUB closed 2\r\nPUB closed 0\r\n\r\n")
	c.expect(`-ERR 'Permissions Violation for Subscription to "closed"'`, `-ERR 'Permissions Violation for Publish to "closed"'`)
	first := dialRaw(t, b)
	first.send("SUB open.a 1\r\n") // without CONNECT
	first.expect("+OK")
	expectIn(t, b, false, "user", "bob", "pass", "wrong")
	expectIn(t, b, false, "auth_token", "x")
	bob := expectIn(t, b, true, "user", "bob", "pass", "s3cret")
	bob.send("SUB closed 1\r\nPUB closed 0\r\n\r\n")
	bob.expect("MSG closed 1 0", "")
}

// TestAnonymousNeedsLeave: whatever says who may connect, a client without credentials may not, unless no_auth_user says so.
func TestAnonymousNeedsLeave(t *testing.T) {
	_, key := newKey(t)
	for name, o := range map[string]Options{
		"single":  {Auth: &Auth{User: "bob"}},
		"token":   {Auth: &Auth{Token: "x"}},
		"users":   {Auth: &Auth{Users: []User{{Name: "bob"}}}},
		"key":     {Auth: &Auth{Users: []User{{NKey: key}}}},
		"account": {Accounts: []Account{{Name: "A"}}, Auth: &Auth{Users: []User{{Name: "bob", Account: "A"}}}},
		"kinds":   {Auth: &Auth{NoAuthUser: "bob", Users: []User{{Name: "bob", Connections: []ConnectionType{ConnectionInProcess}}}}},
		"nobody":  {Auth: &Auth{Users: []User{}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := launch(t, o)
			expectIn(t, b, false)
			expectIn(t, b, false, "user", "", "pass", "", "auth_token", "", "nkey", "", "sig", "")
		})
	}
}

var nonceInInfo = regexp.MustCompile(`"nonce":"([A-Za-z0-9_-]{15})"`)

// TestNKey: the client signs the nonce of its INFO. Spec: docs/spec/client-protocol.md §2.2, §3.
func TestNKey(t *testing.T) {
	pair, public := newKey(t)
	stranger, strange := newKey(t)
	b := launch(t, Options{Auth: &Auth{Users: []User{{NKey: public}, {Name: "bob", Password: "s3cret"}}}})
	dial := func() (*wireClient, string) {
		c := dialRaw(t, b)
		nonce := nonceInInfo.FindStringSubmatch(c.info)
		if nonce == nil {
			t.Fatalf("no nonce in %s", c.info)
		}
		return c, nonce[1]
	}
	sign := func(by nkeys.KeyPair, nonce string) []byte {
		signature, err := by.Sign([]byte(nonce))
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
	_, first := dial()
	if _, second := dial(); first == second {
		t.Error("two connections have the same nonce")
	}
	for _, encoding := range []*base64.Encoding{base64.RawURLEncoding, base64.URLEncoding, base64.StdEncoding, base64.RawStdEncoding} {
		c, nonce := dial()
		c.send(connectLine("nkey", public, "sig", encoding.EncodeToString(sign(pair, nonce))))
		c.expect("PONG")
	}
	encode := base64.RawURLEncoding.EncodeToString
	c, nonce := dial()
	right := sign(pair, nonce)
	wrong := map[string][]any{
		"another nonce":  {"nkey", public, "sig", encode(sign(pair, first))},
		"another key":    {"nkey", public, "sig", encode(sign(stranger, nonce))},
		"unknown key":    {"nkey", strange, "sig", encode(sign(stranger, nonce))},
		"no signature":   {"nkey", public},
		"no key":         {"sig", encode(right)},
		"name of a user": {"nkey", "bob", "sig", encode(right)},
		"key as a user":  {"user", public},
		"not base64":     {"nkey", public, "sig", "!!"},
	}
	for n := range 66 {
		if n != len(right) {
			wrong[fmt.Sprintf("signature of %d bytes", n)] = []any{"nkey", public, "sig", encode(append(right, right...)[:n])}
		}
		wrong[fmt.Sprintf("key of %d bytes", n)] = []any{"nkey", (public + public)[:min(n, len(public)-1)], "sig", encode(right)}
	}
	for name, fields := range wrong {
		c, _ := dial()
		c.send(connectLine(fields...))
		if got := c.line(); got != "-ERR 'Authorization Violation'" {
			t.Errorf("%s: %q", name, got)
		}
	}
	bob, _ := dial()
	bob.send(connectLine("user", "bob", "pass", "s3cret"))
	bob.expect("PONG")
	c.send(connectLine("nkey", public, "sig", encode(right), "protocol", 1, "headers", true))
	c.expect("PONG")
	if info := c.line(); !strings.Contains(info, nonce) { // a later INFO repeats it
		t.Error(info)
	}
}

// TestConnectionTypes: a user may be bound to ways of connecting.
func TestConnectionTypes(t *testing.T) {
	b := launch(t, Options{Auth: &Auth{Users: []User{
		{Name: "tcp", Connections: []ConnectionType{ConnectionStandard}}, {Name: "inside", Connections: []ConnectionType{"WEBSOCKET", ConnectionInProcess}},
	}}})
	expectIn(t, b, true, "user", "tcp")
	expectIn(t, b, false, "user", "inside")
}

// TestLogInjection: what a client calls itself cannot make lines, colours or quotes in the log.
func TestLogInjection(t *testing.T) {
	log := &logRecord{}
	b := launch(t, Options{Auth: &Auth{Users: []User{{Name: "bob", Permissions: &Permissions{}}}}, Logger: log.logger(zerolog.DebugLevel)})
	evil := "x\" [INF] fine\r\n[ERR] \x1b[31mred\x1b[0m\u2028"
	expectIn(t, b, false, "user", evil, "name", evil, "lang", evil, "version", evil)
	expectIn(t, b, false, "nkey", evil, "sig", evil)
	c := expectIn(t, b, true, "user", "bob", "name", evil)
	c.send("SUB \x1b[31m\"q 1\r\nPUB a\x1b[31m\"b 0\r\n\r\n")
	c.line()
	c.line()
	for line := range strings.Lines(log.String()) {
		event := map[string]any{}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if text, _ := event["message"].(string); strings.ContainsAny(text, "\r\n\x1b\u2028") {
			t.Errorf("the log has %q", text)
		}
	}
	if log.count("Authorization Error") == 0 || log.count("Violation") < 2 {
		t.Errorf("the log lacks the events: %s", log)
	}
}

// TestSecretsStayOut: no secret that a client shows, or that the options hold, reaches the log, at any level.
func TestSecretsStayOut(t *testing.T) {
	const canary = "CANARY"
	log := &logRecord{}
	pair, public := newKey(t)
	o := Options{Host: "127.0.0.1", Port: RandomPort, Logger: log.logger(zerolog.TraceLevel), Auth: &Auth{Users: []User{
		{Name: "bob", Password: canary + "bob"}, {Name: "hash", Password: cheapHash(t, canary+"hash")}, {NKey: public},
	}}}
	b := launch(t, o)
	expectIn(t, b, true, "user", "bob", "pass", canary+"bob")
	expectIn(t, b, true, "user", "hash", "pass", canary+"hash")
	expectIn(t, b, false, "user", "bob", "pass", canary+"wrong")
	expectIn(t, b, false, "auth_token", canary, "jwt", canary, "sig", canary, "nkey", public)
	for _, broken := range []string{
		"CONNECT {\"pass\":\"" + canary + "\"\r\n", "CONNECT \"" + canary + "\"\r\n", "CONNECT {\"pass\":[\"" + canary + "\"]}\r\n",
		"CONNECTX {\"pass\":\"" + canary + "\"}\r\n", "CONNECT{\"pass\":\"" + strings.Repeat(canary, 1000),
	} {
		c := dialRaw(t, b)
		c.send(broken)
		c.line()
	}
	o.Auth = &Auth{User: "x", Password: canary + "new"}
	reload(t, b, o)
	seed, _ := pair.Seed()
	if text := log.String(); strings.Contains(text, canary) || strings.Contains(text, string(seed)) || strings.Contains(text, "$2a$") {
		at := strings.Index(text, canary)
		t.Errorf("a secret is in the log: ...%s", text[max(0, at-200):])
	}
	o.Auth.Token = canary
	if err := b.Reload(o); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("the error is %v", err)
	}
}

// TestAuthValidation: options that cannot be meant are refused.
func TestAuthValidation(t *testing.T) {
	_, key := newKey(t)
	for _, test := range []struct {
		auth Auth
		want string
	}{
		{Auth{}, "without a user"},
		{Auth{Password: "x"}, "password without a user"},
		{Auth{User: "a", Token: "b"}, "both a user and a token"},
		{Auth{User: "a", Users: []User{}}, "list of users"},
		{Auth{Token: "a", Users: []User{}}, "list of users"},
		{Auth{User: "a", Timeout: -1}, "negative"},
		{Auth{Users: []User{{}}}, "without a name"},
		{Auth{Users: []User{{Name: "a"}, {Name: "a"}}}, "twice"},
		{Auth{Users: []User{{Name: "a", NKey: key}}}, "key and a name"},
		{Auth{Users: []User{{NKey: "U" + key[2:]}}}, "not a public key"},
		{Auth{Users: []User{{Name: "a", Account: "X"}}}, "account"},
		{Auth{Users: []User{{Name: "a"}}, NoAuthUser: "b"}, "no_auth_user"},
		{Auth{Users: []User{{Name: "a", Permissions: &Permissions{Publish: PermissionSide{Allow: []string{"a..b"}}}}}}, "a..b"},
		{Auth{Users: []User{{Name: "a", Connections: []ConnectionType{""}}}}, "connection type"},
	} {
		if _, err := New(Options{Auth: &test.auth}); !errors.Is(err, ErrInvalidOptions) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: got %v, want %q", test.auth, err, test.want)
		}
	}
	for _, accounts := range [][]Account{{{}}, {{Name: "$G"}}, {{Name: "A"}, {Name: "A"}}} {
		if _, err := New(Options{Accounts: accounts}); !errors.Is(err, ErrInvalidOptions) {
			t.Errorf("%+v: got %v", accounts, err)
		}
	}
}

// encodeSignature returns a signature as clients send it.
func encodeSignature(signature []byte) string {
	return base64.RawURLEncoding.EncodeToString(signature)
}

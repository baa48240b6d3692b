package broker

import (
	"crypto/x509"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/password"
	"github.com/natsd/natsd/internal/testutil/certs"
	"golang.org/x/crypto/bcrypt"
)

// TestReloadCredentials: every client is checked again with what it showed. Spec: docs/spec/config.md C3.
func TestReloadCredentials(t *testing.T) {
	hash := cheapHash(t, "b")
	user := func(password string) *Auth { return &Auth{User: "bob", Password: password} }
	list := func(users ...User) *Auth { return &Auth{Users: users} }
	for _, test := range []struct {
		name          string
		before, after *Auth
		stays         bool
	}{
		{"nothing changed", user("b"), user("b"), true},
		{"password changed", user("b"), user("c"), false},
		{"password hashed", user("b"), user(hash), true},
		{"another hash of it", user(hash), user(cheapHash(t, "b")), true},
		{"a hash of another", user(hash), user(cheapHash(t, "c")), false},
		{"user gone", user("b"), &Auth{User: "eve", Password: "b"}, false},
		{"to a list", user("b"), list(User{Name: "bob", Password: "b"}), true},
		{"to a list without it", user("b"), list(User{Name: "eve", Password: "b"}), false},
		{"to a token", user("b"), &Auth{Token: "b"}, false},
		{"switched off", user("b"), nil, true},
		{"switched on", nil, user("b"), true},
		{"switched on for others", nil, user("c"), false},
		{"another user added", list(User{Name: "bob", Password: "b"}), list(User{Name: "al"}, User{Name: "bob", Password: "b"}), true},
		{"the user removed", list(User{Name: "bob", Password: "b"}), list(User{Name: "al"}), false},
		{"bound to another way", list(User{Name: "bob", Password: "b"}), list(User{Name: "bob", Password: "b", Connections: []ConnectionType{ConnectionInProcess}}), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := Options{Host: "127.0.0.1", Port: RandomPort, Auth: test.before}
			b := launch(t, o)
			c := dialRaw(t, b)
			c.send(connectLine("user", "bob", "pass", "b") + "SUB a 1\r\n")
			c.expect("PONG")
			c.roundTrip()
			o.Auth = test.after
			reload(t, b, o)
			if !test.stays {
				c.expectError(errTextAuthorization)
				return
			}
			c.send("PUB a 0\r\n\r\n")
			c.expect("MSG a 1 0", "")
		})
	}
}

// heldComparisons is how a reload compares passwords with hashes in a test that decides when.
type heldComparisons struct {
	begun atomic.Int64
	gate  chan struct{} // one gets through for each that is sent; all do when it is closed
}

// holdComparisons makes the reloads of b compare through what it returns. They all go on when the test ends.
func holdComparisons(t *testing.T, b *Broker) *heldComparisons {
	t.Helper()
	h := &heldComparisons{gate: make(chan struct{})}
	b.rechecks = password.NewVerifierWith(1, func(hash, given []byte, _ func()) error {
		h.begun.Add(1)
		<-h.gate
		return bcrypt.CompareHashAndPassword(hash, given)
	})
	t.Cleanup(h.release)
	return h
}

// release lets all comparisons go on from now on.
func (h *heldComparisons) release() {
	select {
	case <-h.gate:
	default:
		close(h.gate)
	}
}

// hashedUsers returns users u0, u1 and so on, whose password is what passwords says.
func hashedUsers(t *testing.T, n int, passwords func(i int) string) []User {
	t.Helper()
	users := make([]User, n)
	for i := range users {
		users[i] = User{Name: "u" + strconv.Itoa(i), Password: cheapHash(t, passwords(i))}
	}
	return users
}

func samePassword(int) string { return "s3cret" }

// joinAll connects all of users with the password of samePassword.
func joinAll(t *testing.T, b *Broker, users []User) []*wireClient {
	t.Helper()
	clients := make([]*wireClient, len(users))
	for i, u := range users {
		clients[i] = expectIn(t, b, true, "user", u.Name, "pass", "s3cret")
	}
	return clients
}

// TestReloadRemovesHashedUsers: whoever is not a user any more is closed without a comparison, which would cost a tenth of a second
// each. Spec: docs/spec/config.md C3.
func TestReloadRemovesHashedUsers(t *testing.T) {
	users := hashedUsers(t, 50, samePassword)
	o := Options{Host: "127.0.0.1", Port: RandomPort, Auth: &Auth{Users: users}}
	b := launch(t, o)
	clients := joinAll(t, b, users)
	held := holdComparisons(t, b)
	o.Auth = &Auth{Users: []User{{Name: "another", Password: cheapHash(t, "s3cret")}}}
	reload(t, b, o)
	for _, c := range clients {
		c.expectError(errTextAuthorization)
	}
	if n := held.begun.Load(); n != 0 {
		t.Errorf("%d comparisons", n)
	}
}

// TestReloadOfHashes: a reload does not wait for passwords to be compared with changed hashes, and neither does anybody else. The
// clients are under their new permissions meanwhile; then each goes or stays. Spec: docs/spec/config.md C3.
func TestReloadOfHashes(t *testing.T) {
	users := hashedUsers(t, 50, samePassword)
	o := Options{Host: "127.0.0.1", Port: RandomPort, Auth: &Auth{Users: users}}
	b := launch(t, o)
	clients := joinAll(t, b, users)
	clients[0].send("SUB secret 1\r\nSUB open 2\r\n")
	clients[0].roundTrip()
	held := holdComparisons(t, b)
	users = hashedUsers(t, 50, func(i int) string { return []string{"s3cret", "another"}[i%2] })
	users[0].Permissions = denying("secret")
	o.Auth = &Auth{Users: users}
	reload(t, b, o)
	await(t, "a comparison", func() bool { return held.begun.Load() > 0 })
	b.SetCluster("C", nil)
	if n := b.Stats().Connections; n != int64(len(clients)) {
		t.Errorf("%d connections", n)
	}
	clients[0].expect(`-ERR 'Permissions Violation for Subscription to "secret" (sid 1)'`)
	clients[2].send("PUB secret 0\r\n\r\nPUB open 0\r\n\r\n")
	clients[0].expect("MSG open 2 0", "")
	held.release()
	for i, c := range clients {
		if i%2 == 1 {
			c.expectError(errTextAuthorization)
		}
	}
	for i, c := range clients {
		if i%2 == 0 {
			await(t, "the verdict", func() bool { _, proved := c.serverSide(b).lastShown(); return proved })
		}
	}
	reload(t, b, o) // nothing is compared again
	for i, c := range clients {
		if i%2 == 0 {
			c.roundTrip()
		}
	}
	if n := held.begun.Load(); n != int64(len(clients)) {
		t.Errorf("%d comparisons for %d clients", n, len(clients))
	}
}

// TestReloadDuringComparisons: what counts is the newest configuration, whatever was to be compared under those before.
func TestReloadDuringComparisons(t *testing.T) {
	list := func(password string) *Auth {
		return &Auth{Users: []User{{Name: "bob", Password: password}, {Name: "al", Password: cheapHash(t, "x")}}}
	}
	right, wrong := cheapHash(t, "s3cret"), cheapHash(t, "another")
	for name, test := range map[string]struct {
		first, second *Auth
		stays         bool
	}{
		"wrong, then right":         {list(wrong), list(cheapHash(t, "s3cret")), true},
		"right, then wrong":         {list(cheapHash(t, "s3cret")), list(wrong), false},
		"wrong, and nothing else":   {list(wrong), list(wrong), false},
		"wrong, then in clear text": {list(wrong), list("s3cret"), true},
		"wrong, then as before":     {list(wrong), list(right), true},
		"wrong, then gone":          {list(wrong), &Auth{Users: []User{{Name: "al"}}}, false},
		"wrong, then switched off":  {list(wrong), nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Host: "127.0.0.1", Port: RandomPort, Auth: list(right)}
			b := launch(t, o)
			c := expectIn(t, b, true, "user", "bob", "pass", "s3cret")
			held := holdComparisons(t, b)
			o.Auth = test.first
			reload(t, b, o)
			await(t, "a comparison", func() bool { return held.begun.Load() == 1 })
			o.Auth = test.second
			reload(t, b, o)
			held.release()
			if !test.stays {
				c.expectError(errTextAuthorization)
				return
			}
			await(t, "the verdict", func() bool { _, proved := c.serverSide(b).lastShown(); return proved })
			c.roundTrip()
		})
	}
}

// TestConnectDuringComparison: a client that shows other credentials meanwhile is judged by those.
func TestConnectDuringComparison(t *testing.T) {
	for _, given := range []string{"old", "new"} {
		o := Options{Host: "127.0.0.1", Port: RandomPort, Auth: &Auth{User: "bob", Password: cheapHash(t, "old")}}
		b := launch(t, o)
		c := expectIn(t, b, true, "user", "bob", "pass", "old")
		held := holdComparisons(t, b)
		o.Auth = &Auth{User: "bob", Password: cheapHash(t, "new")}
		reload(t, b, o)
		await(t, "a comparison", func() bool { return held.begun.Load() == 1 })
		side := c.serverSide(b)
		side.subs.mu.Lock()
		awaited := side.login.Load().awaits
		side.subs.mu.Unlock()
		c.send(connectLine("user", "bob", "pass", given))
		if given == "old" {
			c.expectError(errTextAuthorization)
			continue
		}
		c.expect("PONG")
		if side.settle(awaited, false) {
			t.Error("it is still judged by what it had shown before")
		}
		held.release()
		c.roundTrip()
	}
}

// TestNobodyElseDuringComparison: a client that has shown the name of a user with other rights than its own does not get those before its
// password was compared: it has to come back.
func TestNobodyElseDuringComparison(t *testing.T) {
	ca := certs.NewAuthority(t)
	o := secureOptions(ca, func(o *TLSOptions) { verifying(ca)(o); o.VerifyAndMap = true })
	o.Auth = &Auth{Users: []User{{Name: "bob@example.com", Permissions: denying("x")}, {Name: "admin", Password: cheapHash(t, "s3cret")}}}
	b := launch(t, o)
	c, err := dialSecure(t, b, ca, ca.Client("c", func(c *x509.Certificate) { c.EmailAddresses = []string{"bob@example.com"} }))
	if err != nil {
		t.Fatal(err)
	}
	c.send(connectLine("user", "admin", "pass", "guessed"))
	c.expect("PONG")
	held := holdComparisons(t, b)
	unmapped := *o.TLS
	unmapped.VerifyAndMap = false
	o.TLS = &unmapped
	reload(t, b, o)
	if text, err := io.ReadAll(c.input); len(text) > 0 || err != nil {
		t.Errorf("got %q and %v, want the end", text, err)
	}
	if n := held.begun.Load(); n != 0 {
		t.Errorf("%d comparisons", n)
	}
}

// TestNothingShownIsNotCompared: a client that has shown nothing does not stay until a comparison says so.
func TestNothingShownIsNotCompared(t *testing.T) {
	o := Options{Host: "127.0.0.1", Port: RandomPort}
	b := launch(t, o)
	silent, anonymous := dialRaw(t, b), joinQuiet(t, b)
	held := holdComparisons(t, b)
	o.Auth = &Auth{Token: cheapHash(t, "t0ken")}
	reload(t, b, o)
	silent.expectError(errTextAuthorization)
	anonymous.expectError(errTextAuthorization)
	if n := held.begun.Load(); n != 0 {
		t.Errorf("%d comparisons", n)
	}
}

// TestReloadEndsBacklogged: a client that is closed by a reload, and still has much to read, gets what was queued for it and nothing
// that is published once Reload has returned. Spec: docs/spec/config.md C3.
func TestReloadEndsBacklogged(t *testing.T) {
	for _, test := range []struct {
		name  string
		after []User
		last  string
	}{
		{"user gone", []User{{Name: "all"}}, errTextAuthorization},
		{"account changed", []User{{Name: "all"}, {Name: "bob", Account: "A"}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := ruled(nil)
			o.WriteDeadline, o.Accounts = patience, []Account{{Name: "A"}}
			b := launch(t, o)
			slow, publisher := as(t, b, "bob"), as(t, b, "all")
			slow.send("SUB x 1\r\n")
			slow.roundTrip()
			queue := slow.serverSide(b)
			for sent := 0; queue.drained(); sent++ {
				if sent == 1000 {
					t.Fatal("the sockets hold 100 MB")
				}
				publisher.send(pub("x", 100_000))
				publisher.roundTrip()
			}
			o.Auth = &Auth{Users: test.after}
			reload(t, b, o)
			publisher.send("PUB x 5\r\nafter\r\n")
			publisher.roundTrip()
			_ = slow.SetReadDeadline(time.Now().Add(patience))
			text, err := io.ReadAll(slow.input)
			if err != nil || !strings.Contains(string(text), test.last) {
				t.Errorf("read %d bytes, then %v; want %q and the end", len(text), err, test.last)
			}
			if strings.Contains(string(text), "after") {
				t.Error("what was published after the reload came as well")
			}
		})
	}
}

// TestReloadAnonymous: clients that showed nothing stay only where that is allowed.
func TestReloadAnonymous(t *testing.T) {
	o := Options{Host: "127.0.0.1", Port: RandomPort}
	b := launch(t, o)
	silent, anonymous := dialRaw(t, b), joinQuiet(t, b)
	o.Auth = &Auth{NoAuthUser: "guest", Users: []User{{Name: "guest"}}}
	reload(t, b, o)
	anonymous.roundTrip()
	silent.roundTrip()
	o.Auth = &Auth{Users: []User{{Name: "guest"}}}
	reload(t, b, o)
	anonymous.expectError(errTextAuthorization)
	silent.expectError(errTextAuthorization)
	waiting := dialRaw(t, b)
	o.Auth = nil
	reload(t, b, o)
	waiting.send("PING\r\n")
	waiting.expect("PONG")
}

// TestReloadKeys: a client that signed stays as long as its key is there, or nobody has to sign.
func TestReloadKeys(t *testing.T) {
	pair, public := newKey(t)
	_, other := newKey(t)
	o := Options{Host: "127.0.0.1", Port: RandomPort, Auth: &Auth{Users: []User{{NKey: public}}}}
	b := launch(t, o)
	c := dialRaw(t, b)
	signature, err := pair.Sign([]byte(nonceInInfo.FindStringSubmatch(c.info)[1]))
	if err != nil {
		t.Fatal(err)
	}
	c.send(connectLine("nkey", public, "sig", encodeSignature(signature)))
	c.expect("PONG")
	o.Auth = &Auth{Users: []User{{NKey: other}, {NKey: public}}}
	reload(t, b, o)
	c.roundTrip()
	auth := o.Auth
	o.Auth = nil
	reload(t, b, o)
	c.roundTrip()
	o.Auth = auth
	reload(t, b, o)
	c.roundTrip()
	o.Auth = &Auth{Users: []User{{NKey: other}}}
	reload(t, b, o)
	c.expectError(errTextAuthorization)
}

// TestReloadPermissions: new permissions count at once; subscriptions that are not allowed any more end, each with a word.
// Spec: docs/spec/config.md C3.
func TestReloadPermissions(t *testing.T) {
	b := launch(t, ruled(nil))
	o := b.live.Load().Options
	c, publisher := as(t, b, "bob"), as(t, b, "all")
	c.send("SUB a 1\r\nSUB b.* 2\r\nSUB c q 3\r\nSUB d 4\r\n")
	c.roundTrip()
	publish := func() {
		publisher.send("PUB a 0\r\n\r\nPUB b.x 0\r\n\r\nPUB b.y 0\r\n\r\nPUB c 0\r\n\r\nPUB d 0\r\n\r\n")
	}
	o.Auth = ruled(&Permissions{
		Publish: PermissionSide{Allow: []string{"e"}}, Subscribe: PermissionSide{Open: true, Deny: []string{"a", "c q", "b.x"}},
	}).Auth
	reload(t, b, o)
	lines := c.line() + "\n" + c.line()
	for _, want := range []string{`to "a" (sid 1)'`, `to "c" using queue "q" (sid "3")'`} {
		if !strings.Contains(lines, want) {
			t.Errorf("%q lacks %s", lines, want)
		}
	}
	publish()
	c.expect("MSG b.y 2 0", "", "MSG d 4 0", "")
	c.send("PUB d 0\r\n\r\n")
	c.expect(`-ERR 'Permissions Violation for Publish to "d"'`)
	o.Auth = ruled(nil).Auth
	reload(t, b, o)
	publish()
	c.expect("MSG b.x 2 0", "", "MSG b.y 2 0", "", "MSG d 4 0", "")
	c.send("SUB a 1\r\nPUB a 0\r\n\r\n")
	c.expect("MSG a 1 0", "")
}

// TestReloadAccounts: clients whose account changed are closed, others keep.
func TestReloadAccounts(t *testing.T) {
	o := ruled(nil)
	o.Accounts = []Account{{Name: "A"}}
	o.Auth.Users = append(o.Auth.Users, User{Name: "a", Account: "A"})
	b := launch(t, o)
	moved, stays := as(t, b, "bob"), as(t, b, "a")
	stays.send("SUB x 1\r\n")
	stays.roundTrip()
	next := ruled(nil)
	next.Accounts = []Account{{Name: "A"}, {Name: "B"}}
	next.Auth.Users = append(next.Auth.Users, User{Name: "a", Account: "A"})
	next.Auth.Users[0].Account = "B"
	reload(t, b, next)
	moved.expectEnd()
	stays.send("PUB x 0\r\n\r\n")
	stays.expect("MSG x 1 0", "")
}

// TestIndexTotalsNeverFall: what was counted in an account that a reload removes stays counted, while its clients leave and after
// that, and an account that comes back begins anew on top of it.
func TestIndexTotalsNeverFall(t *testing.T) {
	with := ruled(nil)
	with.Accounts = []Account{{Name: "A"}, {Name: "B"}}
	with.Auth.Users = append(with.Auth.Users, User{Name: "a", Account: "A"}, User{Name: "b", Account: "B"})
	without := ruled(nil)
	without.Accounts = with.Accounts[:1]
	without.Auth.Users = append(without.Auth.Users, User{Name: "a", Account: "A"})
	b := launch(t, with)
	var last IndexState
	look := func(when string) {
		t.Helper()
		now := b.IndexTotals(b.Stats().ClientInMsgs)
		if now.Inserts < last.Inserts || now.Removes < last.Removes || now.Matches < last.Matches || now.Misses < last.Misses {
			t.Errorf("%s: %+v after %+v", when, now, last)
		}
		last = now
	}
	busy := func(user string) *wireClient {
		c := as(t, b, user)
		c.send("SUB x 1\r\nSUB y 2\r\nSUB z.* 3\r\nUNSUB 2\r\nPUB x 0\r\n\r\nPUB z.w 0\r\n\r\n")
		c.expect("MSG x 1 0", "", "MSG z.w 3 0", "")
		c.roundTrip()
		return c
	}
	stays, goes := busy("a"), busy("b")
	look("at first")
	if last.Inserts != 6 || last.Removes != 2 || last.Matches != 4 || last.Misses == 0 || last.Subscriptions != 4 {
		t.Errorf("at first: %+v", last)
	}
	for range 3 { // the account is removed, is gone for a reload, and comes back
		reload(t, b, without)
		look("without B")
		goes.expect("-ERR 'Authorization Violation'")
		goes.expectEnd()
		await(t, "its subscriptions have gone", func() bool {
			look("while clients leave")
			return last.Inserts-last.Removes == 2
		})
		reload(t, b, without)
		look("without B for long")
		if last.Subscriptions != 2 || last.Inserts-last.Removes != 2 {
			t.Errorf("without B: %+v", last)
		}
		if former := b.live.Load().authority.former; len(former) != 0 {
			t.Errorf("%d accounts are kept", len(former))
		}
		reload(t, b, with)
		goes = busy("b")
		look("with B again")
	}
	stays.roundTrip()
}

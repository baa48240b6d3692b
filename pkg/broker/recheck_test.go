package broker

import (
	"io"
	"strings"
	"testing"
	"time"
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

// TestReloadKeys: a client that signed stays as long as its key is there.
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

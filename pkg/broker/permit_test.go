package broker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/permission"
)

// ruled returns options with a user "bob" under rules and a user "all" without any.
func ruled(rules *Permissions) Options {
	return Options{Host: "127.0.0.1", Port: RandomPort, Auth: &Auth{Users: []User{{Name: "bob", Permissions: rules}, {Name: "all"}}}}
}

// denying returns rules that allow everything to subscribe to except these.
func denying(subjects ...string) *Permissions {
	return &Permissions{Publish: PermissionSide{Open: true}, Subscribe: PermissionSide{Open: true, Deny: subjects}}
}

// as connects as a user without a password.
func as(t *testing.T, b *Broker, user string) *wireClient {
	t.Helper()
	return expectIn(t, b, true, "user", user)
}

// TestPermissionTexts: what is refused is told and logged, the connection stays, and a refused sid is free.
// Spec: docs/spec/client-protocol.md §12.1.
func TestPermissionTexts(t *testing.T) {
	b := launch(t, ruled(&Permissions{Publish: PermissionSide{Allow: []string{"ok.*"}}, Subscribe: PermissionSide{Allow: []string{"ok.>"}}}))
	c := as(t, b, "bob")
	c.send("SUB no 1\r\nSUB no q 1\r\nPUB no 5\r\nPING\n\r\n")
	c.expect(`-ERR 'Permissions Violation for Subscription to "no"'`, `-ERR 'Permissions Violation for Subscription to "no" using queue "q"'`,
		`-ERR 'Permissions Violation for Publish to "no"'`)
	c.send("SUB no..x 1\r\nSUB no..x q 1\r\nSUB ok..x 1\r\n") // permissions come before the form: §6.2
	c.expect(`-ERR 'Permissions Violation for Subscription to "no..x"'`, `-ERR 'Permissions Violation for Subscription to "no..x" using queue "q"'`,
		"-ERR 'Invalid Subject'")
	c.send("SUB ok.a 1\r\nPUB ok.a no.reply 2\r\nhi\r\n") // reply subjects are not looked at
	c.expect("MSG ok.a 1 no.reply 2", "hi")
	c.send("UNSUB 7\r\nUNSUB 1\r\nPUB ok.a 0\r\n\r\n")
	c.roundTrip()
	verbose := dialRaw(t, b)
	verbose.send("CONNECT {\"user\":\"bob\"}\r\nSUB no 1\r\nPUB no 0\r\n\r\nPUB ok.a 0\r\n\r\n")
	verbose.expect("+OK", `-ERR 'Permissions Violation for Subscription to "no"'`, `-ERR 'Permissions Violation for Publish to "no"'`, "+OK")
}

// TestReservedSubjects: nobody publishes to _SYS., whatever is allowed. Spec: docs/spec/client-protocol.md §6.3.
func TestReservedSubjects(t *testing.T) {
	b := launch(t, ruled(&Permissions{Publish: PermissionSide{Allow: []string{">", "_SYS.>"}}, Subscribe: PermissionSide{Open: true}}))
	listener := as(t, b, "all")
	listener.send("SUB > 1\r\n")
	listener.roundTrip()
	for _, user := range []string{"bob", "all"} {
		c := as(t, b, user)
		c.send("PUB _SYS.a 0\r\n\r\n")
		c.expect(`-ERR 'Permissions Violation for Publish to "_SYS.a"'`)
		c.roundTrip()
	}
	listener.roundTrip()
}

// TestDenyIsNoWayRound: what is denied is not received by way of a wildcard, of a queue group, or of both.
// Spec: docs/spec/client-protocol.md §12.3.
func TestDenyIsNoWayRound(t *testing.T) {
	tests := []struct {
		deny []string
		sub  string
		want []string // of what is published below
	}{
		{[]string{"a.secret"}, "a.*", []string{"a.x"}},
		{[]string{"a.secret"}, "> ", []string{"a.x", "b.x", "b.y.z"}},
		{[]string{"a.secret"}, "a.* q", []string{"a.x"}},
		{[]string{"a.secret"}, "*.* q", []string{"a.x", "b.x"}},
		{[]string{"a.secret q"}, "a.* q", []string{"a.x"}},
		{[]string{"a.secret q"}, "a.* other", []string{"a.secret", "a.x"}},
		{[]string{"a.secret q"}, "a.*", []string{"a.secret", "a.x"}},
		{[]string{"a.secret", "a.secret q"}, "a.* other", []string{"a.x"}}, // one for a queue does not undo the plain one
		{[]string{"a.secret other", "a.secret"}, "a.* q", []string{"a.x"}},
		{[]string{"a.*", "b.>"}, ">", nil},
		{[]string{"a.*"}, "*.x", []string{"b.x"}},
		{[]string{"*.x"}, "a.*", []string{"a.secret"}},
		{[]string{"*.secret"}, ">", []string{"a.x", "b.x", "b.y.z"}},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.deny, test.sub), func(t *testing.T) {
			b := launch(t, ruled(denying(test.deny...)))
			c, publisher := as(t, b, "bob"), as(t, b, "all")
			c.send("SUB " + strings.TrimSpace(test.sub) + " 1\r\n")
			c.roundTrip()
			var want []string
			for _, text := range []string{"a.secret", "a.x", "a.secret", "b.x", "b.y.z"} {
				publisher.send(pub(text, 0))
				if slices.Contains(test.want, text) {
					want = append(want, "MSG "+text+" 1 0", "")
				}
			}
			publisher.roundTrip()
			c.expect(want...)
			c.roundTrip()
		})
	}
}

// TestDenyOtherSubscriptions: the filter does not take from other connections, nor from other subscriptions, what is
// theirs, and another member of a queue group gets what one cannot.
func TestDenyOtherSubscriptions(t *testing.T) {
	b := launch(t, ruled(denying("a.secret")))
	bob, other, publisher := as(t, b, "bob"), as(t, b, "all"), as(t, b, "all")
	bob.send("SUB a.* 1\r\nSUB a.* g 2\r\nSUB b 3\r\n")
	other.send("SUB a.secret 1\r\nSUB a.* g 2\r\n")
	bob.roundTrip()
	other.roundTrip()
	const n = 50
	publisher.send(strings.Repeat("PUB a.secret 0\r\n\r\n", n) + "PUB b 0\r\n\r\n")
	bob.expect("MSG b 3 0", "")
	for range n {
		other.expect("MSG a.secret 1 0", "", "MSG a.secret 2 0", "")
	}
	bob.roundTrip()
	other.roundTrip()
}

// TestAllowResponses: a service may answer what it was asked, as often and as long as it is allowed to.
// Spec: docs/spec/client-protocol.md §12.3.
func TestAllowResponses(t *testing.T) {
	rules := func(r ResponsePermission) *Permissions {
		return &Permissions{Publish: PermissionSide{Allow: []string{"own"}}, Subscribe: PermissionSide{Open: true}, Responses: &r}
	}
	violation := `-ERR 'Permissions Violation for Publish to "in.1"'`
	for _, test := range []struct {
		responses ResponsePermission
		pause     bool
		answers   int
		want      []string
	}{
		{ResponsePermission{Max: 1, Expires: time.Minute}, false, 2, []string{violation}},
		{ResponsePermission{Max: 2, Expires: time.Minute}, false, 3, []string{violation}},
		{ResponsePermission{Max: -1, Expires: time.Minute}, false, 50, nil},
		{ResponsePermission{Max: -1, Expires: time.Nanosecond}, true, 1, []string{violation}},
		{ResponsePermission{Max: 1, Expires: -1}, true, 1, nil},
	} {
		t.Run(fmt.Sprint(test.responses), func(t *testing.T) {
			b := launch(t, ruled(rules(test.responses)))
			service, client := as(t, b, "bob"), as(t, b, "all")
			service.send("PUB in.1 0\r\n\r\nSUB service 1\r\n")
			service.expect(violation)
			service.roundTrip()
			client.send("SUB in.* 1\r\nPUB service in.1 0\r\n\r\n")
			client.roundTrip()
			service.expect("MSG service 1 in.1 0", "")
			service.send(strings.Repeat("PUB in.1 0\r\n\r\n", test.answers))
			service.expect(test.want...)
			service.roundTrip()
			for range test.answers - len(test.want) {
				client.expect("MSG in.1 1 0", "")
			}
			client.roundTrip()
			service.send("PUB in.2 0\r\n\r\nPUB own 0\r\n\r\n")
			service.expect(`-ERR 'Permissions Violation for Publish to "in.2"'`)
			service.roundTrip()
		})
	}
}

// TestRepliesAreBounded: a service that answers nothing keeps a bounded number of reply subjects.
func TestRepliesAreBounded(t *testing.T) {
	r := replies{}
	limits := &permission.Responses{Max: -1, Expires: -1}
	for i := range 3 * maxReplies {
		r.allow(fmt.Appendf(nil, "in.%d", i), limits)
	}
	if n := len(r.mu.open); n > maxReplies || n < maxReplies/2 {
		t.Errorf("%d reply subjects are open", n)
	}
}

// TestAccountsAreApart: what is published in one account is not seen in another, nor in the global one, whatever is
// subscribed to.
func TestAccountsAreApart(t *testing.T) {
	o := ruled(nil)
	o.Accounts = []Account{{Name: "A"}, {Name: "B"}}
	o.Auth.Users = append(o.Auth.Users, User{Name: "a", Account: "A"}, User{Name: "b", Account: "B"}, User{Name: "b2", Account: "B"})
	b := launch(t, o)
	clients := make(map[string]*wireClient)
	for _, user := range []string{"all", "a", "b", "b2"} {
		c := as(t, b, user)
		c.send("SUB > 1\r\nSUB x.y q 2\r\n")
		c.roundTrip()
		clients[user] = c
	}
	clients["a"].send("PUB x.y 0\r\n\r\n")
	clients["a"].expect("MSG x.y 1 0", "", "MSG x.y 2 0", "")
	for user, c := range clients {
		if user != "a" {
			c.roundTrip()
		}
	}
	clients["b"].send("PUB x 0\r\n\r\n")
	clients["b2"].expect("MSG x 1 0", "")
	if got := b.Stats().Subscriptions; got != 8 {
		t.Errorf("%d subscriptions, want 8", got)
	}
}

// TestAccountLimits: an account has its own.
func TestAccountLimits(t *testing.T) {
	o := ruled(nil)
	o.Accounts = []Account{{Name: "A", Limits: AccountLimits{MaxConnections: 2, MaxSubscriptions: 3, MaxPayload: 10}}}
	o.Auth.Users = append(o.Auth.Users, User{Name: "a", Account: "A"})
	b := launch(t, o)
	first, second := as(t, b, "a"), as(t, b, "a")
	third := dialRaw(t, b)
	third.send(connectLine("user", "a"))
	third.expectError(errTextAccountConnections)
	first.send("SUB a 1\r\nSUB b 2\r\n")
	first.roundTrip()
	second.send("SUB a 1\r\nSUB b 2\r\nSUB c 3\r\n")
	second.expect("-ERR 'maximum subscriptions exceeded'", "-ERR 'maximum subscriptions exceeded'")
	first.send("UNSUB 1\r\n")
	first.roundTrip()
	second.send("SUB b 2\r\nPUB a 10\r\n0123456789\r\n")
	second.expect("MSG a 1 10", "0123456789")
	second.send("PUB a 11\r\n01234567890\r\n")
	second.expectError(errTextMaxPayload)
	hasRoom := func() bool { return b.live.Load().authority.accounts["A"].clients.Load() == 1 }
	await(t, "the account has room again", hasRoom)
	for _, line := range []string{"PUB a 1000\r\n", "HPUB a 12 1000\r\n"} { // docs/spec/client-protocol.md §9: it is enough
		third = expectIn(t, b, true, "user", "a", "headers", true)
		third.send(line)
		third.expectError(errTextMaxPayload)
		await(t, "the account has room again", hasRoom)
	}
	as(t, b, "a")
	as(t, b, "all").send("PUB a 11\r\n01234567890\r\n")
}

// TestAccountLimitsOfNothing: an account may have no client, no subscription or no byte of a message at all, which is not the same as no
// limit. Spec: docs/spec/config.md B6.
func TestAccountLimitsOfNothing(t *testing.T) {
	o := ruled(nil)
	o.Accounts = []Account{
		{Name: "C", Limits: AccountLimits{MaxConnections: Nothing}}, {Name: "S", Limits: AccountLimits{MaxSubscriptions: Nothing}},
		{Name: "P", Limits: AccountLimits{MaxPayload: Nothing}}, {Name: "U", Limits: AccountLimits{MaxConnections: Unlimited, MaxSubscriptions: Unlimited, MaxPayload: Unlimited}},
	}
	for _, a := range o.Accounts {
		o.Auth.Users = append(o.Auth.Users, User{Name: a.Name, Account: a.Name})
	}
	b := launch(t, o)
	nobody := dialRaw(t, b)
	nobody.send(connectLine("user", "C"))
	nobody.expectError(errTextAccountConnections)
	deaf := as(t, b, "S")
	deaf.send("SUB a 1\r\nPUB a 1\r\nx\r\n")
	deaf.expect("-ERR 'maximum subscriptions exceeded'")
	deaf.roundTrip()
	for _, message := range []string{"PUB a 1\r\nx\r\n", "PUB a 1\r\n", "HPUB a 12 12\r\n"} {
		mute := expectIn(t, b, true, "user", "P", "headers", true)
		mute.send("SUB a 1\r\nPUB a 0\r\n\r\n")
		mute.expect("MSG a 1 0", "")
		mute.send(message)
		mute.expectError(errTextMaxPayload)
	}
	free := as(t, b, "U")
	free.send("SUB a 1\r\nPUB a 1\r\nx\r\n")
	free.expect("MSG a 1 1", "x")
}

// TestServerAgreesWithRules compares what the server delivers with what internal/permission says, which has an oracle of
// its own, on random rules: between SUB and the socket nothing may get lost or get through.
func TestServerAgreesWithRules(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 3))
	token := func(words ...string) string { return words[r.IntN(len(words))] }
	pattern := func() string {
		text := token("a", "b", "*", ">")
		if text != ">" && r.IntN(2) == 0 {
			text += "." + token("a", "b", "*", ">")
		}
		return text
	}
	list := func() []string {
		entries := make([]string, r.IntN(3))
		for i := range entries {
			if entries[i] = pattern(); r.IntN(3) == 0 {
				entries[i] += " " + token("q", "*")
			}
		}
		return entries
	}
	subjects := []string{"a", "b", "c", "a.a", "a.b", "b.a", "b.b", "a.c", "c.c", "a.b.c"}
	b := launch(t, ruled(nil))
	o := b.live.Load().Options
	for range 150 {
		rules := &Permissions{Publish: PermissionSide{Open: true}, Subscribe: PermissionSide{Open: r.IntN(2) == 0, Allow: list(), Deny: list()}}
		o.Auth = ruled(rules).Auth
		reload(t, b, o)
		set := permission.Compile(rules)
		bob, publisher := as(t, b, "bob"), as(t, b, "all")
		var want []string
		text, queue := pattern(), token("", "q", "r")
		bob.send("SUB " + text + " " + queue + " 1\r\n")
		allowed := set.Subscribe(text, queue).Allowed
		if !allowed {
			bob.expect("-ERR '" + subscribeViolation(text, queue) + "'")
		}
		bob.roundTrip()
		for _, s := range subjects {
			publisher.send(pub(s, 0))
			if allowed && naiveMatch(text, s) && set.Receive([]byte(s), queue) {
				want = append(want, "MSG "+s+" 1 0", "")
			}
		}
		publisher.roundTrip()
		bob.expect(want...)
		bob.roundTrip()
		_, _ = bob.Close(), publisher.Close()
		await(t, "they are gone, and in no queue group any more", func() bool { return b.Stats().Connections == 0 })
	}
}

// TestPublishAgreesWithRules compares what the server lets through with what internal/permission says, for batches of
// random subjects, many of them twice in a row, under subscriptions of many kinds: what is remembered from one message to
// the next must not let another one pass.
func TestPublishAgreesWithRules(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 12))
	token := func(words ...string) string { return words[r.IntN(len(words))] }
	list := func() []string {
		entries := make([]string, r.IntN(3))
		for i := range entries {
			entries[i] = token("a", "b", "*", ">", "a.a", "a.*", "b.>", "*.b", "a.b.c")
		}
		return entries
	}
	subjects := []string{"a", "b", "a.a", "a.b", "b.a", "b.b", "a.b.c", "b.b.c", "c"}
	b := launch(t, ruled(nil))
	o := b.live.Load().Options
	for range 150 {
		rules := &Permissions{Publish: PermissionSide{Open: r.IntN(3) == 0, Allow: list(), Deny: list()}, Subscribe: PermissionSide{Open: true}}
		o.Auth = ruled(rules).Auth
		reload(t, b, o)
		set := permission.Compile(rules)
		bob, second, listener := as(t, b, "bob"), as(t, b, "bob"), as(t, b, "all")
		listener.send("SUB > 1\r\n")
		others := []string{"", "SUB a.* 1\r\n", "SUB a.* 1\r\nSUB a.> 2\r\nSUB b 3\r\n", "SUB a.a q 1\r\nSUB *.* 2\r\n"}[r.IntN(4)]
		other := as(t, b, "all")
		other.send(others)
		other.roundTrip()
		listener.roundTrip()
		for _, publisher := range []*wireClient{bob, second, bob} {
			var batch strings.Builder
			var errs, msgs []string
			text := ""
			for range 60 {
				if text == "" || r.IntN(2) == 0 {
					text = token(subjects...)
				}
				batch.WriteString(pub(text, 0))
				if set.ExplainPublish(text).Allowed {
					msgs = append(msgs, "MSG "+text+" 1 0", "")
				} else {
					errs = append(errs, fmt.Sprintf("-ERR 'Permissions Violation for Publish to %q'", text))
				}
			}
			publisher.send(batch.String())
			publisher.expect(errs...)
			publisher.roundTrip()
			listener.expect(msgs...)
		}
		_, _, _, _ = bob.Close(), second.Close(), listener.Close(), other.Close()
		await(t, "they are gone, and in no queue group any more", func() bool { return b.Stats().Connections == 0 })
	}
}

// naiveMatch reports whether a pattern matches a literal subject.
func naiveMatch(pattern, text string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(text, ".")
	for i := range p {
		if p[i] == ">" {
			return len(s) > i
		}
		if i >= len(s) || p[i] != "*" && p[i] != s[i] {
			return false
		}
	}
	return len(p) == len(s)
}

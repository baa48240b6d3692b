package cluster

import (
	"maps"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/permission"
)

// driven is a mesh under test, called ME, and its clock.
type driven struct {
	*mesh
	t     *testing.T
	clock time.Time
}

func drive(t *testing.T, o Options) *driven {
	t.Helper()
	if o.Port == 0 {
		o.Port = 6222
	}
	d := &driven{t: t, clock: time.Unix(1_800_000_000, 0)}
	d.mesh = newMesh(self{id: "ME", name: "ME", port: 6222}, o.withDefaults(), 1, d.clock)
	return d
}

// after hands the mesh events, all at once, and returns what it asks for.
func (d *driven) after(events ...event) []action {
	var all []action
	for _, e := range events {
		all = append(all, d.step(d.clock, e)...)
	}
	return all
}

// pass lets time pass and returns what the mesh asks for meanwhile.
func (d *driven) pass(during time.Duration) []action {
	all := d.after(tick{})
	for end := d.clock.Add(during); d.clock.Before(end); {
		next := d.next()
		if next.IsZero() || next.After(end) {
			next = end
		}
		d.clock = later(next, d.clock.Add(time.Millisecond))
		all = append(all, d.after(tick{})...)
	}
	return all
}

// reload returns the event of a reload of options that change.
func (d *driven) reload(change func(*Options)) event {
	o := *d.options
	change(&o)
	return configured{&o}
}

// of returns the actions of a kind.
func of[A action](all []action) []A {
	var some []A
	for _, a := range all {
		if a, ok := a.(A); ok {
			some = append(some, a)
		}
	}
	return some
}

// infoOf is the INFO of another server, which says where it is and that it asks for a password.
func infoOf(id, ip string) *info {
	return &info{
		ServerID: id, ServerName: id, Proto: 2, Headers: true, Host: ip, Port: 6222, IP: "nats-route://" + ip + ":6222/", AuthRequired: true,
	}
}

// TestRevokedServerIsNotDialled: whoever was let in with a password that does not count any more is not shown the new one, however
// it got there (docs/spec/config.md C3).
func TestRevokedServerIsNotDialled(t *testing.T) {
	password := func(o *Options) { o.Password = "new" }
	x := infoOf("X", "10.0.0.9")
	for name, events := range map[string]func(d *driven) []event{
		"linked": func(d *driven) []event { return []event{d.reload(password), closed{link: 1}} },
		"lost before": func(d *driven) []event {
			return []event{closed{link: 1}, d.reload(password)}
		},
		"dialled meanwhile": func(d *driven) []event {
			d.expect("10.0.0.9:6222", x, 0)
			return []event{tick{}, dialled{dial: 1, link: 2, ip: "10.0.0.9"}, d.reload(password), closed{link: 1}}
		},
		"with another name of the cluster": func(d *driven) []event {
			return []event{d.reload(func(o *Options) { o.Name, o.Password = "other", "new" }), closed{link: 1}}
		},
	} {
		d := drive(t, Options{User: "route", Password: "old"})
		d.after(accepted{link: 1, ip: "10.0.0.9", locked: true}, greeted{link: 1, connect: &connect{Name: "X", User: "route", Pass: "old"}}, informed{1, x})
		all := d.after(events(d)...)
		if name == "linked" && (len(of[drop](all)) != 1 || of[drop](all)[0].reason != "Credentials Revoked") {
			t.Errorf("%s: got %v", name, of[drop](all))
		}
		all = d.pass(5 * time.Second)
		if dials := of[dial](all); len(dials) != 0 {
			t.Errorf("%s: dials %v", name, dials)
		}
		if sent := of[send](all); len(sent) != 0 {
			t.Errorf("%s: sends %v", name, sent)
		}
	}
}

// TestRevokedServerOfTheConfiguration: a reload of the password does not forget a route of the configuration.
func TestRevokedServerOfTheConfiguration(t *testing.T) {
	d := drive(t, Options{User: "route", Password: "old", Routes: []*url.URL{{Host: "10.0.0.9:6222"}}})
	d.after(tick{}, dialled{dial: 1, link: 1, ip: "10.0.0.9"}, informed{1, infoOf("X", "10.0.0.9")}, closed{link: 1})
	d.after(accepted{link: 2, ip: "10.0.0.9", locked: true}, greeted{link: 2, connect: &connect{Name: "X"}}, informed{2, infoOf("X", "10.0.0.9")})
	d.after(d.reload(func(o *Options) { o.Password = "new" }), closed{link: 2})
	if dials := of[dial](d.pass(5 * time.Second)); len(dials) != 1 || dials[0].addr != "10.0.0.9:6222" {
		t.Errorf("dials %v", dials)
	}
}

// TestRemovedRoute: a route that was removed is not dialled, unless others have told of its server (docs/adr/0009-lost-servers.md).
func TestRemovedRoute(t *testing.T) {
	for _, told := range []bool{false, true} {
		d := drive(t, Options{Routes: []*url.URL{{Host: "10.0.0.9:6222"}}})
		d.after(tick{}, dialled{dial: 1, link: 1, ip: "10.0.0.9"})
		if told {
			d.after(accepted{link: 2, ip: "10.0.0.8"}, informed{2, infoOf("Y", "10.0.0.8")}, informed{2, infoOf("X", "10.0.0.9")})
		}
		d.after(informed{1, infoOf("X", "10.0.0.9")})
		all := d.after(d.reload(func(o *Options) { o.Routes = nil }))
		if drops := of[drop](all); len(drops) != 1 || drops[0].reason != "Route Removed" {
			t.Errorf("drops %v", drops)
		}
		d.after(closed{link: 1})
		if dials := of[dial](d.pass(5 * time.Second)); (len(dials) > 0) != told {
			t.Errorf("others have told of it: %v; dials %v", told, dials)
		}
	}
}

// TestHalfOpenLinkOfLowerID: a server that dials although it has a link by this one's knowledge makes that link show that it lives,
// whoever had dialled it (docs/adr/0010-duplicate-links.md).
func TestHalfOpenLinkOfLowerID(t *testing.T) {
	for _, alive := range []bool{false, true} {
		d := drive(t, Options{Routes: []*url.URL{{Host: "10.0.0.9:6222"}}})
		x := infoOf("X", "10.0.0.9") // ME has the lower id
		x.TieBreak = true
		d.after(tick{}, dialled{dial: 1, link: 1, ip: "10.0.0.9"}, informed{1, x})
		all := d.after(accepted{link: 2, ip: "10.0.0.9"}, informed{2, x})
		if drops := of[drop](all); len(drops) != 1 || drops[0].link != 2 {
			t.Errorf("drops %v", drops)
		}
		if pings := of[ping](all); len(pings) != 1 || pings[0].link != 1 {
			t.Errorf("pings %v", pings)
		}
		if alive {
			d.after(ponged{1})
		}
		drops := of[drop](d.pass(probeTime))
		if alive != (len(drops) == 0) || !alive && drops[0] != (drop{1, "Stale Connection", "Stale Connection"}) {
			t.Errorf("alive: %v; drops %v", alive, drops)
		}
	}
}

// TestReloadWhileLinksAreMade: a reload of the credentials counts for servers that have not said who they are yet, and for those
// that were in their TLS handshake meanwhile (docs/spec/config.md C3).
func TestReloadWhileLinksAreMade(t *testing.T) {
	protect := func(o *Options) { o.User, o.Password = "route", "new" }
	x := infoOf("X", "10.0.0.9")
	for name, made := range map[string]struct {
		options Options
		events  func(d *driven) []event
	}{
		"silent": {Options{}, func(d *driven) []event {
			return []event{accepted{link: 1, options: d.options}, d.reload(protect), informed{1, x}}
		}},
		"with the old password": {Options{User: "route", Password: "old"}, func(d *driven) []event {
			return []event{
				accepted{link: 1, options: d.options, locked: true}, greeted{link: 1, connect: &connect{Name: "X", User: "route", Pass: "old"}}, d.reload(protect), informed{1, x},
			}
		}},
		"in its handshake": {Options{}, func(d *driven) []event {
			return []event{d.reload(protect), accepted{link: 1, options: d.options}, informed{1, x}}
		}},
	} {
		d := drive(t, made.options)
		all := d.after(made.events(d)...)
		if drops := of[drop](all); len(drops) != 1 || drops[0].reason != "Credentials Revoked" {
			t.Errorf("%s: drops %v", name, drops)
		}
		if len(d.peers) != 0 || len(of[announce](all)) != 0 {
			t.Errorf("%s: it is a peer", name)
		}
	}
	d := drive(t, Options{User: "route", Password: "old"})
	if drops := of[drop](d.after(accepted{link: 1, options: d.options, locked: true}, d.reload(func(o *Options) { o.ConnectRetries = 3 }))); len(drops) != 0 {
		t.Errorf("a reload of something else drops %v", drops)
	}
}

// TestReloadOfPermissions: links that were made under other permissions are made anew, and their servers are looked for
// (docs/spec/config.md B5).
func TestReloadOfPermissions(t *testing.T) {
	deny := func(o *Options) { o.Exports = &permission.Side{Open: true, Deny: []string{"secret"}} }
	d := drive(t, Options{Routes: []*url.URL{{Host: "10.0.0.9:6222"}, {Host: "10.0.0.7:6222"}}})
	before := d.options
	d.after(tick{}, dialled{dial: 2, link: 1, ip: "10.0.0.9", options: before}, informed{1, infoOf("X", "10.0.0.9")})
	d.after(accepted{link: 2, ip: "10.0.0.8", options: before}, informed{2, infoOf("Y", "10.0.0.8")}, accepted{link: 3, options: before})
	all := d.after(d.reload(deny))
	all = append(all, d.after(dialled{dial: 1, link: 4, ip: "10.0.0.7", options: before}, accepted{link: 5, options: before})...)
	dropped := map[linkID]bool{}
	for _, a := range of[drop](all) {
		dropped[a.link] = a.reason == "Route Permissions Changed"
	}
	if want := map[linkID]bool{1: true, 2: true, 3: true, 4: true, 5: true}; !maps.Equal(dropped, want) {
		t.Errorf("dropped: %v", dropped)
	}
	d.after(closed{link: 1}, closed{link: 2}, closed{link: 3}, closed{link: 4}, closed{link: 5})
	dialled := map[string]bool{}
	for _, a := range of[dial](d.pass(2 * time.Second)) {
		dialled[a.addr] = true
	}
	if want := map[string]bool{"10.0.0.7:6222": true, "10.0.0.8:6222": true, "10.0.0.9:6222": true}; !maps.Equal(dialled, want) {
		t.Errorf("dialled: %v", dialled)
	}
	d.after(accepted{link: 6, options: d.options})
	if drops := of[drop](d.after(d.reload(deny))); len(drops) != 0 {
		t.Errorf("the same permissions drop %v", drops)
	}
}

// TestReloadOfPinnedKeys: links to servers whose key is not one of the pinned ones any more end, those that are being made too, and
// such a server is looked for no more unless the configuration has it (docs/spec/config.md C3).
func TestReloadOfPinnedKeys(t *testing.T) {
	pin := func(keys ...string) func(*Options) {
		return func(o *Options) { o.TLS = &TLSOptions{PinnedKeys: keys} }
	}
	d := drive(t, Options{TLS: &TLSOptions{}, Routes: []*url.URL{{Host: "10.0.0.9:6222"}}})
	before := d.options
	d.after(tick{}, dialled{dial: 1, link: 1, ip: "10.0.0.9", key: "old"}, informed{1, infoOf("X", "10.0.0.9")})
	d.after(accepted{link: 2, ip: "10.0.0.8", key: "old"}, informed{2, infoOf("Y", "10.0.0.8")})
	d.after(accepted{link: 3, ip: "10.0.0.7", key: "new"}, informed{3, infoOf("Z", "10.0.0.7")}, accepted{link: 4, key: "old"}, accepted{link: 5})
	if drops := of[drop](d.after(d.reload(pin("new", "old")))); len(drops) != 0 {
		t.Errorf("keys that are pinned are dropped: %v", drops)
	}
	all := d.after(d.reload(pin("new")))
	all = append(all, d.after(accepted{link: 6, key: "old", options: before}, accepted{link: 7, key: "new", options: before})...)
	dropped := map[linkID]bool{}
	for _, a := range of[drop](all) {
		dropped[a.link] = a.reason == "Credentials Revoked"
	}
	if want := map[linkID]bool{1: true, 2: true, 4: true, 6: true}; !maps.Equal(dropped, want) {
		t.Errorf("dropped: %v", dropped)
	}
	if lines := of[say](all); !slices.ContainsFunc(lines, func(s say) bool { return s.text == "Disconnect 3 routes due to pinned certs reload" }) {
		t.Errorf("log: %v", lines)
	}
	d.after(closed{link: 1}, closed{link: 2}, closed{link: 4}, closed{link: 6})
	if dials := of[dial](d.pass(5 * time.Second)); len(dials) != 1 || dials[0].addr != "10.0.0.9:6222" {
		t.Errorf("dials %v", dials)
	}
	if drops := of[drop](d.after(d.reload(func(o *Options) { o.TLS = nil }))); len(drops) != 0 {
		t.Errorf("without TLS %v", drops)
	}
}

// TestLameDuckIsNotLookedFor: a server that has said that it goes down is missed only where the configuration has it, though its address is
// dialled once for another process that may have taken it over (docs/adr/0009-lost-servers.md).
func TestLameDuckIsNotLookedFor(t *testing.T) {
	for _, configured := range []bool{false, true} {
		d := drive(t, Options{})
		d.after(accepted{link: 1, ip: "10.0.0.8"}, informed{1, infoOf("Y", "10.0.0.8")})
		if configured {
			d.after(d.reload(func(o *Options) { o.Routes = []*url.URL{{Host: "10.0.0.9:6222"}} }))
		}
		d.after(informed{1, infoOf("X", "10.0.0.9")}, dialled{dial: 1, link: 2, ip: "10.0.0.9"}, informed{2, infoOf("X", "10.0.0.9")})
		down := infoOf("X", "10.0.0.9")
		down.LameDuck = true
		once := of[dial](d.after(informed{2, down}))
		if len(once) != 1 || once[0].addr != "10.0.0.9:6222" {
			t.Fatalf("configured: %v; dials for a successor %v", configured, once)
		}
		all := append(d.after(undialled{dial: once[0].dial, err: "refused"}, closed{link: 2}), d.pass(10*time.Second)...)
		if dials := of[dial](all); (len(dials) > 0) != configured {
			t.Errorf("configured: %v; dials %v", configured, dials)
		}
		if missing := d.missing(); (len(missing) > 0) != configured {
			t.Errorf("configured: %v; missing %+v", configured, missing)
		}
	}
}

// TestNameIsNotFoundAgain: a server that is linked stays so when its name cannot be looked up any more, and nobody is missing.
func TestNameIsNotFoundAgain(t *testing.T) {
	d := drive(t, Options{Routes: []*url.URL{{Host: "h:6222"}}})
	d.after(tick{}, resolved{target: "h:6222", addrs: []string{"10.0.0.9:6222"}}, dialled{dial: 1, link: 1, ip: "10.0.0.9"}, informed{1, infoOf("X", "10.0.0.9")})
	for range 2 {
		all := d.pass(lookAgainTime)
		for len(of[resolve](all)) == 0 {
			all = d.pass(time.Second)
			d.after(ponged{1})
		}
		all = d.after(resolved{target: "h:6222", err: "no such host"})
		if missing := d.missing(); len(missing) != 0 {
			t.Errorf("missing: %+v", missing)
		}
		for _, s := range of[say](all) {
			if s.level != levelDebug {
				t.Errorf("logged: %s", s.text)
			}
		}
		if next := d.targets["h:6222"].retryAt.Sub(d.clock); next < lookAgainTime {
			t.Errorf("the name is looked up again after %v", next)
		}
	}
	all := append(d.after(closed{link: 1}), d.pass(2*time.Second)...)
	if resolves := of[resolve](all); len(resolves) != 1 {
		t.Errorf("after it was lost its name is looked up %d times", len(resolves))
	}
	if dials := of[dial](d.after(resolved{target: "h:6222", addrs: []string{"10.0.0.10:6222"}})); len(dials) != 1 {
		t.Errorf("dials %v", dials)
	}
}

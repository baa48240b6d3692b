package config

import (
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/natsd/natsd/internal/password"
	"github.com/natsd/natsd/pkg/confparse"
)

// Authorization says who may connect. Source: docs/spec/config.md B3.
type Authorization struct {
	// User and Password are those of the single user, Token is the token; empty: not in use. A single user may have an
	// empty password.
	User, Password, Token string
	// Timeout bounds the time a client may take to show its credentials.
	Timeout time.Duration
	// Users are those of a users list; nil: there is none.
	Users []User
	// Default are the permissions of users without their own; nil: none.
	Default *Permissions
}

// Required reports whether clients must show credentials.
func (a *Authorization) Required() bool { return a.User != "" || a.Token != "" || a.Users != nil }

// User is one entry of a users list.
type User struct {
	Pos             confparse.Pos
	Name, Password  string
	NKey            string       // public key; then there are no name and password
	Permissions     *Permissions // nil: the default ones
	ConnectionTypes []string     // upper case; empty: all
}

// connectionTypes are the ways a user may connect.
var connectionTypes = []string{"STANDARD", "WEBSOCKET", "LEAFNODE", "LEAFNODE_WS", "MQTT", "MQTT_WS", "IN_PROCESS"}

// authorization makes the authorization of clients.
func (b *builder) authorization(tls *TLS) Authorization {
	a := Authorization{
		User: b.text("authorization.user"), Password: b.text("authorization.password"), Token: b.text("authorization.token"),
		Timeout: b.duration("authorization.timeout"),
	}
	if tls != nil && !b.given("authorization.timeout") {
		a.Timeout = tls.Timeout + time.Second
	}
	t := b.tree.sub("authorization")
	if f := t.get("users"); f != nil {
		a.Users = b.users(f, false)
	}
	a.Default = b.permissions(t.get("default_permissions"), false)
	b.checkSingle(&a)
	return a
}

// plaintext reports whether a password or a token is not hashed.
func (c *Config) plaintext() bool {
	plain := func(secret string) bool { return secret != "" && !password.IsHash(secret) }
	isPlain := func(u User) bool { return plain(u.Password) }
	inAccount := func(a Account) bool { return slices.ContainsFunc(a.Users, isPlain) }
	return plain(c.Authorization.Password) || plain(c.Authorization.Token) || slices.ContainsFunc(c.Authorization.Users, isPlain) || plain(c.Monitor.Password) ||
		slices.ContainsFunc(c.Accounts, inAccount)
}

// checkSingle checks the single user and the token, with each other and with the users list. What a file alone gets
// wrong is an error; a flag or the environment over a file decides, with a warning. Source: docs/spec/config.md B3,
// docs/spec/cli.md §4.
func (b *builder) checkSingle(a *Authorization) {
	const user, pass, token = "authorization.user", "authorization.password", "authorization.token"
	inFile := func(path string) bool { return b.layers.file[path] != nil }
	if a.User == "" && a.Token == "" && (a.Password != "" || b.given(pass) && !b.given(user)) {
		b.errorAbout(pass, "", "password given without user; add --user")
	}
	switch {
	case a.User != "" && a.Token != "" && inFile(user) && inFile(token) && b.settings[user].Origin.Layer == FromFile && b.settings[token].Origin.Layer == FromFile:
		b.errorAbout(b.lastInFile(user, token), "", "Cannot have a user/pass and token")
	case a.Users != nil && b.settings[user].Origin.Layer == FromFile && a.User != "":
		b.errorAbout(user, "", "Can not have a single user/pass and a users array")
	case a.Users != nil && b.settings[token].Origin.Layer == FromFile && a.Token != "":
		b.errorAbout(token, "", "Can not have a token and a users array")
	case a.Users != nil && (a.User != "" || a.Token != ""):
		b.warn(confparse.Pos{}, 0, "", "the users list decides who may connect; user, password and token given elsewhere are ignored")
		a.User, a.Password, a.Token = "", "", ""
	case a.User != "" && a.Token != "":
		b.warn(confparse.Pos{}, 0, "", "the token decides who may connect; user and password are ignored")
		a.User, a.Password = "", ""
	case a.User != "" && a.Password == "":
		b.warnAbout(user, "", "user %q has an empty password: whoever knows the name gets in", a.User)
	}
}

// warnEmpty warns of credentials that are given and empty, as those from an empty variable are: they ask for nothing.
// Source: docs/spec/config.md B3.
func (b *builder) warnEmpty(c *Config) {
	warn := func(open bool, paths ...string) {
		for _, path := range paths {
			if open && b.given(path) {
				b.warnAbout(path, "give it a value, or leave it out", "%s is empty: everybody who reaches the port gets in", path)
			}
		}
	}
	warn(c.Auth() == nil, "authorization.user", "authorization.token")
	warn(c.Monitor.User == "" && c.Monitor.Token == "", "monitor.authorization.user", "monitor.authorization.token")
	// --cluster without credentials means that there are none (docs/spec/cli.md §4).
	const route = "cluster.authorization.user"
	warn(c.Cluster != nil && c.Cluster.User == "" && b.settings[route].Origin.Layer != FromFlag, route)
}

// lastInFile returns the one of two options that stands later in the file.
func (b *builder) lastInFile(first, second string) string {
	p, q := b.layers.file[first].origin.Pos, b.layers.file[second].origin.Pos
	if p.File == q.File && (p.Line > q.Line || p.Line == q.Line && p.Column > q.Column) {
		return first
	}
	return second
}

// users makes the users of a list. newer is as for permissions. Source: docs/spec/config.md B3.
func (b *builder) users(f *field, newer bool) []User {
	users := make([]User, 0, len(f.blocks))
	byName, byKey := make(map[string]int), make(map[string]int)
	for _, t := range f.blocks {
		u := b.user(t, newer)
		switch at, known := byName[u.Name]; {
		case u.NKey != "":
			if _, known := byKey[u.NKey]; known {
				b.report(t.pos, 1, "", "Duplicate nkey %q detected", u.NKey)
			}
			byKey[u.NKey] = len(users)
		case u.Name == "":
			continue // it was reported
		case known:
			finding := b.add(t.pos, 1, "the last one counts", "Duplicate user %q detected", u.Name)
			finding.Warning = !b.strict
			users[at] = u
			continue
		default:
			byName[u.Name] = len(users)
		}
		users = append(users, u)
	}
	return users
}

// user makes one user. newer is as for permissions.
func (b *builder) user(t *tree, newer bool) User {
	u := User{Pos: t.pos, Name: t.text("user"), Password: t.text("password"), NKey: t.text("nkey")}
	switch {
	case u.NKey != "" && (u.Name != "" || u.Password != ""):
		b.report(t.pos, 1, "", "Nkey users do not take usernames or passwords")
	case u.NKey != "" && !nkeys.IsValidPublicUserKey(u.NKey):
		b.report(t.get("nkey").valuePos(), len(t.get("nkey").value.Raw), "", "Not a valid public nkey for a user")
	case u.NKey == "" && u.Name == "":
		b.report(t.pos, 1, "", "User entry requires a user")
	case u.NKey == "" && u.Password == "":
		b.warn(t.pos, 1, "", "user %q has an empty password: whoever knows the name gets in", u.Name)
	}
	u.Permissions = b.permissions(t.get("permissions"), newer || u.NKey != "")
	for _, item := range t.texts("allowed_connection_types") {
		word := strings.ToUpper(item.Source())
		if !containsFold(connectionTypes, word) {
			b.report(item.Pos, len(item.Raw), "use "+strings.Join(connectionTypes, ", "), "invalid connection types [%q]", item.Source())
			continue
		}
		u.ConnectionTypes = append(u.ConnectionTypes, word)
	}
	return u
}

// text returns the string of a field, "" if there is none. It was checked before.
func (t *tree) text(name string) string {
	f := t.get(name)
	if f == nil {
		return ""
	}
	text, err := textOf(f.value)
	if err != nil {
		return ""
	}
	return text
}

// texts returns the elements of a list, none if there is no such field. It was checked before.
func (t *tree) texts(name string) []*confparse.Value {
	f := t.get(name)
	if f == nil {
		return nil
	}
	items, err := textsOf(f.value)
	if err != nil {
		return nil
	}
	return items
}

// checkNoAuthUser checks that the user of clients without credentials exists.
func (b *builder) checkNoAuthUser(c *Config) {
	if c.NoAuthUser == "" {
		return
	}
	if c.Authorization.Users == nil && b.tree.get("accounts") == nil {
		b.errorAbout("no_auth_user", "", "no_auth_user: %q present, but users/nkeys are not defined", c.NoAuthUser)
		return
	}
	users := c.Authorization.Users
	for i := range c.Accounts {
		users = append(users[:len(users):len(users)], c.Accounts[i].Users...)
	}
	if slices.ContainsFunc(users, func(u User) bool { return u.ID() == c.NoAuthUser }) {
		return
	}
	b.errorAbout("no_auth_user", "", "no_auth_user: %q not present as user or nkey in authorization block or account configuration", c.NoAuthUser)
}

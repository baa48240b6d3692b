package config

import (
	"slices"

	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/confparse"
)

// GlobalAccount is the account of users that belong to no other.
const GlobalAccount = "$G"

// Account is one entry of accounts. Source: docs/spec/config.md B6.
type Account struct {
	broker.Account
	Pos     confparse.Pos
	Users   []User
	Default *Permissions // of users without their own; nil: none
}

// accounts makes the accounts.
func (b *builder) accounts() []Account {
	f := b.tree.get("accounts")
	if f == nil {
		return nil
	}
	var accounts []Account
	seen := make(map[string]int)
	for _, n := range f.named {
		switch at, known := seen[n.name]; {
		case n.name == GlobalAccount:
			b.report(n.pos, len(n.name), "", "%q is a Reserved Account", n.name)
			continue
		case known && n.block == nil:
			b.report(n.pos, len(n.name), "", "Duplicate Account Entry: %s", n.name)
			continue
		case known:
			b.duplicateAccount(n)
			accounts[at] = b.account(n) // the last one counts, as everywhere
			continue
		}
		seen[n.name] = len(accounts)
		accounts = append(accounts, b.account(n))
	}
	return accounts
}

func (b *builder) duplicateAccount(n named) {
	finding := b.add(n.pos, len(n.name), "the last one counts", "Duplicate Account Entry: %s", n.name)
	finding.Warning = !b.strict
}

// account makes one account.
func (b *builder) account(n named) Account {
	a := Account{Account: broker.Account{Name: n.name}, Pos: n.pos}
	if n.block == nil {
		return a
	}
	if limits := n.block.sub("limits"); limits != nil {
		a.Limits = broker.AccountLimits{
			MaxConnections: int(limits.limit("max_connections")), MaxSubscriptions: int(limits.limit("max_subscriptions")), MaxPayload: limits.limit("max_payload"),
		}
	}
	a.Default = b.permissions(n.block.get("default_permissions"), true)
	if f := n.block.get("users"); f != nil {
		a.Users = b.users(f, true)
	}
	b.links(&a, n.block)
	return a
}

// limit returns a limit of an account as the broker takes it, 0 if there is none: a 0 in the file is a limit too. It was checked before.
// Source: docs/spec/config.md B6.
func (t *tree) limit(name string) int64 {
	f := t.get(name)
	if f == nil {
		return 0
	}
	if n, _ := integerOf(f.value, ""); n != 0 {
		return n
	}
	return broker.Nothing
}

// checkUsers checks the users of all accounts together. Source: docs/spec/config.md B6.
func (b *builder) checkUsers(c *Config) {
	inAccounts := false
	seen := make(map[string]bool)
	for _, u := range c.Authorization.Users {
		seen[u.ID()] = true
	}
	for i := range c.Accounts {
		for _, u := range c.Accounts[i].Users {
			inAccounts = true
			if seen[u.ID()] {
				b.report(u.Pos, 1, "a user belongs to one account", "Duplicate user %q detected", u.ID())
			}
			seen[u.ID()] = true
		}
	}
	switch {
	case inAccounts && c.Authorization.User != "":
		b.errorAbout("authorization.user", "", "Can not have a single user/pass and accounts")
	case inAccounts && c.Authorization.Token != "":
		b.errorAbout("authorization.token", "", "Can not have a token and accounts")
	}
}

// Auth returns who may connect, as the broker takes it; nil: everybody.
func (c *Config) Auth() *broker.Auth {
	a := &c.Authorization
	auth := &broker.Auth{User: a.User, Password: a.Password, Token: a.Token, NoAuthUser: c.NoAuthUser, Timeout: a.Timeout}
	if a.Users != nil {
		auth.Users = []broker.User{}
	}
	for _, u := range c.AllUsers() {
		auth.Users = append(auth.Users, u.broker())
	}
	if auth.Users == nil && auth.User == "" && auth.Token == "" {
		return nil
	}
	return auth
}

// broker returns u as the broker takes it.
func (u *UserOf) broker() broker.User {
	user := broker.User{Name: u.Name, Password: u.Password, NKey: u.NKey, Account: u.Account, Permissions: u.Permissions.Broker()}
	if u.Permissions == nil {
		user.Permissions = u.Default.Broker()
	}
	for _, kind := range u.ConnectionTypes {
		user.Connections = append(user.Connections, broker.ConnectionType(kind))
	}
	return user
}

// UserOf is a user with what it has from around it.
type UserOf struct {
	*User
	Account string
	Default *Permissions // that count if it has none of its own; nil: none
}

// AllUsers returns the users of the authorization and of all accounts.
func (c *Config) AllUsers() []UserOf {
	var all []UserOf
	add := func(users []User, account string, byDefault *Permissions) {
		for i := range users {
			all = append(all, UserOf{&users[i], account, byDefault})
		}
	}
	add(c.Authorization.Users, GlobalAccount, c.Authorization.Default)
	for i := range c.Accounts {
		add(c.Accounts[i].Users, c.Accounts[i].Name, c.Accounts[i].Default)
	}
	return all
}

// HasUser reports whether there is a user with a name or a public key.
func (c *Config) HasUser(id string) bool {
	return slices.ContainsFunc(c.AllUsers(), func(u UserOf) bool { return u.ID() == id })
}

// ID returns what u is known by.
func (u *User) ID() string {
	if u.NKey != "" {
		return u.NKey
	}
	return u.Name
}

// checkSystemAccount checks that the system account is one. Source: docs/spec/config.md B2.
func (b *builder) checkSystemAccount(c *Config) {
	name := b.text("system_account")
	isThere := func(a Account) bool { return a.Name == name }
	if b.given("system_account") && name != defaultSystemAccount && !slices.ContainsFunc(c.Accounts, isThere) {
		b.errorAbout("system_account", "add it to accounts", "system_account %q not found in accounts", name)
	}
}

// defaultSystemAccount is the system account unless told otherwise.
const defaultSystemAccount = "$SYS"

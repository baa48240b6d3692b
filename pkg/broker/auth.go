package broker

import (
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/natsd/natsd/internal/permission"
	"github.com/natsd/natsd/internal/subject"
)

// DefaultAuthTimeout is the time a client may take to show its credentials, unless Auth says otherwise.
const DefaultAuthTimeout = 2 * time.Second

// Permissions say what a user may publish and subscribe to. Source: docs/spec/client-protocol.md §12.
type Permissions = permission.Rules

// PermissionSide is one direction of Permissions.
type PermissionSide = permission.Side

// ResponsePermission allows publishing to the reply subjects of messages received.
type ResponsePermission = permission.Responses

// Auth says who may connect. It is one of three: a list of users, a token, or a single user. Passwords and tokens may be
// bcrypt hashes. Source: docs/spec/config.md B3.
type Auth struct {
	// User and Password are those of the single user, which may do everything.
	User, Password string
	// Token is what clients show in place of a user and a password.
	Token string
	// Users are a list of users; nil: there is none. An empty list lets nobody in.
	Users []User
	// NoAuthUser is the name or the public key of the one of Users as whom a client without credentials is served. Empty:
	// it is turned away.
	NoAuthUser string
	// Timeout bounds the time a client may take to show its credentials, and the time that checking them may take. Zero
	// means DefaultAuthTimeout; negative values are refused.
	Timeout time.Duration
}

// User is one of several users.
type User struct {
	// Name and Password are shown by the client. The password may be a bcrypt hash.
	Name, Password string
	// NKey is the public key of a user that signs instead; then there is no name and no password.
	NKey string
	// Account is the name of the account that the user belongs to, one of Options.Accounts. Empty means the global one.
	Account string
	// Permissions bound what the user may do; nil: everything.
	Permissions *Permissions
	// Connections are the only ways in which the user may connect; empty: all.
	Connections []ConnectionType
}

// ConnectionType is a way to connect, as configurations call it.
type ConnectionType string

// The ways to connect that a broker offers.
const (
	ConnectionStandard  ConnectionType = "STANDARD"
	ConnectionInProcess ConnectionType = "IN_PROCESS"
)

// id returns what the user is known by.
func (u *User) id() string {
	if u.NKey != "" {
		return u.NKey
	}
	return u.Name
}

// validate calls bad for everything that is wrong with a. Its text holds no password, token or key.
func (a *Auth) validate(accounts []Account, bad func(format string, args ...any)) {
	if a == nil {
		return
	}
	if a.Timeout < 0 {
		bad("authorization timeout of %v is negative; use a duration such as 2s", a.Timeout)
	}
	single := a.User != "" || a.Password != ""
	switch {
	case a.User == "" && a.Password != "":
		bad("a password without a user; give the user, or a token")
	case single && a.Token != "":
		bad("both a user and a token; give one of them")
	case a.Users != nil && (single || a.Token != ""):
		bad("both a list of users and a single user or a token; give one of them")
	case a.Users == nil && !single && a.Token == "":
		bad("authorization without a user or a token; give one, or no authorization")
	}
	seen := make(map[string]bool, len(a.Users))
	for i := range a.Users {
		u := &a.Users[i]
		if seen[u.id()] {
			bad("user %q stands twice in the list; remove one", u.id())
		}
		seen[u.id()] = true
		u.validate(accounts, bad)
	}
	if a.NoAuthUser != "" && !seen[a.NoAuthUser] {
		bad("no_auth_user %q is not one of the users; add it or name another", a.NoAuthUser)
	}
}

func (u *User) validate(accounts []Account, bad func(format string, args ...any)) {
	switch {
	case u.NKey != "" && (u.Name != "" || u.Password != ""):
		bad("user %q has a key and a name or a password; give one of them", u.NKey)
	case u.NKey != "" && !nkeys.IsValidPublicUserKey(u.NKey):
		bad("%q is not a public key of a user; it begins with U", u.NKey)
	case u.NKey == "" && u.Name == "":
		bad("a user without a name; give one, or a key")
	}
	if u.Account != "" && u.Account != globalAccount && !slices.ContainsFunc(accounts, func(a Account) bool { return a.Name == u.Account }) {
		bad("user %q belongs to account %q, which there is not; add it", u.id(), u.Account)
	}
	for _, c := range u.Connections {
		if c == "" {
			bad("user %q has an empty connection type; leave it out", u.id())
		}
	}
	if p := u.Permissions; p != nil {
		for _, list := range [][]string{p.Publish.Allow, p.Publish.Deny, p.Subscribe.Allow, p.Subscribe.Deny} {
			for _, entry := range list {
				if err := checkEntry(entry); err != nil {
					bad("permissions of user %q: %v", u.id(), err)
				}
			}
		}
	}
}

// checkEntry checks an entry of a permission list.
func checkEntry(entry string) error {
	text, queue := permission.SplitEntry(entry)
	if !subject.ValidSubscription(text) || queue != "" && !subject.ValidSubscription(queue) {
		return fmt.Errorf("%q is no subject and no \"SUBJECT QUEUE\"", entry)
	}
	return nil
}

package broker

import (
	"sync/atomic"

	"github.com/natsd/natsd/internal/sublist"
)

// globalAccount is the name of the account that users belong to unless told otherwise.
const globalAccount = "$G"

// Account is a space of subjects of its own: what is published in one is not seen in another.
// Source: docs/spec/config.md B6.
type Account struct {
	// Name is not empty, and not that of the global account, which there is in any case.
	Name string
	// Limits bound what the account may take.
	Limits AccountLimits
	// Exports are what other accounts may import from it, Imports what it has from others, and Mappings other subjects for
	// what is published in it.
	Exports  []Export
	Imports  []Import
	Mappings []Mapping
}

// AccountLimits bound what all clients of an account may take together, or each of them. Zero values mean no limit,
// and so do negative ones, but for Nothing.
type AccountLimits struct {
	MaxConnections   int   // clients at a time
	MaxSubscriptions int   // of all clients together
	MaxPayload       int64 // bytes of one message
}

// account is an Account at work. It outlives reloads: the one with the same name goes on.
type account struct {
	name   string // set by newAccount, never written again, like index
	index  *sublist.Index[*subscription]
	limits atomic.Pointer[AccountLimits]

	clients       atomic.Int64 // that are connected
	routed        atomic.Int64 // messages from other servers
	slow          atomic.Int64 // clients that were cut for being slow
	subscriptions atomic.Int64

	announcer *announcer            // nil: there is no cluster. Set by newAccount, never written again
	links     atomic.Pointer[links] // nil: none
	responses responses
}

func newAccount(name string, announcer *announcer) *account {
	a := &account{name: name, announcer: announcer, index: sublist.NewTelling((*subscription).isOn)}
	a.limits.Store(&AccountLimits{})
	return a
}

// full reports whether n, the number of something, has reached a limit.
func full(n int64, limit int) bool { return limit > 0 && n >= int64(limit) }

// accountFull is full for a limit of an account.
func accountFull(n int64, limit int) bool { return limit == Nothing || full(n, limit) }

// tooMuch returns the size in bytes from which on a message is too large for the account, 0 if none is.
func (l *AccountLimits) tooMuch() int64 {
	switch {
	case l.MaxPayload > 0:
		return l.MaxPayload + 1
	case l.MaxPayload == Nothing:
		return 1
	}
	return 0
}

// accountsFor returns the accounts by name for a list of them. Those of before that go on are kept.
func accountsFor(list []Account, before map[string]*account, announcer *announcer) map[string]*account {
	accounts := make(map[string]*account, len(list)+1)
	add := func(name string, limits AccountLimits) {
		a := before[name]
		if a == nil {
			a = newAccount(name, announcer)
		}
		a.limits.Store(&limits)
		accounts[name] = a
	}
	add(globalAccount, AccountLimits{})
	for _, a := range list {
		add(a.Name, a.Limits)
	}
	return accounts
}

// validateAccounts calls bad for everything that is wrong with a list of accounts.
func validateAccounts(list []Account, bad func(format string, args ...any)) {
	seen := make(map[string]bool, len(list))
	for _, a := range list {
		switch {
		case a.Name == "":
			bad("an account without a name; give one")
		case a.Name == globalAccount:
			bad("%q is a reserved account; use another name", a.Name)
		case seen[a.Name]:
			bad("account %q stands twice in the list; remove one", a.Name)
		}
		seen[a.Name] = true
	}
	validateLinks(list, bad)
}

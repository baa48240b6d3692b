package broker

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/natsd/natsd/internal/password"
	"github.com/natsd/natsd/internal/permission"
	"github.com/natsd/natsd/internal/sublist"
)

// identity is who a connection is. It is never changed; whoever has the same one is the same user of the same
// configuration.
type identity struct {
	name        string // of the user, or its public key; empty without a list of users
	account     *account
	rules       *permission.Set // nil: everything is allowed
	secret      string          // stored password, token or key; to see whether a reload changes it
	connections []ConnectionType
	stamp       uint32 // on subjects that it may publish to, see mayPublish; no other identity of this broker has had it. 0: none
	tooMuch     int64  // bytes from which on a message is too large for the account; 0: no limit beyond that of the server
}

// credentials are what a client shows in CONNECT, and what its certificate says.
type credentials struct {
	user, password, token string
	nkey, signature       string
	nonce                 string   // that was to be signed
	certificate           []string // see login
}

// none reports whether a client shows nothing at all.
func (c *credentials) none() bool {
	return c.user == "" && c.password == "" && c.token == "" && c.nkey == "" && c.signature == ""
}

// errUnauthorized says that credentials are wrong, and no more.
var errUnauthorized = errors.New("authorization violation")

// authority decides who a client is. It is never changed.
type authority struct {
	accounts  map[string]*account
	former    []*account // that reloads have removed, and that are not deserted yet
	past      IndexState // counters of those that are
	global    *account
	required  bool          // clients have to be somebody
	anonymous *identity     // as whom clients without credentials are served; nil: they are not
	timeout   time.Duration // for showing credentials, and for checking them
	single    *identity     // of the single user, or of the token; nil with a list of users
	user      string        // of the single user; empty with a token
	users     map[string]*identity
	keys      map[string]*identity
	listed    bool     // there is a list of users
	mapped    bool     // certificates say who a client is
	decoys    []string // hashes to compare with for a user that there is not
	stamps    uint32   // given out so far, by those of before too
	seed      maphash.Seed
}

// newAuthority returns the authority for o, which is valid. Accounts of before are kept; before may be nil.
func newAuthority(o *Options, before *authority, announcer *announcer) *authority {
	a := &authority{seed: maphash.MakeSeed()}
	if before != nil {
		a.accounts, a.seed, a.stamps = before.accounts, before.seed, before.stamps
	}
	a.accounts = accountsFor(o.Accounts, a.accounts, announcer)
	if before != nil {
		a.remember(before)
	}
	linkAccounts(o, a.accounts)
	if o.TLS != nil {
		a.mapped = o.TLS.VerifyAndMap
	}
	global := a.accounts[globalAccount]
	a.global = global
	if o.Auth == nil {
		a.anonymous = &identity{account: global}
		return a
	}
	a.required, a.timeout, a.listed = true, o.Auth.Timeout, o.Auth.Users != nil
	if a.timeout == 0 {
		a.timeout = DefaultAuthTimeout
	}
	switch {
	case a.listed:
		a.addUsers(o.Auth.Users)
		a.anonymous = a.find(o.Auth.NoAuthUser)
	case o.Auth.Token != "":
		a.single = &identity{account: global, secret: o.Auth.Token}
		a.addDecoy(o.Auth.Token)
	default:
		a.user = o.Auth.User
		a.single = &identity{name: o.Auth.User, account: global, secret: o.Auth.Password}
		a.addDecoy(o.Auth.Password)
	}
	return a
}

// remember keeps what was counted in the accounts that before has and a has not. Their clients are still leaving, so the accounts are
// kept until a reload finds them deserted: totals that are exposed as counters must not fall.
func (a *authority) remember(before *authority) {
	a.past = before.past
	for _, f := range before.former {
		if f.clients.Load() > 0 || f.index.Count() > 0 {
			a.former = append(a.former, f)
			continue
		}
		t := f.counters()
		a.past.Add(&t)
	}
	for name, f := range before.accounts {
		if a.accounts[name] != f {
			a.former = append(a.former, f)
		}
	}
}

func (a *authority) addUsers(users []User) {
	a.users, a.keys = make(map[string]*identity), make(map[string]*identity)
	for i := range users {
		u := &users[i]
		id := &identity{name: u.id(), account: a.accounts[globalAccount], rules: permission.Compile(u.Permissions), connections: u.Connections}
		if id.rules != nil && a.stamps < sublist.MaxStamp {
			a.stamps++
			id.stamp = a.stamps
		}
		if u.Account != "" {
			id.account = a.accounts[u.Account]
			id.tooMuch = id.account.limits.Load().tooMuch()
		}
		if u.NKey != "" {
			id.secret = u.NKey
			a.keys[u.NKey] = id
			continue
		}
		id.secret = u.Password
		a.users[u.Name] = id
		a.addDecoy(u.Password)
	}
}

// addDecoy adds a stored password to what is compared with for users that there are not.
func (a *authority) addDecoy(stored string) {
	if password.IsHash(stored) {
		a.decoys = append(a.decoys, stored)
	}
}

// find returns the user with a name or a public key, nil if there is none.
func (a *authority) find(id string) *identity {
	if found := a.users[id]; found != nil {
		return found
	}
	return a.keys[id]
}

// open reports whether a client is served without showing anything.
func (a *authority) open() bool { return a.anonymous != nil }

// asksForSignature reports whether clients need a nonce.
func (a *authority) asksForSignature() bool { return len(a.keys) > 0 }

// check returns who has these credentials, or errUnauthorized, or the error of ctx or of v when nobody can tell in
// time. from is the place that the client is at; beforeWait is called before a comparison that takes long, at most
// once.
//
// It takes as long for a user that there is not as for a wrong password.
func (a *authority) check(ctx context.Context, v *password.Verifier, from string, kind ConnectionType, c *credentials, beforeWait func()) (*identity, error) {
	if !a.required {
		return a.anonymous, nil
	}
	id, err := a.identify(ctx, v, from, c, beforeWait)
	if err != nil {
		return nil, err
	}
	if len(id.connections) > 0 && !slices.Contains(id.connections, kind) {
		return nil, errUnauthorized
	}
	return id, nil
}

// identify is check without the way of connecting.
func (a *authority) identify(ctx context.Context, v *password.Verifier, from string, c *credentials, beforeWait func()) (*identity, error) {
	known, given, proved := a.claimed(c)
	right, err := proved && known != nil, error(nil)
	if !proved {
		right, err = a.isRight(ctx, v, from, c.user, known, given, beforeWait)
	}
	switch {
	case err != nil:
		return nil, err
	case !right:
		return nil, errUnauthorized
	}
	return known, nil
}

// claimed returns who c says that it is, nil for nobody, and whether that is proved. If not, it is so only if given is the password
// or token of who it is.
func (a *authority) claimed(c *credentials) (known *identity, given string, proved bool) {
	switch {
	case c.nkey != "" && len(a.keys) > 0:
		return a.identifyKey(c), "", true
	case a.mapped && a.listed:
		return a.identifyCertificate(c), "", true
	case a.listed && c.none() && a.anonymous != nil:
		return a.anonymous, "", true
	case a.listed:
		return a.users[c.user], c.password, false
	case a.user == "":
		return a.single, c.token, false
	case password.Equal(a.user, c.user):
		return a.single, c.password, false
	}
	return nil, c.password, false
}

// isRight compares a password or token with that of an identity, nil if there is no such user.
func (a *authority) isRight(ctx context.Context, v *password.Verifier, from, user string, known *identity, given string, beforeWait func()) (bool, error) {
	stored, right := "", false
	if known != nil {
		stored = known.secret
	}
	if !password.IsHash(stored) {
		if right = password.Equal(stored, given) && known != nil; right || len(a.decoys) == 0 {
			return right, nil
		}
		// The others have hashes, so that this one must not be told from them, and neither must one there is not.
		stored = a.decoys[maphash.String(a.seed, user)%uint64(len(a.decoys))]
		known = nil
	}
	if !v.Remembers(stored, given) {
		beforeWait()
	}
	right, err := v.Verify(ctx, from, stored, given)
	return right && known != nil, err
}

// identifyKey returns whose key has signed the nonce, nil if nobody's has.
func (a *authority) identifyKey(c *credentials) *identity {
	key, err := nkeys.FromPublicKey(c.nkey)
	if err != nil {
		return nil
	}
	signature, err := decodeSignature(c.signature)
	if err != nil || c.nonce == "" || key.Verify([]byte(c.nonce), signature) != nil {
		return nil
	}
	return a.keys[c.nkey]
}

// decodeSignature decodes base64 of either alphabet, with or without padding (docs/spec/client-protocol.md §3).
func decodeSignature(text string) ([]byte, error) {
	const size = 64 // of an Ed25519 signature
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	signature, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(signature) != size {
		return nil, errUnauthorized
	}
	return signature, nil
}

// identifyCertificate returns the first user that the certificate names, nil if it names none.
func (a *authority) identifyCertificate(c *credentials) *identity {
	for _, name := range c.certificate {
		if id := a.users[name]; id != nil {
			return id
		}
	}
	return nil
}

// nonceSize is the number of random bytes in a nonce (docs/spec/client-protocol.md §2.2).
const nonceSize = 11

// newNonce returns a text for a client to sign.
func newNonce() string {
	var random [nonceSize]byte
	_, _ = rand.Read(random[:]) // it never fails, as documented
	return base64.RawURLEncoding.EncodeToString(random[:])
}

package password

import (
	"crypto/sha256"
	"crypto/subtle"
	"regexp"
)

// MaxLength is the number of bytes of a password that bcrypt looks at. Longer ones never match a hash: it would ignore
// the rest.
const MaxLength = 72

var bcryptHash = regexp.MustCompile(`^\$2[abxy]\$\d{2}\$`)

// IsHash reports whether a stored password is a bcrypt hash. Source: docs/spec/config.md B9.
func IsHash(stored string) bool { return bcryptHash.MatchString(stored) }

// Equal compares two passwords in a time that depends on neither.
func Equal(stored, given string) bool {
	a, b := sha256.Sum256([]byte(stored)), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

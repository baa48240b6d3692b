package password

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/blowfish" //nolint:staticcheck // bcrypt is made of it
)

// bcrypt as golang.org/x/crypto has it cannot be interrupted: a comparison holds a processor for a tenth of a second, and
// everything that the scheduler has put behind it waits. This one lets others run in between. It makes the same of the
// same input, which the tests check against that package; the cipher is the one from there.
// docs/adr/0007-bcrypt-that-gives-way.md has the figures.

// roundsPerTurn is the number of rounds between two looks at whether others want to run: a tenth of a millisecond.
const roundsPerTurn = 2

// Parts of a hash: "$2a$", two digits of cost, "$", salt, sum.
const (
	saltAt   = len("$2a$11$")
	sumAt    = saltAt + 22
	hashSize = sumAt + 31
)

// bcryptText is the base64 of bcrypt.
var bcryptText = base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)

var (
	errBadHash  = errors.New("not a bcrypt hash")
	errMismatch = errors.New("the password is not that of the hash")
)

// compare returns nil if given is the password behind hash. It calls yield now and then.
func compare(hash, given []byte, yield func()) error {
	cost, err := bcrypt.Cost(hash)
	if err != nil || len(hash) != hashSize {
		return errBadHash
	}
	salt, err := bcryptText.DecodeString(string(hash[saltAt:sumAt]))
	if err != nil {
		return errBadHash
	}
	key := append(append(make([]byte, 0, len(given)+1), given...), 0) // the zero byte of a C string counts
	c, err := blowfish.NewSaltedCipher(key, salt)
	if err != nil {
		return errBadHash
	}
	for i := range uint64(1) << cost {
		if i%roundsPerTurn == 0 {
			yield()
		}
		blowfish.ExpandKey(key, c)
		blowfish.ExpandKey(salt, c)
	}
	sum := []byte("OrpheanBeholderScryDoubt")
	for at := 0; at < len(sum); at += blowfish.BlockSize {
		block := sum[at : at+blowfish.BlockSize]
		for range 64 {
			c.Encrypt(block, block)
		}
	}
	const kept = 23 // of 24 bytes
	if subtle.ConstantTimeCompare([]byte(bcryptText.EncodeToString(sum[:kept])), hash[sumAt:]) != 1 {
		return errMismatch
	}
	return nil
}

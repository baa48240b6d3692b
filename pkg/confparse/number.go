package confparse

import (
	"errors"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// errRange says that a number has the right form but is too big.
var errRange = errors.New("out of range")

// sizeUnits are the letters that an integer may end with: alone they count in thousands, with "b", "i" or "ib" behind
// them in 1024s.
const sizeUnits = "kmgtpe"

// numberWord sets v to what the word means as an integer, a size, a float, a date or an IPv4 address, and reports
// whether it is exactly one of these. Source: docs/spec/config.md A8, A9.
func numberWord(v *Value, word string) (isOne bool, err error) {
	digits, negative := strings.CutPrefix(word, "-")
	end := countDigits(digits)
	if end == 0 {
		return false, nil
	}
	switch rest := digits[end:]; {
	case rest == "" || sizeFactor(rest) != 0:
		v.Kind = Int
		v.number, err = integer(digits[:end], max(1, sizeFactor(rest)), negative)
		return true, err
	case rest[0] == '.' && len(rest) > 1 && countDigits(rest[1:]) == len(rest)-1:
		f, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return true, errRange
		}
		v.Kind, v.number = Float, NewFloat(f).number
		return true, nil
	case len(word) == len(zuluForm) && rest[0] == '-':
		t, err := time.Parse(zuluForm, word)
		if err != nil {
			return false, nil //nolint:nilerr // then it is a string like any other
		}
		v.Kind, v.number = Time, t.Unix()
		return true, nil
	}
	if isIPv4(word) {
		v.Kind, v.Text = String, word
		return true, nil
	}
	return false, nil
}

// zuluForm is the only form of dates.
const zuluForm = "2006-01-02T15:04:05Z"

// countDigits returns the number of digits that s begins with.
func countDigits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// integer returns digits times factor.
func integer(digits string, factor uint64, negative bool) (int64, error) {
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0, errRange
	}
	high, low := bits.Mul64(n, factor)
	switch {
	case high != 0 || low > math.MaxInt64+1 || low == math.MaxInt64+1 && !negative:
		return 0, errRange
	case negative:
		return int64(-low), nil //nolint:gosec // -low is in range, also for the least integer
	}
	return int64(low), nil //nolint:gosec // checked above
}

// sizeFactor returns what a size suffix multiplies by, 0 if there is no such suffix.
func sizeFactor(suffix string) uint64 {
	const longest = len("kib")
	if suffix == "" || len(suffix) > longest {
		return 0
	}
	suffix = strings.ToLower(suffix)
	base := uint64(1000)
	switch suffix[1:] {
	case "b", "i", "ib":
		base = 1024
	case "":
	default:
		return 0
	}
	power := strings.IndexByte(sizeUnits, suffix[0]) + 1
	if power == 0 {
		return 0
	}
	factor := uint64(1)
	for range power {
		factor *= base
	}
	return factor
}

// isIPv4 reports whether word is four numbers with dots between, and perhaps a port behind a colon.
func isIPv4(word string) bool {
	word, port, hasPort := strings.Cut(word, ":")
	if hasPort && countDigits(strings.TrimPrefix(port, "-")) != len(strings.TrimPrefix(port, "-")) {
		return false
	}
	parts := 0
	for part := range strings.SplitSeq(word, ".") {
		if parts++; part == "" || countDigits(part) != len(part) {
			return false
		}
	}
	return parts == 4
}

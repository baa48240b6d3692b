package cmd

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The values of flags follow the syntax of the configuration file (docs/spec/config.md A8, A9, B1), so that
// what works in one place works in the other.

// numberValue is a flag that holds a whole number, with a size suffix if suffixes says so.
type numberValue[T int | int64] struct {
	target   *T
	min, max int64
	suffixes bool
	kind     string // what the number counts, for help
	expected string // what a correct value looks like, for errors
}

// Set stores text if it is a number in range.
func (v numberValue[T]) Set(text string) error {
	n, err := parseNumber(text, v.suffixes)
	if err != nil {
		return fmt.Errorf("%w; use %s", err, v.expected)
	}
	if n < v.min || n > v.max {
		return fmt.Errorf("%w; use %s", errOutOfRange, v.expected)
	}
	*v.target = T(n)
	return nil
}

// String returns the number.
func (v numberValue[T]) String() string { return strconv.FormatInt(int64(*v.target), 10) }

// Type returns the word that stands for the value in help.
func (v numberValue[T]) Type() string { return v.kind }

var (
	errNotANumber = errors.New("not a whole number")
	errOutOfRange = errors.New("out of range")
)

// sizeUnits are the letters a size may end with: a letter alone counts in thousands, with "b", "i" or
// "ib" behind it in 1024s.
const sizeUnits = "kmgtpe"

// parseNumber reads a decimal number, and with suffixes a size such as 8k or 1mb.
// Errors: errNotANumber, errOutOfRange. Source: docs/spec/config.md A8.
func parseNumber(text string, suffixes bool) (int64, error) {
	digits := strings.TrimPrefix(text, "-")
	end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	factor := int64(1)
	if end >= 0 {
		var known bool
		if factor, known = sizeFactor(digits[end:]); !known || !suffixes {
			return 0, errNotANumber
		}
		digits = digits[:end]
	}
	if digits == "" {
		return 0, errNotANumber
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > math.MaxInt64/factor {
		return 0, errOutOfRange
	}
	if strings.HasPrefix(text, "-") {
		n = -n
	}
	return n * factor, nil
}

// sizeFactor returns what a size suffix multiplies by, and whether there is such a suffix.
func sizeFactor(suffix string) (int64, bool) {
	suffix = strings.ToLower(suffix)
	power := strings.IndexByte(sizeUnits, suffix[0]) + 1
	base := int64(1000)
	switch suffix[1:] {
	case "b", "i", "ib":
		base = 1024
	case "":
	default:
		return 0, false
	}
	factor := int64(1)
	for range power {
		factor *= base
	}
	return factor, power > 0
}

// formatSize returns the shortest exact spelling of a number of bytes, such as 64mb.
func formatSize(bytes int64) string {
	power := 0
	for bytes != 0 && bytes%1024 == 0 && power < len(sizeUnits) {
		bytes /= 1024
		power++
	}
	if power == 0 {
		return strconv.FormatInt(bytes, 10)
	}
	return strconv.FormatInt(bytes, 10) + sizeUnits[power-1:power] + "b"
}

// durationValue is a flag that holds a duration, or a bare number of seconds, which is the old way.
type durationValue struct {
	target *time.Duration
	name   string          // of the flag
	bare   map[string]bool // by flag: whether the last value was a bare number
}

// Set stores text if it is a duration or a number of seconds.
func (v durationValue) Set(text string) error {
	seconds, err := parseNumber(text, false)
	isNumber := err == nil
	d := time.Duration(seconds) * time.Second
	switch {
	case isNumber && (d/time.Second != time.Duration(seconds)), errors.Is(err, errOutOfRange):
		return fmt.Errorf("%w; use a duration such as 10s", errOutOfRange)
	case !isNumber:
		if d, err = time.ParseDuration(text); err != nil {
			return errors.New("not a duration; use a number with a unit, such as 500ms, 10s or 2m")
		}
	}
	*v.target, v.bare[v.name] = d, isNumber
	return nil
}

// String returns the duration in the form formatDuration gives it.
func (v durationValue) String() string { return formatDuration(*v.target) }

// Type returns the word that stands for the value in help.
func (v durationValue) Type() string { return "duration" }

// formatDuration returns d without the zero units Go prints: 2m, not 2m0s.
func formatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// textValue is a flag that holds any text.
type textValue struct {
	target *string
	kind   string // what the text names, for help
}

// Set stores text.
func (v textValue) Set(text string) error { *v.target = text; return nil }

// String returns the text.
func (v textValue) String() string { return *v.target }

// Type returns the word that stands for the value in help.
func (v textValue) Type() string { return v.kind }

// boolValue is a switch.
type boolValue struct{ target *bool }

// Set stores text if it is one of the boolean words of gnatsd.
func (v boolValue) Set(text string) error {
	value, isBool := parseBool(text)
	if !isBool {
		return errors.New("not a boolean; use true or false")
	}
	*v.target = value
	return nil
}

// String returns true or false.
func (v boolValue) String() string { return strconv.FormatBool(*v.target) }

// Type returns the name pflag has for a flag that is shown without a value.
func (v boolValue) Type() string { return "bool" }

// parseBool reads a boolean word of the command line: 1 t T true TRUE True 0 f F false FALSE False
// (docs/spec/cli.md §2).
func parseBool(text string) (value, isBool bool) {
	value, err := strconv.ParseBool(text)
	return value, err == nil
}

// decimal returns n in decimal.
func decimal(n int) string { return strconv.Itoa(n) }

// portValue is a flag that holds a TCP port, 0 for the default or -1 for a free one.
func portValue(target *int) numberValue[int] {
	return numberValue[int]{target: target, min: -1, max: math.MaxUint16, kind: "port",
		expected: "1 to 65535, 0 for the default port or -1 for a free one"}
}

// anyNegative, as the least value of a flag, admits negative numbers; all of them mean "no limit".
const anyNegative = math.MinInt32

// countValue is a flag that holds a number of things, at least least.
func countValue(target *int, least int64) numberValue[int] {
	return numberValue[int]{target: target, min: least, max: math.MaxInt32, suffixes: true, kind: "number",
		expected: expectedNumber(least, math.MaxInt32, "100 or 64k")}
}

// sizeValue is a flag that holds a number of bytes, from least to most.
func sizeValue[T int | int64](target *T, least, most int64) numberValue[T] {
	return numberValue[T]{target: target, min: least, max: most, suffixes: true, kind: "size",
		expected: expectedNumber(least, most, "8k (8000) or 1mb (1048576)")}
}

// expectedNumber says what a correct number looks like.
func expectedNumber(least, most int64, examples string) string {
	if least < 0 {
		return fmt.Sprintf("a number up to %d, such as %s", most, examples)
	}
	return fmt.Sprintf("a number from %d to %d, such as %s", least, most, examples)
}

package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/natsd/natsd/pkg/confparse"
)

// Redacted stands for a value that nobody may see.
const Redacted = "[REDACTED]"

// The conversions below follow docs/spec/config.md B1. Their errors say what was expected and, unless the value is a
// secret, what was found; the caller adds the place and the name of the key.

// errType says that a value has the wrong type.
type errType struct {
	want string
	got  *confparse.Value
}

func (e *errType) Error() string { return "expected " + e.want + ", got " + describe(e.got) }

// describe returns a value for a message.
func describe(v *confparse.Value) string {
	const longest = 60
	switch v.Kind {
	case confparse.Array, confparse.Map:
		return v.Kind.String()
	case confparse.String, confparse.Int, confparse.Float, confparse.Bool, confparse.Time, confparse.Reference:
	}
	text := v.Source()
	if len(text) > longest {
		text = text[:longest] + "..."
	}
	return strconv.Quote(text)
}

// textOf returns a string; numbers, booleans and dates count as their source text.
func textOf(v *confparse.Value) (string, error) {
	if v.Kind == confparse.Array || v.Kind == confparse.Map {
		return "", &errType{"a string", v}
	}
	return v.Source(), nil
}

// integerOf returns a whole number, also one in quotes.
func integerOf(v *confparse.Value, want string) (int64, error) {
	switch v.Kind {
	case confparse.Int:
		return v.Int(), nil
	case confparse.String:
		if word := parseWord(v.Text); word != nil && word.Kind == confparse.Int {
			return word.Int(), nil
		}
	case confparse.Float, confparse.Bool, confparse.Time, confparse.Array, confparse.Map, confparse.Reference:
	}
	return 0, &errType{want, v}
}

// parseWord returns what text is when it stands bare in a file, nil if it is no value.
func parseWord(text string) *confparse.Value {
	v, err := confparse.ParseValue("", text)
	if err != nil {
		return nil
	}
	return v
}

// boolOf returns a boolean, also one in quotes.
func boolOf(v *confparse.Value) (bool, error) {
	switch v.Kind {
	case confparse.Bool:
		return v.Bool(), nil
	case confparse.String:
		if b, isBool := confparse.ParseBool(v.Text); isBool {
			return b, nil
		}
	case confparse.Int, confparse.Float, confparse.Time, confparse.Array, confparse.Map, confparse.Reference:
	}
	return false, &errType{"a boolean (true, yes, on, false, no, off)", v}
}

// durationOf returns a duration and, if it is written in a way that other servers read otherwise, what to say about
// that. Source: docs/spec/config.md A17 and B1, docs/spec/choices.md 3.
func durationOf(v *confparse.Value) (d time.Duration, warning string, err error) {
	wrong := &errType{`a duration such as "10s" or "1m30s"`, v}
	text := v.Word()
	if v.Kind == confparse.String && v.Quoting != confparse.Bare || v.Kind == confparse.Int {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			d := time.Duration(n) * time.Second
			if d/time.Second != time.Duration(n) {
				return 0, "", wrong
			}
			return d, "should be converted to a duration", nil
		}
	}
	if v.Kind != confparse.String && v.Kind != confparse.Int {
		return 0, "", wrong
	}
	if d, err = time.ParseDuration(text); err != nil {
		return 0, "", wrong
	}
	if v.Kind == confparse.Int {
		warning = fmt.Sprintf("should be in quotes: nats-server reads %s as %d seconds", text, v.Int())
	}
	return d, warning, nil
}

// secondsOf returns a number of seconds, which may have a fraction, or a duration in quotes.
func secondsOf(v *confparse.Value) (time.Duration, error) {
	wrong := &errType{`a number of seconds or a duration such as "2s"`, v}
	seconds := 0.0
	switch v.Kind {
	case confparse.Int:
		seconds = float64(v.Int())
	case confparse.Float:
		seconds = v.Float()
	case confparse.String:
		if f, err := strconv.ParseFloat(v.Text, 64); err == nil {
			seconds = f
			break
		}
		d, err := time.ParseDuration(v.Text)
		if err != nil {
			return 0, wrong
		}
		return d, nil
	case confparse.Bool, confparse.Time, confparse.Array, confparse.Map, confparse.Reference:
		return 0, wrong
	}
	if !(math.Abs(seconds) < math.MaxInt64/float64(time.Second)) { // not a number is out of range too
		return 0, wrong
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// endpointOf returns host and port; an integer is a port alone. Source: docs/spec/config.md B2 (`listen`).
func endpointOf(v *confparse.Value) (host string, port int64, hasHost bool, err error) {
	if v.Kind == confparse.Array || v.Kind == confparse.Map {
		return "", 0, false, &errType{Endpoint.String(), v}
	}
	if n, err := integerOf(v, ""); err == nil {
		return "", n, false, nil
	}
	text := v.Word()
	host, portText, err := net.SplitHostPort(text)
	if err != nil {
		return "", 0, false, fmt.Errorf("could not parse address string %q", text)
	}
	port, err = strconv.ParseInt(portText, 10, 64)
	if err != nil {
		return "", 0, false, fmt.Errorf("could not parse port %q", portText)
	}
	return host, port, host != "", nil
}

// textsOf returns the elements of a list of strings; one string is a list too.
func textsOf(v *confparse.Value) ([]*confparse.Value, error) {
	if v.Kind != confparse.Array {
		if _, err := textOf(v); err != nil {
			return nil, &errType{Texts.String(), v}
		}
		return []*confparse.Value{v}, nil
	}
	for _, item := range v.Items {
		if _, err := textOf(item); err != nil {
			return nil, &errType{Texts.String(), item}
		}
	}
	return v.Items, nil
}

// checkValue reports whether v fits the type and the bounds of k, and what to warn about. It does not look into
// blocks.
func (k *Key) checkValue(v *confparse.Value) (warning string, err error) {
	switch k.Type {
	case Text:
		text, err := textOf(v)
		if err == nil && len(k.Words) > 0 && !containsFold(k.Words, text) {
			return "", &errType{"one of " + strings.Join(k.Words, ", "), v}
		}
		if err == nil && k.Check != nil && text != "" {
			err = k.Check(text)
		}
		return "", err
	case Integer, Size:
		n, err := integerOf(v, k.expected())
		if err != nil {
			return "", err
		}
		return "", k.inBounds(n, v)
	case Boolean:
		_, err := boolOf(v)
		return "", err
	case Duration:
		d, warning, err := durationOf(v)
		if err == nil && d < 0 {
			err = &errType{"a duration that is not negative", v}
		}
		return warning, err
	case Seconds:
		return checkSeconds(v)
	case Endpoint:
		_, port, _, err := endpointOf(v)
		if err != nil {
			return "", err
		}
		return "", k.inBounds(port, v)
	case Texts:
		_, err := textsOf(v)
		return "", err
	case TextMap, Block, Named:
		if v.Kind != confparse.Map && (k.Type != Named || v.Kind != confparse.Array) {
			return "", &errType{k.Type.String(), v}
		}
	case Blocks:
		if v.Kind != confparse.Array {
			return "", &errType{k.Type.String(), v}
		}
	case Any:
	}
	return "", nil
}

// checkSeconds checks a number of seconds.
func checkSeconds(v *confparse.Value) (warning string, err error) {
	const long = time.Minute
	d, err := secondsOf(v)
	if err == nil && d < 0 {
		err = &errType{"a number of seconds that is not negative", v}
	}
	if err == nil && d > long {
		warning = fmt.Sprintf("is %s, which is long; a number counts seconds", FormatDuration(d))
	}
	return warning, err
}

// expected says what a number must look like.
func (k *Key) expected() string {
	what := "an integer"
	if k.Type == Size {
		what = "a size such as 65536, 64kb or 1mb"
	}
	switch {
	case k.Max == 0 || k.Min == anyMin && k.Max == maxInt32 || k.Max == maxInt && k.Min == 0:
		return what
	case k.Max == maxInt32:
		return fmt.Sprintf("%s, at least %d", what, k.Min)
	}
	return fmt.Sprintf("%s from %d to %d", what, k.Min, k.Max)
}

// inBounds checks the bounds of a number.
func (k *Key) inBounds(n int64, v *confparse.Value) error {
	switch {
	case k.Max == 0 || n >= k.Min && n <= k.Max:
		return nil
	case k.Name == "max_payload" && n > k.Max:
		return errors.New("max_payload value is too big")
	}
	want := fmt.Sprintf("a number from %d to %d", k.Min, k.Max)
	if k.Min == anyMin {
		want = fmt.Sprintf("a number up to %d", k.Max)
	}
	return &errType{want, v}
}

// containsFold reports whether word is one of words, whatever the case.
func containsFold(words []string, word string) bool {
	for _, w := range words {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}

// FormatDuration returns d without the zero units Go prints: 2m, not 2m0s.
func FormatDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// valueFromText returns the value of an option whose text came from an environment variable or a flag. Strings are the
// text itself; everything else is read as a word of a file. Source: docs/spec/cli.md §3, last paragraph.
func (k *Key) valueFromText(text string) *confparse.Value {
	if k.Type == Text {
		return confparse.NewString(text)
	}
	if word := parseWord(strings.TrimSpace(text)); word != nil && word.Kind != confparse.Reference {
		return word
	}
	return confparse.NewString(text)
}

// CheckText checks the text of a flag against the type and the bounds of k. The error says what is expected, not what
// was found.
func (k *Key) CheckText(text string) error {
	_, err := k.checkValue(k.valueFromText(text))
	return withoutValue(err)
}

// withoutValue returns err without the value that was found.
func withoutValue(err error) error {
	var wrong *errType
	if errors.As(err, &wrong) {
		return errors.New("expected " + wrong.want)
	}
	return err
}

// hideSecret returns err without the value if that must not be seen.
func (k *Key) hideSecret(err error) error {
	if k.Secret {
		return withoutValue(err)
	}
	return err
}

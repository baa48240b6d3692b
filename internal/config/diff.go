package config

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/natsd/natsd/pkg/confparse"
)

// Change is a key whose value differs between two configurations.
type Change struct {
	Entry
	// Old and New are the values as users may see them; empty: none.
	Old, New string
}

// Diff returns what differs between two configurations, in the order of the schema. What is written differently and
// means the same does not differ.
func Diff(before, after *Config) []Change {
	var changes []Change
	for i, s := range before.Settings {
		t := after.Settings[i]
		if s.canonical() == t.canonical() {
			continue
		}
		changes = append(changes, Change{Entry: visible(s.Entry), Old: s.Shown(), New: t.Shown()})
	}
	old, current := byPath(before.Blocks), byPath(after.Blocks)
	for _, e := range All() {
		a, b := old[e.Path], current[e.Path]
		if a == b {
			continue
		}
		changes = append(changes, Change{Entry: e, Old: summary(a), New: summary(b)})
	}
	return changes
}

// KeepPort takes over the client port of before, which was chosen at random: the configuration names the port that was
// chosen. Source: docs/spec/config.md C4.
func (c *Config) KeepPort(before *Config) {
	c.Port = before.Port
	for i, s := range before.Settings {
		if s.Path == "port" {
			c.Settings[i] = s
		}
	}
}

// visible returns the key that users know an option by.
func visible(e Entry) Entry {
	if e.Path == httpHost {
		http, _ := Lookup("http")
		return http
	}
	return e
}

// Shown returns the value as users may see it.
func (s *Setting) Shown() string { return s.show(s.Value) }

// canonical returns a text that is the same for all ways to write a value.
func (s *Setting) canonical() string {
	v := s.Value
	if v == nil {
		if s.Default == "" {
			return ""
		}
		v = s.valueFromText(s.Default)
	}
	switch s.Type {
	case Integer, Size:
		if n, err := integerOf(v, ""); err == nil {
			return strconv.FormatInt(n, 10)
		}
	case Boolean:
		if b, err := boolOf(v); err == nil {
			return strconv.FormatBool(b)
		}
	case Duration:
		if d, _, err := durationOf(v); err == nil {
			return d.String()
		}
	case Seconds:
		if d, err := secondsOf(v); err == nil {
			return d.String()
		}
	case Text:
		return v.Source()
	}
	return blockText(v)
}

// saysDefault reports whether the value is that of the default, however it is written.
func (s *Setting) saysDefault() bool {
	byDefault := Setting{Entry: s.Entry}
	return s.canonical() == byDefault.canonical()
}

// byPath returns blocks as texts that can be compared.
func byPath(blocks []BlockSetting) map[string]string {
	texts := make(map[string]string)
	for _, b := range blocks {
		texts[b.Path] = blockText(b.Value)
	}
	return texts
}

// blockText renders a value for comparison.
func blockText(v *confparse.Value) string {
	var b strings.Builder
	// It fails only for values JSON cannot have, and the language has none of those.
	_ = json.NewEncoder(&b).Encode(v.Interface())
	return b.String()
}

// summary says whether a block is there; what is in it may be secret.
func summary(text string) string {
	if text == "" {
		return ""
	}
	return "{...}"
}

// MayHoldSecret reports whether a line of a file may show a secret: a key that is one, a URL with a password, or a
// variable whose name says so. Messages leave such lines out.
func MayHoldSecret(line string) bool {
	line = strings.ToLower(line)
	for _, word := range []string{"pass", "token", "secret", "nkey", "seed", "@", "$2a$", "$2b$", "$2x$", "$2y$"} {
		if strings.Contains(line, word) {
			return true
		}
	}
	return false
}

package config

import (
	"strings"

	"github.com/natsd/natsd/pkg/confparse"
)

// Effective returns the configuration that counts as a file would say it: of the given features all options that have a
// value, with secrets left out, and what the file says in blocks that are no single word.
func (c *Config) Effective(features Features) *confparse.Value {
	root := confparse.NewMap()
	for _, s := range c.Settings {
		v := s.Value
		if v == nil && s.Default != "" {
			v = s.valueFromText(s.Default)
		}
		if v == nil || !features[s.Feature] || s.Path == httpHost || s.Path == tlsPath {
			continue
		}
		if s.Secret {
			v = confparse.NewString(Redacted)
		}
		put(root, strings.Split(s.Path, "."), plain(s.Type, v))
	}
	for _, b := range c.Blocks {
		if features[b.Feature] {
			put(root, strings.Split(b.Path, "."), withoutSecrets(b.Keys, b.Value))
		}
	}
	return root
}

// plain returns v as the type it was converted to, without the way it was written.
func plain(t Type, v *confparse.Value) *confparse.Value {
	switch t {
	case Integer, Size:
		if n, err := integerOf(v, ""); err == nil {
			return confparse.NewInt(n)
		}
	case Boolean:
		if b, err := boolOf(v); err == nil {
			return confparse.NewBool(b)
		}
	case Duration:
		if d, _, err := durationOf(v); err == nil {
			return confparse.NewString(FormatDuration(d))
		}
	case Seconds:
		if d, err := secondsOf(v); err == nil {
			return confparse.NewFloat(d.Seconds())
		}
	}
	return confparse.NewString(v.Source())
}

// put sets a value at a path, unless something is there.
func put(root *confparse.Value, path []string, v *confparse.Value) {
	for _, name := range path[:len(path)-1] {
		next := root.Get(name)
		if next == nil {
			next = confparse.NewMap()
			root.Entries = append(root.Entries, &confparse.Entry{Key: name, Value: next})
		}
		root = next
	}
	if last := path[len(path)-1]; root.Get(last) == nil {
		root.Entries = append(root.Entries, &confparse.Entry{Key: last, Value: v})
	}
}

// withoutSecrets returns a copy of v, a value of a block with the given keys, in which secrets are left out.
func withoutSecrets(keys []Key, v *confparse.Value) *confparse.Value {
	switch v.Kind {
	case confparse.Array:
		list := confparse.NewArray()
		for _, item := range v.Items {
			list.Items = append(list.Items, withoutSecrets(keys, item))
		}
		return list
	case confparse.Map:
		m := confparse.NewMap()
		for _, e := range v.Entries {
			inner := []Key(nil)
			value := e.Value
			if k := find(keys, e.Key); k != nil && k.Secret {
				value = confparse.NewString(Redacted)
			} else if k != nil {
				inner = k.Keys
			} else if e.Value.Kind == confparse.Map {
				inner = keys // the name was chosen by the user
			}
			m.Entries = append(m.Entries, &confparse.Entry{Key: e.Key, Value: withoutSecrets(inner, value)})
		}
		return m
	case confparse.String, confparse.Int, confparse.Float, confparse.Bool, confparse.Time, confparse.Reference:
	}
	return v
}

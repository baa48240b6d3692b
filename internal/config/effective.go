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
		if v == nil || !features[s.Feature] || s.Path == httpHost || s.Path == tlsPath || c.isOff(s.Path) {
			continue
		}
		if s.Secret {
			v = confparse.NewString(Redacted)
		}
		put(root, strings.Split(s.Path, "."), plain(s.Type, v))
	}
	for _, b := range c.Blocks {
		if features[b.Feature] {
			put(root, strings.Split(b.Path, "."), withoutSecrets(b.Key, b.Value))
		}
	}
	return root
}

// isOff reports whether the option at a path belongs to a block of TLS that is not there: its defaults would switch it on.
func (c *Config) isOff(path string) bool {
	for block, off := range map[string]bool{
		tlsPath: c.TLS == nil, monitorTLSPath: c.Monitor.TLS == nil, clusterTLSPath: c.Cluster == nil || c.Cluster.TLS == nil,
	} {
		if off && strings.HasPrefix(path, block+".") {
			return true
		}
	}
	return false
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

// withoutSecrets returns a copy of v, the value of k, in which secrets are left out. So is what is no key of a block: that is a
// variable, which may hold a secret, and means nothing by itself.
func withoutSecrets(k *Key, v *confparse.Value) *confparse.Value {
	switch {
	case k.Secret:
		return confparse.NewString(Redacted)
	case len(k.Keys) == 0:
		return v
	case v.Kind == confparse.Array:
		list := confparse.NewArray()
		for _, item := range v.Items {
			list.Items = append(list.Items, blockWithoutSecrets(k.Keys, item))
		}
		return list
	case k.Type != Named:
		return blockWithoutSecrets(k.Keys, v)
	}
	m := confparse.NewMap()
	for _, e := range v.Entries {
		if e.Value.Kind == confparse.Map { // its name was chosen by the user, and may be that of a key
			m.Entries = append(m.Entries, &confparse.Entry{Key: e.Key, Value: blockWithoutSecrets(k.Keys, e.Value)})
		}
	}
	return m
}

// blockWithoutSecrets is withoutSecrets for one map with the given keys. Anything else is the name of a block without content.
func blockWithoutSecrets(keys []Key, v *confparse.Value) *confparse.Value {
	if v.Kind != confparse.Map {
		return v
	}
	m := confparse.NewMap()
	for _, e := range v.Entries {
		if k := find(keys, e.Key); k != nil {
			m.Entries = append(m.Entries, &confparse.Entry{Key: e.Key, Value: withoutSecrets(k, e.Value)})
		}
	}
	return m
}

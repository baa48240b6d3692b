package config

import (
	"strings"

	"github.com/natsd/natsd/pkg/confparse"
	"github.com/spf13/viper"
)

// Layer says where a value came from. A higher layer beats a lower one. Source: docs/spec/cli.md §4.
type Layer uint8

// The layers, lowest first.
const (
	FromDefault Layer = iota
	FromFile
	FromEnv
	FromFlag
)

// Origin is one place that gives an option a value.
type Origin struct {
	Layer Layer
	Pos   confparse.Pos // FromFile
	Name  string        // FromFile: the key as written; FromEnv: the variable; FromFlag: the flag with its dashes
	Text  string        // the value as it is written there, redacted if it is a secret
}

// String says where, for users.
func (o Origin) String() string {
	switch o.Layer {
	case FromFile:
		return o.Pos.String()
	case FromEnv:
		return "environment variable " + o.Name
	case FromFlag:
		return "flag " + o.Name
	case FromDefault:
	}
	return "default"
}

// given is a value of an option in one layer.
type given struct {
	value  *confparse.Value
	origin Origin
}

// layer holds what one place says, by path of the option.
type layer map[string]*given

// Setting is an option with the value that counts.
type Setting struct {
	Entry
	Value  *confparse.Value // nil: the default counts
	Origin Origin
	// Overrode are the other places that give a value, highest layer first.
	Overrode []Origin
}

// settings are all options by path.
type settings map[string]*Setting

// pathDelimiter keeps Viper from splitting paths: it cannot occur in one.
const pathDelimiter = "\x1f"

// httpHost is the path of the monitor's host, which only http and https set. It is no key of its own.
const httpHost = "http_host"

// mergedPaths returns the options that layers are merged for: one word each, and the list of routes. Endpoints are
// left out, since they only set a host and a port.
func mergedPaths() []Entry {
	merged := []Entry{{Key: &Key{Name: httpHost, Type: Text, Feature: Monitoring, Env: "-"}, Path: httpHost}}
	for _, e := range All() {
		if strings.ContainsAny(e.Path, "[*") || e.Feature == peerSecurity || e.Feature == peerFunction {
			continue
		}
		if e.Type.scalar() && e.Type != Endpoint || e.Path == routesPath || e.Path == tlsPath {
			merged = append(merged, e)
		}
	}
	return merged
}

// Paths that have rules of their own.
const (
	routesPath = "cluster.routes"
	tlsPath    = "tls" // of the switch that flags and the environment have for the whole block
)

// merge decides per option which layer counts. Viper does the merging; all it gets to see are paths, and values it does
// not look into (docs/adr/0006).
func merge(file, env, flags layer) settings {
	v := viper.NewWithOptions(viper.KeyDelimiter(pathDelimiter))
	merged := make(settings)
	for _, below := range []layer{file, env} {
		opaque := make(map[string]any, len(below))
		for path, g := range below {
			opaque[path] = g
		}
		// It fails only for maps that are not keyed by strings.
		_ = v.MergeConfigMap(opaque)
	}
	for path, g := range flags {
		_ = v.BindFlagValue(path, changedFlag{g}) // fails only without a flag
	}
	for _, e := range mergedPaths() {
		v.SetDefault(e.Path, (*given)(nil))
		s := &Setting{Entry: e, Origin: Origin{Text: e.Default}}
		var winner *given
		switch value := v.Get(e.Path).(type) {
		case *given:
			winner = value
		case string: // Viper gives a flag as its text
			winner = flags[e.Path]
		}
		if winner != nil {
			s.Value, s.Origin = winner.value, winner.origin
		}
		for _, below := range []layer{flags, env, file} {
			if g := below[e.Path]; g != nil && g != winner {
				s.Overrode = append(s.Overrode, g.origin)
			}
		}
		merged[e.Path] = s
	}
	return merged
}

// changedFlag is a flag of the command line in Viper's eyes.
type changedFlag struct{ *given }

func (f changedFlag) HasChanged() bool    { return true }
func (f changedFlag) Name() string        { return f.origin.Name }
func (f changedFlag) ValueString() string { return f.origin.Text }
func (f changedFlag) ValueType() string   { return "given" }

// fileLayer returns the options that a checked file sets. Source: docs/spec/config.md A15 (file order, last one wins).
func fileLayer(t *tree) layer {
	l := make(layer)
	l.addTree(t)
	return l
}

func (l layer) addTree(t *tree) {
	if t == nil {
		return
	}
	for _, f := range t.fields {
		origin := Origin{Layer: FromFile, Pos: f.valuePos(), Name: f.entry.Key, Text: f.show(f.value)}
		switch {
		case f.Type == Block:
			l.addTree(f.block)
		case f.Path == "authorization.password" && f.entry.Used && t.get("user") == nil:
			// PASS: x, a variable that happens to be called like an alias of the password.
		case f.Type.scalar() || f.Path == routesPath:
			if _, err := f.checkValue(f.value); err == nil { // otherwise it was reported
				l.set(f.Entry, &given{f.value, origin})
			}
		}
	}
}

// set sets an option; an endpoint sets the host and the port it is made of.
func (l layer) set(e Entry, g *given) {
	if e.Type != Endpoint {
		l[e.Path] = g
		return
	}
	hostPath, portPath := endpointPaths(e.Path)
	host, port, hasHost, err := endpointOf(g.value)
	if err != nil {
		return // it was reported
	}
	if hasHost {
		l[hostPath] = &given{confparse.NewString(host), g.origin}
	}
	l[portPath] = &given{confparse.NewInt(port), g.origin}
}

// endpointPaths returns the options that an endpoint is made of.
func endpointPaths(path string) (host, port string) {
	switch path {
	case "http", "https":
		return httpHost, path + "_port"
	case "listen":
		return "host", "port"
	}
	block := strings.TrimSuffix(path, "listen")
	return block + "host", block + "port"
}

// show returns a value as users may see it.
func (k *Key) show(v *confparse.Value) string {
	if v == nil {
		return k.Default
	}
	if k.Secret {
		return Redacted
	}
	switch v.Kind {
	case confparse.Map, confparse.Array:
		return string(compact(nil, v))
	case confparse.String, confparse.Int, confparse.Float, confparse.Bool, confparse.Time, confparse.Reference:
	}
	if k.Type == Text || k.Type == Texts {
		return v.Source()
	}
	return v.Word()
}

// compact appends a value in one line.
func compact(dst []byte, v *confparse.Value) []byte {
	switch v.Kind {
	case confparse.Array:
		dst = append(dst, '[')
		for i, item := range v.Items {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = compact(dst, item)
		}
		return append(dst, ']')
	case confparse.Map:
		dst = append(dst, '{')
		for i, e := range v.Entries {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = append(append(dst, e.Key...), ": "...)
			dst = compact(dst, e.Value)
		}
		return append(dst, '}')
	case confparse.String, confparse.Int, confparse.Float, confparse.Bool, confparse.Time, confparse.Reference:
	}
	return append(dst, v.Source()...)
}

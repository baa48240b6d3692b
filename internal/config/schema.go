package config

import (
	"strings"
	"sync"
)

// Type is what a value must be. Source: docs/spec/config.md B1.
type Type uint8

// The types of keys.
const (
	Text     Type = iota + 1 // str: a string; a number, boolean or date counts as its source text
	Integer                  // int
	Size                     // bytes, with a suffix such as kb
	Boolean                  // bool
	Duration                 // dur: "1m30s", or seconds as an integer
	Seconds                  // secs: a number of seconds, perhaps with a fraction, or a duration
	Endpoint                 // a port or host:port
	Texts                    // list of str, or one str
	TextMap                  // map of str by a name the user chooses
	Block                    // map with keys of its own
	Blocks                   // list of maps with keys of their own
	Named                    // map with a map or list by a name the user chooses
	Any                      // anything; whoever uses the key checks it
)

// String returns the name of t in messages and documents.
func (t Type) String() string {
	return [...]string{
		"", "a string", "an integer", "a size", "a boolean", "a duration", "a number of seconds", "a port or host:port",
		"a list of strings", "a map of strings", "a map", "a list of maps", "a map", "a value",
	}[t]
}

// scalar reports whether a value of this type is one word, which environment variables and flags can give.
func (t Type) scalar() bool { return t >= Text && t <= Endpoint }

// Reload says what a reload does with a change of a key. Source: docs/spec/config.md B1, C3, C4.
type Reload uint8

// What a reload does with a change.
const (
	Refused  Reload = iota // the reload is refused: restart
	Live                   // it counts for connected clients too
	Next                   // it counts for connections made afterwards
	NoEffect               // the key changes nothing
)

// String returns the word for r in documents.
func (r Reload) String() string {
	return [...]string{"restart", "live", "new connections", "no effect"}[r]
}

// Feature is a part of the server that keys belong to. A key whose feature is not built is refused, never ignored.
type Feature string

// The features. The empty one is the core, which is always there.
const (
	Core       Feature = ""
	Auth       Feature = "authorization"
	Accounts   Feature = "accounts"
	TLSFeature Feature = "tls"
	Clustering Feature = "clustering"
	Leafnodes  Feature = "leafnodes"
	Websocket  Feature = "websocket"
	Monitoring Feature = "monitoring"
	Profiling  Feature = "profiling"
	Syslog     Feature = "syslog"
	Rotation   Feature = "log rotation"
	PortsFile  Feature = "ports file"
	Signals    Feature = "signals"
	Extras     Feature = "extras" // small switches of nats-server that natsd does not have yet

	// Of the peer alone. Ignoring the first kind would open the server, so it is refused; the second kind is warned about
	// (docs/spec/config.md B10).
	peerSecurity Feature = "nats-server security"
	peerFunction Feature = "nats-server function"
)

// Features is a set of features.
type Features map[Feature]bool

// Built returns the features this version has.
func Built() Features {
	return Features{Core: true, Auth: true, Accounts: true, TLSFeature: true, Clustering: true, Monitoring: true, Profiling: true, PortsFile: true, Signals: true, Syslog: true, Rotation: true}
}

// AllFeatures returns every feature of the design.
func AllFeatures() Features {
	return Features{
		Core: true, Auth: true, Accounts: true, TLSFeature: true, Clustering: true, Leafnodes: true, Websocket: true,
		Monitoring: true, Profiling: true, Syslog: true, Rotation: true, PortsFile: true, Signals: true, Extras: true,
	}
}

// Key is one key of the configuration. All its text is for users.
type Key struct {
	Name    string   // canonical, lower case; "*" in a Named block
	Aliases []string // other names
	Type    Type
	Unit    string // of a number, such as bytes
	Default string // as it would be written in a file; empty: none to speak of
	Min     int64  // of a number; Max 0: no bounds
	Max     int64
	Words   []string // the only values allowed, if any
	Env     string   // environment variable without its prefix; "-": none; empty: made from the path
	Reload  Reload
	Secret  bool   // the value never appears in logs, errors, documents or `natsd config show`
	Since   string // first release of gnatsd or nats-server that had it, or of natsd
	Doc     string // one sentence
	Feature Feature
	Keys    []Key // of a Block, Blocks or Named
	Strict  bool  // unknown keys in it are errors in any case

	// Check says what is wrong with the form of a Text that is not empty; nil: nothing ever is.
	Check func(text string) error
}

// names returns the canonical name and the aliases.
func (k *Key) names() []string { return append([]string{k.Name}, k.Aliases...) }

// find returns the key with this name or alias in keys, whatever the case; nil if there is none.
func find(keys []Key, name string) *Key {
	if len(keys) == 0 {
		return nil
	}
	return indexes()[&keys[0]][strings.ToLower(name)]
}

// indexes returns for every list of keys of the schema, known by its first element, the keys by name and alias.
var indexes = sync.OnceValue(func() map[*Key]map[string]*Key {
	all := make(map[*Key]map[string]*Key)
	var add func(keys []Key)
	add = func(keys []Key) {
		if len(keys) == 0 || all[&keys[0]] != nil {
			return
		}
		index := make(map[string]*Key, len(keys))
		all[&keys[0]] = index
		for i := range keys {
			for _, name := range keys[i].names() {
				index[name] = &keys[i]
			}
			add(keys[i].Keys)
		}
	}
	add(Schema())
	return all
})

// Entry is a key with its place in the schema.
type Entry struct {
	*Key
	// Path is the canonical path with dots between, such as cluster.authorization.user; "[]" follows the name of a list of
	// maps, "*" stands for a name the user chooses.
	Path string
}

// EnvVar returns the environment variable that sets the key, empty if none does. Source: docs/spec/cli.md §3.
func (e Entry) EnvVar() string {
	switch {
	case e.Env == "-" || strings.ContainsAny(e.Path, "[*"):
		return ""
	case e.Env != "":
		return EnvPrefix + e.Env
	case !e.Type.scalar() || e.Feature == peerSecurity || e.Feature == peerFunction:
		return ""
	}
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(e.Path, ".", "_"))
}

// EnvPrefix begins the names of all environment variables that natsd reads.
const EnvPrefix = "NATSD_"

// All returns every key of the schema with its path, blocks before what is in them. The result is shared: it is for
// reading.
var All = sync.OnceValue(func() []Entry { return appendEntries(nil, "", Schema()) })

func appendEntries(dst []Entry, prefix string, keys []Key) []Entry {
	for i := range keys {
		k := &keys[i]
		e := Entry{Key: k, Path: prefix + k.Name}
		dst = append(dst, e)
		inner := e.Path + "."
		switch k.Type {
		case Blocks:
			inner = e.Path + "[]."
		case Named:
			inner = e.Path + ".*."
		}
		dst = appendEntries(dst, inner, k.Keys)
	}
	return dst
}

// Lookup returns the key with this path, in which any part may be an alias in any case.
func Lookup(path string) (Entry, bool) {
	keys := Schema()
	found := Entry{}
	for part := range strings.SplitSeq(path, ".") {
		name, list := strings.CutSuffix(part, "[]")
		if part == "*" && found.Key != nil && found.Type == Named {
			found.Path += ".*"
			continue
		}
		k := find(keys, name)
		if k == nil {
			return Entry{}, false
		}
		if found.Path != "" {
			found.Path += "."
		}
		found.Key, found.Path, keys = k, found.Path+k.Name, k.Keys
		if list || k.Type == Blocks && len(k.Keys) > 0 {
			found.Path += "[]"
		}
	}
	found.Path = strings.TrimSuffix(found.Path, "[]")
	return found, true
}

package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/natsd/natsd/pkg/confparse"
)

// Flag describes a flag of `natsd serve` that says something about the configuration.
// Source: docs/spec/cli.md §3, docs/spec/choices.md 1.
type Flag struct {
	Name     string   // long name, without dashes
	Short    string   // one letter, or empty
	Aliases  []string // other long names
	Path     string   // of the key it sets; empty: several keys, or none
	Heading  string   // that help lists it under
	Usage    string   // one line for help; empty: that of the key
	Kind     string   // what the value is, for help; empty: from the type of the key
	Preset   string   // default as help shows it; empty: that of the key; "-": none
	Bool     bool
	LoneBool bool    // a boolean word that follows alone is the value
	Feature  Feature // that must be built
}

// Headings of flags, in the order of the help text.
const (
	HeadingServer     = "Server Options"
	HeadingLogging    = "Logging Options"
	HeadingLimits     = "Limits"
	HeadingSecurity   = "Authorization Options"
	HeadingTLS        = "TLS Options"
	HeadingCluster    = "Cluster Options"
	HeadingMonitoring = "Monitoring Options"
)

// Flags returns the flags in the order of the help text.
func Flags() []Flag {
	flags := []Flag{
		{Heading: HeadingServer, Name: "addr", Short: "a", Aliases: []string{"net"}, Path: "host", Usage: "Bind to this address", Kind: "host"},
		{Heading: HeadingServer, Name: "port", Short: "p", Path: "port", Usage: "Use this port for clients; 0 is the default, -1 a free port", Kind: "port"},
		{Heading: HeadingServer, Name: "name", Short: "n", Aliases: []string{"server_name"}, Path: "server_name",
			Usage: "Name of the server, one word (default: the server id)", Kind: "name"},
		{Heading: HeadingServer, Name: "pid", Short: "P", Path: "pid_file", Usage: "Store the process id in this file", Kind: "file"},
		{Heading: HeadingServer, Name: "client_advertise", Path: "client_advertise", Usage: "Address that clients are told to connect to", Kind: "host[:port]"},
		{Heading: HeadingServer, Name: "ports_file_dir", Path: "ports_file_dir", Usage: "Folder for a file that lists all listeners", Kind: "folder"},
		{Heading: HeadingServer, Name: "lame_duck_duration", Path: "lame_duck_duration",
			Usage: "Time lame duck mode takes to close all clients, at least 30s"},
		{Heading: HeadingServer, Name: "lame_duck_grace_period", Path: "lame_duck_grace_period", Usage: "Part of that time before the first client is closed"},
		{Heading: HeadingServer, Name: "signal", Aliases: []string{"sl"}, Usage: "Send a signal to a running server", Kind: "name[=pid]", Feature: Signals},

		{Heading: HeadingLogging, Name: "log", Short: "l", Path: "log_file", Usage: "Append the log to this file instead of standard error", Kind: "file"},
		{Heading: HeadingLogging, Name: "logtime", Short: "T", Path: "logtime", Usage: "Timestamp log entries", LoneBool: true},
		{Heading: HeadingLogging, Name: "logtime_utc", Path: "logtime_utc", Usage: "Timestamps in UTC, not in local time", Preset: "-"},
		{Heading: HeadingLogging, Name: "syslog", Short: "s", Path: "syslog", Usage: "Log to the system log", Preset: "-"},
		{Heading: HeadingLogging, Name: "remote_syslog", Short: "r", Path: "remote_syslog", Usage: "Log to the system log at this URL", Kind: "url"},
		{Heading: HeadingLogging, Name: "log_size_limit", Path: "logfile_size_limit", Usage: "Size at which a new log file begins"},
		{Heading: HeadingLogging, Name: "log_format", Path: "log_format", Kind: "format"},
		{Heading: HeadingLogging, Name: "debug", Short: "D", Path: "debug", Usage: "Enable debugging output", Preset: "-"},
		{Heading: HeadingLogging, Name: "trace", Short: "V", Path: "trace", Usage: "Trace the raw protocol; -DV is debug and trace", Preset: "-"},
		{Heading: HeadingLogging, Name: "trace_verbose", Aliases: []string{"VV"}, Path: "trace_verbose", Usage: "Trace the system account too", Preset: "-"},
		{Heading: HeadingLogging, Name: "max_traced_msg_len", Path: "max_traced_msg_len", Usage: "Bytes of a payload that a trace shows; 0 is all", Preset: "-"},
	}
	for _, name := range []string{"max_payload", "max_control_line", "max_connections", "max_subscriptions", "max_pending", "write_deadline", "ping_interval", "ping_max"} {
		flags = append(flags, Flag{Heading: HeadingLimits, Name: name, Path: name})
	}
	flags = append(flags, featureFlags()...)
	for i := range flags {
		flags[i].complete()
	}
	return flags
}

// featureFlags are those of features that a server may lack.
func featureFlags() []Flag {
	return []Flag{
		{Heading: HeadingSecurity, Name: "user", Path: "authorization.user", Kind: "name"},
		{Heading: HeadingSecurity, Name: "pass", Path: "authorization.password", Kind: "password"},
		{Heading: HeadingSecurity, Name: "auth", Path: "authorization.token", Kind: "token"},
		{Heading: HeadingTLS, Name: "tls", Path: tlsPath, Usage: "Serve clients with TLS", Bool: true},
		{Heading: HeadingTLS, Name: "tlscert", Path: "tls.cert_file", Kind: "file"},
		{Heading: HeadingTLS, Name: "tlskey", Path: "tls.key_file", Kind: "file"},
		{Heading: HeadingTLS, Name: "tlscacert", Path: "tls.ca_file", Kind: "file"},
		{Heading: HeadingTLS, Name: "tlsverify", Path: "tls.verify", Preset: "-"},
		{Heading: HeadingCluster, Name: "routes", Path: routesPath, Usage: "Servers to connect to, separated by commas", Kind: "urls"},
		{Heading: HeadingCluster, Name: "cluster", Aliases: []string{"cluster_listen"}, Path: clusterListenPath,
			Usage: "URL to listen on for routes: nats://[user:password@]host:port", Kind: "url"},
		{Heading: HeadingCluster, Name: "cluster_name", Path: "cluster.name", Kind: "name"},
		{Heading: HeadingCluster, Name: "no_advertise", Path: "cluster.no_advertise", LoneBool: true, Preset: "-"},
		{Heading: HeadingCluster, Name: "cluster_advertise", Path: "cluster.advertise", Kind: "host[:port]"},
		{Heading: HeadingCluster, Name: "connect_retries", Path: "cluster.connect_retries", Kind: "number", Preset: "-"},
		{Heading: HeadingMonitoring, Name: "http_port", Short: "m", Path: "http_port", Kind: "port", Preset: "-"},
		{Heading: HeadingMonitoring, Name: "https_port", Aliases: []string{"ms"}, Path: "https_port", Kind: "port", Preset: "-"},
		{Name: "jetstream", Aliases: []string{"js"}, Bool: true, Feature: peerFunction},
		{Name: "store_dir", Aliases: []string{"sd"}, Kind: "folder", Feature: peerFunction},
		{Heading: HeadingMonitoring, Name: "profile", Path: "prof_port", Kind: "port", Preset: "-"},
	}
}

// complete fills in what follows from the key.
func (f *Flag) complete() {
	e, known := Lookup(f.Path)
	if !known {
		return
	}
	f.Feature = e.Feature
	f.Bool = f.Bool || e.Type == Boolean
	if f.Usage == "" {
		f.Usage = e.Doc
	}
	if f.Kind == "" {
		f.Kind = map[Type]string{Text: "text", Integer: "number", Size: "size", Boolean: "bool", Duration: "duration", Seconds: "seconds"}[e.Type]
	}
	switch f.Preset {
	case "":
		f.Preset = e.Default
		if f.Preset == "0" {
			f.Preset = ""
		}
	case "-":
		f.Preset = ""
	}
}

// GivenFlag is a flag that stands on the command line.
type GivenFlag struct {
	Name string // canonical long name
	Text string
}

// CheckFlag reports what is wrong with the text of a flag, taken by itself. The error shows no secret.
func CheckFlag(name, text string) error {
	f := findFlag(name)
	if f == nil {
		return errors.New("there is no such flag")
	}
	switch f.Path {
	case "":
		return nil
	case clusterListenPath:
		return make(layer).clusterURL(Origin{}, text)
	case routesPath:
		return nil
	}
	e, _ := Lookup(f.Path)
	if f.Bool {
		_, err := boolOf(flagBool(text))
		return withoutValue(err)
	}
	return e.CheckText(text)
}

// IsSecretFlag reports whether the text of a flag may hold a password or a token.
func IsSecretFlag(name string) bool {
	f := findFlag(name)
	if f == nil {
		return false
	}
	e, known := Lookup(f.Path)
	return f.Path == clusterListenPath || known && e.Secret
}

// findFlag returns the flag with this canonical name, nil if there is none.
func findFlag(name string) *Flag {
	flags := Flags()
	for i := range flags {
		if flags[i].Name == name {
			return &flags[i]
		}
	}
	return nil
}

// flagBool returns a boolean word of the command line, or of a file (docs/spec/cli.md §2).
func flagBool(text string) *confparse.Value {
	if b, err := strconv.ParseBool(text); err == nil {
		return confparse.NewBool(b)
	}
	return confparse.NewString(text)
}

// flagLayer returns the options that flags set; of a repeated flag the last one counts.
func (c *checker) flagLayer(flags []GivenFlag) layer {
	l := make(layer)
	for _, g := range flags {
		f := findFlag(g.Name)
		switch {
		case f == nil:
			continue
		case f.Feature == peerFunction:
			c.report(confparse.Pos{}, 0, "", "--%s is known to nats-server, not supported by natsd", f.Name)
			continue
		case f.Path == "":
			c.needs(Entry{Key: &Key{Feature: f.Feature}}, "--"+f.Name)
			continue
		}
		e, _ := Lookup(f.Path)
		c.needs(e, "--"+f.Name)
		origin := Origin{Layer: FromFlag, Name: "--" + f.Name}
		switch f.Path {
		case clusterListenPath:
			if err := l.clusterURL(origin, g.Text); err != nil {
				c.report(confparse.Pos{}, 0, "", "--%s: %v", f.Name, err)
			}
			continue
		case routesPath:
			l.routes(origin, g.Text)
			continue
		}
		value := e.valueFromText(g.Text)
		if f.Bool {
			value = flagBool(g.Text)
		} else if warning, err := e.checkValue(value); err != nil {
			c.add(confparse.Pos{}, 0, "", "--%s: %v", f.Name, e.hideSecret(err)).Err = err
			continue
		} else if warning != "" {
			c.warn(confparse.Pos{}, 0, "", "%s %s", f.Name, warning)
		}
		origin.Text = e.show(value)
		l.set(e, &given{value, origin})
	}
	return l
}

// clusterListenPath is the option that a URL with credentials can give.
const clusterListenPath = "cluster.listen"

// clusterURL sets host, port and credentials of the cluster from a URL, host:port or a port. No user info means no
// credentials; an empty text means no cluster. Errors do not show the text, which may hold a password.
// Source: docs/spec/cli.md §4.
func (l layer) clusterURL(origin Origin, text string) error {
	set := func(path string, v *confparse.Value, shown string) {
		o := origin
		o.Text = shown
		l[path] = &given{v, o}
	}
	host, port, user, password := "", int64(0), "", ""
	if text != "" {
		u, err := parseClusterURL(text)
		if err != nil {
			return err
		}
		if host, port, err = splitHostPort(u.Host); err != nil {
			return err
		}
		if u.User != nil {
			hasPassword := false
			if password, hasPassword = u.User.Password(); !hasPassword {
				return errors.New("expected cluster password to be set")
			}
			user = u.User.Username()
		}
	}
	if text != "" {
		if host == "" {
			host = defaultHost
		}
		set("cluster.host", confparse.NewString(host), host)
	}
	set("cluster.port", confparse.NewInt(port), strconv.FormatInt(port, 10))
	set("cluster.authorization.user", confparse.NewString(user), user)
	set("cluster.authorization.password", confparse.NewString(password), Redacted)
	return nil
}

// parseClusterURL parses a URL; without a scheme it is host:port or a port.
func parseClusterURL(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		if _, err := strconv.ParseInt(text, 10, 64); err == nil {
			text = ":" + text
		}
		text = "nats://" + text
	}
	// net/url refuses ports that are not numbers, and -1 is one here.
	scheme, rest, _ := strings.Cut(text, "://")
	authority, _, _ := strings.Cut(rest, "/")
	info, address, hasInfo := cutLast(authority, "@")
	if !hasInfo {
		info, address = "", authority
	}
	withInfo := scheme + "://" + info
	if hasInfo {
		withInfo += "@"
	}
	u, err := url.Parse(withInfo + "host")
	if err != nil {
		return nil, errors.New("not a URL; write nats://[user:password@]host:port")
	}
	u.Host = address
	return u, nil
}

// cutLast cuts s at the last separator.
func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}

// splitHostPort splits an address with a port, which may be -1.
func splitHostPort(address string) (host string, port int64, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		var addrErr *net.AddrError
		if errors.As(err, &addrErr) {
			return "", 0, fmt.Errorf("%s: write nats://host:port", addrErr.Err)
		}
		return "", 0, err
	}
	port, err = strconv.ParseInt(text, 10, 64)
	if err != nil || port < -1 || port > maxPort {
		return "", 0, fmt.Errorf("port %q is not an integer from -1 to %d", text, maxPort)
	}
	return host, port, nil
}

// routes sets the list of routes from a text with commas; an empty text means none. Source: docs/spec/cli.md §4.
func (l layer) routes(origin Origin, text string) {
	list := confparse.NewArray()
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list.Items = append(list.Items, confparse.NewString(part))
		}
	}
	origin.Text = Redacted
	l[routesPath] = &given{list, origin}
}

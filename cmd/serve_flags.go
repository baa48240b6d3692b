package cmd

import (
	"math"
	"slices"
	"strings"

	"github.com/natsd/natsd/pkg/broker"
	"github.com/spf13/pflag"
)

// Headings of the flags of `natsd serve`, in the order of the help text.
const (
	headingServer  = "Server Options"
	headingLogging = "Logging Options"
	headingLimits  = "Limits"
	headingCommon  = "Common Options"
)

// serveFlag describes one flag of `natsd serve`.
type serveFlag struct {
	heading  string
	name     string
	short    string   // one letter, or empty
	aliases  []string // other long names
	usage    string
	preset   string // the default as help shows it; empty if there is none to speak of
	value    pflag.Value
	loneBool bool // a boolean word that follows alone is the value
}

// serveFlagTable is the one list of flags of `natsd serve`, bound to o. Everything that needs to know
// them (parsing, help, documents) reads it. A limit that is not given stays zero in o, which
// leaves the default to the broker.
// Source: docs/spec/cli.md §3, docs/spec/choices.md 1.
func serveFlagTable(o *serveOptions) []serveFlag {
	return slices.Concat(serverFlags(o), loggingFlags(o), limitFlags(o))
}

// serverFlags are the flags about who the server is and where it listens.
func serverFlags(o *serveOptions) []serveFlag {
	return []serveFlag{
		{heading: headingServer, name: "addr", short: "a", aliases: []string{"net"}, value: textValue{&o.broker.Host, "host"},
			usage: "Bind to this address", preset: broker.DefaultHost},
		{heading: headingServer, name: "port", short: "p", value: portValue(&o.broker.Port),
			usage: "Use this port for clients; 0 is the default, -1 a free port", preset: decimal(broker.DefaultPort)},
		{heading: headingServer, name: "name", short: "n", aliases: []string{"server_name"}, value: textValue{&o.broker.ServerName, "name"},
			usage: "Name of the server, one word (default: the server id)"},
		{heading: headingServer, name: "pid", short: "P", value: textValue{&o.pidFile, "file"},
			usage: "Store the process id in this file"},
		{heading: headingServer, name: "lame_duck_duration", value: o.duration("lame_duck_duration", &o.broker.LameDuckDuration),
			usage: "Time lame duck mode takes to close all clients, at least 30s", preset: formatDuration(broker.DefaultLameDuckDuration)},
		{heading: headingServer, name: "lame_duck_grace_period", value: o.duration("lame_duck_grace_period", &o.broker.LameDuckGracePeriod),
			usage: "Part of that time before the first client is closed", preset: formatDuration(broker.DefaultLameDuckGracePeriod)},
	}
}

// loggingFlags are the flags about what is logged, and where to.
func loggingFlags(o *serveOptions) []serveFlag {
	return []serveFlag{
		{heading: headingLogging, name: "log", short: "l", value: textValue{&o.logFile, "file"},
			usage: "Append the log to this file instead of standard error"},
		{heading: headingLogging, name: "logtime", short: "T", value: boolValue{&o.logTime}, loneBool: true,
			usage: "Timestamp log entries", preset: "true"},
		{heading: headingLogging, name: "debug", short: "D", value: boolValue{&o.levels.Debug},
			usage: "Enable debugging output"},
		{heading: headingLogging, name: "trace", short: "V", value: boolValue{&o.levels.Trace},
			usage: "Trace the raw protocol; -DV is debug and trace"},
	}
}

// limitFlags are the flags named after the limits of the configuration file.
func limitFlags(o *serveOptions) []serveFlag {
	return []serveFlag{
		{heading: headingLimits, name: "max_payload", value: sizeValue(&o.broker.MaxPayload, anyNegative, math.MaxInt32),
			usage: "Largest message, headers included; -1 is no limit", preset: formatSize(broker.DefaultMaxPayload)},
		{heading: headingLimits, name: "max_control_line", value: sizeValue(&o.broker.MaxControlLine, 0, math.MaxInt32),
			usage: "Largest protocol line, payload not counted", preset: formatSize(broker.DefaultMaxControlLine)},
		{heading: headingLimits, name: "max_connections", value: countValue(&o.broker.MaxConnections, anyNegative),
			usage: "Largest number of clients; -1 is no limit", preset: decimal(broker.DefaultMaxConnections)},
		{heading: headingLimits, name: "max_subscriptions", value: countValue(&o.broker.MaxSubscriptions, anyNegative),
			usage: "Largest number of subscriptions of a client; 0 is no limit"},
		{heading: headingLimits, name: "max_pending", value: sizeValue(&o.broker.MaxPending, 0, math.MaxInt64),
			usage: "Most bytes waiting for one client before it is cut as too slow", preset: formatSize(broker.DefaultMaxPending)},
		{heading: headingLimits, name: "write_deadline", value: o.duration("write_deadline", &o.broker.WriteDeadline),
			usage: "Time one write to a client may take before it is cut as too slow", preset: formatDuration(broker.DefaultWriteDeadline)},
		{heading: headingLimits, name: "ping_interval", value: o.duration("ping_interval", &o.broker.PingInterval),
			usage: "Time between pings to a client", preset: formatDuration(broker.DefaultPingInterval)},
		{heading: headingLimits, name: "ping_max", value: countValue(&o.broker.PingMax, 0),
			usage: "Largest number of unanswered pings", preset: decimal(broker.DefaultPingMax)},
	}
}

// bindServeFlags declares the table on flags, and -h and -v below it.
func bindServeFlags(flags *pflag.FlagSet, table []serveFlag) {
	flags.SortFlags = false
	names := make(map[string]string)
	for _, spec := range table {
		flag := flags.VarPF(spec.value, spec.name, spec.short, spec.usage)
		flag.DefValue = spec.preset
		flag.Annotations = map[string][]string{flagGroupAnnotation: {spec.heading}}
		if spec.value.Type() == (boolValue{}).Type() {
			flag.NoOptDefVal = "true"
		}
		if spec.loneBool {
			flag.Annotations[looseBoolAnnotation] = []string{"true"}
		}
		for _, alias := range spec.aliases {
			names[alias] = spec.name
		}
	}
	flags.BoolP("help", "h", false, "Show this message")
	flags.BoolP("version", "v", false, "Show version")
	for _, name := range []string{"help", "version"} {
		flags.Lookup(name).Annotations = map[string][]string{flagGroupAnnotation: {headingCommon}}
	}
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		name = strings.ReplaceAll(name, "-", "_")
		if canonical, isAlias := names[name]; isAlias {
			name = canonical
		}
		return pflag.NormalizedName(name)
	})
}

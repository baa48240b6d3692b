package config

import (
	"slices"
	"sync"

	"github.com/natsd/natsd/internal/logsink"
)

// Schema returns the keys of the top level, and below them all others. The result is shared: it is for reading.
// Source: docs/spec/config.md B2 to B10.
var Schema = sync.OnceValue(func() []Key {
	return slices.Concat(
		listenKeys(), logKeys(), fileKeys(), limitKeys(), monitorKeys(), securityKeys(), linkKeys(), otherKeys(), peerKeys(),
	)
})

// Largest values of keys.
const (
	maxPort  = 1<<16 - 1
	maxInt32 = 1<<31 - 1
	maxInt   = 1<<63 - 1
	anyMin   = -maxInt32 // for limits of which any negative value means none
)

// listenKeys are about who the server is and where it listens.
func listenKeys() []Key {
	return []Key{
		{Name: "listen", Type: Endpoint, Default: "0.0.0.0:4222", Since: "1.0", Min: -1, Max: maxPort,
			Doc: "Address and port for clients, or the port alone; -1 is a free port"},
		{Name: "host", Aliases: []string{"net"}, Type: Text, Default: "0.0.0.0", Since: "1.0",
			Doc: "Address for clients, and the one that monitoring and profiling use unless told otherwise"},
		{Name: "port", Type: Integer, Default: "4222", Min: -1, Max: maxPort, Since: "1.0",
			Doc: "Port for clients; 0 is the default, -1 a free port"},
		{Name: "server_name", Type: Text, Since: "2.1.2", Doc: "Name of the server, one word; without it the server id"},
		{Name: "client_advertise", Type: Text, Reload: Live, Since: "1.0.6",
			Doc: "host[:port] that clients are told to connect to; without a port that of the listener"},
	}
}

// logKeys are about what is logged, and where to.
func logKeys() []Key {
	return []Key{
		{Name: "debug", Type: Boolean, Default: "false", Reload: Live, Since: "1.0", Doc: "Log debugging output"},
		{Name: "trace", Type: Boolean, Default: "false", Reload: Live, Since: "1.0", Doc: "Log every line of the protocol, secrets redacted"},
		{Name: "trace_verbose", Type: Boolean, Default: "false", Reload: Live, Since: "2.1.6",
			Doc: "Like trace, and the system account too"},
		{Name: "trace_headers", Type: Boolean, Default: "false", Reload: Live, Since: "2.11.2", Feature: Extras,
			Doc: "Like trace, with headers and without payloads"},
		{Name: "max_traced_msg_len", Type: Integer, Unit: "bytes", Default: "0", Max: maxInt32, Reload: Live, Since: "2.0.2",
			Doc: "Bytes of a payload that a trace shows; 0 is all"},
		{Name: "logtime", Type: Boolean, Default: "true", Reload: Live, Since: "1.0", Doc: "Put date and time in front of every line of the log"},
		{Name: "logtime_utc", Type: Boolean, Default: "false", Reload: Live, Since: "2.9.21", Doc: "Show times in UTC, not in local time"},
		{Name: "log_file", Aliases: []string{"logfile"}, Type: Text, Reload: Live, Since: "1.0",
			Doc: "File to append the log to, relative to the working directory; without it standard error"},
		{Name: "logfile_size_limit", Aliases: []string{"log_size_limit"}, Type: Size, Unit: "bytes", Default: "0", Max: maxInt, Since: "2.1.4",
			Feature: Rotation, Doc: "Size at which the log file is renamed and a new one begins; 0 is never"},
		{Name: "logfile_max_num", Aliases: []string{"log_max_num"}, Type: Integer, Default: "0", Max: maxInt32, Since: "2.10.0",
			Feature: Rotation, Doc: "Number of log files to keep, the current one included; 0 is all"},
		{Name: "logfile_max_age", Type: Duration, Default: "0s", Since: "natsd 1.2.0", Feature: Rotation,
			Doc: "Age at which log files that were put aside are removed; 0 is never"},
		{Name: "logfile_compress", Type: Boolean, Default: "false", Since: "natsd 1.2.0", Feature: Rotation, Doc: "Compress log files that were put aside"},
		{Name: "log_format", Type: Text, Default: "text", Words: []string{"text", "json"}, Since: "natsd 1.2.0", Doc: "Format of the log: text, or json with one object per line"},
		{Name: "syslog", Type: Boolean, Default: "false", Reload: Live, Since: "1.0", Feature: Syslog, Doc: "Log to the system log"},
		{Name: "remote_syslog", Type: Text, Check: logsink.CheckAddress, Reload: Live, Since: "1.0", Feature: Syslog,
			Doc: "URL of a system log to log to: udp://host:port, tcp://host:port or unix:///path; implies syslog"},
	}
}

// fileKeys are files that tell others about the server.
func fileKeys() []Key {
	return []Key{
		{Name: "pid_file", Aliases: []string{"pidfile"}, Type: Text, Reload: Live, Since: "1.0", Doc: "File to store the process id in"},
		{Name: "ports_file_dir", Type: Text, Reload: Live, Since: "1.2.0", Feature: PortsFile,
			Doc: "Folder for a file that lists the addresses of all listeners"},
	}
}

// limitKeys are about what one client may take.
func limitKeys() []Key {
	return []Key{
		{Name: "max_connections", Aliases: []string{"max_conn"}, Type: Integer, Default: "65536", Min: anyMin, Max: maxInt32, Reload: Live, Since: "1.0",
			Doc: "Largest number of clients; 0 is the default, a negative number no limit"},
		{Name: "max_subscriptions", Aliases: []string{"max_subs"}, Type: Integer, Default: "0", Min: anyMin, Max: maxInt32, Since: "1.2.0",
			Doc: "Largest number of subscriptions of a client; 0 or a negative number is no limit"},
		{Name: "max_sub_tokens", Aliases: []string{"max_subscription_tokens"}, Type: Integer, Min: 1, Max: 255, Since: "2.6.4", Feature: Extras,
			Doc: "Largest number of tokens in the subject of a subscription"},
		{Name: "max_control_line", Type: Size, Unit: "bytes", Default: "4096", Max: maxInt32, Reload: Live, Since: "1.0",
			Doc: "Largest protocol line, payload not counted"},
		{Name: "max_payload", Type: Size, Unit: "bytes", Default: "1mb", Min: anyMin, Max: maxInt32, Reload: Live, Since: "1.0",
			Doc: "Largest message, headers included; a negative number is no limit"},
		{Name: "max_pending", Type: Size, Unit: "bytes", Default: "64mb", Max: maxInt, Since: "1.2.0",
			Doc: "Most bytes that may wait for one client before it is cut as too slow; at least max_payload"},
		{Name: "max_closed_clients", Type: Integer, Default: "10000", Max: maxInt32, Since: "2.10.26", Feature: Monitoring,
			Doc: "Number of closed connections that monitoring remembers"},
		{Name: "ping_interval", Type: Duration, Default: "2m", Reload: Live, Since: "1.0", Doc: "Time between pings to a client"},
		{Name: "ping_max", Type: Integer, Default: "2", Max: maxInt32, Reload: Live, Since: "1.0", Doc: "Largest number of unanswered pings"},
		{Name: "write_deadline", Type: Duration, Default: "10s", Reload: Live, Since: "1.0",
			Doc: "Time one write to a client may take before it is cut as too slow"},
		{Name: "write_timeout", Type: Text, Words: []string{"default", "close", "retry"}, Reload: Next, Since: "2.11.11", Feature: Extras,
			Doc: "What happens when a write takes longer than write_deadline"},
		{Name: "no_fast_producer_stall", Type: Boolean, Default: "false", Reload: Live, Since: "2.10.26", Feature: Extras,
			Doc: "Do not make fast publishers wait for subscribers that keep up"},
		{Name: "lame_duck_duration", Type: Duration, Default: "2m", Since: "1.4.0",
			Doc: "Time lame duck mode takes to close all clients, at least 30s"},
		{Name: "lame_duck_grace_period", Type: Duration, Default: "10s", Since: "2.2.0",
			Doc: "Part of lame_duck_duration before the first client is closed"},
	}
}

// monitorKeys are about monitoring over HTTP.
func monitorKeys() []Key {
	return []Key{
		{Name: "http", Type: Endpoint, Since: "1.0", Min: -1, Max: maxPort, Feature: Monitoring,
			Doc: "Address and port for monitoring, or the port alone; -1 is a free port"},
		{Name: "https", Type: Endpoint, Since: "1.0", Min: -1, Max: maxPort, Feature: Monitoring,
			Doc: "The same with TLS, which needs a tls block; not together with http"},
		{Name: "http_port", Aliases: []string{"monitor_port"}, Type: Integer, Default: "0", Min: -1, Max: maxPort, Since: "1.0", Feature: Monitoring,
			Doc: "Port for monitoring; 0 is off, -1 a free port"},
		{Name: "https_port", Type: Integer, Default: "0", Min: -1, Max: maxPort, Since: "1.0", Feature: Monitoring,
			Doc: "Port for monitoring with TLS; 0 is off, -1 a free port"},
		{Name: "http_base_path", Type: Text, Default: "/", Since: "2.1.7", Feature: Monitoring, Doc: "Path in front of all monitoring paths"},
		{Name: "monitor", Type: Block, Since: "natsd 1.2.0", Feature: Monitoring, Strict: true, Keys: monitorBlockKeys(), Doc: "Who may see monitoring"},
		{Name: "prof_port", Type: Integer, Default: "0", Min: -1, Max: maxPort, Since: "1.0", Feature: Profiling,
			Doc: "Port for Go's profiler; 0 is off, -1 a free port"},
		{Name: "prof_block_rate", Type: Integer, Default: "0", Max: maxInt32, Reload: Live, Since: "2.10.2", Feature: Profiling,
			Doc: "Nanoseconds of blocking per sample of the block profile; 0 is off"},
	}
}

// monitorBlockKeys are those of the monitor block. Source: docs/spec/choices.md 8.
func monitorBlockKeys() []Key {
	const since = "natsd 1.2.0"
	return within(Monitoring,
		Key{Name: "authorization", Type: Block, Since: since, Strict: true, Doc: "Credentials that callers show", Keys: within(Monitoring,
			Key{Name: "user", Aliases: []string{"username"}, Type: Text, Since: since, Doc: "User of HTTP basic authentication"},
			Key{Name: "password", Aliases: []string{"pass"}, Type: Text, Secret: true, Since: since, Doc: "Password of that user, or its bcrypt hash"},
			Key{Name: "token", Type: Text, Secret: true, Since: since, Doc: "Token that callers show as Authorization: Bearer TOKEN"},
		)},
		Key{Name: "tls", Type: Block, Since: since, Strict: true, Keys: tlsKeys(TLSFeature), Doc: "Certificates and rules of TLS for https, in place of those for clients"},
	)
}

// otherKeys are switches and labels.
func otherKeys() []Key {
	return []Key{
		{Name: "no_header_support", Type: Boolean, Default: "false", Since: "2.2.0", Feature: Extras, Doc: "Do not offer headers to clients"},
		{Name: "disable_sublist_cache", Aliases: []string{"no_sublist_cache"}, Type: Boolean, Default: "false", Since: "2.0.2", Feature: Extras,
			Doc: "Do not cache which subscriptions match a subject"},
		{Name: "connect_error_reports", Type: Integer, Default: "3600", Max: maxInt32, Reload: Live, Since: "2.0.0", Feature: Clustering,
			Doc: "Of the failed first attempts to reach a server, every how many are logged"},
		{Name: "reconnect_error_reports", Type: Integer, Default: "1", Max: maxInt32, Reload: Live, Since: "2.0.0", Feature: Clustering,
			Doc: "Of the failed attempts to reach a server again, every how many are logged"},
		{Name: "server_tags", Type: Texts, Reload: Live, Since: "2.2.0", Feature: Monitoring, Doc: "Labels of the server, shown in monitoring"},
		{Name: "server_metadata", Type: TextMap, Reload: Live, Since: "2.12.0", Feature: Monitoring, Doc: "Notes about the server, shown in monitoring"},
	}
}

// peerKeys are known to nats-server and not supported (docs/spec/config.md B10).
func peerKeys() []Key {
	var keys []Key
	for _, name := range []string{
		"operator", "operators", "root", "roots", "root_operator", "root_operators", "resolver", "account_resolver", "accounts_resolver",
		"resolver_tls", "resolver_preload", "resolver_pinned_accounts", "trusted", "trusted_keys", "default_sentinel", "ocsp", "ocsp_cache",
		"proxies", "proxy_protocol",
	} {
		keys = append(keys, peerKey(name, peerSecurity))
	}
	for _, name := range []string{"jetstream", "store_dir", "storedir", "gateway", "mqtt", "default_js_domain", "feature_flags"} {
		keys = append(keys, peerKey(name, peerFunction))
	}
	return keys
}

// peerKey returns a key that only the peer has.
func peerKey(name string, feature Feature) Key {
	return Key{Name: name, Type: Any, Env: "-", Feature: feature, Doc: "Known to nats-server, not supported by natsd"}
}

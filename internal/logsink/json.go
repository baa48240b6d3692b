package logsink

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// appendJSON appends e as one line of JSON. Names of fields are stable: docs/logging.md.
func (f *Format) appendJSON(dst []byte, e event) []byte {
	text := func(name, value string) {
		dst = append(dst, ',', '"')
		dst = append(dst, name...)
		dst = append(dst, '"', ':')
		dst = appendJSONText(dst, value)
	}
	dst = append(dst, `{"level":"`...)
	dst = append(dst, labelOf(e.level).name...)
	dst = append(dst, '"')
	if f.Now != nil {
		text("time", f.Now().Format(time.RFC3339Nano))
	}
	dst = append(dst, `,"pid":`...)
	dst = strconv.AppendInt(dst, int64(f.PID), 10)
	message := strings.TrimSuffix(e.text, "\n")
	text("event", EventOf(e.level, message))
	if e.prefix != "" {
		remote, number, _ := strings.Cut(e.prefix, " - ")
		text("remote", remote)
		if kind, id, found := strings.Cut(number, ":"); found && isNumber(id) {
			dst = append(dst, ',', '"')
			dst = append(dst, kind...)
			dst = append(dst, '"', ':')
			dst = append(dst, id...)
		}
	}
	for _, field := range e.fields {
		text(field.name, field.value)
	}
	text("message", message)
	return append(dst, "}\n"...)
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func appendJSONText(dst []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil {
		return append(dst, `""`...)
	}
	return append(dst, quoted...)
}

// Event is a kind of log line, with a name that stays whatever happens to the text.
type Event struct {
	Name string
	Text string // a regular expression for the text of a line, at its beginning
	Doc  string
}

// Events returns the kinds of lines that have a name of their own.
func Events() []Event {
	return []Event{
		{"server_starting", `Starting natsd version `, "the first line of a start"},
		{"config_file", `Using configuration file: `, "which file was read"},
		{"memory_limit", `Memory limit `, "the memory limit, and whether it was taken from the control group or from `GOMEMLIMIT`"},
		{"monitor_listening", `Starting https? monitor on `, "monitoring answers"},
		{"client_listening", `Listening for client connections on `, "clients are accepted"},
		{"route_listening", `Listening for route connections on `, "other servers are accepted"},
		{"cluster_name", `Cluster name is `, "the cluster has a name"},
		{"server_ready", `Server is ready`, "the last line of a start"},
		{"signal", `Trapped ".*" signal`, "a signal came"},
		{"reloaded", `Reloaded server configuration`, "a reload is over"},
		{"reloaded_option", `Reloaded: `, "what a reload has changed"},
		{"reload_failed", `Failed to reload server configuration: `, "a reload was refused"},
		{"log_reopened", `File log re-opened`, "the first line of a log file after SIGUSR1"},
		{"log_rotated", `Rotated log, backup saved as `, "the first line of a log file after a rotation"},
		{"log_purged", `Purged log file `, "an old log file was removed"},
		{"lame_duck", `Entering lame duck mode`, "no new clients"},
		{"handover", `Hand(ing|ed) over to `, "an upgrade"},
		{"shutdown", `Initiating Shutdown`, "the server stops"},
		{"server_exiting", `Server Exiting`, "the last line of a server"},
		{"client_connected", `Client connection created`, "debug: a client has come"},
		{"client_disconnected", `Client connection closed`, "debug: a client has gone; the reason is in the message"},
		{"route_connected", `Route connection created`, "debug: a connection to another server"},
		{"route_registered", `Registering remote route`, "debug: another server is in the mesh"},
		{"route_disconnected", `Router connection closed`, "a connection to another server has ended"},
		{"route_failed", `Error trying to connect to route`, "another server cannot be reached"},
		{"slow_consumer", `Slow Consumer Detected`, "a connection was cut because it was too slow"},
		{"stale_connection", `Stale `, "debug: a connection was cut because it did not answer pings"},
		{"auth_failed", `Authorization (Error|Violation)`, "credentials were refused"},
		{"auth_timeout", `Authorization Timeout`, "debug: credentials did not come in time"},
		{"permission_violation", `(Publish|Subscription) Violation`, "somebody did what is not allowed"},
		{"max_connections", `(M|m)aximum (C|c)onnections (E|e)xceeded`, "a client was turned away"},
		{"max_payload", `Maximum Payload Exceeded`, "a message was too large"},
		{"tls_failed", `TLS handshake`, "debug: a handshake failed"},
		{"certificate_expires", `the TLS certificate .* expire`, "a certificate expires soon, or has expired"},
		{"client_error", `Error reading from client`, "a client sent what is not in the protocol"},
		{"noise", `\d+ lines about connections`, "lines that were left out because there were too many"},
		{"health_failed", `Healthcheck failed`, "/healthz answered with an error"},
	}
}

// compiledEvent is an Event with its expression ready for use.
type compiledEvent struct {
	name       string
	expression *regexp.Regexp
}

var compiledEvents = sync.OnceValue(func() []compiledEvent {
	var list []compiledEvent
	for _, e := range Events() {
		list = append(list, compiledEvent{e.Name, regexp.MustCompile(`^(?:` + e.Text + `)`)})
	}
	return list
})

// EventOf returns the name of the kind of line that a text is: one of Events, trace for lines of the protocol, or message.
func EventOf(level zerolog.Level, text string) string {
	if level == zerolog.TraceLevel {
		return "trace"
	}
	for _, e := range compiledEvents() {
		if e.expression.MatchString(text) {
			return e.name
		}
	}
	return "message"
}

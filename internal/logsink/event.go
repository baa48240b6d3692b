package logsink

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/rs/zerolog"
)

// errNotAnEvent says that bytes given to a Text are not a zerolog event.
var errNotAnEvent = errors.New("not a log event")

// event is a zerolog event taken apart.
type event struct {
	level  zerolog.Level
	prefix string // value of Format.PrefixField
	text   string // the message
	fields []field
}

// field is a name and a value of an event that is neither level, prefix nor message.
type field struct{ name, value string }

// parseEvent takes apart the JSON object zerolog writes; prefixField is the field that becomes prefix.
// The order of the other fields is kept. With trace switched on this runs for every protocol line,
// which is why it cuts the known shape instead of decoding JSON in general.
func parseEvent(raw []byte, prefixField string) (event, error) {
	e := event{level: zerolog.NoLevel}
	rest, isObject := bytes.CutPrefix(raw, []byte("{"))
	for isObject && len(rest) > 0 && rest[0] == '"' {
		name, after := cutValue(rest)
		if len(after) == 0 || after[0] != ':' {
			return e, errNotAnEvent
		}
		value, after := cutValue(after[1:])
		if len(after) == 0 || len(value) == 0 {
			return e, errNotAnEvent
		}
		e.set(valueText(name), valueText(value), prefixField)
		rest = bytes.TrimPrefix(after, []byte(","))
	}
	if !isObject || len(rest) == 0 || rest[0] != '}' {
		return e, errNotAnEvent
	}
	return e, nil
}

// cutValue cuts a JSON value, or a name, off the front of raw. A value that does not end leaves no rest.
func cutValue(raw []byte) (value, rest []byte) {
	depth, inString := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case inString && c == '\\':
			i++ // whatever is escaped, it does not end the string
		case c == '"':
			inString = !inString
		case inString:
		case depth == 0 && (c == ',' || c == ':' || c == '}' || c == ']'):
			return raw[:i], raw[i:]
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
	}
	return raw, nil
}

// set stores one field of the event where it belongs.
func (e *event) set(name, value, prefixField string) {
	switch name {
	case zerolog.LevelFieldName:
		if level, err := zerolog.ParseLevel(value); err == nil {
			e.level = level
		}
	case zerolog.MessageFieldName:
		e.text = value
	case prefixField:
		e.prefix = value
	default:
		e.fields = append(e.fields, field{name, value})
	}
}

// valueText returns a JSON string without quotes and escapes, and any other value as it is.
func valueText(value []byte) string {
	if value[0] != '"' {
		return string(value)
	}
	if bytes.IndexByte(value, '\\') < 0 { // fast path: nothing to decode
		return string(bytes.Trim(value, `"`))
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return string(value)
	}
	return text
}

// appendText appends the prefix, the message and the fields, and ends the line. A message that
// already ends with a newline gets no second one.
func (e *event) appendText(dst []byte) []byte {
	if e.prefix != "" {
		dst = appendEscaped(dst, e.prefix)
		dst = append(dst, " - "...)
	}
	dst = appendEscaped(dst, strings.TrimSuffix(e.text, "\n"))
	for _, f := range e.fields {
		dst = append(dst, ' ')
		dst = appendEscaped(dst, f.name)
		dst = append(dst, '=')
		if f.value == "" || strings.ContainsAny(f.value, " \"=") {
			f.value = strconv.Quote(f.value)
		}
		dst = appendEscaped(dst, f.value)
	}
	return append(dst, '\n')
}

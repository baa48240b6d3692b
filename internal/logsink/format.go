package logsink

import (
	"strconv"
	"time"

	"github.com/rs/zerolog"
)

// timeLayout is the date and time of a line; the six digits are microseconds.
const timeLayout = "2006/01/02 15:04:05.000000"

// Format says what a line consists of. The zero value is a line without time and colour, of process 0.
type Format struct {
	// PID is the process id in front of every line.
	PID int
	// Now supplies the time of a line, in the zone it is to be shown in. Nil leaves the time out.
	Now func() time.Time
	// Color paints the three letters of the label.
	Color bool
	// PrefixField names the event field whose value goes in front of the text, with " - " between.
	// Empty means no field does.
	PrefixField string
	// JSON makes every line an object, with the fields of docs/logging.md.
	JSON bool
}

// label is the three letters of a level and their colour, an ANSI SGR parameter.
type label struct{ text, color, name string }

// labelOf returns the label of level. An event without a level reads as information.
func labelOf(level zerolog.Level) label {
	switch level {
	case zerolog.TraceLevel:
		return label{"TRC", "33", "trace"}
	case zerolog.DebugLevel:
		return label{"DBG", "36", "debug"}
	case zerolog.WarnLevel:
		return label{"WRN", "0;93", "warn"}
	case zerolog.ErrorLevel:
		return label{"ERR", "31", "error"}
	case zerolog.FatalLevel, zerolog.PanicLevel:
		return label{"FTL", "31", "fatal"}
	default:
		return label{"INF", "32", "info"}
	}
}

// appendHead appends everything in front of the text: `[7499] 2018/03/23 11:46:15.239889 [INF] `.
func (f *Format) appendHead(dst []byte, level zerolog.Level) []byte {
	dst = append(dst, '[')
	dst = strconv.AppendInt(dst, int64(f.PID), 10)
	dst = append(dst, "] "...)
	if f.Now != nil {
		dst = f.Now().AppendFormat(dst, timeLayout)
		dst = append(dst, ' ')
	}
	label := labelOf(level)
	dst = append(dst, '[')
	if f.Color {
		dst = append(dst, "\x1b["...)
		dst = append(dst, label.color...)
		dst = append(dst, 'm')
	}
	dst = append(dst, label.text...)
	if f.Color {
		dst = append(dst, "\x1b[0m"...)
	}
	return append(dst, "] "...)
}

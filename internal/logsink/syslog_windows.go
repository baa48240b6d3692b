package logsink

import (
	"fmt"
	"os"
	"strings"

	"github.com/rs/zerolog"
	"golang.org/x/sys/windows/svc/eventlog"
)

// eventSource is what natsd is called in the event log. Source: docs/spec/cli.md §11.
const eventSource = "NATS-Server"

// System is the event log: of this machine, or of another.
type System struct{ log *eventlog.Log }

// OpenSystem opens the event log of a machine; empty: this one. Source: docs/spec/cli.md §11.
func OpenSystem(host, _ string) (*System, error) {
	// The source may be there already, or only an administrator may make it; lines are shown without it too.
	_ = eventlog.InstallAsEventCreate(eventSource, eventlog.Info|eventlog.Error|eventlog.Warning)
	log, err := eventlog.OpenRemote(host, eventSource)
	if err != nil {
		return nil, fmt.Errorf("error connecting to the event log: %q", err.Error())
	}
	return &System{log}, nil
}

// CheckAddress accepts everything: the name of a machine has no form to speak of.
func CheckAddress(string) error { return nil }

// WriteText writes the text of a line. Source: docs/spec/cli.md §11 (texts and ids).
func (s *System) WriteText(level zerolog.Level, text string) error {
	const notice, failure, debug, trace, fatal = 1, 2, 3, 4, 5
	line := func(name string) string {
		return fmt.Sprintf("pid[%d][%s]: %s", os.Getpid(), name, strings.TrimSuffix(text, "\n"))
	}
	switch level {
	case zerolog.DebugLevel:
		return s.log.Info(debug, line("DEBUG"))
	case zerolog.TraceLevel:
		return s.log.Info(trace, line("TRACE"))
	case zerolog.WarnLevel:
		return s.log.Warning(notice, line("WARN"))
	case zerolog.ErrorLevel:
		return s.log.Error(failure, line("ERROR"))
	case zerolog.FatalLevel, zerolog.PanicLevel:
		return s.log.Error(fatal, line("FATAL"))
	default:
		return s.log.Info(notice, line("NOTICE"))
	}
}

// Write writes a line of information.
func (s *System) Write(p []byte) (int, error) {
	return len(p), s.WriteText(zerolog.InfoLevel, string(p))
}

// Close closes the log.
func (s *System) Close() error { return s.log.Close() }

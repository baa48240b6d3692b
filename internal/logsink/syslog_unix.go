//go:build unix

package logsink

import (
	"errors"
	"fmt"
	"log/syslog"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/rs/zerolog"
)

// System is the system log: of this machine, or of another.
type System struct{ w *syslog.Writer }

// OpenSystem connects to the system log at address: udp://host:port, tcp://host:port or unix:///path; empty: that of this machine. Program
// names the sender. Source: docs/spec/cli.md §8.3.
func OpenSystem(address, program string) (*System, error) {
	network, where := "", ""
	if address != "" {
		u, err := url.Parse(address)
		if err != nil {
			return nil, errors.New("error parsing the address of the system log; write udp://host:port, tcp://host:port or unix:///path")
		}
		network, where = u.Scheme, u.Host
		switch network {
		case "udp", "tcp":
			if u.Port() == "" {
				return nil, fmt.Errorf("error connecting to syslog: %q", "address "+u.Host+": missing port in address")
			}
		case "unix":
			where = u.Path
		default:
			return nil, fmt.Errorf("error invalid network type: %q", network)
		}
	}
	dial := func(network string) (*syslog.Writer, error) {
		return syslog.Dial(network, where, syslog.LOG_DAEMON|syslog.LOG_NOTICE, filepath.Base(program))
	}
	w, err := dial(network)
	if errors.Is(err, syscall.EPROTOTYPE) {
		w, err = dial("unixgram") // what most system logs listen on
	}
	if err != nil {
		return nil, fmt.Errorf("error connecting to syslog: %q", err.Error())
	}
	return &System{w}, nil
}

// WriteText writes the text of a line with the severity of its level. Source: docs/spec/cli.md §8.3.
func (s *System) WriteText(level zerolog.Level, text string) error {
	text = strings.TrimSuffix(text, "\n")
	switch level {
	case zerolog.DebugLevel:
		return s.w.Debug(text)
	case zerolog.WarnLevel:
		return s.w.Warning(text)
	case zerolog.ErrorLevel:
		return s.w.Err(text)
	case zerolog.FatalLevel, zerolog.PanicLevel:
		return s.w.Crit(text)
	default:
		return s.w.Notice(text)
	}
}

// Write writes a line of information.
func (s *System) Write(p []byte) (int, error) {
	return len(p), s.WriteText(zerolog.InfoLevel, string(p))
}

// Close closes the connection.
func (s *System) Close() error { return s.w.Close() }

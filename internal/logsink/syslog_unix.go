//go:build unix

package logsink

import (
	"errors"
	"fmt"
	"log/syslog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

// systemPatience is how long connecting to a system log may take, and a line to it: log/syslog, which writes the same bytes, waits
// for ever.
const systemPatience = 5 * time.Second

// localLogs are where the system log of this machine may listen.
var localLogs = []string{"/dev/log", "/var/run/syslog", "/var/run/log"}

// errNoLocalLog has the text of log/syslog.
var errNoLocalLog = errors.New("Unix syslog delivery error") //nolint:staticcheck,revive // the text that operators know

// System is the system log: of this machine, or of another. One goroutine at a time may use it.
type System struct {
	network, address string // of the log; without a network: that of this machine
	tag              string // what the sender is called
	host             string // where it runs; empty: the local address of the connection
	patience         time.Duration
	conn             net.Conn // nil: none
}

// OpenSystem connects to the system log at address: udp://host:port, tcp://host:port or unix:///path; empty: that of this machine. Program
// names the sender. Source: docs/spec/cli.md §8.3.
func OpenSystem(address, program string) (*System, error) {
	return openSystem(address, program, systemPatience)
}

func openSystem(address, program string, patience time.Duration) (*System, error) {
	s := &System{tag: filepath.Base(program), patience: patience}
	s.host, _ = os.Hostname()
	if address != "" {
		var err error
		if s.network, s.address, err = splitAddress(address); err != nil {
			return nil, err
		}
	}
	err := s.connect()
	if errors.Is(err, syscall.EPROTOTYPE) {
		s.network = "unixgram" // what most system logs listen on
		err = s.connect()
	}
	if err != nil {
		return nil, fmt.Errorf("error connecting to syslog: %q", err.Error())
	}
	return s, nil
}

// addressForms says what the address of a system log may be.
const addressForms = "write udp://host:port, tcp://host:port or unix:///path"

// CheckAddress reports what is wrong with the form of the address of a system log, as OpenSystem would; it connects to nothing.
// Source: docs/spec/cli.md §8.3.
func CheckAddress(address string) error {
	_, _, err := splitAddress(address)
	return err
}

// splitAddress returns the network and the address on it that an address stands for.
func splitAddress(address string) (network, rest string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", "", errors.New("error parsing the address of the system log; " + addressForms) // its text may hold more than an address
	}
	switch u.Scheme {
	case "udp", "tcp":
		if u.Port() == "" {
			return "", "", fmt.Errorf("missing port in address %q; %s", u.Host, addressForms)
		}
		if n, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || n == 0 {
			return "", "", fmt.Errorf("invalid port %s in address %q; it must be from 1 to 65535", u.Port(), u.Host)
		}
		return u.Scheme, u.Host, nil
	case "unix":
		if u.Path == "" {
			return "", "", errors.New("missing path of the system log; " + addressForms)
		}
		return u.Scheme, u.Path, nil
	default:
		return "", "", fmt.Errorf("error invalid network type: %q; %s", u.Scheme, addressForms)
	}
}

// connect makes a new connection.
func (s *System) connect() (err error) {
	_ = s.Close() // it is of no use any more
	dialer := net.Dialer{Timeout: s.patience}
	if s.network != "" {
		s.conn, err = dialer.Dial(s.network, s.address)
		return err
	}
	for _, network := range []string{"unixgram", "unix"} {
		for _, path := range localLogs {
			if s.conn, err = dialer.Dial(network, path); err == nil {
				return nil
			}
		}
	}
	return errNoLocalLog
}

// WriteText writes the text of a line with the severity of its level. Source: docs/spec/cli.md §8.3.
func (s *System) WriteText(level zerolog.Level, text string) error {
	text = strings.TrimSuffix(text, "\n")
	switch level {
	case zerolog.DebugLevel:
		return s.send(syslog.LOG_DEBUG, text)
	case zerolog.WarnLevel:
		return s.send(syslog.LOG_WARNING, text)
	case zerolog.ErrorLevel:
		return s.send(syslog.LOG_ERR, text)
	case zerolog.FatalLevel, zerolog.PanicLevel:
		return s.send(syslog.LOG_CRIT, text)
	default:
		return s.send(syslog.LOG_NOTICE, text)
	}
}

// send sends a line. A connection that does not take it is given up, and a new one is tried once.
func (s *System) send(severity syslog.Priority, text string) error {
	if s.conn != nil && s.write(severity, text) == nil {
		return nil
	}
	err := s.connect()
	if err == nil {
		err = s.write(severity, text)
	}
	if err != nil {
		_ = s.Close() // a part of the line may have gone out: the next one begins on a connection of its own
	}
	return err
}

// write writes a line as log/syslog does, to the byte: with RFC 3339 times and the host to other machines, like syslog(3) on this one.
func (s *System) write(severity syslog.Priority, text string) error {
	now, host := time.Now().Format(time.RFC3339), s.host+" "
	if s.network == "" || s.network == "unix" || s.network == "unixgram" {
		now, host = time.Now().Format(time.Stamp), ""
	} else if s.host == "" {
		host = s.conn.LocalAddr().String() + " "
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.patience)); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.conn, "<%d>%s %s%s[%d]: %s\n", syslog.LOG_DAEMON|severity, now, host, s.tag, os.Getpid(), strings.TrimSuffix(text, "\n"))
	return err
}

// Write writes a line of information.
func (s *System) Write(p []byte) (int, error) {
	return len(p), s.WriteText(zerolog.InfoLevel, string(p))
}

// Close closes the connection.
func (s *System) Close() error {
	if s.conn == nil {
		return nil
	}
	conn := s.conn
	s.conn = nil
	return conn.Close()
}

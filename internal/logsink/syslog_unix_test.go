//go:build unix

package logsink_test

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/logsink"
	"github.com/rs/zerolog"
)

// TestSystem: severities, tag and addresses of docs/spec/cli.md §8.3.
func TestSystem(t *testing.T) {
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	stream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	socket := filepath.Join(t.TempDir(), "log")
	local, err := net.ListenPacket("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	fromPackets := func(c net.PacketConn) func() string {
		return func() string {
			buffer := make([]byte, 1000)
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			n, _, err := c.ReadFrom(buffer)
			if err != nil {
				t.Fatal(err)
			}
			return string(buffer[:n])
		}
	}
	var lines *bufio.Reader
	fromStream := func() string {
		if lines == nil {
			c, err := stream.Accept()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.Close() })
			lines = bufio.NewReader(c)
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	// What log/syslog writes, to the byte.
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	remote := regexp.MustCompile(`^<\d+>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d) ` + regexp.QuoteMeta(host) + ` gnatsd\[\d+\]: hello\n$`)
	head := map[string]*regexp.Regexp{
		"udp:": remote, "tcp:": remote, "unix": regexp.MustCompile(`^<\d+>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d gnatsd\[\d+\]: hello\n$`),
	}
	for address, next := range map[string]func() string{
		"udp://" + packets.LocalAddr().String(): fromPackets(packets), "tcp://" + stream.Addr().String(): fromStream, "unix://" + socket: fromPackets(local),
	} {
		system, err := logsink.OpenSystem(address, "/usr/sbin/gnatsd")
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		for level, priority := range map[zerolog.Level]string{
			zerolog.InfoLevel: "<29>", zerolog.ErrorLevel: "<27>", zerolog.FatalLevel: "<26>", zerolog.DebugLevel: "<31>", zerolog.TraceLevel: "<29>", zerolog.WarnLevel: "<28>",
		} {
			if err := system.WriteText(level, "hello\n"); err != nil {
				t.Fatal(err)
			}
			if line := next(); !strings.HasPrefix(line, priority) || !head[address[:4]].MatchString(line) {
				t.Errorf("%s, %v: %q", address, level, line)
			}
		}
		if err := system.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, address := range []string{"tcp://127.0.0.1:1", "unix:///none"} {
		if _, err := logsink.OpenSystem(address, "natsd"); err == nil || !strings.HasPrefix(err.Error(), `error connecting to syslog: "`) {
			t.Errorf("%s: %v", address, err)
		}
		if err := logsink.CheckAddress(address); err != nil { // nobody has connected
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestSystemAddress: an address of a wrong form is told in the same words by who opens the log and by who only checks it.
// Source: docs/spec/cli.md §8.3.
func TestSystemAddress(t *testing.T) {
	for address, want := range map[string]string{
		"http://h:1": `error invalid network type: "http"; write udp://`, "syslog://h:1": `error invalid network type: "syslog"; write udp://`, "foo": `error invalid network type: ""; write udp://`,
		"h:514": `error invalid network type: "h"; write udp://`, "127.0.0.1:514": "error parsing the address of the system log; write udp://",
		"udp://": `missing port in address ""; write udp://`, "udp://h": `missing port in address "h"; write udp://`, "tcp://h:": `missing port in address "h:"; write udp://`,
		"udp:h:514": `missing port in address ""; write udp://`, "udp://h:0": `invalid port 0 in address "h:0"; it must be from 1 to 65535`,
		"tcp://h:65536": `invalid port 65536 in address "h:65536"; it must be from 1 to 65535`, "tcp://h:syslog": "error parsing the address of the system log; write udp://",
		"unix://": "missing path of the system log; write udp://", "unix:log": "missing path of the system log; write udp://", "%": "error parsing the address of the system log; write udp://",
	} {
		_, opened := logsink.OpenSystem(address, "natsd")
		for _, err := range []error{opened, logsink.CheckAddress(address)} {
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s: %v, want %s", address, err, want)
			}
		}
	}
	for _, address := range []string{"udp://h:514", "udp://[::1]:514", "udp://:514", "tcp://logs.example.com:65535", "unix:///dev/log", "unix:/dev/log"} {
		if err := logsink.CheckAddress(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

package logsink

import (
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// stallPatience is how long a System of these tests waits for a log server.
const stallPatience = 50 * time.Millisecond

// returns runs work, and fails the test if it never ends.
func returns(t *testing.T, what string, work func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		work()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal(what + " waits for ever")
	}
}

// TestSystemThatTakesNothing: a line to a log server that does not read is given up.
func TestSystemThatTakesNothing(t *testing.T) {
	stream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	socket := t.TempDir() + "/log"
	local, err := net.ListenPacket("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	for address, text := range map[string]string{"tcp://" + stream.Addr().String(): strings.Repeat("x", 64<<20), "unix://" + socket: "hello"} {
		system, err := openSystem(address, "natsd", stallPatience)
		if err != nil {
			t.Fatal(err)
		}
		returns(t, address, func() {
			for err = nil; err == nil; {
				err = system.WriteText(zerolog.InfoLevel, text)
			}
		})
		if !os.IsTimeout(err) {
			t.Errorf("%s: %v, want a timeout", address, err)
		}
		if err := system.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSystemAfterATornLine: a line of which a log server took a part is not continued by the next one.
func TestSystemAfterATornLine(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	system, err := openSystem("tcp://"+listener.Addr().String(), "natsd", stallPatience)
	if err != nil {
		t.Fatal(err)
	}
	if err := system.WriteText(zerolog.InfoLevel, strings.Repeat("x", 64<<20)); !os.IsTimeout(err) {
		t.Fatalf("%v, want a timeout", err)
	}
	if err := system.WriteText(zerolog.InfoLevel, "whole"); err != nil {
		t.Fatal(err)
	}
	if err := system.Close(); err != nil {
		t.Error(err)
	}
	var last string
	for range 3 { // two connections with a part of the long line, and one more
		c, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		last = string(text)
	}
	if !strings.HasPrefix(last, "<") || !strings.HasSuffix(last, ": whole\n") || strings.Contains(last, "xx") {
		t.Errorf("the log server gets %.200q", last)
	}
}

// TestSystemThatDoesNotAnswer: connecting to an address where packets vanish is given up.
func TestSystemThatDoesNotAnswer(t *testing.T) {
	// The kernel drops the packets for a socket whose queue of connections is full.
	full, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(full)
	if err := syscall.Bind(full, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(full, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(full)
	if err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(name.(*syscall.SockaddrInet4).Port))
	for err = nil; err == nil; {
		var c net.Conn
		if c, err = net.DialTimeout("tcp", address, stallPatience); err == nil {
			defer c.Close()
		}
	}
	returns(t, "connecting", func() { _, err = openSystem("tcp://"+address, "natsd", stallPatience) })
	if err == nil || !strings.HasPrefix(err.Error(), `error connecting to syslog: "dial tcp `) || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("%v, want a timeout", err)
	}
}

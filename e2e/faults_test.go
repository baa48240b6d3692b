//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// TestLackOfFileDescriptors: a server that may open few files serves those who are connected, and takes new clients again as
// soon as others have gone.
func TestLackOfFileDescriptors(t *testing.T) {
	path, err := binary()
	must(t, err)
	s := startCommand(t, "prlimit --nofile=40 "+path+" serve -a 127.0.0.1 -p {port}")
	first := dialRaw(t, s.addr())
	var crowd []net.Conn
	for range 60 {
		c, err := net.DialTimeout("tcp", s.addr(), patience)
		must(t, err)
		crowd = append(crowd, c)
	}
	s.eventually("the log tells", func() bool { return strings.Contains(s.log.String(), "too many open files") })
	must(t, first.do("SUB x 1\r\nPUB x 2\r\nhi\r\n"))
	for _, c := range crowd {
		_ = c.Close()
	}
	last := dialRaw(t, s.addr())
	must(t, last.do("PUB y 2\r\nhi\r\n"))
	if text := s.log.String(); strings.Contains(text, "panic") {
		t.Error("the server panicked")
	}
}

// TestTenThousandSilentSockets: sockets that connect and say nothing cost less than 8 KB of memory each, and harm nobody.
func TestTenThousandSilentSockets(t *testing.T) {
	s := startServer(t)
	worker := dialRaw(t, s.addr())
	must(t, worker.do("SUB x 1\r\n"))
	before := residentKB(t, s)
	const n = 8000 // what the limit of open files allows on this side too
	for i := range n {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%200))}, Timeout: patience}
		c, err := dialer.Dial("tcp", s.addr())
		must(t, err)
		defer c.Close()
		if i == n-1 { // all others were accepted before
			_ = c.SetReadDeadline(time.Now().Add(patience))
			_, err := bufio.NewReader(c).ReadString('\n')
			must(t, err)
		}
	}
	must(t, worker.do("PUB x 2\r\nhi\r\n"))
	each := (residentKB(t, s) - before) * 1024 / n
	t.Logf("%d bytes per silent socket", each)
	if each > 8000 && !isPeer() {
		t.Errorf("%d bytes per silent socket, want at most 8000", each)
	}
}

// residentKB returns the resident memory of the server process.
func residentKB(t *testing.T, s *server) (kB int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.command.Process.Pid))
	must(t, err)
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	_, err = fmt.Sscan(rest, &kB)
	must(t, err)
	return kB
}

package testutil

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a test waits for something that must happen. It is long, because only failures use it up.
const Patience = 10 * time.Second

// Client speaks the client protocol byte for byte. Its methods fail the test they were dialled for, so they belong on
// the goroutine of that test. Not safe for concurrent use.
type Client struct {
	// Info is the first line the server sent, "INFO {...} \r\n", line end included.
	Info string

	t      testing.TB
	conn   net.Conn
	unread []byte // read from conn, not yet expected
	cut    int    // most bytes in one write, zero for no limit
	where  string // put in front of every failure, "file:12: " in transcripts
}

// Dial connects to addr, reads the INFO line and closes the connection when the test ends.
func Dial(t testing.TB, addr string) *Client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, Patience)
	if err != nil {
		t.Fatalf("cannot connect: %v", err)
	}
	return NewClient(t, conn)
}

// NewClient is Dial for a connection that exists, such as one made in-process. It takes conn over.
func NewClient(t testing.TB, conn net.Conn) *Client {
	t.Helper()
	c := &Client{t: t, conn: conn}
	t.Cleanup(c.Close)
	c.Info = c.ExpectInfo()
	return c
}

// Close hangs up. Closing twice is fine.
func (c *Client) Close() { _ = c.conn.Close() }

// Send writes s as it is. That the server hung up meanwhile is no failure here: what it said before is read next.
func (c *Client) Send(s string) {
	c.t.Helper()
	_ = c.conn.SetWriteDeadline(time.Now().Add(Patience))
	for s != "" {
		n := len(s)
		if c.cut > 0 {
			n = min(n, c.cut)
		}
		switch _, err := io.WriteString(c.conn, s[:n]); {
		case errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.ErrClosedPipe):
			return
		case err != nil:
			c.t.Fatalf("%scannot send %.200q: %v", c.where, s, err)
		}
		s = s[n:]
	}
}

// Expect reads exactly want. Bytes behind it stay for the next call.
func (c *Client) Expect(want string) {
	c.t.Helper()
	c.ExpectAny(want)
}

// ExpectAny reads exactly one of the alternatives and returns it. None may be the beginning of another.
func (c *Client) ExpectAny(alternatives ...string) string {
	c.t.Helper()
	deadline := time.Now().Add(Patience)
	for {
		possible := false
		for _, want := range alternatives {
			if rest, ok := bytes.CutPrefix(c.unread, []byte(want)); ok {
				c.unread = rest
				return want
			}
			possible = possible || strings.HasPrefix(want, string(c.unread))
		}
		if !possible {
			c.t.Fatalf("%sgot  %.500q\nwant %.500q", c.where, c.unread, alternatives)
		}
		if err := c.read(deadline); err != nil {
			c.t.Fatalf("%sgot  %.500q and then %v\nwant %.500q", c.where, c.unread, err, alternatives)
		}
	}
}

// ExpectInfo reads one INFO line, checks how it is framed (docs/spec/client-protocol.md §2.1) and returns it.
func (c *Client) ExpectInfo() string {
	c.t.Helper()
	deadline := time.Now().Add(Patience)
	for {
		if end := bytes.IndexByte(c.unread, '\n'); end >= 0 {
			line := string(c.unread[:end+1])
			c.unread = c.unread[end+1:]
			text, ok := strings.CutPrefix(line, "INFO ")
			text, blank := strings.CutSuffix(text, " \r\n")
			if !ok || !blank || !json.Valid([]byte(text)) || !strings.HasPrefix(text, "{") || strings.HasSuffix(text, " ") {
				c.t.Fatalf("%sgot %q, want \"INFO {...} \\r\\n\"", c.where, line)
			}
			return line
		}
		if err := c.read(deadline); err != nil {
			c.t.Fatalf("%sgot %.500q and then %v, want an INFO line", c.where, c.unread, err)
		}
	}
}

// ExpectNothing checks that the server has nothing to say: it sends PING, and the next bytes must be PONG. What the
// server does on its own later is not seen.
func (c *Client) ExpectNothing() {
	c.t.Helper()
	c.Send("PING\r\n")
	c.Expect("PONG\r\n")
}

// ExpectClosed reads the end of the connection and nothing before it. A reset counts as the end.
func (c *Client) ExpectClosed() {
	c.t.Helper()
	c.expectEnd(io.EOF, io.ErrClosedPipe, syscall.ECONNRESET)
}

// ExpectEnd is ExpectClosed for an end that must be orderly: a reset, which may cost a slow reader what was sent before
// it, fails.
func (c *Client) ExpectEnd() {
	c.t.Helper()
	c.expectEnd(io.EOF)
}

// expectEnd reads until an error, which must be one of ends.
func (c *Client) expectEnd(ends ...error) {
	c.t.Helper()
	var err error
	for deadline := time.Now().Add(Patience); err == nil; err = c.read(deadline) {
		if len(c.unread) > 0 {
			c.t.Fatalf("%sgot %.500q, want the connection closed", c.where, c.unread)
		}
	}
	for _, end := range ends {
		if errors.Is(err, end) {
			c.Close()
			return
		}
	}
	c.t.Fatalf("%sgot %v, want the connection closed", c.where, err)
}

// read adds what the next read brings to c.unread.
func (c *Client) read(deadline time.Time) error {
	_ = c.conn.SetReadDeadline(deadline)
	var chunk [4096]byte
	n, err := c.conn.Read(chunk[:])
	c.unread = append(c.unread, chunk[:n]...)
	if n > 0 {
		return nil // an error comes again with the next read
	}
	return err
}

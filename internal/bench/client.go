package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Sizes of the buffers of a connection in bytes.
const (
	readBuffer = 256 << 10
	firstRead  = 4 << 10
	maxLine    = 64 << 10
)

// client is a connection to a server. One goroutine reads; any may write.
type client struct {
	net.Conn
	target *Target
	info   serverInfo
	secure bool

	writing sync.Mutex // held for a whole write

	in         []byte // in[start:end] is not parsed yet
	start, end int
}

// message is one that came. Its bytes are valid until the next read.
type message struct {
	subject, reply []byte
	headers        []byte
	payload        []byte
}

// serverError is an -ERR of the server.
type serverError struct{ text string }

// Error returns what the server has said.
func (e serverError) Error() string { return "the server says " + strconv.Quote(e.text) }

var errNoServer = errors.New("no server can be reached")

// dial connects to server i, or one after it, and greets it.
func (t *Target) dial(ctx context.Context, i int, source net.Addr) (*client, error) {
	failure := errNoServer
	for k := range t.servers {
		e := &t.servers[(i+k)%len(t.servers)]
		c, err := t.dialOne(ctx, e, source)
		if err == nil {
			return c, nil
		}
		failure = fmt.Errorf("cannot connect to %s: %w", e.address, err)
	}
	return nil, failure
}

func (t *Target) dialOne(ctx context.Context, e *endpoint, source net.Addr) (*client, error) {
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	// No TCP keep-alive: the probes of many connections would be load of their own, and the server sends PING.
	conn, err := (&net.Dialer{LocalAddr: source, KeepAlive: -1}).DialContext(ctx, "tcp", e.address)
	if err != nil {
		return nil, err
	}
	c := &client{Conn: conn, target: t, in: make([]byte, firstRead)}
	deadline, _ := ctx.Deadline()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err = conn.SetDeadline(deadline); err == nil {
		err = c.greet(ctx, e)
	}
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = conn.Close() // it is of no use
		return nil, err
	}
	return c, nil
}

// greet answers the INFO of the server, and waits until it has accepted that.
func (c *client) greet(ctx context.Context, e *endpoint) error {
	line, err := c.line()
	if err != nil {
		return fmt.Errorf("no greeting: %w", err)
	}
	text, isInfo := bytes.CutPrefix(line, []byte("INFO "))
	if !isInfo || json.Unmarshal(text, &c.info) != nil {
		return errors.New("the greeting is not that of a NATS server")
	}
	if c.info.TLSRequired || e.secure {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if c.target.TLS != nil {
			config = c.target.TLS.Clone()
		}
		if config.ServerName == "" {
			config.ServerName = e.name
		}
		secure := tls.Client(c.Conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return fmt.Errorf("TLS: %w", err)
		}
		c.Conn, c.secure = secure, true
	}
	connect, err := e.credentials.connectText(c.info, c.secure)
	if err != nil {
		return err
	}
	if err := c.write(append(connect, "PING\r\n"...)); err != nil {
		return err
	}
	return c.pong()
}

// write writes b whole. Locks: takes c.writing.
func (c *client) write(b []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	_, err := c.Write(b)
	return err
}

// subscribe subscribes and waits until the server has done it.
func (c *client) subscribe(lines string) error {
	if err := c.SetDeadline(time.Now().Add(c.target.Timeout)); err != nil {
		return err
	}
	if err := c.write([]byte(lines + "PING\r\n")); err != nil {
		return err
	}
	if err := c.pong(); err != nil {
		return err
	}
	return c.SetDeadline(time.Time{})
}

// pong reads up to the next PONG, and ignores messages on the way.
func (c *client) pong() error {
	for {
		e, err := c.next(nil)
		if err != nil {
			return err
		}
		if e == eventPong {
			return nil
		}
	}
}

// event is what was read, apart from messages.
type event int

const (
	eventMore event = iota // nothing whole is left
	eventMessage
	eventPong
	eventOther
)

// fill reads more.
func (c *client) fill() error {
	switch {
	case c.start == c.end:
		c.start, c.end = 0, 0
		if len(c.in) > readBuffer {
			c.in = make([]byte, readBuffer) // after a large message
		}
	case c.end == len(c.in) && c.start > 0:
		c.end = copy(c.in, c.in[c.start:c.end])
		c.start = 0
	}
	if c.end == len(c.in) {
		c.in = append(c.in, make([]byte, len(c.in))...)
	}
	n, err := c.Read(c.in[c.end:])
	c.end += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// widen makes room for bulk.
func (c *client) widen() {
	if len(c.in) < readBuffer {
		c.in = append(c.in, make([]byte, readBuffer-len(c.in))...)
	}
}

// next returns the next event, and waits for it. A message is put into m, if that is not nil.
func (c *client) next(m *message) (event, error) {
	for {
		e, err := c.parse(m)
		if e != eventMore || err != nil {
			return e, err
		}
		if err := c.fill(); err != nil {
			return eventMore, err
		}
	}
}

// line reads a line, without its end.
func (c *client) line() ([]byte, error) {
	for {
		if i := bytes.IndexByte(c.in[c.start:c.end], '\n'); i >= 0 {
			line := bytes.TrimSuffix(c.in[c.start:c.start+i], []byte("\r"))
			c.start += i + 1
			return line, nil
		}
		if c.end-c.start > maxLine {
			return nil, errors.New("the line is too long")
		}
		if err := c.fill(); err != nil {
			return nil, err
		}
	}
}

// parse returns the first event in what was read; eventMore if it is not there as a whole. It answers PING itself.
//
// Hot path: once per message.
func (c *client) parse(m *message) (event, error) {
	b := c.in[c.start:c.end]
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		if len(b) > maxLine {
			return eventMore, errors.New("a line of the server is too long")
		}
		return eventMore, nil
	}
	line := bytes.TrimSuffix(b[:end], []byte("\r"))
	if len(line) > 4 && (line[0] == 'M' || line[0] == 'H') {
		return c.parseMessage(m, line, end+1)
	}
	c.start += end + 1
	switch {
	case bytes.Equal(line, []byte("PONG")):
		return eventPong, nil
	case bytes.Equal(line, []byte("PING")):
		return eventOther, c.write([]byte("PONG\r\n"))
	case bytes.HasPrefix(line, []byte("-ERR")):
		return eventOther, serverError{string(bytes.Trim(line[4:], " '"))}
	}
	return eventOther, nil // INFO, +OK
}

// parseMessage takes the message that begins with line, and whose payload begins at index body of what is not parsed yet.
func (c *client) parseMessage(m *message, line []byte, body int) (event, error) {
	withHeaders := line[0] == 'H'
	var words [6][]byte
	count := 0
	for i := 0; i < len(line) && count < len(words); count++ {
		for i < len(line) && line[i] == ' ' {
			i++
		}
		from := i
		if space := bytes.IndexByte(line[i:], ' '); space >= 0 {
			i += space
		} else {
			i = len(line)
		}
		words[count] = line[from:i]
	}
	sizes := 1
	if withHeaders {
		sizes = 2
	}
	if count < 3+sizes {
		return eventMore, errors.New("a message of the server is malformed")
	}
	size, valid := number(words[count-1])
	header := 0
	if withHeaders {
		var alsoValid bool
		header, alsoValid = number(words[count-2])
		valid = valid && alsoValid && header <= size
	}
	if !valid || size > maxSize {
		return eventMore, errors.New("the size of a message of the server is malformed")
	}
	all := body + size + 2
	if c.end-c.start < all {
		return eventMore, nil
	}
	b := c.in[c.start : c.start+all]
	c.start += all
	if m == nil {
		return eventMessage, nil
	}
	m.subject, m.reply = words[1], nil
	if count == 4+sizes {
		m.reply = words[3]
	}
	m.headers, m.payload = b[body:body+header], b[body+header:body+size]
	return eventMessage, nil
}

// number reads a decimal number.
func number(text []byte) (value int, valid bool) {
	if len(text) == 0 || len(text) > 9 {
		return 0, false
	}
	for _, d := range text {
		if d < '0' || d > '9' {
			return 0, false
		}
		value = value*10 + int(d-'0')
	}
	return value, true
}

// sources hands out addresses of this machine to connect from.
type sources struct{ next atomic.Int64 }

// perSource is the number of connections from one address. Ports are some 28 000, but looking for a free one takes the system long
// before they run out.
const perSource = 250

// take returns the next address; nil: the system chooses. Only a server on the loopback network can be reached from many.
func (s *sources) take(server string, conns int) net.Addr {
	host, _, err := net.SplitHostPort(server)
	if ip := net.ParseIP(host); err != nil || conns <= perSource || ip.To4() == nil || !ip.IsLoopback() {
		return nil
	}
	n := s.next.Add(1) / perSource
	const perByte = 200
	return &net.TCPAddr{IP: net.IPv4(127, 1, byte(1+n/perByte%perByte), byte(1+n%perByte))}
}

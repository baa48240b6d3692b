package bench

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// scripted is a connection that reads a text, a few bytes at a time, and takes whatever is written.
type scripted struct {
	rest []byte
	step int
}

func (s *scripted) Read(b []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, s.rest[:min(len(s.rest), s.step)])
	s.rest = s.rest[n:]
	return n, nil
}
func (*scripted) Write(b []byte) (int, error)      { return len(b), nil }
func (*scripted) Close() error                     { return nil }
func (*scripted) LocalAddr() net.Addr              { return nil }
func (*scripted) RemoteAddr() net.Addr             { return nil }
func (*scripted) SetDeadline(time.Time) error      { return nil }
func (*scripted) SetReadDeadline(time.Time) error  { return nil }
func (*scripted) SetWriteDeadline(time.Time) error { return nil }

// FuzzClient: whatever a server sends, and in however small pieces, the client reads the same of it, and neither panics nor hangs.
func FuzzClient(f *testing.F) {
	for _, seed := range []string{
		"PING\r\nMSG a 1 5\r\nhello\r\nPONG\r\n", "MSG a 1 r 0\r\n\r\n+OK\r\n", "HMSG a 1 r 12 17\r\nNATS/1.0\r\n\r\nhello\r\n", "-ERR 'no'\r\n",
		"MSG a 1\r\n", "MSG a 1 99999999999\r\n", "HMSG a 1 9 3\r\nabc\r\n", "INFO {}\r\nMSG  a  1  2\r\nhi\r\n", "M\n", "MSG \r\n", "MSG a 1 x\r\n",
	} {
		f.Add([]byte(seed), uint8(3))
	}
	read := func(text []byte, step int) (messages [][]byte, failure string) {
		c := &client{Conn: &scripted{text, step}, in: make([]byte, 16)}
		for {
			var m message
			e, err := c.next(&m)
			if err != nil {
				if !errors.Is(err, io.EOF) {
					failure = err.Error()
				}
				return messages, failure
			}
			if e == eventMessage {
				messages = append(messages, bytes.Join([][]byte{m.subject, m.reply, m.headers, m.payload}, []byte("|")))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, step uint8) {
		all, failure := read(text, len(text)+1)
		pieces, other := read(text, int(step)+1)
		if failure != other || !bytes.Equal(bytes.Join(all, []byte("\n")), bytes.Join(pieces, []byte("\n"))) {
			t.Fatalf("%q: %q, %s; in pieces of %d: %q, %s", text, all, failure, step+1, pieces, other)
		}
	})
}

// FuzzScenario: a scenario is read or refused, and what is read is complete.
func FuzzScenario(f *testing.F) {
	f.Add([]byte("workloads:\n- {workload: pubsub, pubs: 2, size: 10-20}\n- {workload: request, queue: q}\n"))
	f.Add([]byte(`{"workloads":[{"workload":"connections","connections":5}]}`))
	f.Add([]byte("workloads: [{workload: pubsub, size: 5:1,6:2}]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		workloads, err := ReadScenario("x", bytes.NewReader(text))
		if err != nil {
			return
		}
		for _, w := range workloads {
			again := w
			if err := again.Complete(); err != nil || again.Kind != w.Kind || again.Size.String() != w.Size.String() || w.Subjects < 1 {
				t.Fatalf("%+v is not complete: %v", w, err)
			}
		}
	})
}

package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil"
)

// saboteur stands between a client and a server, and drops, doubles and swaps messages to the client.
type saboteur struct {
	t      *testing.T
	server string
	net.Listener

	from, drop, double, swap int64 // every so many messages, after the first; 0: never
	cut                      int64 // ends the connection after so many messages, once; 0: never
	down                     int64 // ends everything after so many messages, for good; 0: never
	refuses                  bool  // once down, it answers with an -ERR instead of not at all

	seen, dropped, doubled, swapped atomic.Int64
	conns                           sync.WaitGroup

	mu     sync.Mutex
	open   []net.Conn // guarded by mu
	isDown bool       // guarded by mu
}

// start returns the URL to connect to instead of that of the server.
func (s *saboteur) start(t *testing.T, url string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.t, s.Listener, s.server = t, listener, strings.TrimPrefix(url, "nats://")
	s.conns.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			isDown := s.isDown
			s.open = append(s.open, client)
			s.mu.Unlock()
			if isDown {
				s.conns.Go(func() { refuse(client) })
				continue
			}
			s.conns.Go(func() { s.carry(client) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		s.conns.Wait()
	})
	return "nats://" + listener.Addr().String()
}

// goDown ends all connections, and what comes after them.
func (s *saboteur) goDown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isDown = true
	if !s.refuses {
		_ = s.Close()
	}
	for _, c := range s.open {
		_ = c.Close()
	}
}

// refuse plays a server that lets nobody in.
func refuse(client net.Conn) {
	defer func() { _ = client.Close() }()
	_, _ = io.WriteString(client, "INFO {}\r\n")
	for in := bufio.NewScanner(client); in.Scan() && in.Text() != "PING"; {
	}
	_, _ = io.WriteString(client, "-ERR 'go away'\r\n")
}

// carry carries one connection.
func (s *saboteur) carry(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", s.server)
	if err != nil {
		s.t.Error(err)
		return
	}
	defer func() { _ = server.Close() }()
	s.conns.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	in, out := bufio.NewReader(server), bufio.NewWriter(client)
	var held []byte
	for {
		frame, isMessage, err := readFrame(in)
		if err != nil {
			_ = out.Flush()
			return
		}
		if isMessage {
			n := s.seen.Add(1)
			every := func(k int64) bool { return k > 0 && n > s.from && n%k == 0 }
			switch {
			case s.cut > 0 && n == s.cut:
				_ = out.Flush()
				return
			case s.down > 0 && n == s.down:
				s.goDown()
				return
			case held != nil:
				frame = append(frame, held...)
				held = nil
			case every(s.drop):
				s.dropped.Add(1)
				frame = nil
			case every(s.double):
				s.doubled.Add(1)
				frame = append(frame, frame...)
			case every(s.swap):
				s.swapped.Add(1)
				held, frame = frame, nil
			}
		}
		if _, err := out.Write(frame); err != nil {
			return
		}
		if in.Buffered() == 0 && out.Flush() != nil {
			return
		}
	}
}

// readFrame reads a line, and the payload of a message with it.
func readFrame(in *bufio.Reader) (frame []byte, isMessage bool, err error) {
	line, err := in.ReadBytes('\n')
	if err != nil || !bytes.HasPrefix(line, []byte("MSG ")) {
		return line, false, err
	}
	words := bytes.Fields(line)
	var size int
	if _, err := fmt.Sscan(string(words[len(words)-1]), &size); err != nil {
		return nil, false, err
	}
	payload := make([]byte, size+2)
	_, err = io.ReadFull(in, payload)
	return append(line, payload...), true, err
}

// TestLossIsCountedTruly: what somebody on the way drops, doubles and swaps is what the report says.
func TestLossIsCountedTruly(t *testing.T) {
	const msgs = 10_000
	for _, c := range []struct {
		name string
		s    *saboteur
		w    Workload
	}{
		{"drops", &saboteur{drop: 7}, Workload{Kind: PubSub, Pubs: 2, Subs: 2}},
		{"doubles", &saboteur{double: 11}, Workload{Kind: PubSub, Pubs: 2, Subs: 2}},
		{"swaps", &saboteur{swap: 13}, Workload{Kind: PubSub}},
		{"all of it", &saboteur{drop: 10, double: 7, from: 100}, Workload{Kind: PubSub, Pubs: 3, Subs: 3}},
		{"queue group", &saboteur{drop: 10, double: 7}, Workload{Kind: PubSub, Pubs: 2, Subs: 3, Queue: "q"}},
		{"at a rate", &saboteur{drop: 10, double: 7}, Workload{Kind: PubSub, Rate: 40_000}},
		{"no room for a number", &saboteur{drop: 10}, Workload{Kind: PubSub, Size: FixedSize(4)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := launch(t)
			s := c.s
			c.w.Msgs = msgs
			_, got := playOn(t, s.start(t, url), Options{Drain: testutil.Patience, Workloads: []Workload{c.w}})
			if got.Lost != s.dropped.Load() || got.Duplicates != s.doubled.Load() {
				t.Errorf("lost %d, doubled %d; in truth %d and %d", got.Lost, got.Duplicates, s.dropped.Load(), s.doubled.Load())
			}
			if got.Delivered+got.Lost != got.Expected || got.Expected != s.seen.Load() {
				t.Errorf("delivered %d, lost %d, expected %d; %d came by", got.Delivered, got.Lost, got.Expected, s.seen.Load())
			}
			if c.s.drop > 0 && c.w.Pubs < 2 && c.w.Size.text == "" && c.w.Subs < 2 && (got.Gaps != got.Lost || got.LongestGap != 1) {
				t.Errorf("%d gaps, the longest of %d", got.Gaps, got.LongestGap)
			}
			if got.Reordered != s.swapped.Load() {
				t.Errorf("%d came out of order, in truth %d", got.Reordered, s.swapped.Load())
			}
		})
	}
}

// TestConnectionsComeBack: a subscriber whose connection breaks comes back, and what it has missed is told.
func TestConnectionsComeBack(t *testing.T) {
	s := &saboteur{cut: 1000}
	_, got := playOn(t, s.start(t, launch(t)), Options{Drain: 300 * time.Millisecond, Workloads: []Workload{{Kind: PubSub, Rate: 10_000, Msgs: 5000}}})
	if got.Disconnects != 1 || len(got.Failures) != 1 {
		t.Errorf("%d disconnects, %q", got.Disconnects, got.Failures)
	}
	if got.Lost == 0 || got.Gaps != 1 || got.LongestGap != got.Lost || got.Delivered+got.Lost != 5000 || got.Delivered < 2000 {
		t.Errorf("delivered %d, lost %d in %d gaps, the longest of %d", got.Delivered, got.Lost, got.Gaps, got.LongestGap)
	}
	if got.LongestSilent <= 0 {
		t.Errorf("the longest silence took %v", got.LongestSilent)
	}
}

// TestLostReplies: a request whose reply is lost is given up, and others go out in its place for the whole run. Source: docs/spec/cli.md §13.
func TestLostReplies(t *testing.T) {
	const msgs = 1000
	for _, inFlight := range []int{1, 3} {
		s := &saboteur{drop: 100}
		_, got := playOn(t, s.start(t, launch(t)), Options{
			Drain: 100 * time.Millisecond, Target: Target{Timeout: 10 * testutil.Patience}, Workloads: []Workload{{Kind: Request, Msgs: msgs, InFlight: inFlight}},
		})
		if dropped := s.dropped.Load(); dropped == 0 || got.Published != msgs || got.Lost != dropped || got.Delivered+got.Lost != msgs {
			t.Errorf("%d in flight: %d sent, %d replies came, %d are lost, in truth %d", inFlight, got.Published, got.Delivered, got.Lost, dropped)
		}
		if got.TimedOut == 0 {
			t.Errorf("%d in flight: none has timed out of %d that were lost", inFlight, got.Lost)
		}
	}
}

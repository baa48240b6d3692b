package monitor

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/natsd/natsd/internal/testutil"
	"github.com/natsd/natsd/pkg/broker"
)

// TestBudget: a budget is never exceeded but by what is larger than all of it, alone.
func TestBudget(t *testing.T) {
	b := budget{most: 10}
	for _, c := range []struct {
		take, give int
		want       bool
	}{
		{take: 6, want: true}, {take: 5}, {take: 4, want: true}, {take: 1}, {give: 6}, {take: 7}, {take: 6, want: true}, {give: 4}, {take: 11}, {give: 6},
		{take: 11, want: true}, {take: 1}, {give: 11}, {take: 10, want: true},
	} {
		if c.give > 0 {
			b.give(c.give)
		} else if got := b.take(c.take); got != c.want {
			t.Errorf("%+v with %d held: %v", c, b.held.Load(), got)
		}
	}
}

// pipes is a listener without buffers: what is not read is not written.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{} }

// ask asks for a path, and returns the connection with an answer of which no more than the header was looked at.
func (p *pipes) ask(t *testing.T, path string) (net.Conn, *http.Response) {
	t.Helper()
	client, server := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	p.conns <- server
	_ = client.SetDeadline(time.Now().Add(testutil.Patience))
	if _, err := client.Write([]byte("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReaderSize(client, 1<<10), nil)
	if err != nil {
		t.Fatal(err)
	}
	return client, response
}

// TestLargeAnswers: what waits for callers that do not read is bounded, whoever asks for a small answer gets it, and when they have
// gone large ones are there again. Source: docs/spec/monitoring.md §1.
func TestLargeAnswers(t *testing.T) {
	testutil.CheckLeaks(t)
	b, err := broker.New(broker.Options{Host: "127.0.0.1", Port: broker.RandomPort, MaxControlLine: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	listener := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	m, err := New(Options{Broker: b, Listener: listener})
	if err != nil {
		t.Fatal(err)
	}
	for _, start := range []func() error{b.Start, m.Start} {
		if err := start(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, stop := range []func(context.Context) error{b.Shutdown, m.Shutdown} {
			if err := stop(context.Background()); err != nil {
				t.Error(err)
			}
		}
	})
	c := testutil.Dial(t, b.ClientAddr().String())
	c.Send(`CONNECT {"verbose":false,"name":"` + strings.Repeat("x", 512<<10) + "\"}\r\nPING\r\n")
	c.Expect("PONG\r\n")
	const size = 512 << 10 // of the name, so that an answer is larger
	for _, c := range []struct {
		path   string
		before func() // every caller
		most   int64  // bytes
		want   int    // answers that are held at most
	}{
		{path: "/connz", before: func() {}, most: 4 * size, want: 3},
		{path: "/stacksz", before: m.stacks.forget, most: 1, want: 1}, // alone
	} {
		m.large.most = c.most
		var conns []net.Conn
		granted := 0
		for range 10 {
			c.before()
			conn, response := listener.ask(t, c.path)
			conns = append(conns, conn)
			switch {
			case response.StatusCode == http.StatusOK:
				granted++
			case response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "":
				t.Errorf("%s: %s with %v", c.path, response.Status, response.Header)
			}
		}
		if granted == 0 || granted > c.want {
			t.Errorf("%s: %d answers are held, want at most %d", c.path, granted, c.want)
		}
		for _, small := range []string{"/varz", "/healthz", "/subsz"} {
			if _, response := listener.ask(t, small); response.StatusCode != http.StatusOK {
				t.Errorf("%s: %s", small, response.Status)
			}
		}
		m.awaitRoom(t, conns...)
		conn, response := listener.ask(t, c.path)
		if response.StatusCode != http.StatusOK {
			t.Errorf("%s: %s with nobody else", c.path, response.Status)
		}
		m.awaitRoom(t, conn)
	}
}

// forget makes the last dump too old.
func (s *stacks) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.last = nil
}

// awaitRoom closes callers and waits until nothing large is held any more.
func (s *Server) awaitRoom(t *testing.T, callers ...net.Conn) {
	t.Helper()
	for _, c := range callers {
		_ = c.Close()
	}
	for end := time.Now().Add(testutil.Patience); s.large.held.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d bytes are still held", s.large.held.Load())
		}
	}
}

// sluggish is a caller that takes so long for each piece.
type sluggish struct {
	http.ResponseWriter
	pause time.Duration
	until time.Time
	taken int
}

func (s *sluggish) SetWriteDeadline(at time.Time) error {
	s.until = at
	return nil
}

func (s *sluggish) Write(p []byte) (int, error) {
	if at := time.Now().Add(s.pause); at.After(s.until) {
		time.Sleep(time.Until(s.until))
		return 0, os.ErrDeadlineExceeded
	}
	time.Sleep(s.pause)
	s.taken += len(p)
	return len(p), nil
}

// TestTotalDeadline: an answer is cut when its caller takes too long for all of it, though never too long for a piece.
// Source: docs/spec/monitoring.md §1.
func TestTotalDeadline(t *testing.T) {
	for _, c := range []struct {
		name  string
		size  int // pieces
		pause time.Duration
		took  time.Duration // until it is cut; 0: it is not
	}{
		{name: "small", size: 1, pause: 29 * time.Second},
		{name: "stopped", size: 1000, pause: time.Hour, took: 30 * time.Second},
		{name: "fast enough", size: 1000, pause: time.Second},
		{name: "too slow", size: 100, pause: 29 * time.Second, took: 130 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				caller := &sluggish{pause: c.pause}
				w := &steady{ResponseWriter: caller, control: http.NewResponseController(caller)}
				begin := time.Now()
				n, err := w.Write(make([]byte, c.size*writeChunk))
				switch took := time.Since(begin); {
				case n != caller.taken:
					t.Errorf("%d bytes written, %d taken", n, caller.taken)
				case c.took == 0 && (err != nil || n != c.size*writeChunk):
					t.Errorf("cut after %v and %d bytes: %v", took, n, err)
				case c.took != 0 && (!errors.Is(err, os.ErrDeadlineExceeded) || took != c.took):
					t.Errorf("after %v: %v, want it cut after %v", took, err, c.took)
				}
			})
		})
	}
}

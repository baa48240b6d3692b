package broker

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// reload reloads b with its options changed.
func reload(t *testing.T, b *Broker, o Options) {
	t.Helper()
	if err := b.Reload(o); err != nil {
		t.Fatal(err)
	}
}

// TestReloadLimits: changed limits count for clients that are connected. Spec: docs/spec/config.md C3.
func TestReloadLimits(t *testing.T) {
	o := Options{Host: "127.0.0.1", Port: RandomPort}
	b := launch(t, o)
	c := join(t, b, `{"verbose":false,"protocol":1}`)
	o.MaxPayload, o.ClientAdvertise = 10, "example.com:7777"
	reload(t, b, o)
	info := c.line()
	for _, want := range []string{`"max_payload":10`, `"host":"example.com"`, `"port":7777`} {
		if !bytes.Contains([]byte(info), []byte(want)) {
			t.Errorf("INFO after the reload lacks %s: %s", want, info)
		}
	}
	c.send("PUB a 11\r\n")
	if got, want := c.line(), "-ERR 'Maximum Payload Violation'"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestReloadMaxConnections: surplus clients are closed. Spec: docs/spec/config.md C3.
func TestReloadMaxConnections(t *testing.T) {
	log := &logRecord{}
	o := Options{Host: "127.0.0.1", Port: RandomPort, Logger: log.logger(zerolog.InfoLevel)}
	b := launch(t, o)
	var clients []*wireClient
	for range 5 {
		c := join(t, b, `{"verbose":false}`)
		clients = append(clients, c)
	}
	o.MaxConnections = 2
	reload(t, b, o)
	gone := 0
	for _, c := range clients {
		_ = c.trySend("PING\r\n") // to one that is closed it may fail
		switch got := c.line(); got {
		case "-ERR 'Maximum Connections Exceeded'":
			gone++
		case "PONG":
		default:
			t.Errorf("got %q", got)
		}
	}
	if gone != 3 {
		t.Errorf("%d clients were closed, want 3", gone)
	}
	if want := "Closed 3 connections to fall within max_connections"; log.count(want) != 1 {
		t.Errorf("log lacks %q: %s", want, log)
	}
}

// TestReloadRefused: what cannot change is named, and nothing changes. Spec: docs/spec/config.md C1, C4.
func TestReloadRefused(t *testing.T) {
	o := Options{Host: "127.0.0.1", Port: RandomPort}
	b := launch(t, o)
	o.MaxPayload, o.MaxPending, o.ServerName = 10, 20, "other"
	err := b.Reload(o)
	if !errors.Is(err, ErrNotReloadable) || err.Error() != "config reload not supported for server_name, max_pending; make a new broker" {
		t.Errorf("got %v", err)
	}
	if err := b.Reload(Options{Port: 1 << 20}); !errors.Is(err, ErrInvalidOptions) {
		t.Errorf("got %v", err)
	}
	c := join(t, b, `{"verbose":false}`)
	c.send("PUB a 11\r\n01234567890\r\nPING\r\n")
	if got := c.line(); got != "PONG" {
		t.Errorf("the refused max_payload counts: %q", got)
	}
}

// TestReloadRefusedLeavesAccounts: a refused reload changes neither the limits of an account nor what it maps and imports.
// Spec: docs/spec/config.md C1.
func TestReloadRefusedLeavesAccounts(t *testing.T) {
	o := Options{
		Host: "127.0.0.1", Port: RandomPort,
		Accounts: []Account{{Name: "A", Exports: []Export{{Subject: "s"}}}, {Name: "B", Imports: []Import{{Account: "A", Subject: "s"}}}},
		Auth:     &Auth{Users: []User{{Name: "a", Password: "p", Account: "A"}, {Name: "b", Password: "p", Account: "B"}}},
	}
	b := launch(t, o)
	refused := o
	refused.ServerName = "other"
	refused.Accounts = []Account{{Name: "A", Limits: AccountLimits{MaxSubscriptions: 1}, Mappings: []Mapping{{Source: "m", Destinations: []Destination{{Subject: "n", Weight: 100}}}}}, {Name: "B"}}
	if err := b.Reload(refused); !errors.Is(err, ErrNotReloadable) {
		t.Fatalf("got %v", err)
	}
	importer := join(t, b, `{"verbose":false,"user":"b","pass":"p"}`)
	importer.send("SUB s 1\r\n")
	importer.roundTrip()
	c := join(t, b, `{"verbose":false,"user":"a","pass":"p"}`)
	c.send("SUB m 1\r\nSUB n 2\r\nPUB m 1\r\nx\r\nPUB s 1\r\ny\r\n")
	c.expect("MSG m 1 1", "x")
	importer.expect("MSG s 1 1", "y")
}

// TestReloadPings: a shorter ping interval counts for clients that are connected. Spec: docs/spec/config.md C3.
func TestReloadPings(t *testing.T) {
	o := Options{Host: "127.0.0.1", Port: RandomPort, PingInterval: time.Minute}
	b := launch(t, o)
	c := join(t, b, `{"verbose":false}`)
	o.PingInterval = 10 * time.Millisecond
	reload(t, b, o)
	if got := c.line(); got != "PING" {
		t.Errorf("got %q, want PING", got)
	}
}

// TestReloadUnderLoad: a thousand reloads while clients publish lose nothing.
func TestReloadUnderLoad(t *testing.T) {
	const reloads, publishers, messages = 1000, 4, 20_000
	o := Options{Host: "127.0.0.1", Port: RandomPort}
	b := launch(t, o)
	subscriber := join(t, b, `{"verbose":false}`)
	subscriber.send("SUB > 1\r\nPING\r\n")
	if got := subscriber.line(); got != "PONG" {
		t.Fatal(got)
	}
	var work sync.WaitGroup
	for p := range publishers {
		c := join(t, b, `{"verbose":false}`)
		work.Add(1)
		go func() {
			defer work.Done()
			var out bytes.Buffer
			for i := range messages {
				fmt.Fprintf(&out, "PUB p.%d 8\r\n%08d\r\n", p, i)
				if out.Len() > 4<<10 || i == messages-1 {
					if err := c.trySend(out.String()); err != nil {
						t.Error(err)
						return
					}
					out.Reset()
				}
			}
		}()
	}
	work.Add(1)
	go func() {
		defer work.Done()
		for i := range reloads {
			next := o
			next.MaxPayload = int64(1000 + i%7)
			next.MaxControlLine = 4096 + i%5
			next.PingInterval = time.Minute + time.Duration(i%3)*time.Second
			if i%2 == 0 {
				next.Logger = (&logRecord{}).logger(zerolog.InfoLevel)
			}
			if err := b.Reload(next); err != nil {
				t.Error(err)
			}
		}
	}()
	var seen [publishers]int
	for range publishers * messages {
		var p, sid, size int
		head := subscriber.line()
		if _, err := fmt.Sscanf(head, "MSG p.%d %d %d", &p, &sid, &size); err != nil {
			t.Fatalf("%q: %v", head, err)
		}
		if got, want := subscriber.line(), fmt.Sprintf("%08d", seen[p]); got != want {
			t.Fatalf("publisher %d: got %s, want %s", p, got, want)
		}
		seen[p]++
	}
	work.Wait()
}

// TestListenerHost: an address is shown as it is, a name as the configuration has it.
func TestListenerHost(t *testing.T) {
	one, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	all, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = one.Close(), all.Close() })
	for _, c := range []struct {
		listener   net.Listener
		host, want string
	}{
		{nil, "127.0.0.2", "127.0.0.2"},
		{one, "127.0.0.2", "127.0.0.1"},
		{one, "0.0.0.0", "127.0.0.1"},
		{one, "", "127.0.0.1"},
		{one, "node1.example.com", "node1.example.com"},
		{all, "0.0.0.0", "0.0.0.0"},
		{all, "::", "::"},
		{all, "", ""},
	} {
		if got := ListenerHost(c.listener, c.host); got != c.want {
			t.Errorf("%v for %q: %q, want %q", c.listener, c.host, got, c.want)
		}
	}
}

// TestListenerIsShown: INFO shows where a listener that was given listens, also after a reload.
func TestListenerIsShown(t *testing.T) {
	checkLeaks(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Host: "127.0.0.2", Port: 1, Listener: l}
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { halt(t, b) })
	shows := func(p *wireClient) {
		t.Helper()
		if want := fmt.Sprintf(`"host":"127.0.0.1","port":%d`, l.Addr().(*net.TCPAddr).Port); !strings.Contains(p.info, want) {
			t.Errorf("INFO is %s, want %s in it", p.info, want)
		}
	}
	shows(dialRaw(t, b))
	o.Listener, o.MaxPayload = nil, 1000
	reload(t, b, o)
	shows(dialRaw(t, b))
	if b.Options().Listener != l {
		t.Error("a reload forgets the listener")
	}
}

package broker

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

// evacuation runs LameDuck in the background and returns the channel with its result.
func evacuation(ctx context.Context, b *Broker) <-chan error {
	result := make(chan error, 1)
	go func() { result <- b.LameDuck(ctx) }()
	return result
}

func awaitResult(t *testing.T, result <-chan error) error {
	t.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(patience):
		t.Fatal("LameDuck does not return")
		return nil
	}
}

// lameDuckInfo reads an INFO and fails unless it announces lame duck mode and repeats all the rest.
func (p *wireClient) lameDuckInfo() {
	p.t.Helper()
	line := p.line()
	for _, field := range []string{"INFO {", `"ldm":true`, `"headers":true`, `"max_payload":`, `"client_id":`} {
		if !strings.Contains(line, field) {
			p.t.Fatalf("%q lacks %s", line, field)
		}
	}
}

func TestLameDuckAnnouncement(t *testing.T) {
	b := launch(t, Options{LameDuckDuration: 2 * time.Hour, LameDuckGracePeriod: time.Hour})
	silent := dialRaw(t, b)
	old := joinQuiet(t, b)
	modern := join(t, b, `{"verbose":false,"protocol":1}`)
	early := dialRaw(t, b)
	early.send(`CONNECT {"verbose":false,"protocol":1}` + "\r\nSUB foo 1\r\nPUB foo 2\r\nok\r\n")
	early.expect("MSG foo 1 2", "ok")
	result := evacuation(context.Background(), b)
	modern.lameDuckInfo()
	modern.roundTrip() // it is served as before
	old.roundTrip()    // and this one was told nothing
	early.roundTrip()  // the PONG comes first
	early.lameDuckInfo()
	silent.roundTrip()
	if err := b.LameDuck(context.Background()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("second LameDuck: %v, want ErrNotRunning", err)
	}
	halt(t, b) // cuts it short
	if err := awaitResult(t, result); err != nil {
		t.Errorf("LameDuck that Shutdown cut short: %v, want nil", err)
	}
	for _, p := range []*wireClient{silent, old, modern, early} {
		p.expectEnd()
	}
}

func TestLameDuckRefusesNewConnections(t *testing.T) {
	b := launch(t, Options{LameDuckDuration: 2 * time.Hour, LameDuckGracePeriod: time.Hour})
	address := b.ClientAddr().String()
	p := join(t, b, `{"verbose":false,"protocol":1}`)
	ctx, cancel := context.WithCancel(context.Background())
	result := evacuation(ctx, b)
	p.lameDuckInfo()
	if nc, err := net.Dial("tcp", address); err == nil {
		_ = nc.Close()
		t.Error("a new connection was accepted")
	}
	if _, err := b.InProcessConn(); !errors.Is(err, ErrNotRunning) {
		t.Errorf("InProcessConn: %v, want ErrNotRunning", err)
	}
	cancel()
	if err := awaitResult(t, result); !errors.Is(err, context.Canceled) {
		t.Errorf("LameDuck whose context ends: %v, want context.Canceled", err)
	}
	p.roundTrip() // the broker runs on
}

// TestLameDuckClosesOneByOne: when the first client is closed, the others are still served.
func TestLameDuckClosesOneByOne(t *testing.T) {
	const clients = 30
	b := launch(t, Options{LameDuckDuration: time.Hour, LameDuckGracePeriod: time.Millisecond})
	for range clients {
		joinQuiet(t, b)
	}
	result := evacuation(context.Background(), b)
	await(t, "the first client is closed", func() bool { return b.Stats().Connections < clients })
	if n := b.Stats().Connections; n < clients/2 {
		t.Errorf("%d connections are left right after the first was closed, of %d", n, clients)
	}
	halt(t, b)
	if err := awaitResult(t, result); err != nil {
		t.Errorf("LameDuck: %v, want nil", err)
	}
}

// TestLameDuckToTheEnd: every client is closed, with everything that was queued for it, and then the broker has stopped.
func TestLameDuckToTheEnd(t *testing.T) {
	b := launch(t, Options{LameDuckDuration: 100 * time.Millisecond, LameDuckGracePeriod: 20 * time.Millisecond})
	var all []*wireClient
	for range 5 {
		all = append(all, joinQuiet(t, b))
	}
	result := evacuation(context.Background(), b)
	for _, p := range all {
		p.expectEnd()
	}
	if err := awaitResult(t, result); err != nil {
		t.Errorf("LameDuck: %v, want nil", err)
	}
	awaitClosed(t, "Done", b.Done())
}

func TestLameDuckWithoutClients(t *testing.T) {
	b := launch(t, Options{LameDuckDuration: 2 * time.Hour, LameDuckGracePeriod: time.Hour})
	if err := awaitResult(t, evacuation(context.Background(), b)); err != nil {
		t.Errorf("LameDuck: %v, want nil", err)
	}
	awaitClosed(t, "Done", b.Done())
}

// TestShutdownFlushes: a client that reads slowly gets everything that was queued when Shutdown began.
func TestShutdownFlushes(t *testing.T) {
	const messages, size = 300, 64 << 10
	for _, busy := range []bool{false, true} {
		name := "idle client"
		if busy {
			name = "client with input unread"
		}
		t.Run(name, func(t *testing.T) {
			b := launch(t, Options{})
			p := joinQuiet(t, b)
			_ = p.SetReadBuffer(16 << 10)
			p.send("SUB foo 1\r\n")
			p.roundTrip()
			publisher := joinQuiet(t, b)
			for range messages {
				publisher.send(pub("foo", size))
			}
			publisher.roundTrip()
			stopped := make(chan struct{})
			stop := make(chan struct{})
			go func() {
				defer close(stopped)
				for busy && p.trySend(pub("bar", 20_000)) == nil {
					select {
					case <-stop:
						return
					default:
					}
				}
			}()
			result := make(chan error, 1)
			go func() { result <- b.Shutdown(context.Background()) }()
			publisher.expectEnd() // it has begun
			err := p.readMessages(messages, func(i int) {
				if i%50 == 0 {
					<-time.After(2 * time.Millisecond)
				}
			})
			if err != nil {
				t.Error(err)
			}
			close(stop)
			_ = p.Close()
			<-stopped
			if err := <-result; err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		})
	}
}

// TestShutdownOutOfTime: when its context ends, Shutdown cuts the connections and returns; Done is closed later.
func TestShutdownOutOfTime(t *testing.T) {
	b := launch(t, Options{})
	stuck, publisher := joinQuiet(t, b), joinQuiet(t, b)
	stuck.send("SUB foo 1\r\n")
	stuck.roundTrip()
	c := stuck.serverSide(b)
	await(t, "the socket is full", func() bool {
		publisher.send(pub("foo", 512<<10))
		publisher.roundTrip()
		c.out.mu.Lock()
		defer c.out.mu.Unlock()
		return c.out.mu.pending > 1<<20
	})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown whose context has ended: %v, want context.Canceled", err)
	}
	awaitClosed(t, "Done", b.Done())
	if n := b.Stats().Connections; n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

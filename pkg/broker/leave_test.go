package broker

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestLeavingIsLinear: a client that leaves with twice as many subscriptions on one subject takes twice the copying, and not four
// times: the index is locked meanwhile. So does a reload that takes them away or moves them to another account, a client that
// ends them one after the other, and a message that is the last one for all of them.
func TestLeavingIsLinear(t *testing.T) {
	leave := func(_ *bench, c *conn) { c.b.tell(c.leave) }
	become := func(id func(*authority) *identity) func(*bench, *conn) {
		return func(x *bench, c *conn) {
			x.b.tell(func(w *worker) { _, _ = c.become(w, id(x.b.live.Load().authority), nil) })
		}
	}
	unsubscribe := func(x *bench, c *conn) {
		var lines strings.Builder
		for i := range x.b.live.Load().authority.global.index.Count() {
			fmt.Fprintf(&lines, "UNSUB %d\r\n", i)
		}
		c.feed([]byte(lines.String()))
	}
	spend := func(_ *bench, c *conn) { c.feed([]byte("PUB a 0\r\n\r\n")) }
	for name, test := range map[string]struct {
		sub  string
		goes func(*bench, *conn)
	}{
		"one by one":  {"SUB a %d\r\n", unsubscribe},
		"one by one*": {"SUB a.* %d\r\n", unsubscribe},
		"spent":       {"SUB a %[1]d\r\nUNSUB %[1]d 1\r\n", spend},
		"plain":       {"SUB a %d\r\n", leave},
		"wildcard":    {"SUB a.* %d\r\n", leave},
		"group":       {"SUB a q %d\r\n", leave},
		"other user":  {"SUB a %d\r\n", become(func(a *authority) *identity { return a.users["nothing"] })},
		"moved":       {"SUB a %d\r\n", become(func(a *authority) *identity { return a.users["elsewhere"] })},
	} {
		t.Run(name, func(t *testing.T) {
			copied := func(n int) uint64 {
				x := newBench(t, Options{
					Accounts: []Account{{Name: "E"}},
					Auth: &Auth{NoAuthUser: "all", Users: []User{
						{Name: "all"}, {Name: "elsewhere", Account: "E"}, {Name: "nothing", Permissions: &Permissions{}},
					}},
				})
				c := x.connect("CONNECT " + plainConnect + "\r\n")
				for from := 0; from < n; from += 512 {
					var lines strings.Builder
					for i := range 512 {
						fmt.Fprintf(&lines, test.sub, from+i)
					}
					c.feed([]byte(lines.String()))
				}
				index := x.b.live.Load().authority.global.index
				if index.Count() != n {
					t.Fatalf("%d subscriptions, want %d", index.Count(), n)
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				test.goes(x, c)
				x.b.tasks.Wait() // for departures
				runtime.ReadMemStats(&after)
				if index.Count() != 0 {
					t.Fatalf("%d subscriptions are left", index.Count())
				}
				return after.TotalAlloc - before.TotalAlloc
			}
			for _, n := range []int{512, 4096} {
				// The pool of workers forgets some, and a new one has 128 KiB, so the least of a few tries counts.
				once, twice := copied(n), copied(2*n)
				for try := 0; twice > 3*once && try < 10; try++ {
					once, twice = min(once, copied(n)), min(twice, copied(2*n))
				}
				if twice > 3*once {
					t.Errorf("%d subscriptions take %d bytes, %d take %d", n, once, 2*n, twice)
				}
			}
		})
	}
}

// TestShutdownDoesNotWaitForLeaving: Shutdown returns when its context ends, however long it takes to get the clients out of their
// accounts, which nobody needs then.
func TestShutdownDoesNotWaitForLeaving(t *testing.T) {
	b := launch(t, Options{})
	p := joinQuiet(t, b)
	c := p.serverSide(b)
	c.subs.mu.Lock() // as whoever leaves has it
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	ended := make(chan error, 1)
	go func() { ended <- b.Shutdown(ctx) }()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Shutdown: %v, want context.Canceled", err)
		}
		c.subs.mu.Unlock()
	case <-time.After(patience):
		t.Error("Shutdown waits though its context has ended")
		c.subs.mu.Unlock()
		<-ended
	}
	p.expectEnd()
	awaitClosed(t, "the rest has ended", b.Done())
}

package bench

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil"
)

// TestServerGoesAway: a run whose server goes away for good ends all the same, and tells what was lost. Source: docs/spec/cli.md §13.
func TestServerGoesAway(t *testing.T) {
	const half = 500 * time.Millisecond
	for _, c := range []struct {
		name    string
		refuses bool
		w       Workload
		o       Options
	}{
		{"by the clock", false, Workload{Kind: PubSub, Rate: 2000, Pubs: 2}, Options{Duration: half}},
		{"by the clock, refused", true, Workload{Kind: PubSub, Rate: 2000, Pubs: 2}, Options{Duration: half}},
		{"by the clock, in bulk", false, Workload{Kind: PubSub, Pubs: 2}, Options{Duration: half}},
		{"number of messages", false, Workload{Kind: PubSub, Rate: 2000, Msgs: 10_000}, Options{Target: Target{Timeout: half}}},
		{"number of messages, refused", true, Workload{Kind: PubSub, Rate: 2000, Msgs: 10_000}, Options{Target: Target{Timeout: half}}},
		{"requests", false, Workload{Kind: Request, Rate: 2000}, Options{Duration: half}},
		{"requests, as fast as it goes", true, Workload{Kind: Request}, Options{Duration: half}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &saboteur{down: 40, refuses: c.refuses}
			c.o.Drain, c.o.Workloads = 200*time.Millisecond, []Workload{c.w}
			got := endure(t, s.start(t, launch(t)), c.o)
			if got.Disconnects == 0 || got.Lost == 0 || got.Delivered+got.Lost != got.Expected {
				t.Errorf("%d disconnects, delivered %d, lost %d, expected %d", got.Disconnects, got.Delivered, got.Lost, got.Expected)
			}
			if said := strings.Contains(strings.Join(got.Failures, "\n"), "go away"); said != c.refuses {
				t.Errorf("failures %q", got.Failures)
			}
			// The schedule goes on whatever becomes of the server: what it has is sent, or told.
			if due := int64(2000 * half / time.Second); c.w.Rate > 0 && c.w.Msgs == 0 && (got.Published+got.Unsent < due-2 || got.Published+got.Unsent > due+2) {
				t.Errorf("published %d, %d could not be sent; %d were due", got.Published, got.Unsent, due)
			} else if c.w.Msgs > 0 && got.Published+got.Unsent != c.w.Msgs {
				t.Errorf("published %d, %d could not be sent, of %d", got.Published, got.Unsent, c.w.Msgs)
			}
		})
	}
}

// TestServerStopsReading: a run ends although a write hangs, and tells why. Source: docs/spec/cli.md §13.
func TestServerStopsReading(t *testing.T) {
	const most = 1 << 20 // bytes: a few messages fill what the system holds
	for _, o := range []Options{
		{Duration: 300 * time.Millisecond, Workloads: []Workload{{Kind: Pub, Size: FixedSize(most)}}},
		{Target: Target{Timeout: 300 * time.Millisecond}, Workloads: []Workload{{Kind: Pub, Size: FixedSize(most), Msgs: 1e6}}},
	} {
		o.Drain = 200 * time.Millisecond
		got := endure(t, mute(t, func(*bufio.Scanner) {}), o)
		if len(got.Failures) != 1 || !strings.Contains(got.Failures[0], "takes nothing any more") {
			t.Errorf("failures %q", got.Failures)
		}
	}
}

// TestServerConfirmsNothing: a run is a failure if the server takes all and does not say that it has it. Source: docs/spec/cli.md §13.
func TestServerConfirmsNothing(t *testing.T) {
	got := endure(t, mute(t, func(in *bufio.Scanner) {
		for in.Scan() {
		}
	}), Options{Drain: 200 * time.Millisecond, Workloads: []Workload{{Kind: Pub, Rate: 1000, Msgs: 100}}})
	if len(got.Failures) != 1 || !strings.Contains(got.Failures[0], "no PONG") || got.Published != 100 {
		t.Errorf("published %d, failures %q", got.Published, got.Failures)
	}
}

// TestConfirmedAfterReconnect: a run is none the worse if the connection breaks while the server confirms, and comes back.
func TestConfirmedAfterReconnect(t *testing.T) {
	testutil.CheckLeaks(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for pongs := 1; ; pongs = 2 { // of the first connection only one, after CONNECT
			client, err := listener.Accept()
			if err != nil {
				return
			}
			left := pongs
			conns.Go(func() {
				defer func() { _ = client.Close() }()
				_, _ = io.WriteString(client, "INFO {}\r\n")
				for in := bufio.NewScanner(client); in.Scan(); {
					if in.Text() != "PING" {
						continue
					}
					if left--; left < 0 {
						return
					}
					_, _ = io.WriteString(client, "PONG\r\n")
				}
			})
		}
	})
	t.Cleanup(conns.Wait)
	t.Cleanup(func() { _ = listener.Close() })
	_, got := playOn(t, "nats://"+listener.Addr().String(), Options{Drain: 200 * time.Millisecond, Workloads: []Workload{{Kind: Pub, Rate: 1000, Msgs: 100}}})
	if got.Disconnects != 1 || got.Published != 100 {
		t.Errorf("%d disconnects, published %d", got.Disconnects, got.Published)
	}
}

// mute returns the URL of a server that greets, and does nothing after that but what then does with what comes.
func mute(t *testing.T, then func(*bufio.Scanner)) string {
	t.Helper()
	testutil.CheckLeaks(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = client.Close() })
		_, _ = io.WriteString(client, "INFO {}\r\n")
		in := bufio.NewScanner(client)
		for in.Scan() && in.Text() != "PING" {
		}
		_, _ = io.WriteString(client, "PONG\r\n")
		then(in)
	}()
	return "nats://" + listener.Addr().String()
}

// TestServerEnded: a run ends when it is told that its server has, and reports what came until then.
func TestServerEnded(t *testing.T) {
	ended := make(chan struct{})
	told := false
	report, err := Run(t.Context(), Options{
		Target: Target{URLs: []string{launch(t)}, Ended: ended}, Workloads: []Workload{{Kind: PubSub, Rate: 2000}}, Duration: testutil.Patience,
		Progress: func(p Progress) {
			if p.Delivered > 100 && !told {
				told = true
				close(ended)
			}
		},
	})
	if !errors.Is(err, errServerEnded) || report == nil || report.Results[0].Delivered <= 100 {
		t.Errorf("%v, %+v", err, report)
	}
}

// TestSubscribersGiveUp: a run that only listens ends when no server lets its subscribers in again. Source: docs/spec/cli.md §13.
func TestSubscribersGiveUp(t *testing.T) {
	s := &saboteur{refuses: true}
	var down sync.Once
	got := endure(t, s.start(t, launch(t)), Options{
		Workloads: []Workload{{Kind: Sub, Subs: 2, Msgs: 10}},
		Progress: func(p Progress) {
			if p.Phase == PhaseMeasure {
				down.Do(s.goDown)
			}
		},
	})
	if got.Disconnects != 2 || !strings.Contains(strings.Join(got.Failures, "\n"), "go away") {
		t.Errorf("%d disconnects, failures %q", got.Disconnects, got.Failures)
	}
}

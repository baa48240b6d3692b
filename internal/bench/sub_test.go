package bench

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil"
)

// hear runs subscribers who wait for msgs messages, and calls publish once, when nothing has come for the time silence.
func hear(t *testing.T, w Workload, silence time.Duration, publish func(send func(payload string))) (got *Result, took time.Duration) {
	t.Helper()
	url := launch(t)
	w.Kind, w.Subject = Sub, "day"
	begun := false
	_, got = playOn(t, url, Options{Workloads: []Workload{w}, Progress: func(p Progress) {
		took = p.Elapsed
		if begun || p.Phase != PhaseMeasure || p.Elapsed <= silence {
			return
		}
		begun = true
		c := testutil.Dial(t, strings.TrimPrefix(url, "nats://"))
		c.Send("CONNECT {}\r\n")
		publish(func(payload string) { c.Send(fmt.Sprintf("PUB day %d\r\n%s\r\n", len(payload), payload)) })
		c.Send("PING\r\n")
		c.Expect("+OK\r\n")
	}})
	return got, took
}

// numbered is a payload with a stamp.
func numbered(number uint64) string {
	payload := make([]byte, stampSize)
	stamp{publisher: 1, number: number, at: time.Now().UnixNano()}.put(payload)
	return string(payload)
}

// TestSubNumbers: those who only listen count from the first message of a publisher on: what it has sent before is not lost, however
// much it was. Source: docs/spec/cli.md §13.
func TestSubNumbers(t *testing.T) {
	const far = 10 * maxMissing
	for _, first := range []uint64{0, 1000, pageBits - 3, 1 << 25, 1<<48 - 100} {
		got, _ := hear(t, Workload{Msgs: 50, Subs: 2}, 0, func(send func(string)) {
			for n := range uint64(60) {
				switch {
				case n >= 20 && n < 30: // lost
				case n == 40: // swapped with the next
					send(numbered(first + n + 1))
					send(numbered(first + n))
				case n == 41:
				default:
					send(numbered(first + n))
				}
				if n == 30 && first > far {
					send(numbered(first - far)) // nobody believes that
				}
			}
		})
		foreign := int64(0)
		if first > far {
			foreign = 2
		}
		if got.Delivered != 100 || got.Lost != 20 || got.Gaps != 2 || got.LongestGap != 10 || got.Duplicates != 0 || got.Reordered != 2 || got.Foreign != foreign {
			t.Errorf("from %d on: %+v", first, got)
		}
	}
}

// TestSubEarlier: what overtakes the first message of a publisher that a queue group sees makes no loss of those that follow.
func TestSubEarlier(t *testing.T) {
	got, _ := hear(t, Workload{Msgs: 4}, 0, func(send func(string)) {
		for _, n := range []uint64{1<<25 + 2, 1<<25 + 3, 1<<25 - 1, 1<<25 + 1} {
			send(numbered(n))
		}
	})
	if got.Delivered != 4 || got.Lost != 1 || got.Foreign != 0 {
		t.Errorf("%+v", got)
	}
}

// TestSubBare: messages too short for a number are counted, and nothing else is said of them. Source: docs/spec/cli.md §13.
func TestSubBare(t *testing.T) {
	got, _ := hear(t, Workload{Msgs: 50}, 0, func(send func(string)) {
		for range 50 {
			send("four")
		}
	})
	if got.Delivered != 50 || got.Lost != 0 || got.Duplicates != 0 || got.Unnumbered != 50 {
		t.Errorf("%+v", got)
	}
}

// TestSubMeasuresFromFirst: the time before the first message does not count for the rate. Source: docs/spec/cli.md §13.
func TestSubMeasuresFromFirst(t *testing.T) {
	const silence = time.Second
	got, took := hear(t, Workload{Msgs: 50}, silence, func(send func(string)) {
		for n := range uint64(50) {
			send(numbered(n))
		}
	})
	if got.Delivered != 50 || got.Measured <= 0 || got.Measured > took-silence || got.DeliverRate < 50/got.Measured.Seconds() {
		t.Errorf("%.0f messages a second in %v of %v: %+v", got.DeliverRate, got.Measured, took, got)
	}
}

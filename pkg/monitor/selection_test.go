package monitor

import (
	"cmp"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/natsd/natsd/pkg/broker"
)

// TestSelection: a selection finds the same page as sorting everything does.
func TestSelection(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		n := random.IntN(6000)
		all := make([]broker.ConnState, n)
		for i, at := range random.Perm(n) {
			all[i] = broker.ConnState{ID: uint64(at), Pending: random.Int64N(50), Reason: string(rune('a' + random.IntN(3)))}
		}
		name := []string{"pending", "reason", "cid"}[random.IntN(3)]
		q := &connQuery{page: page{random.IntN(n + 10), 1 + random.IntN(3000)}, order: orders(time.Now())[name]}
		s := selection{q: q}
		if random.IntN(2) == 0 {
			s.expect(n)
		}
		for i := range all {
			s.offer(&all[i])
		}
		got, total := s.page()
		slices.SortFunc(all, func(a, b broker.ConnState) int {
			switch name {
			case "pending":
				return cmp.Or(cmp.Compare(b.Pending, a.Pending), cmp.Compare(a.ID, b.ID))
			case "reason":
				return cmp.Or(cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.ID, b.ID))
			}
			return cmp.Compare(a.ID, b.ID)
		})
		want := part(all, q.page)
		if total != n || !slices.EqualFunc(got, want, func(a, b broker.ConnState) bool { return a.ID == b.ID }) {
			t.Fatalf("%d connections by %s, page %+v: %d and %d ids, want %d", n, name, q.page, total, len(got), len(want))
		}
	}
}

// TestHugePages: a page that ends beyond all numbers costs no more than sorting once, and is the right one.
func TestHugePages(t *testing.T) {
	all := make([]broker.ConnState, 5000)
	for i, at := range rand.New(rand.NewPCG(1, 2)).Perm(len(all)) {
		all[i] = broker.ConnState{ID: uint64(at), Pending: int64(at % 50)}
	}
	want := slices.Clone(all)
	slices.SortFunc(want, func(a, b broker.ConnState) int {
		return cmp.Or(cmp.Compare(b.Pending, a.Pending), cmp.Compare(a.ID, b.ID))
	})
	const half = math.MaxInt/2 + 1
	for _, p := range []page{
		{0, half}, {0, half - 1}, {10, half}, {0, math.MaxInt}, {10, math.MaxInt}, {math.MaxInt, 1}, {math.MaxInt, math.MaxInt}, {half, half},
	} {
		var got []broker.ConnState
		q := &connQuery{page: p, order: orders(time.Now())["pending"]}
		copies := testing.AllocsPerRun(1, func() { // each time it is sorted, what is kept is copied
			s := selection{q: q}
			s.expect(len(all))
			for i := range all {
				s.offer(&all[i])
			}
			got, _ = s.page()
		})
		if copies > 10 {
			t.Errorf("page %+v: %.0f allocations", p, copies)
		}
		if !slices.EqualFunc(got, part(want, p), func(a, b broker.ConnState) bool { return a.ID == b.ID }) {
			t.Errorf("page %+v: %d connections, want %d", p, len(got), len(part(want, p)))
		}
	}
}

// TestSortTimes: what is shown is what was sorted by, of connections that have closed too: their times stand still.
// Source: docs/spec/monitoring.md §5.1, §5.2.
func TestSortTimes(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ago := func(seconds int) time.Time { return now.Add(-time.Duration(seconds) * time.Second) }
	open := []broker.ConnState{ // uptime and idle: 50 and 7, 20 and 20
		{ID: 1, Start: ago(50), LastActivity: ago(7)}, {ID: 2, Start: ago(20), LastActivity: ago(20)},
	}
	closed := []broker.ConnState{ // 10 and 1, 100 and 90, 30 and 10
		{ID: 3, Start: ago(1000), LastActivity: ago(991), Stop: ago(990)}, {ID: 4, Start: ago(200), LastActivity: ago(190), Stop: ago(100)},
		{ID: 5, Start: ago(40), LastActivity: ago(20), Stop: ago(10)},
	}
	for _, c := range []struct {
		query  string
		offers []broker.ConnState
		want   []uint64
		shown  func(i *ConnInfo) string
		texts  []string
	}{
		{"sort=uptime", open, []uint64{2, 1}, (*ConnInfo).uptime, []string{"20s", "50s"}},
		{"sort=idle", open, []uint64{2, 1}, (*ConnInfo).idle, []string{"20s", "7s"}},
		{"sort=uptime&state=closed", closed, []uint64{3, 5, 4}, (*ConnInfo).uptime, []string{"10s", "30s", "1m40s"}},
		{"sort=idle&state=closed", closed, []uint64{4, 5, 3}, (*ConnInfo).idle, []string{"1m30s", "10s", "1s"}},
		{"sort=uptime&state=all", append(open, closed...), []uint64{3, 2, 5, 1, 4}, (*ConnInfo).uptime, []string{"10s", "20s", "30s", "50s", "1m40s"}},
		{"sort=idle&state=all", append(open, closed...), []uint64{4, 2, 5, 1, 3}, (*ConnInfo).idle, []string{"1m30s", "20s", "10s", "7s", "1s"}},
	} {
		values, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		q, err := newConnQuery(values, now)
		if err != nil {
			t.Fatal(err)
		}
		s := selection{q: q}
		for i := range c.offers {
			s.offer(&c.offers[i])
		}
		list, _ := s.page()
		var ids []uint64
		var texts []string
		for i := range list {
			info := connInfo(&list[i], q)
			ids, texts = append(ids, info.Cid), append(texts, c.shown(&info))
		}
		if !slices.Equal(ids, c.want) || !slices.Equal(texts, c.texts) {
			t.Errorf("%s: %v with %v, want %v with %v", c.query, ids, texts, c.want, c.texts)
		}
	}
}

func (i *ConnInfo) uptime() string { return i.Uptime }
func (i *ConnInfo) idle() string   { return i.Idle }

// leaving is the context of a caller that has gone. It counts how often it is asked.
type leaving struct {
	context.Context
	asked int
}

func (l *leaving) Err() error {
	l.asked++
	return context.Canceled
}

// TestAbandoned: connections are not gone through for a caller that has gone.
func TestAbandoned(t *testing.T) {
	b, err := broker.New(broker.Options{DontListen: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for range 20 {
		c, err := b.InProcessConn()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	m, err := New(Options{Broker: b})
	if err != nil {
		t.Fatal(err)
	}
	m.patience = 10
	ctx := &leaving{Context: t.Context()}
	if _, err := m.connz(ctx, url.Values{"sort": {"subs"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if ctx.asked != 1 { // after the first ten connections
		t.Errorf("it was asked %d times", ctx.asked)
	}
}

// TestUptimeText are the examples of docs/spec/monitoring.md §2.
func TestUptimeText(t *testing.T) {
	const minute, hour, day, year = 60, 3600, 86400, 365 * 86400
	for seconds, want := range map[int64]string{
		0: "0s", -5: "0s", 22: "22s", 4*minute + 22: "4m22s", 4*hour + 4*minute + 22: "4h4m22s", hour + 5: "1h0m5s",
		32*day + 4*hour + 4*minute + 22: "32d4h4m22s", 22*year + 32*day + 4*hour + 4*minute + 22: "22y32d4h4m22s", year: "1y0d0h0m0s",
	} {
		if got := uptimeText(time.Duration(seconds) * time.Second); got != want {
			t.Errorf("%d s: %s, want %s", seconds, got, want)
		}
	}
}

package monitor

import (
	"cmp"
	"math/rand/v2"
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
		q := &connQuery{page: page{random.IntN(n + 10), 1 + random.IntN(3000)}, order: orders()[name]}
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

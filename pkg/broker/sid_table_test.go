package broker

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

// TestSIDTable compares a table with a map through random additions and removals, growing and shrinking.
func TestSIDTable(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	table, want := newSIDTable(minSIDSlots), map[string]*subscription{}
	for step := range 60_000 {
		sid := strconv.Itoa(random.IntN(3000))
		rising := step/10_000%2 == 0
		if s := want[sid]; s != nil && random.IntN(4) != 0 != rising {
			if !table.remove(s) || table.remove(s) {
				t.Fatalf("step %d: sid %s cannot be removed once", step, sid)
			}
			delete(want, sid)
		} else if s == nil && rising {
			s = newSubscription(nil, "", sid)
			table.add(s)
			want[sid] = s
		}
		if table.find([]byte(sid)) != want[sid] || table.count != len(want) {
			t.Fatalf("step %d: sid %s: found %v, want %v; %d of %d", step, sid, table.find([]byte(sid)), want[sid], table.count, len(want))
		}
	}
	for _, s := range want {
		if table.find([]byte(s.sid)) != s {
			t.Errorf("sid %s is missing", s.sid)
		}
	}
	all := table.appendTo(nil)
	if len(all) != len(want) {
		t.Errorf("%d of %d are listed", len(all), len(want))
	}
	for _, s := range all {
		if !table.remove(s) {
			t.Errorf("sid %s is missing", s.sid)
		}
	}
	if len(table.slots) > minSIDSlots {
		t.Errorf("an empty table keeps %d slots", len(table.slots))
	}
}

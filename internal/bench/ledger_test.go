package bench

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestLedger compares a ledger with a plain list on random rows of losses, doubles and late messages. Every third begins with a number
// other than 0, as that of somebody who joins late does.
func TestLedger(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		sent := random.IntN(3*pageBits) + 1
		times := make([]int, sent)
		var order []int
		for n := 0; n < sent; {
			kind, length := random.IntN(4), 1+random.IntN(1<<random.IntN(13))
			for ; length > 0 && n < sent; length, n = length-1, n+1 {
				switch {
				case kind == 0: // lost
				case kind == 1 && random.IntN(3) == 0:
					times[n] = 2
					order = append(order, n, n)
				default:
					times[n] = 1
					order = append(order, n)
				}
			}
		}
		if seed%2 == 0 {
			random.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
		}
		var l ledger
		base := uint64(0)
		if seed%3 == 0 && len(order) > 0 {
			base = random.Uint64N(1<<47) + earlierPages*pageBits
			l.beginAt(base + uint64(order[0]))
			times = times[slices.Min(order):] // what was sent before is not known
		}
		for _, n := range order {
			l.add(base + uint64(n))
		}
		var want losses
		distinct, doubled, row := 0, 0, int64(0)
		for _, n := range times {
			if n > 0 {
				distinct++
				doubled += n - 1
				row = 0
				continue
			}
			if row++; row == 1 {
				want.gaps++
			}
			want.messages++
			want.longest = max(want.longest, row)
		}
		if got := l.missing(base + uint64(sent)); got != want || l.distinct != int64(distinct) || l.doubled != int64(doubled) {
			t.Fatalf("seed %d: %+v, %d distinct, %d doubled; want %+v, %d, %d", seed, got, l.distinct, l.doubled, want, distinct, doubled)
		}
	}
}

// TestLedgerForgetsWhatIsComplete: messages that all come take next to no memory.
func TestLedgerForgetsWhatIsComplete(t *testing.T) {
	var l ledger
	for n := range uint64(100 * pageBits) {
		l.add(n)
	}
	for i, p := range l.pages {
		if p != full {
			t.Fatalf("page %d of %d is kept", i, len(l.pages))
		}
	}
	if l.add(5) {
		t.Error("a number of a complete page counts as new")
	}
}

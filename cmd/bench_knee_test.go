package cmd

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

// TestKneeDespiteNoise: a machine that fails one try in ten whatever the rate, and holds one in ten above its knee, gets an
// answer near its knee. A search that believed every try would end far below it more often than not.
func TestKneeDespiteNoise(t *testing.T) {
	const knee = 300_000
	near := 0
	const searches = 1000
	for seed := range uint64(searches) {
		random := rand.New(rand.NewPCG(seed, 1))
		best, err := findKnee(func(rate float64) (planStep, error) {
			holds := rate <= knee
			if random.IntN(10) == 0 {
				holds = !holds && rate < 2*knee
			}
			return planStep{Rate: rate, Holds: holds}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if best.Rate >= knee*0.8 && best.Rate <= knee*1.2 {
			near++
		}
	}
	if near < searches*85/100 {
		t.Errorf("%d of %d searches ended near the knee, want most", near, searches)
	}
}

// TestKneeOfAQuietMachine: without noise the answer is within the precision, and nothing is found where nothing holds.
func TestKneeOfAQuietMachine(t *testing.T) {
	for _, knee := range []float64{999, 1000, 1024, 5000, 123_456, 64_000, 9e6} {
		best, err := findKnee(func(rate float64) (planStep, error) { return planStep{Rate: rate, Holds: rate <= knee}, nil })
		if err != nil {
			t.Fatal(err)
		}
		if knee < kneeFirst && best.Rate != 0 || knee >= kneeFirst && (best.Rate > knee || best.Rate*kneePrecision < knee) {
			t.Errorf("knee at %.0f: found %.0f", knee, best.Rate)
		}
	}
	if best, err := findKnee(func(rate float64) (planStep, error) { return planStep{Rate: rate, Holds: true}, nil }); err != nil || best.Rate < kneeMost/2 {
		t.Errorf("no knee: found %.0f, %v", best.Rate, err)
	}
	broken := errors.New("gone")
	if _, err := findKnee(func(float64) (planStep, error) { return planStep{}, broken }); !errors.Is(err, broken) {
		t.Errorf("error of a try: %v", err)
	}
}

// TestKneeThatWasLuck: a rate that held once while the search doubled is tried again, and the one before it counts.
func TestKneeThatWasLuck(t *testing.T) {
	lucky := false
	best, err := findKnee(func(rate float64) (planStep, error) {
		holds := rate <= 2000
		if rate == 4000 && !lucky {
			lucky, holds = true, true
		}
		return planStep{Rate: rate, Holds: holds, P99: time.Duration(rate)}, nil
	})
	if err != nil || best.Rate != 2000 {
		t.Errorf("found %.0f, %v; want 2000", best.Rate, err)
	}
}

// TestKneeBand: the band says from where on tries failed, and up to where any held.
func TestKneeBand(t *testing.T) {
	steps := []planStep{{Rate: 1000, Holds: true}, {Rate: 4000, Holds: true}, {Rate: 3000}, {Rate: 2000, Holds: true}, {Rate: 8000}}
	if sure, possible := kneeBand(steps); sure != 2000 || possible != 4000 {
		t.Errorf("sure %.0f, possible %.0f; want 2000 and 4000", sure, possible)
	}
	if sure, possible := kneeBand(steps[:2]); sure != 4000 || possible != 4000 {
		t.Errorf("nothing failed: sure %.0f, possible %.0f; want 4000 twice", sure, possible)
	}
}

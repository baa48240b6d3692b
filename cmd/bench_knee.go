package cmd

// How often one rate is tried at most, and how many tries of these settle it. One says little on a machine that does other
// things too.
const (
	kneeTries    = 3
	kneeMajority = kneeTries/2 + 1
)

// Bounds of the search for the knee, in messages a second.
const (
	kneeFirst     = 1000
	kneeMost      = 1 << 27
	kneePrecision = 1.06 // two rates that are closer are one
)

// knee is the search for the highest rate that holds.
type knee struct {
	try   func(rate float64) (planStep, error)
	tried map[float64]*kneeVotes
}

// kneeVotes is what the tries of one rate said.
type kneeVotes struct {
	held, failed int
	best         planStep // of those that held the one with the lowest 99th percentile
}

// findKnee looks for the highest rate that holds: it doubles until one does not, then halves the distance, and tries the
// one it ends with once more. A zero rate means that not even the first holds. An error of try ends the search.
func findKnee(try func(rate float64) (planStep, error)) (planStep, error) {
	k := &knee{try: try, tried: map[float64]*kneeVotes{}}
	low, high := 0.0, 0.0
	for rate := float64(kneeFirst); rate <= kneeMost && high == 0; rate *= 2 {
		// One try that holds is enough to go on: the rates after it say the same, and the last is tried again.
		holds, err := k.holds(rate, 1)
		switch {
		case err != nil:
			return planStep{}, err
		case holds:
			low = rate
		default:
			high = rate
		}
	}
	for low > 0 {
		var err error
		if high > 0 {
			if low, err = k.halve(low, high); err != nil {
				return planStep{}, err
			}
		}
		holds, err := k.holds(low, kneeMajority)
		if err != nil {
			return planStep{}, err
		}
		if holds {
			return k.tried[low].best, nil
		}
		// It was luck. Only a rate of the doubling can be: the others have had their majority.
		if high, low = low, low/2; low < kneeFirst {
			break
		}
	}
	return planStep{}, nil
}

// halve halves the distance between a rate that holds and one that does not, until they are as good as one.
func (k *knee) halve(low, high float64) (float64, error) {
	for high/low > kneePrecision {
		middle := (low + high) / 2
		holds, err := k.holds(middle, kneeMajority)
		switch {
		case err != nil:
			return 0, err
		case holds:
			low = middle
		default:
			high = middle
		}
	}
	return low, nil
}

// holds tries a rate until so many tries held, or most of all that there may be failed.
func (k *knee) holds(rate float64, enough int) (bool, error) {
	v := k.tried[rate]
	if v == nil {
		v = &kneeVotes{}
		k.tried[rate] = v
	}
	for v.held < enough && v.failed < kneeMajority {
		step, err := k.try(rate)
		switch {
		case err != nil:
			return false, err
		case !step.Holds:
			v.failed++
		default:
			if v.held == 0 || step.P99 < v.best.P99 {
				v.best = step
			}
			v.held++
		}
	}
	return v.held >= enough, nil
}

// kneeBand is how sure a knee is: every try of rates up to sure held, and none above possible did. What lies between held at
// times. Both are zero if no rate held, and the same if none failed.
func kneeBand(steps []planStep) (sure, possible float64) {
	lowestFailed := 0.0
	for _, s := range steps {
		if s.Holds {
			possible = max(possible, s.Rate)
		} else if lowestFailed == 0 || s.Rate < lowestFailed {
			lowestFailed = s.Rate
		}
	}
	for _, s := range steps {
		if s.Holds && (lowestFailed == 0 || s.Rate < lowestFailed) {
			sure = max(sure, s.Rate)
		}
	}
	return sure, possible
}

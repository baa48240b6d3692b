package bench

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Sizes is a distribution of payload sizes in bytes: a number, a range with every size equally likely, or sizes with weights.
type Sizes struct {
	text    string
	low     int
	high    int // of a range, inclusive
	choices []weighted
}

// weighted is a size and how often it comes, relative to the others.
type weighted struct{ size, weight int }

// maxSize is the largest payload in bytes: the most that the protocol can say.
const maxSize = 64 << 20

// FixedSize returns the distribution of one size.
func FixedSize(n int) Sizes { return Sizes{text: strconv.Itoa(n), low: n, high: n} }

// UnmarshalText reads "128", "16-1024" or "16:70,1024:30".
func (s *Sizes) UnmarshalText(text []byte) error {
	parsed, err := parseSizes(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("size %q: %w; write a number of bytes such as 128, a range such as 16-1024, or sizes with weights such as 16:70,1024:30", text, err)
	}
	*s = parsed
	return nil
}

// MarshalText returns s as UnmarshalText reads it.
func (s Sizes) MarshalText() ([]byte, error) { return []byte(s.text), nil }

// String returns s as UnmarshalText reads it.
func (s Sizes) String() string { return s.text }

func parseSizes(text string) (Sizes, error) {
	s := Sizes{text: text}
	var err error
	switch low, high, isRange := strings.Cut(text, "-"); {
	case strings.Contains(text, ":"):
		for entry := range strings.SplitSeq(text, ",") {
			size, weight, _ := strings.Cut(entry, ":")
			var w weighted
			if w.size, err = parseSize(size); err != nil {
				return s, err
			}
			if w.weight, err = strconv.Atoi(strings.TrimSpace(weight)); err != nil || w.weight < 1 || w.weight > 1_000_000 {
				return s, errors.New("a weight is a number from 1 to 1000000")
			}
			s.choices = append(s.choices, w)
		}
	case isRange:
		if s.low, err = parseSize(low); err != nil {
			return s, err
		}
		if s.high, err = parseSize(high); err != nil {
			return s, err
		}
		if s.low > s.high {
			return s, errors.New("the range is empty")
		}
	default:
		if s.low, err = parseSize(text); err != nil {
			return s, err
		}
		s.high = s.low
	}
	return s, nil
}

func parseSize(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 0 || n > maxSize {
		return 0, fmt.Errorf("a size is a number of bytes from 0 to %d", maxSize)
	}
	return n, nil
}

// bounds returns the smallest and the largest size.
func (s *Sizes) bounds() (low, high int) {
	if len(s.choices) == 0 {
		return s.low, s.high
	}
	low = s.choices[0].size
	for _, w := range s.choices {
		low, high = min(low, w.size), max(high, w.size)
	}
	return low, high
}

// pick returns a size.
func (s *Sizes) pick(random *rand.Rand) int {
	if len(s.choices) == 0 {
		if s.low == s.high {
			return s.low
		}
		return s.low + random.IntN(s.high-s.low+1)
	}
	total := 0
	for _, w := range s.choices {
		total += w.weight
	}
	at := random.IntN(total)
	for _, w := range s.choices {
		if at -= w.weight; at < 0 {
			return w.size
		}
	}
	return s.high
}

// Ways to choose among subjects.
const (
	SpreadRound   = "round"   // one after the other
	SpreadUniform = "uniform" // at random, all equally likely
	SpreadZipf    = "zipf"    // at random, few of them most of the time
)

// chooser chooses among n subjects.
type chooser struct {
	n, next int
	random  *rand.Rand
	zipf    *rand.Zipf
}

// zipfExponent is how steep the popularity of subjects falls: near 1, as that of words and web pages.
const zipfExponent = 1.1

func newChooser(spread string, n, first int, random *rand.Rand) *chooser {
	c := &chooser{n: n, next: first % n}
	switch spread {
	case SpreadUniform:
		c.random = random
	case SpreadZipf:
		c.zipf = rand.NewZipf(random, zipfExponent, 1, uint64(n-1))
	}
	return c
}

// choose returns the index of a subject.
func (c *chooser) choose() int {
	switch {
	case c.n == 1:
		return 0
	case c.zipf != nil:
		return int(c.zipf.Uint64())
	case c.random != nil:
		return c.random.IntN(c.n)
	}
	i := c.next
	if c.next++; c.next == c.n {
		c.next = 0
	}
	return i
}

// Ways in which messages of a rate come.
const (
	ArrivalConstant = "constant" // in equal intervals
	ArrivalPoisson  = "poisson"  // independent of each other, as from many clients
)

// schedule says when the messages of one publisher are to be sent.
type schedule struct {
	next     float64 // nanoseconds since the start
	interval float64
	random   *rand.Rand // nil: equal intervals
}

// newSchedule returns the schedule of publisher i of n that send rate messages a second together. Equal intervals are staggered.
func newSchedule(rate float64, arrival string, i, n int, random *rand.Rand) *schedule {
	s := &schedule{interval: 1e9 * float64(n) / rate}
	if arrival == ArrivalPoisson {
		s.random = random
		s.advance()
		return s
	}
	s.next = s.interval * float64(i) / float64(n)
	return s
}

// advance goes on to the next message.
func (s *schedule) advance() {
	if s.random != nil {
		s.next += s.random.ExpFloat64() * s.interval
		return
	}
	s.next += s.interval
}

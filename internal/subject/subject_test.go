package subject_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/natsd/natsd/internal/subject"
)

// subjects are all strings of up to three tokens from a small alphabet, empty tokens and wildcards included.
func subjects() []string {
	tokens := []string{"", "a", "b", "*", ">", "a*", ">b", "*>"}
	var all []string
	for _, x := range tokens {
		all = append(all, x)
		for _, y := range tokens {
			all = append(all, x+"."+y)
			for _, z := range tokens {
				all = append(all, x+"."+y+"."+z)
			}
		}
	}
	return all
}

// The functions below say the same as the package, token by token.

func naiveWellFormed(s string) bool { return !slices.Contains(strings.Split(s, "."), "") }

func naiveSubscription(s string) bool {
	tokens := strings.Split(s, ".")
	i := slices.Index(tokens, ">")
	return naiveWellFormed(s) && (i < 0 || i == len(tokens)-1)
}

func naiveLiteral(s string) bool {
	tokens := strings.Split(s, ".")
	return naiveWellFormed(s) && !slices.Contains(tokens, "*") && !slices.Contains(tokens, ">")
}

func naiveMatch(pattern, s string) bool {
	if !naiveWellFormed(s) {
		return false
	}
	p, l := strings.Split(pattern, "."), strings.Split(s, ".")
	for i, token := range p {
		switch {
		case token == ">" && i == len(p)-1:
			return len(l) > i
		case i >= len(l), token != "*" && token != l[i]:
			return false
		}
	}
	return len(p) == len(l)
}

// TestValidity: docs/spec/client-protocol.md §6.1 to §6.3, for every subject of the alphabet.
func TestValidity(t *testing.T) {
	for _, s := range subjects() {
		if got, want := subject.WellFormed(s), naiveWellFormed(s); got != want {
			t.Errorf("WellFormed(%q) = %t", s, got)
		}
		if got, want := subject.ValidSubscription(s), naiveSubscription(s); got != want {
			t.Errorf("ValidSubscription(%q) = %t", s, got)
		}
		if got, want := subject.ValidLiteral(s), naiveLiteral(s); got != want {
			t.Errorf("ValidLiteral(%q) = %t", s, got)
		}
		if got, want := subject.HasWildcard(s), !naiveLiteral(s); naiveSubscription(s) && got != want {
			t.Errorf("HasWildcard(%q) = %t", s, got)
		}
		if b := []byte(s); subject.WellFormed(b) != subject.WellFormed(s) || subject.ValidSubscription(b) != subject.ValidSubscription(s) ||
			subject.ValidLiteral(b) != subject.ValidLiteral(s) || subject.HasWildcard(b) != subject.HasWildcard(s) {
			t.Errorf("%q: bytes and string differ", s)
		}
	}
}

// TestMatch: for every pair of the alphabet.
func TestMatch(t *testing.T) {
	all := subjects()
	for _, pattern := range all {
		if !naiveSubscription(pattern) {
			continue
		}
		for _, s := range all {
			if got, want := subject.Match(pattern, []byte(s)), naiveMatch(pattern, s); got != want {
				t.Errorf("Match(%q, %q) = %t", pattern, s, got)
			}
		}
	}
}

// TestMatchSentences: the sentences of docs/spec/client-protocol.md §6.1 and §6.3.
func TestMatchSentences(t *testing.T) {
	for _, c := range []struct {
		pattern, subject string
		want             bool
	}{
		{"foo.>", "foo", false}, {"*.*", "foo", false}, {">", "anything.at.all", true}, {"foo*", "foox", false}, {"foo*", "foo*", true},
		{">x", "ax", false}, {"Foo", "foo", false}, {"foo.*", "foo.*", true}, {"foo.>", "foo.*", true}, {"*.*", "foo.*", true},
		{">", "foo.*", true}, {"foo.bar", "foo.*", false}, {"*", "", false}, {"foo.>", "foo.", false}, {"*", "a", true}, {"*", "a.b", false},
	} {
		if got := subject.Match(c.pattern, c.subject); got != c.want {
			t.Errorf("Match(%q, %q) = %t, want %t", c.pattern, c.subject, got, c.want)
		}
	}
}

// TestCoversAndOverlaps: both against what they mean, over all literal subjects of up to five tokens from an alphabet that
// has a letter more than the patterns, which is enough to tell any two patterns of three tokens apart.
func TestCoversAndOverlaps(t *testing.T) {
	var literals []string
	var grow func(prefix string, depth int)
	grow = func(prefix string, depth int) {
		for _, token := range []string{"a", "b", "c", "a*", ">b", "*>"} {
			literals = append(literals, prefix+token)
			if depth > 1 {
				grow(prefix+token+".", depth-1)
			}
		}
	}
	grow("", 4)
	patterns := slices.DeleteFunc(subjects(), func(s string) bool { return !naiveSubscription(s) })
	sets := make([][]bool, len(patterns))
	for i, pattern := range patterns {
		for _, literal := range literals {
			sets[i] = append(sets[i], naiveMatch(pattern, literal))
		}
	}
	for i, a := range patterns {
		for k, b := range patterns {
			covers, overlaps := true, false
			for n := range literals {
				covers = covers && (sets[i][n] || !sets[k][n])
				overlaps = overlaps || sets[i][n] && sets[k][n]
			}
			if got := subject.Covers(a, b); got != covers {
				t.Errorf("Covers(%q, %q) = %t", a, b, got)
			}
			if got := subject.Overlaps(a, b); got != overlaps {
				t.Errorf("Overlaps(%q, %q) = %t", a, b, got)
			}
		}
	}
}

// TestAllocs: nothing here allocates.
func TestAllocs(t *testing.T) {
	s, pattern := []byte("orders.eu.42.created"), "orders.*.42.>"
	if n := testing.AllocsPerRun(100, func() {
		subject.Match(pattern, s)
		subject.Covers(pattern, s)
		subject.Overlaps(pattern, s)
		subject.WellFormed(s)
		subject.ValidLiteral(s)
		subject.ValidSubscription(s)
		subject.HasWildcard(s)
	}); n != 0 {
		t.Errorf("%.0f allocations, want 0", n)
	}
}

// FuzzMatch compares Match, and the validity it rests on, with the naive twins on any bytes.
func FuzzMatch(f *testing.F) {
	f.Add("a.*.>", "a.b.c")
	f.Add(">", "")
	f.Add("*", ".")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if subject.ValidSubscription(pattern) != naiveSubscription(pattern) || subject.WellFormed(s) != naiveWellFormed(s) || subject.ValidLiteral(s) != naiveLiteral(s) {
			t.Errorf("validity of %q or %q", pattern, s)
		}
		if naiveSubscription(pattern) && subject.Match(pattern, s) != naiveMatch(pattern, s) {
			t.Errorf("Match(%q, %q) = %t", pattern, s, subject.Match(pattern, s))
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	s := []byte("orders.eu.42.created")
	for _, pattern := range []string{"orders.eu.42.created", "orders.*.42.>", "*.*.*.*", "other.>"} {
		b.Run(pattern, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				subject.Match(pattern, s)
			}
		})
	}
}

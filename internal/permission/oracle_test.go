package permission

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// The oracle below is docs/spec/client-protocol.md §12 read literally: lists walked from front to back, subjects split
// into tokens, no shared code with the package.

// asLiteral reports whether pattern matches text when the wildcards of text are ordinary tokens.
func asLiteral(pattern, text string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(text, ".")
	for i := range p {
		if p[i] == ">" {
			return len(s) > i
		}
		if i >= len(s) || p[i] != "*" && p[i] != s[i] {
			return false
		}
	}
	return len(p) == len(s)
}

// isSubset reports whether every subject that text stands for is matched by pattern, by trying all subjects of up to
// four tokens over the alphabet of the test and one letter that is in no list.
func isSubset(pattern, text string) bool {
	p, s := matchedBy(pattern), matchedBy(text)
	for i := range s {
		if s[i]&^p[i] != 0 {
			return false
		}
	}
	return true
}

// matchedBy returns which subjects of the universe a pattern matches, a bit each. There are few patterns.
func matchedBy(pattern string) [2]uint64 {
	bits, known := matched[pattern]
	if !known {
		for i, s := range universe {
			if asLiteral(pattern, s) {
				bits[i/64] |= 1 << (i % 64)
			}
		}
		matched[pattern] = bits
	}
	return bits
}

var matched = make(map[string][2]uint64)

func naiveQueue(entryQueue, queue string) bool {
	return entryQueue == "" || queue != "" && asLiteral(entryQueue, queue)
}

func naiveSubscribe(s *Side, text, queue string) bool {
	for _, entry := range s.Deny {
		subject, group, _ := strings.Cut(entry, " ")
		if asLiteral(subject, text) && naiveQueue(group, queue) {
			return false
		}
	}
	for _, entry := range s.Allow {
		subject, group, _ := strings.Cut(entry, " ")
		if isSubset(subject, text) && naiveQueue(group, queue) {
			return true
		}
	}
	return s.Open
}

// naiveReceive reports whether a subscription that was made may get a message.
func naiveReceive(s *Side, text, queue string) bool {
	for _, entry := range s.Deny {
		subject, group, _ := strings.Cut(entry, " ")
		if asLiteral(subject, text) && naiveQueue(group, queue) {
			return false
		}
	}
	return true
}

func naivePublish(s *Side, text string) bool {
	for _, entry := range s.Deny {
		if asLiteral(entry, text) {
			return false
		}
	}
	for _, entry := range s.Allow {
		if asLiteral(entry, text) {
			return true
		}
	}
	return s.Open
}

// universe is every literal subject of one to four tokens.
var universe = func() []string {
	level, all := []string{""}, []string(nil)
	for range 4 {
		var next []string
		for _, prefix := range level {
			for _, token := range []string{"a", "b", "x"} {
				next = append(next, strings.TrimPrefix(prefix+"."+token, "."))
			}
		}
		all = append(all, next...)
		level = next
	}
	return all
}()

// randomPattern returns a valid pattern of one to three tokens.
func randomPattern(r *rand.Rand) string {
	tokens := make([]string, 1+r.IntN(3))
	for i := range tokens {
		tokens[i] = []string{"a", "b", "*"}[r.IntN(3)]
	}
	if r.IntN(4) == 0 {
		tokens[len(tokens)-1] = ">"
	}
	return strings.Join(tokens, ".")
}

func randomList(r *rand.Rand, queues bool) []string {
	list := make([]string, r.IntN(4))
	for i := range list {
		list[i] = randomPattern(r)
		if queues && r.IntN(3) == 0 {
			list[i] += " " + []string{"q", "v1", "v1.*", "v1.>", "*"}[r.IntN(5)]
		}
	}
	return list
}

// randomSide returns a side of either style: the old one has no denials and no queues, and is closed when it lists
// nothing (docs/spec/config.md B3).
func randomSide(r *rand.Rand, queues bool) Side {
	if r.IntN(2) == 0 {
		return Side{Allow: randomList(r, false)}
	}
	s := Side{Allow: randomList(r, queues), Deny: randomList(r, queues)}
	if r.IntN(3) == 0 {
		s.Open, s.Allow = true, nil
	}
	return s
}

var oracleRules = flag.Int("rules", 2000, "number of random rules that TestOracle compares, each with 250 tuples")

// TestOracle compares the package with the oracle on random tuples of lists, subscription, queue and subject, each of
// which asks two or three questions. `make oracle` does it with 5 million tuples.
func TestOracle(t *testing.T) {
	const questions = 250
	r := rand.New(rand.NewPCG(4, 12))
	counts := map[string]int{}
	for range *oracleRules {
		rules := Rules{Publish: randomSide(r, false), Subscribe: randomSide(r, true)}
		set := Compile(&rules)
		for range questions {
			text, queue := randomPattern(r), []string{"", "", "q", "v1", "v1.a", "v1.a.b"}[r.IntN(6)]
			ask(t, counts, &rules, set, text, queue, universe[r.IntN(len(universe))])
		}
	}
	total := 0
	for kind, n := range counts {
		t.Logf("%s: %d", kind, n)
		total += n
	}
	t.Logf("%d questions", total)
}

// ask puts one tuple to both.
func ask(t *testing.T, counts map[string]int, rules *Rules, set *Set, text, queue, literal string) {
	t.Helper()
	count := func(kind string, allowed bool) { counts[fmt.Sprint(kind, " ", allowed)]++ }
	want := naivePublish(&rules.Publish, literal)
	if got := set.Publish([]byte(literal)); got != want {
		t.Fatalf("%+v: publish to %q: got %v, want %v", rules.Publish, literal, got, want)
	}
	count("publish", want)
	if set.PublishAll(text) && asLiteral(text, literal) && !want {
		t.Fatalf("%+v: all of %q may be published to, but not %q", rules.Publish, text, literal)
	}
	want = naiveSubscribe(&rules.Subscribe, text, queue)
	if got := set.Subscribe(text, queue).Allowed; got != want {
		t.Fatalf("%+v: subscribe to %q in %q: got %v, want %v", rules.Subscribe, text, queue, got, want)
	}
	count("subscribe", want)
	if !want || !asLiteral(text, literal) {
		return
	}
	want = naiveReceive(&rules.Subscribe, literal, queue)
	got := !set.Filters(text, queue) || set.Receive([]byte(literal), queue)
	if got != want {
		t.Fatalf("%+v: message to %q for %q in %q: got %v, want %v", rules.Subscribe, literal, text, queue, got, want)
	}
	count("receive", want)
}

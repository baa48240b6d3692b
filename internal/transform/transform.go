// Package transform rewrites subjects: mappings of an account, and what imports call the subjects of another one.
// Source: docs/spec/config.md B6.
package transform

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/natsd/natsd/internal/subject"
)

// Transform turns the subjects that a pattern matches into others. It is never changed.
type Transform struct {
	source string
	parts  []part
	same   bool // every subject stays what it is
}

// part is a piece of the result, with a dot in front of all but the first.
type part struct {
	text      string // literal
	token     int    // index of the token of the subject that is copied; -1: none
	rest      bool   // the token and all behind it
	buckets   uint32 // of a partition; 0: it is none
	hashed    []int  // indexes of the tokens that the partition is made from
	isLiteral bool
}

// New returns the Transform from a pattern to a destination, in which "*" stands for the next wildcard of the pattern, $N
// and {{wildcard(N)}} for the Nth, ">" for the rest, and {{partition(B,N...)}} for a number below B made from some of them.
func New(source, destination string) (*Transform, error) {
	if !subject.ValidSubscription(source) {
		return nil, fmt.Errorf("%q is not a valid subject", source)
	}
	t := &Transform{source: source, same: source == destination}
	var wildcards []int
	tokens := strings.Split(source, ".")
	for i, token := range tokens {
		if token == "*" {
			wildcards = append(wildcards, i)
		}
	}
	endsOpen := tokens[len(tokens)-1] == ">"
	words := strings.Split(destination, ".")
	next := 0
	for i, word := range words {
		p, err := parsePart(word, wildcards, &next)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%q: %w", destination, err)
		case word == "":
			return nil, fmt.Errorf("%q is not a valid subject", destination)
		case p.rest && (!endsOpen || i != len(words)-1):
			return nil, fmt.Errorf("%q: \">\" stands at the end, and only where %q ends with it", destination, source)
		case p.rest:
			p.token = len(tokens) - 1
		}
		t.parts = append(t.parts, p)
	}
	if endsOpen != t.parts[len(t.parts)-1].rest && endsOpen {
		return nil, fmt.Errorf("%q does not end with \">\" as %q does", destination, source)
	}
	return t, nil
}

var errFunction = errors.New("only {{wildcard(N)}} and {{partition(BUCKETS,N...)}} are known")

// parsePart parses a token of a destination. next is the number of wildcards that stood as "*" so far.
func parsePart(word string, wildcards []int, next *int) (part, error) {
	wildcard := func(n int) (part, error) {
		if n < 1 || n > len(wildcards) {
			return part{}, fmt.Errorf("there is no wildcard %d", n)
		}
		return part{token: wildcards[n-1]}, nil
	}
	switch {
	case word == ">":
		return part{rest: true}, nil
	case word == "*":
		*next++
		return wildcard(*next)
	case len(word) > 1 && word[0] == '$':
		if n, err := strconv.Atoi(word[1:]); err == nil {
			return wildcard(n)
		}
	case strings.HasPrefix(word, "{{") && strings.HasSuffix(word, "}}"):
		return parseFunction(strings.TrimSpace(word[2:len(word)-2]), wildcards, wildcard)
	}
	if strings.ContainsAny(word, " \t\r\n") {
		return part{}, fmt.Errorf("%q is no token", word)
	}
	return part{text: word, token: -1, isLiteral: true}, nil
}

// parseFunction parses NAME(ARGUMENTS).
func parseFunction(text string, wildcards []int, wildcard func(int) (part, error)) (part, error) {
	name, arguments, found := strings.Cut(strings.TrimSuffix(text, ")"), "(")
	if !found || !strings.HasSuffix(text, ")") {
		return part{}, errFunction
	}
	var numbers []int
	for argument := range strings.SplitSeq(arguments, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(argument))
		if err != nil || n < 0 {
			return part{}, fmt.Errorf("%q is no number", strings.TrimSpace(argument))
		}
		numbers = append(numbers, n)
	}
	const most = 1 << 30 // buckets
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "wildcard":
		if len(numbers) != 1 {
			return part{}, errFunction
		}
		return wildcard(numbers[0])
	case "partition":
		if numbers[0] < 1 || numbers[0] > most || len(numbers) < 2 {
			return part{}, errFunction
		}
		p := part{token: -1, buckets: uint32(numbers[0])}
		for _, n := range numbers[1:] {
			if n < 1 || n > len(wildcards) {
				return part{}, fmt.Errorf("there is no wildcard %d", n)
			}
			p.hashed = append(p.hashed, wildcards[n-1])
		}
		return p, nil
	}
	return part{}, errFunction
}

// Matches reports whether t changes a literal subject.
func (t *Transform) Matches(text []byte) bool { return subject.Match(t.source, text) }

// Source returns the pattern.
func (t *Transform) Source() string { return t.source }

// Destination returns a pattern that all subjects match which t makes.
func (t *Transform) Destination() string {
	tokens := make([]string, len(t.parts))
	for i := range t.parts {
		switch p := &t.parts[i]; {
		case p.isLiteral:
			tokens[i] = p.text
		case p.rest:
			tokens[i] = ">"
		default:
			tokens[i] = "*"
		}
	}
	return strings.Join(tokens, ".")
}

// Append appends what becomes of a literal subject, which must match.
//
// Hot path: once per message of an account with mappings or imports. 0 allocs/op where dst is large enough.
func (t *Transform) Append(dst, text []byte) []byte {
	if t.same {
		return append(dst, text...)
	}
	for i := range t.parts {
		p := &t.parts[i]
		if i > 0 {
			dst = append(dst, '.')
		}
		switch {
		case p.isLiteral:
			dst = append(dst, p.text...)
		case p.buckets > 0:
			hash := fnv.New32a()
			for _, token := range p.hashed {
				_, _ = hash.Write(tokenAt(text, token, false)) // it never fails
			}
			dst = strconv.AppendUint(dst, uint64(hash.Sum32()%p.buckets), 10)
		default:
			dst = append(dst, tokenAt(text, p.token, p.rest)...)
		}
	}
	return dst
}

// tokenAt returns a token of text, or it and all behind it.
func tokenAt(text []byte, index int, rest bool) []byte {
	from := 0
	for i := 0; i < len(text); i++ {
		if text[i] != '.' {
			continue
		}
		if index == 0 && !rest {
			return text[from:i]
		}
		if index > 0 {
			index--
			from = i + 1
		}
	}
	return text[from:]
}

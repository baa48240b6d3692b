package subject

// Match reports whether the literal subject s is one of those the pattern stands for. Wildcards in s are ordinary
// bytes. A subject with an empty token is matched by nothing, and a pattern that is not a valid subscription matches
// nothing that it would not match token by token.
// Spec: docs/spec/client-protocol.md §6.1, §6.3.
//
// Hot path: once per recent wildcard change and cached subject. 0 allocs/op (TestAllocs, BenchmarkMatch).
func Match[P, S Text](pattern P, s S) bool {
	p, i := 0, 0
	for {
		if p == len(pattern) || i == len(s) || s[i] == separator {
			return false // one of them has run out of tokens, or s has an empty one
		}
		switch c := pattern[p]; {
		case c == rest && p+1 == len(pattern):
			return WellFormed(s[i:])
		case c == one && tokenEnd(pattern, p) == p+1:
			p++
			i = tokenEnd(s, i)
		default:
			for p < len(pattern) && i < len(s) && pattern[p] == s[i] && s[i] != separator {
				p++
				i++
			}
		}
		patternDone := p == len(pattern)
		if patternDone || i == len(s) {
			return patternDone && i == len(s)
		}
		if pattern[p] != separator || s[i] != separator {
			return false
		}
		p++
		i++
	}
}

// Covers reports whether the pattern matches every literal subject that sub matches, sub being a pattern too:
// "foo.>" covers "foo.*" and "foo.bar.>", but not "foo" or ">". Both must be valid subscriptions.
func Covers[P, S Text](pattern P, sub S) bool {
	p, i := 0, 0
	for p < len(pattern) && i < len(sub) {
		pEnd, iEnd := tokenEnd(pattern, p), tokenEnd(sub, i)
		switch kind := wildcard(pattern, p, pEnd); {
		case kind == rest:
			return true
		case wildcard(sub, i, iEnd) == rest:
			return false // stands for more tokens than a single one
		case kind == one:
		case !sameToken(pattern, p, pEnd, sub, i, iEnd): // "*" of sub included: a literal covers no wildcard
			return false
		}
		p, i = pEnd+1, iEnd+1
	}
	return p >= len(pattern) && i >= len(sub)
}

// Overlaps reports whether some literal subject is matched by both patterns. Both must be valid subscriptions.
func Overlaps[A, B Text](a A, b B) bool {
	p, i := 0, 0
	for p < len(a) && i < len(b) {
		pEnd, iEnd := tokenEnd(a, p), tokenEnd(b, i)
		kindA, kindB := wildcard(a, p, pEnd), wildcard(b, i, iEnd)
		switch {
		case kindA == rest || kindB == rest:
			return true
		case kindA == one || kindB == one:
		case !sameToken(a, p, pEnd, b, i, iEnd):
			return false
		}
		p, i = pEnd+1, iEnd+1
	}
	return p >= len(a) && i >= len(b)
}

// tokenEnd returns the index just behind the token that starts at start.
func tokenEnd[S Text](s S, start int) int {
	for start < len(s) && s[start] != separator {
		start++
	}
	return start
}

// wildcard returns '*' or '>' when s[start:end] is that token, and 0 for a literal token.
func wildcard[S Text](s S, start, end int) byte {
	if end == start+1 && isWildcard(s[start]) {
		return s[start]
	}
	return 0
}

func sameToken[A, B Text](a A, aStart, aEnd int, b B, bStart, bEnd int) bool {
	if aEnd-aStart != bEnd-bStart {
		return false
	}
	for aStart < aEnd {
		if a[aStart] != b[bStart] {
			return false
		}
		aStart++
		bStart++
	}
	return true
}

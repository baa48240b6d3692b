package subject

// Text is what the functions of this package work on: a subject as it stands in a read buffer, or one that was kept.
type Text interface{ ~string | ~[]byte }

const (
	separator = '.'
	one       = '*' // as a whole token: any one token
	rest      = '>' // as the whole last token: one or more tokens
)

// ValidSubscription reports whether s may be subscribed to: no empty token, and the token ">" at most in last place.
// The empty subject is not valid. Spec: docs/spec/client-protocol.md §6.2.
func ValidSubscription[S Text](s S) bool {
	start := 0 // of the token under the cursor
	for i := range len(s) {
		if s[i] != separator {
			continue
		}
		if i == start || (i == start+1 && s[start] == rest) {
			return false
		}
		start = i + 1
	}
	return start < len(s)
}

// ValidLiteral reports whether s may be published under "pedantic": no empty token, and no token that is just "*" or
// ">". Spec: docs/spec/client-protocol.md §6.3.
func ValidLiteral[S Text](s S) bool {
	start := 0
	for i := range len(s) {
		if s[i] != separator {
			continue
		}
		if i == start || (i == start+1 && isWildcard(s[start])) {
			return false
		}
		start = i + 1
	}
	return start < len(s) && (start+1 < len(s) || !isWildcard(s[start]))
}

// WellFormed reports whether s has no empty token, which is all it takes to be delivered when published; a subject
// that has one reaches nobody. Spec: docs/spec/client-protocol.md §6.3.
func WellFormed[S Text](s S) bool {
	if len(s) == 0 || s[len(s)-1] == separator {
		return false
	}
	previous := byte(separator)
	for i := range len(s) {
		c := s[i]
		if c == separator && previous == separator {
			return false
		}
		previous = c
	}
	return true
}

// HasWildcard reports whether s, read as a pattern, has a token "*" or ">". s must be a valid subscription.
func HasWildcard[S Text](s S) bool {
	for i := range len(s) {
		if isWildcard(s[i]) && (i == 0 || s[i-1] == separator) && (i+1 == len(s) || s[i+1] == separator) {
			return true
		}
	}
	return false
}

func isWildcard(c byte) bool { return c == one || c == rest }

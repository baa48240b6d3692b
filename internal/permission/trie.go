package permission

import "strings"

// Tokens with a meaning.
const (
	one  = "*" // exactly one token
	rest = ">" // one token or more, at the end
)

// trie holds the entries of one list by their tokens. The wildcards are kept under their own text, so that a subject
// whose wildcards are to be taken as ordinary tokens finds them as such.
type trie struct {
	next    map[string]*trie
	entries []entry // of the list that end here
}

// entry is one element of a list.
type entry struct {
	index int    // in the list
	queue string // pattern for the queue group; empty: none was given
}

// newTrie returns the entries of a list, each "SUBJECT" or "SUBJECT QUEUE".
func newTrie(list []string) *trie {
	root := &trie{}
	for i, text := range list {
		subject, queue := SplitEntry(text)
		at := root
		for token := range strings.SplitSeq(subject, ".") {
			child := at.next[token]
			if child == nil {
				child = &trie{}
				if at.next == nil {
					at.next = make(map[string]*trie)
				}
				at.next[token] = child
			}
			at = child
		}
		at.entries = append(at.entries, entry{i, queue})
	}
	return root
}

// SplitEntry returns the subject and the queue of an entry of a list; the queue is empty if there is none.
func SplitEntry(text string) (subject, queue string) {
	subject, queue, _ = strings.Cut(text, " ")
	return subject, strings.TrimSpace(queue)
}

// cutToken returns the first token of text and what follows, more telling whether there is anything.
func cutToken(text string) (token, after string, more bool) { return strings.Cut(text, ".") }

// matching reports the first entry found that matches text, whose wildcards are ordinary tokens, and that accept
// accepts.
func (t *trie) matching(text string, accept func(entry) bool) (int, bool) {
	return t.find(text, false, accept)
}

// covering reports the first entry found that matches everything the pattern text can match, and that accept accepts.
func (t *trie) covering(text string, accept func(entry) bool) (int, bool) {
	return t.find(text, true, accept)
}

// find is matching, or covering if text is a pattern.
func (t *trie) find(text string, pattern bool, accept func(entry) bool) (int, bool) {
	if i, found := t.next[rest].accepted(accept); found {
		return i, true
	}
	token, after, more := cutToken(text)
	if pattern && token == rest {
		return 0, false // only another one covers it
	}
	for _, child := range [...]*trie{t.next[token], t.next[one]} {
		if child == nil {
			continue
		}
		if !more {
			if i, found := child.accepted(accept); found {
				return i, true
			}
		} else if i, found := child.find(after, pattern, accept); found {
			return i, true
		}
		if token == one {
			break // the same child
		}
	}
	return 0, false
}

// overlaps reports whether there is a literal subject that an entry that accept accepts and the pattern text match. It
// looks at each node at most once, since there is one way to it.
func (t *trie) overlaps(text string, accept func(entry) bool) bool {
	if _, found := t.next[rest].accepted(accept); found {
		return true
	}
	token, after, more := cutToken(text)
	for name, child := range t.next {
		switch {
		case token == rest:
			if child.any(accept) {
				return true
			}
			continue
		case name != token && name != one && token != one:
			continue
		}
		if _, found := child.accepted(accept); found && !more {
			return true
		}
		if more && child.overlaps(after, accept) {
			return true
		}
	}
	return false
}

// any reports whether there is an entry here or below that accept accepts.
func (t *trie) any(accept func(entry) bool) bool {
	if _, found := t.accepted(accept); found {
		return true
	}
	for _, child := range t.next {
		if child.any(accept) {
			return true
		}
	}
	return false
}

// accepted returns the first entry that ends here and that accept accepts. A nil trie has none.
func (t *trie) accepted(accept func(entry) bool) (int, bool) {
	if t == nil {
		return 0, false
	}
	for _, e := range t.entries {
		if accept(e) {
			return e.index, true
		}
	}
	return 0, false
}

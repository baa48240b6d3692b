package sublist

import "sync/atomic"

const (
	separator = "."
	anyToken  = "*" // as a token of a pattern: any one token
	anyRest   = ">" // as the last token of a pattern: one or more tokens
)

// branch is a node of the trie of wildcard patterns: the tokens on the way from the root to it are a prefix of some
// pattern. Its literal token is the key of the entry that holds it.
//
// Readers load the atomic fields without a lock; writers hold Index.mu. A branch that nothing hangs on is taken out.
type branch[T comparable] struct {
	star  atomic.Pointer[branch[T]] // next token "*"
	edges tableRef[branch[T]]       // next token literal
	here  atomic.Pointer[Result[T]] // pattern that ends here
	tail  atomic.Pointer[Result[T]] // pattern that ends with ">" next

	// Writer only: the canonical strings of those two patterns.
	herePattern string
	tailPattern string
}

// collect appends to sets every set on a pattern that matches subject, which must be well-formed.
//
// Hot path: once per message whose subject is not cached. 0 allocs/op while sets has room.
// Cost: one visit per branch whose prefix matches; never more than there are patterns. Locks: none.
func (b *branch[T]) collect(subject string, sets []*Result[T]) []*Result[T] {
	for {
		if tail := b.tail.Load(); tail != nil {
			sets = append(sets, tail)
		}
		star, edges := b.star.Load(), b.edges.Load()
		if star == nil && edges == nil {
			return sets
		}
		token, remainder := cut(subject)
		if remainder == "" {
			if star != nil {
				sets = star.appendHere(sets)
			}
			if child := edges.find(token); child != nil {
				sets = child.payload.appendHere(sets)
			}
			return sets
		}
		child := edges.find(token)
		switch {
		case child == nil && star == nil:
			return sets
		case child == nil:
			b = star
		default:
			if star != nil {
				sets = star.collect(remainder, sets)
			}
			b = &child.payload
		}
		subject = remainder
	}
}

func (b *branch[T]) appendHere(sets []*Result[T]) []*Result[T] {
	if here := b.here.Load(); here != nil {
		return append(sets, here)
	}
	return sets
}

// cut returns the first token of s and what follows the separator behind it, "" if nothing does. Tokens are short, so
// that a plain loop beats a call to strings.IndexByte.
func cut(s string) (token, remainder string) {
	for i := range len(s) {
		if s[i] == separator[0] {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// slotOf is the place of a pattern's set in the trie.
type slotOf[T comparable] struct {
	set     *atomic.Pointer[Result[T]]
	pattern *string
}

// grow returns the place of pattern below b and builds the branches that lead there. Locks: needs Index.mu.
func (b *branch[T]) grow(hasher hasher, pattern string) slotOf[T] {
	for {
		token, remainder := cut(pattern)
		var child *branch[T]
		switch {
		case token == anyRest && remainder == "":
			return slotOf[T]{&b.tail, &b.tailPattern}
		case token == anyToken:
			if child = b.star.Load(); child == nil {
				child = new(branch[T])
				b.star.Store(child)
			}
		default:
			e := b.edges.Load().find(token)
			if e == nil {
				e = newEntry[branch[T]](token, slotHash(hasher.hash(token)))
				b.edges.add(hasher, e)
			}
			child = &e.payload
		}
		if b = child; remainder == "" {
			return slotOf[T]{&b.here, &b.herePattern}
		}
		pattern = remainder
	}
}

// find returns the place of pattern below b, and false if there is none. Locks: needs Index.mu.
func (b *branch[T]) find(pattern string) (slotOf[T], bool) {
	for b != nil {
		token, remainder := cut(pattern)
		switch {
		case token == anyRest && remainder == "":
			return slotOf[T]{&b.tail, &b.tailPattern}, true
		case token == anyToken:
			b = b.star.Load()
		default:
			e := b.edges.Load().find(token)
			if e == nil {
				return slotOf[T]{}, false
			}
			b = &e.payload
		}
		if remainder == "" && b != nil {
			return slotOf[T]{&b.here, &b.herePattern}, true
		}
		pattern = remainder
	}
	return slotOf[T]{}, false
}

// prune takes the branches on the way to pattern that nothing hangs on any more out of the trie, deepest first, and
// reports whether b itself is one of them. Locks: needs Index.mu.
func (b *branch[T]) prune(pattern string) bool {
	token, remainder := cut(pattern)
	switch {
	case pattern == "" || (token == anyRest && remainder == ""):
	case token == anyToken:
		if child := b.star.Load(); child != nil && child.prune(remainder) {
			b.star.Store(nil)
		}
	default:
		if e := b.edges.Load().find(token); e != nil && e.payload.prune(remainder) {
			b.edges.remove(e)
		}
	}
	return b.star.Load() == nil && b.edges.Load() == nil && b.here.Load() == nil && b.tail.Load() == nil
}

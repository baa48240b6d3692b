package sublist

import (
	"strings"

	"github.com/natsd/natsd/internal/subject"
)

// maxStem is the longest beginning of a subject in bytes that a Reader remembers.
const maxStem = 128

// stem is the way through the trie for the first tokens of a subject, for others that begin with the same. Telemetry is like that:
// thousands of subjects that differ in one token, and few patterns. It is what two subjects in a row have in common, and
// there must be one way only, and no set on it.
//
// A stem holds as long as no wildcard pattern changes. What hangs on its end is walked anew each time.
type stem[T comparable] struct {
	index      *Index[T]
	generation uint64     // of index
	text       []byte     // the tokens on the way, each with its separator, none of them empty
	end        *branch[T] // nil: not known
	hopeless   bool       // there is no end, as long as text and generation stay
}

// walk is Match for a subject without an entry of its own by way of the trie; nil if there is no result that may be kept.
func (r *Reader[T]) walk(x *Index[T], text string, generation uint64) *Result[T] {
	sets, known := r.fromStem(x, text, generation)
	if !known {
		if !subject.WellFormed(text) {
			return nil
		}
		if sets = r.collect(x, nil, text); len(sets) <= 1 {
			r.noteStem(x, text, generation)
		}
	}
	switch len(sets) {
	case 0:
		r.miss(x)
		return &x.none
	case 1:
		r.miss(x)
		return sets[0]
	}
	return nil // a merge, which belongs into the cache
}

// fromStem returns the sets that match a subject which has the stem of the last one, and whether it has.
func (r *Reader[T]) fromStem(x *Index[T], text string, generation uint64) (sets []*Result[T], known bool) {
	if r.scratch == nil {
		return nil, false
	}
	s := &r.scratch.stem
	n := len(s.text)
	if s.end == nil || s.index != x || s.generation != generation || len(text) <= n || text[:n] != string(s.text) {
		return nil, false
	}
	rest := text[n:]
	if here := s.end.anyLast(rest); here != nil {
		return append(r.scratch.sets[:0], here), true
	}
	if !subject.WellFormed(rest) {
		return nil, false
	}
	r.scratch.sets = s.end.collect(rest, r.scratch.sets[:0])
	return r.scratch.sets, true
}

// anyLast returns the only set that matches below b if rest is one token and all that hangs there is "*"; nil otherwise.
func (b *branch[T]) anyLast(rest string) *Result[T] {
	star := b.star.Load()
	if star == nil || b.edges.Load() != nil || b.tail.Load() != nil {
		return nil
	}
	for i := range len(rest) {
		if rest[i] == separator[0] {
			return nil
		}
	}
	return star.here.Load()
}

// noteStem remembers what text, which is well-formed and was matched at this generation by walking, and the subject before have
// in common.
func (r *Reader[T]) noteStem(x *Index[T], text string, generation uint64) {
	s := &r.scratch.stem
	common := 0
	if s.index == x && s.generation == generation {
		common = commonTokens(s.text, text)
	}
	if common == 0 {
		n := min(strings.LastIndexByte(text, separator[0])+1, maxStem)
		s.index, s.generation, s.text, s.end, s.hopeless = x, generation, append(s.text[:0], text[:n]...), nil, false
		return
	}
	if common == len(s.text) && (s.end != nil || s.hopeless) || !x.tryLock() {
		return
	}
	end, n := x.stemLocked(text[:common])
	s.generation, s.text, s.end, s.hopeless = x.generation.Load(), s.text[:n], end, end == nil
	x.mu.Unlock()
}

// commonTokens returns the length of the tokens, with their separators, that a and b both begin with.
func commonTokens(a []byte, b string) int {
	n := 0
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			break
		}
		if a[i] == separator[0] {
			n = i + 1
		}
	}
	return n
}

// stemLocked returns where the way for text, whole tokens with their separators, ends, and how much of text that takes. The end
// is nil if there is more than one way, or a set on it.
func (x *Index[T]) stemLocked(text string) (end *branch[T], n int) {
	b := x.root.Load()
	for b != nil && n < len(text) {
		star, edges := b.star.Load(), b.edges.Load()
		if star == nil && edges == nil {
			return b, n
		}
		token, _ := cut(text[n:])
		child := edges.find(token)
		switch {
		case b.tail.Load() != nil || child != nil && star != nil:
			return nil, len(text)
		case child != nil:
			b = &child.payload
		default:
			b = star
		}
		n += len(token) + 1
	}
	if b == nil {
		return nil, len(text)
	}
	return b, n
}

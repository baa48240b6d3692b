package sublist

import (
	"sync/atomic"

	"github.com/natsd/natsd/internal/subject"
)

// recentChanges is the number of wildcard changes that are remembered by pattern. A cached result that is older costs
// a new walk through the trie, which is cheaper than to test many more patterns.
const recentChanges = 64

// changeRing holds the latest wildcard changes, that of generation g at index g modulo recentChanges.
type changeRing [recentChanges]atomic.Pointer[change]

// change says that the set of pattern changed at generation. Immutable.
type change struct {
	generation uint64
	pattern    string
}

// announceLocked tells readers that the set of pattern is about to change. It comes before the change: as soon as one
// match sees the new set, no later match may take a cached result from before for current, and Match relies
// on the generation for that. A match in between computes its result anew and may see either set.
func (x *Index[T]) announceLocked(pattern string) {
	ring := x.changes.Load()
	if ring == nil {
		ring = new(changeRing)
		x.changes.Store(ring)
	}
	generation := x.generation.Load() + 1
	ring[generation%recentChanges].Store(&change{generation, pattern})
	x.generation.Store(generation)
}

// unaffected reports whether none of the wildcard changes after generation from, up to and including generation to,
// can match subject text. If it cannot tell, because there were too many, it reports false. Locks: none.
func (x *Index[T]) unaffected(text string, from, to uint64) bool {
	if to-from >= recentChanges {
		return false
	}
	ring := x.changes.Load()
	for generation := to; generation > from; generation-- {
		c := ring[generation%recentChanges].Load()
		if c.generation != generation || subject.Match(c.pattern, text) {
			return false
		}
	}
	return true
}

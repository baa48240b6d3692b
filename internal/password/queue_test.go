package password

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// naiveQueue is a fairQueue that is obviously right: jobs by place, in the order of the turns.
type naiveQueue [][]*job

func (n naiveQueue) size() int { return len(slices.Concat(n...)) }

func (n naiveQueue) of(name string) int {
	return slices.IndexFunc(n, func(jobs []*job) bool { return jobs[0].from == name })
}

func (n *naiveQueue) push(j *job) {
	if i := n.of(j.from); i >= 0 {
		(*n)[i] = append((*n)[i], j)
		return
	}
	*n = append(*n, []*job{j})
}

func (n *naiveQueue) pop() *job {
	first := (*n)[0]
	*n = (*n)[1:]
	if len(first) > 1 {
		*n = append(*n, first[1:])
	}
	return first[0]
}

func (n *naiveQueue) remove(j *job) {
	i := n.of(j.from)
	if i < 0 {
		return
	}
	if (*n)[i] = slices.DeleteFunc((*n)[i], func(other *job) bool { return other == j }); len((*n)[i]) == 0 {
		*n = slices.Delete(*n, i, i+1)
	}
}

// TestQueue plays random changes against the naive queue. Whom makeRoom picks among places with as many jobs is its own affair.
func TestQueue(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var (
		q     fairQueue
		naive naiveQueue
		all   []*job
	)
	for range 20_000 {
		name := string(rune('a' + random.IntN(5)))
		switch random.IntN(8) {
		case 0:
			if j := q.pop(); len(naive) == 0 && j != nil || len(naive) > 0 && j != naive.pop() {
				t.Fatalf("popped %+v", j)
			}
		case 1:
			if len(all) > 0 { // it may have gone already
				j := all[random.IntN(len(all))]
				q.remove(j)
				naive.remove(j)
			}
		case 2:
			own, most := 0, 0
			for _, jobs := range naive {
				most = max(most, len(jobs))
				if jobs[0].from == name {
					own = len(jobs)
				}
			}
			j := q.makeRoom(name)
			switch {
			case j == nil && most > own+1:
				t.Fatalf("no room for one more than %d, while others have %d", own, most)
			case j != nil && (most <= own+1 || naive[naive.of(j.from)][most-1] != j):
				t.Fatalf("%+v makes room for %s", j, name)
			case j != nil:
				naive.remove(j)
			}
		default:
			if q.size < 20 {
				j := &job{from: name}
				all = append(all, j)
				q.push(j)
				naive.push(j)
			}
		}
		if q.size != naive.size() || len(q.places) != len(naive) || len(q.turns) != len(naive) || len(q.crowds) != len(naive) {
			t.Fatalf("%d jobs of %d, %d, %d places; want %d of %d", q.size, len(q.places), len(q.turns), len(q.crowds), naive.size(), len(naive))
		}
	}
}

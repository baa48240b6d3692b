package password

import (
	"container/heap"
	"slices"
)

// fairQueue holds jobs by where they come from. Places take turns; the jobs of one place keep their order.
type fairQueue struct {
	places map[string]*place // that have jobs
	turns  []*place          // the same, the next one first
	crowds crowds            // the same, the one with the most jobs first
	size   int               // jobs
}

// place is where jobs come from.
type place struct {
	name string
	jobs []*job
	at   int // index in fairQueue.crowds
}

// push adds a job.
func (q *fairQueue) push(j *job) {
	if q.places == nil {
		q.places = make(map[string]*place)
	}
	q.size++
	if p := q.places[j.from]; p != nil {
		p.jobs = append(p.jobs, j)
		heap.Fix(&q.crowds, p.at)
		return
	}
	p := &place{name: j.from, jobs: []*job{j}}
	q.places[j.from] = p
	q.turns = append(q.turns, p)
	heap.Push(&q.crowds, p)
}

// pop removes the next job, nil if there is none.
func (q *fairQueue) pop() *job {
	if len(q.turns) == 0 {
		return nil
	}
	p := q.turns[0]
	j := p.jobs[0]
	if len(p.jobs) > 1 {
		q.turns = append(q.turns[1:], p)
	}
	q.removeAt(p, 0)
	return j
}

// remove takes j out, if it is there.
func (q *fairQueue) remove(j *job) {
	p := q.places[j.from]
	if p == nil {
		return
	}
	if i := slices.Index(p.jobs, j); i >= 0 {
		q.removeAt(p, i)
	}
}

// makeRoom removes and returns a job in whose place one from a place of that name may come: the last one of the place that
// has the most. It returns nil if the newcomer's own place would then have as many as any.
func (q *fairQueue) makeRoom(name string) *job {
	if len(q.crowds) == 0 {
		return nil
	}
	own := 0
	if p := q.places[name]; p != nil {
		own = len(p.jobs)
	}
	most := q.crowds[0]
	last := len(most.jobs) - 1
	if last <= own {
		return nil
	}
	j := most.jobs[last]
	q.removeAt(most, last)
	return j
}

// removeAt takes out job i of p, and p with its last one.
func (q *fairQueue) removeAt(p *place, i int) {
	q.size--
	if i == 0 {
		p.jobs[0] = nil
		p.jobs = p.jobs[1:]
	} else {
		p.jobs = slices.Delete(p.jobs, i, i+1)
	}
	if len(p.jobs) > 0 {
		heap.Fix(&q.crowds, p.at)
		return
	}
	delete(q.places, p.name)
	heap.Remove(&q.crowds, p.at)
	if i := slices.Index(q.turns, p); i == 0 {
		q.turns = q.turns[1:]
	} else {
		q.turns = slices.Delete(q.turns, i, i+1)
	}
}

// crowds is a heap of places, the one with the most jobs first.
type crowds []*place

func (c crowds) Len() int           { return len(c) }
func (c crowds) Less(a, b int) bool { return len(c[a].jobs) > len(c[b].jobs) }

func (c crowds) Swap(a, b int) {
	c[a], c[b] = c[b], c[a]
	c[a].at, c[b].at = a, b
}

// Push is for package heap.
func (c *crowds) Push(x any) {
	p := x.(*place)
	p.at = len(*c)
	*c = append(*c, p)
}

// Pop is for package heap.
func (c *crowds) Pop() any {
	last := len(*c) - 1
	p := (*c)[last]
	(*c)[last] = nil
	*c = (*c)[:last]
	return p
}

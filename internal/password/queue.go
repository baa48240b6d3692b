package password

// fairQueue holds jobs by where they come from. Places take turns; the jobs of one place keep their order.
type fairQueue struct {
	places map[string][]*job
	turns  []string // places that have jobs, the next one first
	size   int      // jobs
}

// push adds a job.
func (q *fairQueue) push(j *job) {
	if q.places == nil {
		q.places = make(map[string][]*job)
	}
	waiting := q.places[j.from]
	if len(waiting) == 0 {
		q.turns = append(q.turns, j.from)
	}
	q.places[j.from] = append(waiting, j)
	q.size++
}

// pop removes the next job, nil if there is none.
func (q *fairQueue) pop() *job {
	if len(q.turns) == 0 {
		return nil
	}
	from := q.turns[0]
	q.turns = q.turns[1:]
	waiting := q.places[from]
	j := waiting[0]
	waiting[0] = nil
	if len(waiting) == 1 {
		delete(q.places, from)
	} else {
		q.places[from] = waiting[1:]
		q.turns = append(q.turns, from)
	}
	q.size--
	return j
}

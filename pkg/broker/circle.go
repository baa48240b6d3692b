package broker

import (
	"fmt"

	"github.com/natsd/natsd/internal/subject"
	"github.com/natsd/natsd/internal/transform"
)

// way is an import of a service as requests see it: from an account, under the subjects of a pattern, to another account, under
// those of another pattern.
type way struct {
	from, to string
	name     *transform.Transform
	state    wayState
}

// wayState says how far the search for a circle is with a way.
type wayState uint8

const (
	wayUnknown wayState = iota
	wayTaken            // from where the search is, it leads here
	wayEnds             // whatever it leads to, no circle is among it
)

// String names where w begins.
func (w *way) String() string { return fmt.Sprintf("%s %q", w.from, w.name.Source()) }

// waysIn returns the ways that lead out of each account, and all of them in the order of list. Imports that are not valid
// are none: others report them. Streams are none either: what comes by one goes on by no other.
func waysIn(list []Account) (out map[string][]*way, all []*way) {
	out = make(map[string][]*way)
	for i := range list {
		for j := range list[i].Imports {
			m := &list[i].Imports[j]
			name, err := m.transform()
			if err != nil || !m.Service {
				continue
			}
			w := &way{from: list[i].Name, to: m.Account, name: name}
			out[w.from] = append(out[w.from], w)
			all = append(all, w)
		}
	}
	return out, all
}

// findCircle returns a circle of imports of services; nil if there is none. A request would go round it, and every subscription
// would get a copy each time, where docs/spec/client-protocol.md §6.4 has one. It compares patterns:
// what a way leads to is all that its destination can match. Cost: O(imports²).
func findCircle(list []Account) []string {
	out, all := waysIn(list)
	var path []*way
	var visit func(w *way) []string
	visit = func(w *way) []string {
		w.state = wayTaken
		path = append(path, w)
		for _, next := range out[w.to] {
			if next.state == wayEnds || !subject.Overlaps(w.name.Destination(), next.name.Source()) {
				continue
			}
			if next.state == wayTaken {
				return circleFrom(path, next)
			}
			if circle := visit(next); circle != nil {
				return circle
			}
		}
		path = path[:len(path)-1]
		w.state = wayEnds
		return nil
	}
	for _, w := range all {
		if w.state != wayUnknown {
			continue
		}
		if circle := visit(w); circle != nil {
			return circle
		}
	}
	return nil
}

// circleFrom names the ways of path from w on, which is one of them, and w again.
func circleFrom(path []*way, w *way) []string {
	var names []string
	for _, step := range path {
		if len(names) > 0 || step == w {
			names = append(names, step.String())
		}
	}
	return append(names, w.String())
}

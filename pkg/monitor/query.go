package monitor

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
)

// maxEcho is the most of what a caller sent that an error repeats, in bytes.
const maxEcho = 128

// clip returns the beginning of text.
func clip(text string) string {
	if len(text) > maxEcho {
		return text[:maxEcho] + "..."
	}
	return text
}

// boolIn returns a boolean parameter. Any integer counts, 1 being true, as gnatsd had it. Source: docs/spec/monitoring.md §2.
func boolIn(q url.Values, name string) (bool, error) {
	text := q.Get(name)
	if text == "" {
		return false, nil
	}
	yes, err := strconv.ParseBool(clip(text))
	if err == nil {
		return yes, nil
	}
	if n, notInt := strconv.Atoi(text); notInt == nil {
		return n == 1, nil
	}
	return false, badRequest{fmt.Errorf("Error decoding boolean for '%s': %w", name, err)} //nolint:staticcheck,revive // text of docs/spec/monitoring.md §2
}

// intIn returns an integer parameter, 0 if there is none.
func intIn(q url.Values, name string) (int, error) {
	text := q.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(clip(text))
	if err != nil {
		return 0, badRequest{fmt.Errorf("Error decoding int for '%s': %w", name, err)} //nolint:staticcheck,revive // text of docs/spec/monitoring.md §2
	}
	return n, nil
}

// idIn returns a connection id, and whether there is one.
func idIn(q url.Values, name string) (uint64, bool, error) {
	text := q.Get(name)
	if text == "" {
		return 0, false, nil
	}
	n, err := strconv.ParseUint(clip(text), 10, 64)
	if err != nil {
		return 0, false, badRequest{fmt.Errorf("Error decoding uint64 for '%s': %w", name, err)} //nolint:staticcheck,revive // text of docs/spec/monitoring.md §2
	}
	return n, n != 0, nil
}

// detail is how much of subscriptions is asked for.
type detail uint8

const (
	detailNone detail = iota
	detailSubjects
	detailAll
)

// detailIn returns the parameter subs: a boolean, or detail.
func detailIn(q url.Values) (detail, error) {
	if q.Get("subs") == "detail" {
		return detailAll, nil
	}
	yes, err := boolIn(q, "subs")
	if yes {
		return detailSubjects, err
	}
	return detailNone, err
}

// defaultLimit is the number of entries in an answer unless a query says otherwise.
const defaultLimit = 1024

// page is which part of a list is asked for.
type page struct{ offset, limit int }

// pageIn returns offset and limit. Source: docs/spec/monitoring.md §2.
func pageIn(q url.Values) (page, error) {
	offset, err := intIn(q, "offset")
	if err != nil {
		return page{}, err
	}
	limit, err := intIn(q, "limit")
	if err != nil {
		return page{}, err
	}
	if limit <= 0 {
		limit = defaultLimit
	}
	return page{max(0, offset), limit}, nil
}

// end returns where p ends, or a place behind every list that can be doubled without an overflow.
func (p page) end() int {
	const far = math.MaxInt / 4
	return min(p.offset, far) + min(p.limit, far)
}

// part returns the part of list that p asks for.
func part[T any](list []T, p page) []T {
	from := min(p.offset, len(list))
	return list[from : from+min(p.limit, len(list)-from)]
}

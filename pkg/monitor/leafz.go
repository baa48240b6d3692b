package monitor

import (
	"net/url"
	"time"
)

// Leafz is the answer of /leafz. Source: docs/spec/monitoring.md §11.
type Leafz struct {
	ServerID string    `json:"server_id"`
	Now      time.Time `json:"now"`
	NumLeafs int       `json:"leafnodes"`
	Leafs    []any     `json:"leafs"` // natsd takes no leaf nodes
}

// leafz is /leafz.
func (s *Server) leafz(q url.Values) (any, error) {
	if _, err := boolIn(q, "subs"); err != nil {
		return nil, err
	}
	return &Leafz{ServerID: s.options.Broker.ID(), Now: time.Now().UTC(), Leafs: []any{}}, nil
}

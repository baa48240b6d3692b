package monitor

import (
	"errors"
	"math"
	"net/url"
	"time"

	"github.com/natsd/natsd/internal/subject"
	"github.com/natsd/natsd/pkg/broker"
)

// Subsz is the answer of /subsz. Source: docs/spec/monitoring.md §7.
type Subsz struct {
	ServerID string    `json:"server_id"`
	Now      time.Time `json:"now"`
	SublistStats
	Total  int         `json:"total"`
	Offset int         `json:"offset"`
	Limit  int         `json:"limit"`
	Subs   []SubDetail `json:"subscriptions_list,omitempty"`
}

// SublistStats are the counters of an index of subscriptions, or of several.
type SublistStats struct {
	NumSubs      int64   `json:"num_subscriptions"`
	NumCache     int64   `json:"num_cache"`
	NumInserts   int64   `json:"num_inserts"`
	NumRemoves   int64   `json:"num_removes"`
	NumMatches   int64   `json:"num_matches"`
	CacheHitRate float64 `json:"cache_hit_rate"`
	MaxFanout    int64   `json:"max_fanout"`
	AvgFanout    float64 `json:"avg_fanout"`
}

// sublistStats returns x as it is shown.
func sublistStats(x *broker.IndexState) SublistStats {
	z := SublistStats{
		NumSubs: x.Subscriptions, NumCache: x.Cached, NumInserts: x.Inserts, NumRemoves: x.Removes, NumMatches: x.Matches, MaxFanout: x.MaxFanout,
	}
	if x.Matches > 0 {
		z.CacheHitRate = round(float64(x.Matches-x.Misses) / float64(x.Matches))
	}
	if x.Results > 0 {
		z.AvgFanout = round(float64(x.Fanout) / float64(x.Results))
	}
	return z
}

// round returns x with four decimals.
func round(x float64) float64 { return math.Round(x*10000) / 10000 }

// subsz is /subsz.
func (s *Server) subsz(q url.Values) (any, error) {
	d, err := detailIn(q)
	if err != nil {
		return nil, err
	}
	p, err := pageIn(q)
	if err != nil {
		return nil, err
	}
	account, test := q.Get("acc"), q.Get("test")
	if test != "" && !subject.ValidLiteral([]byte(test)) {
		return nil, badRequest{errors.New("invalid test subject, must be valid publish subject: " + clip(test))}
	}
	b := s.options.Broker
	z := &Subsz{ServerID: b.ID(), Now: time.Now().UTC(), Offset: p.offset, Limit: p.limit}
	var sum broker.IndexState
	for _, a := range b.Accounts() {
		if account == "" || a.Name == account {
			index := a.FullIndex()
			sum.Add(&index)
		}
	}
	z.SublistStats = sublistStats(&sum)
	if d == detailNone {
		return z, nil
	}
	subs := b.Subs(broker.SubQuery{Account: account, Subject: test})
	z.Total = len(subs)
	for _, sub := range part(subs, p) {
		z.Subs = append(z.Subs, subDetail(&sub, true))
	}
	return z, nil
}

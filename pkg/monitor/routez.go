package monitor

import (
	"net"
	"net/url"
	"time"

	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/cluster"
)

// Routez is the answer of /routez. Source: docs/spec/monitoring.md §6.
type Routez struct {
	ServerID   string         `json:"server_id"`
	ServerName string         `json:"server_name"`
	Now        time.Time      `json:"now"`
	Import     *Side          `json:"import,omitempty"`
	Export     *Side          `json:"export,omitempty"`
	NumRoutes  int            `json:"num_routes"`
	Routes     []RouteInfo    `json:"routes"`
	Missing    []MissingRoute `json:"missing"`
}

// Side is one direction of permissions.
type Side struct {
	Allow []string `json:"allow,omitempty"`
	Deny  []string `json:"deny,omitempty"`
}

// RouteInfo is one route in Routez.
type RouteInfo struct {
	Rid          uint64    `json:"rid"`
	RemoteID     string    `json:"remote_id"`
	RemoteName   string    `json:"remote_name"`
	DidSolicit   bool      `json:"did_solicit"`
	IsConfigured bool      `json:"is_configured"`
	IP           string    `json:"ip"`
	Port         int       `json:"port"`
	Start        time.Time `json:"start"`
	LastActivity time.Time `json:"last_activity"`
	RTT          string    `json:"rtt,omitempty"`
	Uptime       string    `json:"uptime"`
	Idle         string    `json:"idle"`
	Pending      int64     `json:"pending_size"`
	InMsgs       int64     `json:"in_msgs"`
	OutMsgs      int64     `json:"out_msgs"`
	InBytes      int64     `json:"in_bytes"`
	OutBytes     int64     `json:"out_bytes"`
	NumSubs      int       `json:"subscriptions"`
	V1           bool      `json:"v1,omitempty"` // the generation of gnatsd

	Subs       []string    `json:"subscriptions_list,omitempty"`
	SubsDetail []SubDetail `json:"subscriptions_list_detail,omitempty"`
}

// MissingRoute is a server that is looked for and not there.
type MissingRoute struct {
	Address      string     `json:"address"`
	IsConfigured bool       `json:"is_configured"`
	RemoteID     string     `json:"remote_id,omitempty"`
	Attempts     int        `json:"attempts"`
	Since        time.Time  `json:"since"`
	Next         *time.Time `json:"next,omitempty"` // attempt; left out while one is under way
	LastError    string     `json:"last_error,omitempty"`
}

// routez is /routez.
func (s *Server) routez(q url.Values) (any, error) {
	d, err := detailIn(q)
	if err != nil {
		return nil, err
	}
	b, now := s.options.Broker, time.Now().UTC()
	z := &Routez{ServerID: b.ID(), ServerName: b.Name(), Now: now, Routes: []RouteInfo{}, Missing: []MissingRoute{}}
	if s.options.Cluster == nil {
		return z, nil
	}
	o, snapshot := s.options.Cluster.Options(), s.options.Cluster.Snapshot()
	z.Import, z.Export = side(o.Imports), side(o.Exports)
	for i := range snapshot.Routes {
		z.Routes = append(z.Routes, routeInfo(&snapshot.Routes[i], d, now))
	}
	z.NumRoutes = len(z.Routes)
	for _, m := range snapshot.Missing {
		missing := MissingRoute{m.Address, m.Configured, m.ServerID, m.Attempts, m.Since.UTC(), nil, m.LastError}
		if !m.Next.IsZero() {
			next := m.Next.UTC()
			missing.Next = &next
		}
		z.Missing = append(z.Missing, missing)
	}
	return z, nil
}

// side returns one direction of permissions as it is shown, nil if there are none.
func side(p *broker.PermissionSide) *Side {
	if p == nil {
		return nil
	}
	return &Side{p.Allow, p.Deny}
}

// routeInfo returns r as it is shown.
func routeInfo(r *cluster.RouteSnapshot, d detail, now time.Time) RouteInfo {
	i := RouteInfo{
		Rid: r.ID, RemoteID: r.RemoteID, RemoteName: r.RemoteName, DidSolicit: r.Solicited, IsConfigured: r.Configured, Start: r.Start.UTC(),
		LastActivity: r.LastActivity.UTC(), RTT: rttText(r.RTT), Uptime: uptimeText(now.Sub(r.Start)), Idle: uptimeText(now.Sub(r.LastActivity)),
		Pending: r.Pending, InMsgs: r.InMsgs, OutMsgs: r.OutMsgs, InBytes: r.InBytes, OutBytes: r.OutBytes, NumSubs: r.Interest, V1: r.V1,
	}
	if tcp, ok := r.Remote.(*net.TCPAddr); ok {
		i.IP, i.Port = tcp.IP.String(), tcp.Port
	}
	i.Subs, i.SubsDetail = subsAs(r.Subs, d)
	return i
}

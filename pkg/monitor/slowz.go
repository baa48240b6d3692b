package monitor

import (
	"fmt"
	"net/url"
	"time"

	"github.com/natsd/natsd/pkg/broker"
)

// Slowz is the answer of /slowz: the connections that were cut last because they were too slow, the latest first.
type Slowz struct {
	ServerID string     `json:"server_id"`
	Now      time.Time  `json:"now"`
	Clients  int64      `json:"clients"` // cut since the start
	Routes   int64      `json:"routes"`
	Slow     []SlowInfo `json:"slow_consumers"`
}

// SlowInfo is one cut in Slowz.
type SlowInfo struct {
	Time       time.Time     `json:"time"`
	Kind       string        `json:"kind"` // Client or Router
	Cid        uint64        `json:"cid"`
	IP         string        `json:"ip"`
	Port       int           `json:"port"`
	User       string        `json:"user,omitempty"`
	Account    string        `json:"account,omitempty"`
	Name       string        `json:"name,omitempty"`
	Lang       string        `json:"lang,omitempty"`
	Version    string        `json:"version,omitempty"`
	Start      time.Time     `json:"start"`
	Age        string        `json:"age"`              // of the connection
	Behind     string        `json:"behind,omitempty"` // how long it had a backlog
	Pending    int64         `json:"pending_bytes"`
	Limit      string        `json:"limit"` // max_pending or write_deadline
	LimitValue string        `json:"limit_value"`
	Subjects   []SlowSubject `json:"subjects"` // most of its backlog
}

// SlowSubject is a subject with many messages in a backlog.
type SlowSubject struct {
	Subject string `json:"subject"`
	Msgs    int64  `json:"msgs"`
	Bytes   int64  `json:"bytes"`
}

// slowz is /slowz.
func (s *Server) slowz(url.Values) (any, error) {
	b := s.options.Broker
	stats := b.Stats()
	z := &Slowz{
		ServerID: b.ID(), Now: time.Now().UTC(), Clients: stats.SlowClients, Routes: stats.SlowConsumers - stats.SlowClients, Slow: []SlowInfo{},
	}
	for _, c := range b.SlowConsumers() {
		z.Slow = append(z.Slow, slowInfo(&c))
	}
	return z, nil
}

// slowInfo returns c as it is shown.
func slowInfo(c *broker.SlowConsumer) SlowInfo {
	i := SlowInfo{
		Time: c.Time.UTC(), Kind: "Client", Cid: c.Conn.ID, IP: c.Conn.IP, Port: c.Conn.Port, User: shownUser(&c.Conn), Account: c.Conn.Account,
		Name: c.Conn.Name, Lang: c.Conn.Lang, Version: c.Conn.Version, Start: c.Conn.Start.UTC(), Age: uptimeText(c.Time.Sub(c.Conn.Start)),
		Pending: c.Conn.Pending, Limit: c.Limit, Subjects: []SlowSubject{},
	}
	if c.Link {
		i.Kind = "Router"
	}
	if !c.BehindSince.IsZero() {
		i.Behind = c.Time.Sub(c.BehindSince).Round(time.Millisecond).String()
	}
	i.LimitValue = limitText(c)
	for _, of := range c.Subjects {
		i.Subjects = append(i.Subjects, SlowSubject{of.Subject, of.Messages, of.Bytes})
	}
	return i
}

// limitText writes the limit that a slow consumer has hit.
func limitText(c *broker.SlowConsumer) string {
	if c.Limit == "write_deadline" {
		return time.Duration(c.LimitValue).String()
	}
	return fmt.Sprintf("%d bytes", c.LimitValue)
}

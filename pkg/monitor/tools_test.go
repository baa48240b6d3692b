package monitor_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// topVarz and topConnz have the fields that nats-top reads, and telegraf's, with their types: one of another type and those
// tools show nothing. Source: docs/spec/monitoring.md §12.
type topVarz struct {
	ServerID         *string        `json:"server_id"`
	ServerName       *string        `json:"server_name"`
	Version          *string        `json:"version"`
	Host             *string        `json:"host"`
	Port             *int           `json:"port"`
	AuthRequired     *bool          `json:"auth_required"`
	TLSRequired      *bool          `json:"tls_required"`
	MaxConn          *int           `json:"max_connections"`
	PingInterval     *time.Duration `json:"ping_interval"`
	MaxPingsOut      *int           `json:"ping_max"`
	AuthTimeout      *float64       `json:"auth_timeout"`
	MaxControlLine   *int32         `json:"max_control_line"`
	MaxPayload       *int           `json:"max_payload"`
	MaxPending       *int64         `json:"max_pending"`
	TLSTimeout       *float64       `json:"tls_timeout"`
	WriteDeadline    *time.Duration `json:"write_deadline"`
	Start            *time.Time     `json:"start"`
	Now              *time.Time     `json:"now"`
	Uptime           *string        `json:"uptime"`
	Mem              *int64         `json:"mem"`
	Cores            *int           `json:"cores"`
	MaxProcs         *int           `json:"gomaxprocs"`
	CPU              *float64       `json:"cpu"`
	Connections      *int           `json:"connections"`
	TotalConnections *uint64        `json:"total_connections"`
	Routes           *int           `json:"routes"`
	Remotes          *int           `json:"remotes"`
	InMsgs           *int64         `json:"in_msgs"`
	OutMsgs          *int64         `json:"out_msgs"`
	InBytes          *int64         `json:"in_bytes"`
	OutBytes         *int64         `json:"out_bytes"`
	SlowConsumers    *int64         `json:"slow_consumers"`
	Subscriptions    *uint32        `json:"subscriptions"`
	Cluster          *struct{}      `json:"cluster"`
	Gateway          *struct{}      `json:"gateway"`
	LeafNode         *struct{}      `json:"leaf"`
	JetStream        *struct {
		Config *struct{} `json:"config"`
	} `json:"jetstream"`
	HTTPReqStats map[string]uint64 `json:"http_req_stats"`
	ConfigLoaded *time.Time        `json:"config_load_time"`
}

type topConnz struct {
	ServerID *string    `json:"server_id"`
	Now      *time.Time `json:"now"`
	NumConns *int       `json:"num_connections"`
	Total    *int       `json:"total"`
	Offset   *int       `json:"offset"`
	Limit    *int       `json:"limit"`
	Conns    []struct {
		Cid          *uint64    `json:"cid"`
		IP           *string    `json:"ip"`
		Port         *int       `json:"port"`
		Start        *time.Time `json:"start"`
		LastActivity *time.Time `json:"last_activity"`
		RTT          *string    `json:"rtt"`
		Uptime       *string    `json:"uptime"`
		Idle         *string    `json:"idle"`
		Pending      *int       `json:"pending_bytes"`
		InMsgs       *int64     `json:"in_msgs"`
		OutMsgs      *int64     `json:"out_msgs"`
		InBytes      *int64     `json:"in_bytes"`
		OutBytes     *int64     `json:"out_bytes"`
		NumSubs      *uint32    `json:"subscriptions"`
		Name         *string    `json:"name"`
		Lang         *string    `json:"lang"`
		Version      *string    `json:"version"`
		Subs         []string   `json:"subscriptions_list"`
	} `json:"connections"`
}

// TestTools: what existing tools read is there, and of their types.
func TestTools(t *testing.T) {
	r := traffic(t)
	var v topVarz
	r.into("/varz", &v)
	var c topConnz
	r.into("/connz?limit=1&sort=cid&subs=1", &c)
	for name, shape := range map[string]any{"varz": v, "connz": c} {
		text, err := json.Marshal(shape)
		if err != nil {
			t.Fatal(err)
		}
		// What was missing is null in the copy; jetstream.config is missing on purpose.
		if text := strings.Replace(string(text), `"config":null`, "", 1); strings.Contains(text, ":null") {
			t.Errorf("%s lacks fields: %s", name, text)
		}
	}
	if len(c.Conns) != 1 || len(c.Conns[0].Subs) != 2 {
		t.Errorf("connz says %+v", c)
	}
	if d, err := time.ParseDuration(*c.Conns[0].RTT); err != nil || d < 0 {
		t.Errorf("rtt is %v, %v", d, err)
	}
}

// TestExporter: prometheus-nats-exporter makes a gauge of every number it finds, so they stay numbers and keep their names.
func TestExporter(t *testing.T) {
	r := traffic(t)
	for path, names := range map[string]string{
		"/varz": "connections total_connections routes remotes in_msgs out_msgs in_bytes out_bytes slow_consumers subscriptions mem cpu cores max_connections " +
			"max_payload max_pending ping_interval ping_max tls_timeout auth_timeout write_deadline leafnodes http_req_stats_/varz",
		"/routez": "num_routes",
		"/subsz":  "num_subscriptions num_cache num_inserts num_removes num_matches cache_hit_rate max_fanout avg_fanout",
		"/leafz":  "leafnodes",
	} {
		var answer map[string]any
		r.into(path, &answer)
		numbers := make(map[string]bool)
		var walk func(prefix string, v any)
		walk = func(prefix string, v any) {
			switch v := v.(type) {
			case float64:
				numbers[strings.TrimPrefix(prefix, "_")] = true
			case map[string]any:
				for name, inner := range v {
					walk(prefix+"_"+name, inner)
				}
			}
		}
		walk("", answer)
		for name := range strings.FieldsSeq(names) {
			if !numbers[name] {
				t.Errorf("%s has no number %s", path, name)
			}
		}
	}
}

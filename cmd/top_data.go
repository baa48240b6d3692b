package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// envMonitorToken is the environment variable with the token for monitor ports.
const envMonitorToken = "NATSD_MONITOR_TOKEN"

// maxAnswer is the most that an answer of a monitor port may take, in bytes.
const maxAnswer = 256 << 20

// topServer is what `natsd top` reads of /varz. Both natsd and nats-server have it.
type topServer struct {
	ServerID      string    `json:"server_id"`
	ServerName    string    `json:"server_name"`
	Version       string    `json:"version"`
	Now           time.Time `json:"now"`
	Uptime        string    `json:"uptime"`
	CPU           float64   `json:"cpu"`
	Mem           int64     `json:"mem"`
	Connections   int64     `json:"connections"`
	Subscriptions int64     `json:"subscriptions"`
	SlowConsumers int64     `json:"slow_consumers"`
	InMsgs        int64     `json:"in_msgs"`
	OutMsgs       int64     `json:"out_msgs"`
	InBytes       int64     `json:"in_bytes"`
	OutBytes      int64     `json:"out_bytes"`
}

// topConn is what `natsd top` reads of a connection in /connz.
type topConn struct {
	Cid           uint64    `json:"cid"`
	IP            string    `json:"ip"`
	Port          int       `json:"port"`
	Name          string    `json:"name"`
	User          string    `json:"authorized_user,omitempty"`
	Lang          string    `json:"lang"`
	Version       string    `json:"version"`
	Subscriptions int64     `json:"subscriptions"`
	Pending       int64     `json:"pending_bytes"`
	InMsgs        int64     `json:"in_msgs"`
	OutMsgs       int64     `json:"out_msgs"`
	InBytes       int64     `json:"in_bytes"`
	OutBytes      int64     `json:"out_bytes"`
	RTT           string    `json:"rtt,omitempty"`
	Uptime        string    `json:"uptime"`
	LastActivity  time.Time `json:"last_activity"`
	Subs          []string  `json:"subscriptions_list,omitempty"`
}

// topConns is the answer of /connz.
type topConns struct {
	Total int       `json:"total"`
	Conns []topConn `json:"connections"`
}

// topRates are per second.
type topRates struct {
	InMsgs   float64 `json:"in_msgs"`
	OutMsgs  float64 `json:"out_msgs"`
	InBytes  float64 `json:"in_bytes"`
	OutBytes float64 `json:"out_bytes"`
}

// topSample is one look at a server.
type topSample struct {
	Server topServer `json:"server"`
	Rates  topRates  `json:"rates"`
	Total  int       `json:"total_connections"` // that there are
	Conns  []topConn `json:"connections"`

	matching int // connections that the filter lets through; set by shown
}

// host returns where the client is.
func (c *topConn) host() string {
	if c.IP == "" {
		return "in process"
	}
	return net.JoinHostPort(c.IP, strconv.Itoa(c.Port))
}

// matches reports whether name, host, user or cid contains text, which is in lower case.
func (c *topConn) matches(text string) bool {
	for _, field := range []string{c.Name, c.host(), c.User, strconv.FormatUint(c.Cid, 10)} {
		if strings.Contains(strings.ToLower(field), text) {
			return true
		}
	}
	return false
}

// shown returns the sample with the connections that q is about: those that match its filter, and no more than its limit.
func (s *topSample) shown(q topQuery) *topSample {
	now, text := *s, strings.ToLower(q.filter)
	now.Conns = []topConn{}
	for i := range s.Conns {
		if s.Conns[i].matches(text) {
			now.Conns = append(now.Conns, s.Conns[i])
		}
	}
	now.matching = len(now.Conns)
	now.Conns = now.Conns[:min(len(now.Conns), q.limit)]
	return &now
}

// topSource asks a monitor port.
type topSource struct {
	client *http.Client
	base   *url.URL
	token  string
	before topServer // the sample before; no id: there was none
}

// topQuery says which connections are wanted.
type topQuery struct {
	sort   string
	limit  int
	subs   bool
	filter string // empty: all
}

// lookedAt returns how many connections are asked for at a server that has connections. A server knows nothing of filters, so
// with one it is asked for all, and for some that come meanwhile.
func (q topQuery) lookedAt(connections int64) int {
	const more = 1024
	if q.filter == "" {
		return q.limit
	}
	return max(q.limit, int(connections)+more)
}

// sample looks at the server. With a filter, it has all connections, for shown to choose from.
func (s *topSource) sample(ctx context.Context, q topQuery) (*topSample, error) {
	now := &topSample{}
	if err := s.get(ctx, "varz", nil, &now.Server); err != nil {
		return nil, err
	}
	if now.Server.ServerID == "" {
		return nil, fmt.Errorf("%s is no monitor port of a NATS server", s.base.Redacted())
	}
	values := url.Values{"sort": {q.sort}, "limit": {strconv.Itoa(q.lookedAt(now.Server.Connections))}, "auth": {"1"}}
	if q.subs {
		values.Set("subs", "1")
	}
	var conns topConns
	if err := s.get(ctx, "connz", values, &conns); err != nil {
		return nil, err
	}
	now.Total, now.Conns = conns.Total, append([]topConn{}, conns.Conns...)
	now.Rates = ratesBetween(&s.before, &now.Server)
	s.before = now.Server
	return now, nil
}

// ratesBetween returns what changed per second, nothing if the server was started again in between.
func ratesBetween(before, now *topServer) topRates {
	passed := now.Now.Sub(before.Now).Seconds()
	if before.ServerID != now.ServerID || passed <= 0 {
		return topRates{}
	}
	rate := func(a, b int64) float64 { return max(0, float64(b-a)/passed) }
	return topRates{
		rate(before.InMsgs, now.InMsgs), rate(before.OutMsgs, now.OutMsgs), rate(before.InBytes, now.InBytes), rate(before.OutBytes, now.OutBytes),
	}
}

// get reads the JSON of an endpoint.
func (s *topSource) get(ctx context.Context, path string, q url.Values, into any) error {
	u := s.base.JoinPath(path)
	u.RawQuery = q.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fmt.Errorf("cannot ask %s: %w", s.base.Redacted(), err)
	}
	if s.token != "" {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	response, err := s.client.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // its text holds the URL
		}
		return fmt.Errorf("no answer from %s: %w", s.base.Redacted(), err)
	}
	defer func() { _ = response.Body.Close() }() // it was read
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("the answer of %s broke off: %w", s.base.Redacted(), err)
	case response.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%s wants credentials; set %s, or write http://user:password@host:port", s.base.Redacted(), envMonitorToken)
	case response.StatusCode != http.StatusOK:
		text := printable(strings.TrimSpace(string(body[:min(len(body), maxEchoed)])))
		return fmt.Errorf("%s/%s answers %s: %s", s.base.Redacted(), path, response.Status, text)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s/%s does not answer with the JSON of a NATS server: %w", s.base.Redacted(), path, err)
	}
	return nil
}

// maxEchoed is the most of an answer that an error repeats, in bytes.
const maxEchoed = 200

package monitor

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/natsd/natsd/pkg/broker"
)

// Connz is the answer of /connz. Source: docs/spec/monitoring.md §5.
type Connz struct {
	ServerID string     `json:"server_id"`
	Now      time.Time  `json:"now"`
	NumConns int        `json:"num_connections"`
	Total    int        `json:"total"`
	Offset   int        `json:"offset"`
	Limit    int        `json:"limit"`
	Conns    []ConnInfo `json:"connections"`
}

// ConnInfo is one connection in Connz.
type ConnInfo struct {
	Cid          uint64     `json:"cid"`
	Kind         string     `json:"kind,omitempty"`
	Type         string     `json:"type,omitempty"`
	IP           string     `json:"ip"`
	Port         int        `json:"port"`
	Start        time.Time  `json:"start"`
	LastActivity time.Time  `json:"last_activity"`
	Stop         *time.Time `json:"stop,omitempty"`
	Reason       string     `json:"reason,omitempty"`
	RTT          string     `json:"rtt,omitempty"`
	Uptime       string     `json:"uptime"`
	Idle         string     `json:"idle"`
	Pending      int64      `json:"pending_bytes"`
	InMsgs       int64      `json:"in_msgs"`
	OutMsgs      int64      `json:"out_msgs"`
	InBytes      int64      `json:"in_bytes"`
	OutBytes     int64      `json:"out_bytes"`
	Stalls       int64      `json:"stalls,omitempty"`
	NumSubs      int        `json:"subscriptions"`
	Name         string     `json:"name,omitempty"`
	Lang         string     `json:"lang,omitempty"`
	Version      string     `json:"version,omitempty"`
	TLSVersion   string     `json:"tls_version,omitempty"`
	TLSCipher    string     `json:"tls_cipher_suite,omitempty"`
	TLSPeerCerts []PeerCert `json:"tls_peer_certs,omitempty"`
	TLSFirst     bool       `json:"tls_first,omitempty"`
	User         string     `json:"authorized_user,omitempty"`
	Account      string     `json:"account,omitempty"`
	NameTag      string     `json:"name_tag,omitempty"`

	Subs       []string    `json:"subscriptions_list,omitempty"`
	SubsDetail []SubDetail `json:"subscriptions_list_detail,omitempty"`
}

// PeerCert says which certificate a client has shown.
type PeerCert struct {
	Subject    string `json:"subject,omitempty"`
	SPKISha256 string `json:"spki_sha256,omitempty"`
	CertSha256 string `json:"cert_sha256,omitempty"`
}

// SubDetail is one subscription. Source: docs/spec/monitoring.md §5.4.
type SubDetail struct {
	Account string `json:"account,omitempty"`
	Subject string `json:"subject"`
	Queue   string `json:"qgroup,omitempty"`
	Sid     string `json:"sid"`
	Msgs    int64  `json:"msgs"`
	Max     int64  `json:"max,omitempty"`
	Cid     uint64 `json:"cid"`
}

const (
	globalAccount = "$G"
	redacted      = "[REDACTED]"
)

// connQuery is what /connz was asked.
type connQuery struct {
	page
	auth, byID   bool
	id           uint64
	subs         detail
	open, closed bool
	user         string // empty: any
	account      string // empty: any
	match        string // part of what is shown, in lower case; empty: any
	order        order
}

// order is a way to sort: by a number, or by a text. Ties go by cid.
type order struct {
	number func(c *broker.ConnState) int64
	text   func(c *broker.ConnState) string
}

// orders are the ways to sort. Source: docs/spec/monitoring.md §5.2.
func orders() map[string]order {
	ascending := func(of func(c *broker.ConnState) int64) order { return order{number: of} }
	descending := func(of func(c *broker.ConnState) int64) order {
		return order{number: func(c *broker.ConnState) int64 { return -of(c) }}
	}
	return map[string]order{
		"": {}, "cid": {}, "start": {},
		"subs":       descending(func(c *broker.ConnState) int64 { return int64(c.Subscriptions) }),
		"pending":    descending(func(c *broker.ConnState) int64 { return c.Pending }),
		"msgs_to":    descending(func(c *broker.ConnState) int64 { return c.OutMsgs }),
		"msgs_from":  descending(func(c *broker.ConnState) int64 { return c.InMsgs }),
		"bytes_to":   descending(func(c *broker.ConnState) int64 { return c.OutBytes }),
		"bytes_from": descending(func(c *broker.ConnState) int64 { return c.InBytes }),
		"last":       descending(func(c *broker.ConnState) int64 { return c.LastActivity.UnixNano() }),
		"idle":       ascending(func(c *broker.ConnState) int64 { return c.LastActivity.UnixNano() }),
		"uptime":     descending(func(c *broker.ConnState) int64 { return c.Start.UnixNano() }),
		"rtt":        descending(func(c *broker.ConnState) int64 { return int64(c.RTT) }),
		"stop":       descending(func(c *broker.ConnState) int64 { return c.Stop.UnixNano() }),
		"reason":     {text: func(c *broker.ConnState) string { return c.Reason }},
	}
}

// sortKey is what a connection is sorted by.
type sortKey struct {
	number int64
	text   string
	id     uint64
	conn   *broker.ConnState
}

// sort returns list in the order o.
func (o order) sort(list []*broker.ConnState) []*broker.ConnState {
	keys := make([]sortKey, len(list))
	for i, c := range list {
		keys[i] = sortKey{id: c.ID, conn: c}
		if o.number != nil {
			keys[i].number = o.number(c)
		}
		if o.text != nil {
			keys[i].text = o.text(c)
		}
	}
	slices.SortFunc(keys, func(a, b sortKey) int {
		if a.number != b.number {
			return cmp.Compare(a.number, b.number)
		}
		if order := strings.Compare(a.text, b.text); order != 0 {
			return order
		}
		return cmp.Compare(a.id, b.id)
	})
	for i := range keys {
		list[i] = keys[i].conn
	}
	return list
}

// newConnQuery returns what a query asks.
func newConnQuery(q url.Values) (*connQuery, error) {
	c := &connQuery{user: q.Get("user"), account: q.Get("acc"), match: strings.ToLower(q.Get("match"))}
	var err error
	if c.auth, err = boolIn(q, "auth"); err != nil {
		return nil, err
	}
	if c.subs, err = detailIn(q); err != nil {
		return nil, err
	}
	if c.page, err = pageIn(q); err != nil {
		return nil, err
	}
	if c.id, c.byID, err = idIn(q, "cid"); err != nil {
		return nil, err
	}
	if c.byID {
		c.limit = 1
	}
	switch state := q.Get("state"); strings.ToLower(state) {
	case "", "open":
		c.open = true
	case "closed":
		c.closed = true
	case "any", "all":
		c.open, c.closed = true, true
	default:
		return nil, badRequest{fmt.Errorf("Error decoding state for %s", clip(state))} //nolint:staticcheck,revive // text of docs/spec/monitoring.md §2
	}
	name := strings.ToLower(q.Get("sort"))
	order, known := orders()[name]
	switch {
	case !known:
		return nil, badRequest{errors.New("invalid sorting option: " + clip(q.Get("sort")))}
	case (name == "stop" || name == "reason") && c.open:
		return nil, badRequest{errors.New("sort by " + name + " only valid on closed connections")}
	}
	c.order = order
	return c, nil
}

// connz is /connz.
func (s *Server) connz(values url.Values) (any, error) {
	q, err := newConnQuery(values)
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	list, total := s.connections(q)
	z := &Connz{ServerID: s.options.Broker.ID(), Now: now, Total: total, Offset: q.offset, Limit: q.limit, Conns: []ConnInfo{}}
	for _, c := range list {
		c.Describe()
		z.Conns = append(z.Conns, connInfo(c, q, now))
	}
	z.NumConns = len(z.Conns)
	return z, nil
}

// connections returns the connections that q asks for, and how many there are before the page is cut out. What is shown is what
// was sorted by: it is one snapshot.
func (s *Server) connections(q *connQuery) (list []*broker.ConnState, total int) {
	var all []broker.ConnState
	if q.plain() {
		all, total = s.options.Broker.ConnsPage(q.offset, q.limit)
		for i := range all {
			list = append(list, &all[i])
		}
		return list, total
	}
	if q.open && q.byID {
		if c, found := s.options.Broker.Conn(q.id); found {
			all = append(all, c)
		}
	} else if q.open {
		all = s.options.Broker.Conns()
	}
	if q.closed {
		all = append(all, s.options.Broker.Closed()...)
	}
	list = make([]*broker.ConnState, 0, len(all))
	for i := range all {
		if c := &all[i]; q.wants(c) {
			list = append(list, c)
		}
	}
	return part(q.order.sort(list), q.page), len(list)
}

// plain reports whether q asks for all open connections by id, as most do.
func (q *connQuery) plain() bool {
	return !q.closed && !q.byID && q.user == "" && q.account == "" && q.match == "" && q.order.number == nil && q.order.text == nil
}

// wants reports whether c is one of those that q asks for.
func (q *connQuery) wants(c *broker.ConnState) bool {
	if q.byID && c.ID != q.id {
		return false
	}
	if q.user == "" && q.account == "" && q.match == "" {
		return true
	}
	c.Describe()
	return (q.user == "" || shownUser(c) == q.user) && (q.account == "" || c.Account == q.account) && (q.match == "" || matches(c, q.match))
}

// matches reports whether text, in lower case, is part of what is shown of c.
func matches(c *broker.ConnState, text string) bool {
	for _, shown := range []string{net.JoinHostPort(c.IP, strconv.Itoa(c.Port)), c.Name, c.User, c.Account, c.Lang + " " + c.Version, c.Reason} {
		if strings.Contains(strings.ToLower(shown), text) {
			return true
		}
	}
	return strconv.FormatUint(c.ID, 10) == text
}

// shownUser returns the user of c as it may be shown.
func shownUser(c *broker.ConnState) string {
	if c.User == "" && c.Token {
		return redacted
	}
	return c.User
}

// connInfo returns c as q wants to see it.
func connInfo(c *broker.ConnState, q *connQuery, now time.Time) ConnInfo {
	i := ConnInfo{
		Cid: c.ID, Kind: "Client", Type: "nats", IP: c.IP, Port: c.Port, Start: c.Start.UTC(), LastActivity: c.LastActivity.UTC(), Reason: c.Reason,
		RTT: rttText(c.RTT), Pending: c.Pending, InMsgs: c.InMsgs, OutMsgs: c.OutMsgs, InBytes: c.InBytes, OutBytes: c.OutBytes,
		Stalls: c.Stalls, NumSubs: c.Subscriptions, Name: c.Name, Lang: c.Lang, Version: c.Version, TLSFirst: c.TLSFirst,
	}
	if !c.Stop.IsZero() {
		stop := c.Stop.UTC()
		i.Stop, now = &stop, stop
	}
	i.Uptime, i.Idle = uptimeText(now.Sub(c.Start)), uptimeText(now.Sub(c.LastActivity))
	i.TLSVersion, i.TLSCipher = c.TLSNames()
	if q.auth {
		i.User = shownUser(c)
		if c.Account != globalAccount {
			i.Account, i.NameTag = c.Account, c.Account
		}
		for _, certificate := range c.Certificates() {
			key, whole := sha256.Sum256(certificate.RawSubjectPublicKeyInfo), sha256.Sum256(certificate.Raw)
			i.TLSPeerCerts = append(i.TLSPeerCerts, PeerCert{certificate.Subject.String(), hex.EncodeToString(key[:]), hex.EncodeToString(whole[:])})
		}
	}
	i.Subs, i.SubsDetail = subsAs(c.Subs, q.subs)
	return i
}

// subsAs returns the subscriptions that of returns, in as much detail as asked for.
func subsAs(of func() []broker.SubState, d detail) (subjects []string, details []SubDetail) {
	if d == detailNone {
		return nil, nil
	}
	list := of()
	slices.SortFunc(list, func(a, b broker.SubState) int {
		return cmp.Or(strings.Compare(a.Subject, b.Subject), strings.Compare(a.Queue, b.Queue), strings.Compare(a.SID, b.SID))
	})
	for i := range list {
		if d == detailSubjects {
			subjects = append(subjects, list[i].Subject)
			continue
		}
		details = append(details, subDetail(&list[i], false))
	}
	return subjects, details
}

// subDetail returns s as it is shown, with its account or without.
func subDetail(s *broker.SubState, account bool) SubDetail {
	d := SubDetail{Subject: s.Subject, Queue: s.Queue, Sid: s.SID, Msgs: s.Delivered, Max: s.Max, Cid: s.ConnID}
	if account {
		d.Account = s.Account
	}
	return d
}

package monitor

import (
	"cmp"
	"context"
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
	now          time.Time // one for all that is sorted and shown
}

// order is a way to sort: by a number, or by a text. Ties go by cid.
type order struct {
	number func(c *broker.ConnState) int64
	text   func(c *broker.ConnState) string
}

// sortKey is what a connection is sorted by, and where it is. Connections themselves are too large to be moved about.
type sortKey struct {
	number int64
	text   string
	id     uint64
	at     int
}

// key returns the key of c.
func (o order) key(c *broker.ConnState, at int) sortKey {
	k := sortKey{id: c.ID, at: at}
	if o.number != nil {
		k.number = o.number(c)
	}
	if o.text != nil {
		k.text = o.text(c)
	}
	return k
}

func compareKeys(a, b sortKey) int {
	switch {
	case a.number != b.number:
		return cmp.Compare(a.number, b.number)
	case a.text != b.text:
		return strings.Compare(a.text, b.text)
	}
	return cmp.Compare(a.id, b.id)
}

// lasted returns how long c is or was there, and how long it is or was idle, at a time: for a connection that has closed, both stand
// still. Source: docs/spec/monitoring.md §5.1.
func lasted(c *broker.ConnState, now time.Time) (uptime, idle time.Duration) {
	end := cmp.Or(c.Stop, now)
	return end.Sub(c.Start), end.Sub(c.LastActivity)
}

// orders are the ways to sort, at a time. Source: docs/spec/monitoring.md §5.2.
func orders(now time.Time) map[string]order {
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
		"idle": descending(func(c *broker.ConnState) int64 {
			_, idle := lasted(c, now)
			return int64(idle)
		}),
		"uptime": ascending(func(c *broker.ConnState) int64 {
			uptime, _ := lasted(c, now)
			return int64(uptime)
		}),
		"rtt":    descending(func(c *broker.ConnState) int64 { return int64(c.RTT) }),
		"stop":   descending(func(c *broker.ConnState) int64 { return c.Stop.UnixNano() }),
		"reason": {text: func(c *broker.ConnState) string { return c.Reason }},
	}
}

// newConnQuery returns what a query asks, at a time.
func newConnQuery(q url.Values, now time.Time) (*connQuery, error) {
	c := &connQuery{now: now, user: q.Get("user"), account: q.Get("acc"), match: strings.ToLower(q.Get("match"))}
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
	order, known := orders(now)[name]
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
func (s *Server) connz(ctx context.Context, values url.Values) (any, error) {
	q, err := newConnQuery(values, time.Now().UTC())
	if err != nil {
		return nil, err
	}
	list, total, err := s.connections(ctx, q)
	if err != nil {
		return nil, err
	}
	z := &Connz{ServerID: s.options.Broker.ID(), Now: q.now, Total: total, Offset: q.offset, Limit: q.limit, Conns: []ConnInfo{}}
	for i := range list {
		list[i].Describe()
		z.Conns = append(z.Conns, connInfo(&list[i], q))
	}
	z.NumConns = len(z.Conns)
	return z, nil
}

// connections returns the connections that q asks for, and how many there are before the page is cut out. What is shown is what
// was sorted by: it is one snapshot. When ctx ends while there are very many to look at, its error is returned. A caller that has closed
// its half of the connection ends ctx too, and waits all the same.
func (s *Server) connections(ctx context.Context, q *connQuery) (list []broker.ConnState, total int, err error) {
	b := s.options.Broker
	if q.plain() {
		list, total = b.ConnsPage(q.offset, q.limit)
		return list, total, nil
	}
	chosen := selection{q: q}
	if q.open && !q.byID {
		chosen.expect(b.ConnectionCount())
	}
	switch {
	case q.open && q.byID:
		if c, found := b.Conn(q.id); found {
			chosen.offer(&c)
		}
	case q.open:
		looked := 0
		b.EachConn(func(c *broker.ConnState) bool {
			chosen.offer(c)
			if looked++; looked%s.patience == 0 {
				err = ctx.Err()
			}
			return err == nil
		})
	}
	if q.closed {
		for _, c := range b.Closed() {
			chosen.offer(&c)
		}
	}
	if err != nil {
		return nil, 0, err
	}
	list, total = chosen.page()
	return list, total, nil
}

// callerPatience is how many connections are looked at for a caller that may have gone, which takes some milliseconds.
const callerPatience = 10_000

// selection finds the page of a query without keeping all connections: what is certainly behind it is dropped on the way.
type selection struct {
	q     *connQuery
	kept  []broker.ConnState
	keys  []sortKey // of kept
	full  bool      // there is enough for the page, up to last
	last  sortKey
	total int // offered and wanted
}

// expect makes room for what n connections may need.
func (s *selection) expect(n int) {
	n = min(n, 2*max(s.q.end(), minKept))
	s.kept, s.keys = make([]broker.ConnState, 0, n), make([]sortKey, 0, n)
}

// offer adds c if it is wanted.
func (s *selection) offer(c *broker.ConnState) {
	if !s.q.wants(c) {
		return
	}
	s.total++
	k := s.q.order.key(c, len(s.kept))
	if s.full && compareKeys(k, s.last) > 0 {
		return // it is behind the page
	}
	s.keys = append(s.keys, k)
	s.kept = append(s.kept, *c)
	end := s.q.end()
	if len(s.kept) < 2*max(end, minKept) {
		return
	}
	s.kept = s.sorted(page{0, end})
	for i := range s.kept {
		s.keys[i].at = i
	}
	s.keys = s.keys[:len(s.kept)]
	s.full, s.last = len(s.keys) == end, s.keys[len(s.keys)-1]
}

// minKept keeps a selection from sorting too often for a small page.
const minKept = 512

// sorted sorts the keys and returns a page of what they stand for.
func (s *selection) sorted(p page) []broker.ConnState {
	slices.SortFunc(s.keys, compareKeys)
	keys := part(s.keys, p)
	list := make([]broker.ConnState, len(keys))
	for i, k := range keys {
		list[i] = s.kept[k.at]
	}
	return list
}

// page returns the page, and how many connections were wanted.
func (s *selection) page() ([]broker.ConnState, int) { return s.sorted(s.q.page), s.total }

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
func connInfo(c *broker.ConnState, q *connQuery) ConnInfo {
	i := ConnInfo{
		Cid: c.ID, Kind: "Client", Type: "nats", IP: c.IP, Port: c.Port, Start: c.Start.UTC(), LastActivity: c.LastActivity.UTC(), Reason: c.Reason,
		RTT: rttText(c.RTT), Pending: c.Pending, InMsgs: c.InMsgs, OutMsgs: c.OutMsgs, InBytes: c.InBytes, OutBytes: c.OutBytes,
		Stalls: c.Stalls, NumSubs: c.Subscriptions, Name: c.Name, Lang: c.Lang, Version: c.Version, TLSFirst: c.TLSFirst,
	}
	if !c.Stop.IsZero() {
		stop := c.Stop.UTC()
		i.Stop = &stop
	}
	uptime, idle := lasted(c, q.now)
	i.Uptime, i.Idle = uptimeText(uptime), uptimeText(idle)
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

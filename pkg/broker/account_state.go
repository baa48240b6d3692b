package broker

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/natsd/natsd/internal/sublist"
)

// AccountState is a snapshot of an account.
type AccountState struct {
	Name          string
	Clients       int64
	Subscriptions int64 // of clients

	InMsgs, InBytes, OutMsgs, OutBytes int64 // from and to its clients, those that have gone included

	SlowConsumers int64

	Limits   AccountLimits
	Exports  []Export
	Imports  []Import
	Mappings []Mapping
	Index    IndexState // without fan-out, see FullIndex

	index *sublist.Index[*subscription]
}

// IndexState is a snapshot of an index of subscriptions.
type IndexState struct {
	Subscriptions int64 // of clients and other servers
	Cached        int64 // subjects with a result at hand, or with subscriptions of their own
	Inserts       int64 // so far
	Removes       int64
	Matches       int64 // messages that were matched
	Misses        int64 // of them, those without a result at hand

	// Over results at hand; a queue group counts as one. Only FullIndex fills them in.
	Results   int64
	MaxFanout int64
	Fanout    int64 // sum
}

// Add adds the numbers of t to those of s.
func (s *IndexState) Add(t *IndexState) {
	s.Subscriptions += t.Subscriptions
	s.Cached += t.Cached
	s.Inserts += t.Inserts
	s.Removes += t.Removes
	s.Matches += t.Matches
	s.Misses += t.Misses
	s.Results += t.Results
	s.MaxFanout = max(s.MaxFanout, t.MaxFanout)
	s.Fanout += t.Fanout
}

// accountTotals is what clients of an account have done.
type accountTotals struct {
	received, sent tally
}

// Accounts returns all accounts by name. Cost: O(clients). Locks: takes b.mu for as long as it takes to copy the list of clients, and
// out.mu of one after the other.
func (b *Broker) Accounts() []AccountState {
	l := b.live.Load()
	b.mu.Lock()
	totals := maps.Clone(b.mu.pastOf)
	conns := make([]*conn, 0, len(b.mu.conns))
	for _, c := range b.mu.conns {
		conns = append(conns, c)
	}
	b.mu.Unlock()
	for _, c := range conns {
		if id := c.identity.Load(); id != nil {
			t := totals[id.account.name]
			t.add(c)
			totals[id.account.name] = t
		}
	}
	options := make(map[string]Account, len(l.authority.accounts))
	for _, o := range l.accountList() {
		options[o.Name] = o
	}
	list := make([]AccountState, 0, len(l.authority.accounts))
	for name, a := range l.authority.accounts {
		t, o := totals[name], options[name]
		s := AccountState{
			Name: name, Clients: a.clients.Load(), Subscriptions: a.subscriptions.Load(), SlowConsumers: a.slow.Load(), Limits: *a.limits.Load(),
			InMsgs: t.received.messages, InBytes: t.received.bytes, OutMsgs: t.sent.messages, OutBytes: t.sent.bytes,
			Exports: o.Exports, Imports: o.Imports, Mappings: o.Mappings, index: a.index,
		}
		s.Index = a.indexState(t.received.messages)
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b AccountState) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// join adds what is in more.
func (t *accountTotals) join(more accountTotals) {
	t.received.messages += more.received.messages
	t.received.bytes += more.received.bytes
	t.sent.messages += more.sent.messages
	t.sent.bytes += more.sent.bytes
}

// add adds what c has done, and returns how many bytes wait for it. Locks: takes c.out.mu.
func (t *accountTotals) add(c *conn) (pending int64) {
	t.received.messages += c.received.messages.Load()
	t.received.bytes += c.received.bytes.Load()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	t.sent.messages += c.out.mu.sent.messages
	t.sent.bytes += c.out.mu.sent.bytes
	return c.out.mu.pending
}

// indexState returns a snapshot of the index of a, whose clients have published so many messages.
func (a *account) indexState(published int64) IndexState {
	s := a.totals()
	s.Matches += published
	s.Misses = min(s.Misses, s.Matches)
	return s
}

// totals returns a snapshot of the index of a; its Matches are those of messages from other servers.
func (a *account) totals() IndexState {
	u := a.index.Stats()
	return IndexState{
		Subscriptions: int64(u.Subscriptions), Cached: int64(u.Literals + u.CacheEntries), Inserts: u.Inserts, Removes: u.Removes,
		Matches: a.routed.Load(), Misses: u.Misses,
	}
}

// counters returns those of totals that only rise.
func (a *account) counters() IndexState {
	t := a.totals()
	t.Subscriptions, t.Cached = 0, 0
	return t
}

// IndexTotals returns the sum of all indexes, for clients that have published so many messages. What only rises counts accounts too
// that a reload has removed. Cost: O(accounts).
func (b *Broker) IndexTotals(published int64) IndexState {
	l := b.live.Load().authority
	sum := l.past
	sum.Matches += published
	for _, a := range l.accounts {
		t := a.totals()
		sum.Add(&t)
	}
	for _, a := range l.former {
		t := a.counters()
		sum.Add(&t)
	}
	sum.Misses = min(sum.Misses, sum.Matches)
	return sum
}

// FullIndex returns Index with fan-out, as it is now. Cost: O(subjects). Locks: none.
func (s *AccountState) FullIndex() IndexState {
	full := s.Index
	if s.index != nil {
		f := s.index.Fanout()
		full.Results, full.MaxFanout, full.Fanout = f.Results, f.Max, f.Sum
	}
	return full
}

// SubQuery says which subscriptions of clients are asked for.
type SubQuery struct {
	Account string // empty: all of them
	Subject string // only those that would get a message published to it; empty: all
}

// Subs returns subscriptions of clients, sorted by connection. Cost: O(subscriptions), or what a match costs with a subject.
func (b *Broker) Subs(q SubQuery) []SubState {
	var list []SubState
	if q.Subject == "" {
		for _, c := range b.connections() {
			if id := c.identity.Load(); id != nil && (q.Account == "" || id.account.name == q.Account) {
				list = append(list, c.subStates()...)
			}
		}
	} else {
		for name, a := range b.live.Load().authority.accounts {
			if q.Account == "" || name == q.Account {
				list = appendMatching(list, a, q.Subject)
			}
		}
	}
	slices.SortFunc(list, func(a, b SubState) int {
		return cmp.Or(cmp.Compare(a.ConnID, b.ConnID), cmp.Compare(len(a.SID), len(b.SID)), strings.Compare(a.SID, b.SID))
	})
	return list
}

// appendMatching appends the subscriptions of clients of a that get what is published to text.
func appendMatching(list []SubState, a *account, text string) []SubState {
	var reader sublist.Reader[*subscription]
	r := reader.Match(a.index, []byte(text))
	add := func(s *subscription) {
		if s.conn.route != nil {
			return
		}
		s.conn.out.mu.Lock()
		defer s.conn.out.mu.Unlock()
		list = append(list, s.stateLocked(a.name))
	}
	for _, s := range r.Plain {
		add(s)
	}
	for i := range r.Queues() {
		for _, s := range r.Queues()[i].Members {
			add(s)
		}
	}
	return list
}

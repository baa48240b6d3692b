package monitor

import (
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/natsd/natsd/pkg/broker"
)

// systemAccount is always in the list of accounts.
const systemAccount = "$SYS"

// Accountz is the answer of /accountz. Source: docs/spec/monitoring.md §10.
type Accountz struct {
	ServerID      string         `json:"server_id"`
	Now           time.Time      `json:"now"`
	SystemAccount string         `json:"system_account,omitempty"`
	Accounts      []string       `json:"accounts,omitempty"`
	Account       *AccountDetail `json:"account_detail,omitempty"`
}

// AccountDetail is one account in Accountz.
type AccountDetail struct {
	Name        string               `json:"account_name"`
	UpdateTime  time.Time            `json:"update_time"`
	IsSystem    bool                 `json:"is_system,omitempty"`
	Expired     bool                 `json:"expired"`
	Complete    bool                 `json:"complete"`
	JetStream   bool                 `json:"jetstream_enabled"`
	Leafnodes   int                  `json:"leafnode_connections"`
	Clients     int64                `json:"client_connections"`
	Subs        int64                `json:"subscriptions"`
	Mappings    map[string][]MapDest `json:"mappings,omitempty"`
	Exports     []Export             `json:"exports,omitempty"`
	Imports     []Import             `json:"imports,omitempty"`
	NameTag     string               `json:"name_tag,omitempty"`
	SublistStat SublistStats         `json:"sublist_stats"`
}

// MapDest is where a mapping leads.
type MapDest struct {
	Subject string `json:"subject"`
	Weight  int    `json:"weight"`
	Cluster string `json:"cluster,omitempty"`
}

// Export is what an account exports.
type Export struct {
	Subject          string   `json:"subject"`
	Type             string   `json:"type"`
	ApprovedAccounts []string `json:"approved_accounts,omitempty"`
	ResponseType     string   `json:"response_type,omitempty"`
}

// Import is what an account imports.
type Import struct {
	Subject      string `json:"subject"`
	Account      string `json:"account"`
	LocalSubject string `json:"local_subject,omitempty"`
	Type         string `json:"type"`
}

// accountz is /accountz.
func (s *Server) accountz(q url.Values) (any, error) {
	about := s.options.About()
	z := &Accountz{ServerID: s.options.Broker.ID(), Now: time.Now().UTC(), SystemAccount: about.SystemAccount}
	name := q.Get("acc")
	accounts := s.options.Broker.Accounts()
	if name == "" {
		z.Accounts = []string{systemAccount}
		for i := range accounts {
			if accounts[i].Name != systemAccount {
				z.Accounts = append(z.Accounts, accounts[i].Name)
			}
		}
		slices.Sort(z.Accounts)
		return z, nil
	}
	for i := range accounts {
		if accounts[i].Name == name {
			z.Account = s.accountDetail(&accounts[i], &about)
			return z, nil
		}
	}
	if name == systemAccount {
		z.Account = s.accountDetail(&broker.AccountState{Name: name}, &about)
		return z, nil
	}
	return nil, badRequest{errors.New("Account " + clip(name) + " does not exist")} //nolint:staticcheck,revive // text of docs/spec/monitoring.md §10
}

// accountDetail returns a as it is shown.
func (s *Server) accountDetail(a *broker.AccountState, about *About) *AccountDetail {
	d := &AccountDetail{
		Name: a.Name, NameTag: a.Name, UpdateTime: about.ConfigLoaded.UTC(), Complete: true, Clients: a.Clients, Subs: a.Subscriptions,
		IsSystem: a.Name == about.SystemAccount || a.Name == systemAccount && about.SystemAccount == "",
	}
	if about.ConfigLoaded.IsZero() {
		d.UpdateTime = s.options.Broker.Started().UTC()
	}
	index := a.FullIndex()
	d.SublistStat = sublistStats(&index)
	for i := range a.Mappings {
		if d.Mappings == nil {
			d.Mappings = make(map[string][]MapDest)
		}
		for _, to := range a.Mappings[i].Destinations {
			d.Mappings[a.Mappings[i].Source] = append(d.Mappings[a.Mappings[i].Source], MapDest{Subject: to.Subject, Weight: to.Weight})
		}
	}
	for i := range a.Exports {
		e := &a.Exports[i]
		export := Export{Subject: e.Subject, Type: linkType(e.Service), ApprovedAccounts: e.Accounts}
		if e.Service {
			export.ResponseType = string(e.Responses)
		}
		d.Exports = append(d.Exports, export)
	}
	for i := range a.Imports {
		m := &a.Imports[i]
		d.Imports = append(d.Imports, Import{Subject: m.Subject, Account: m.Account, LocalSubject: m.Local, Type: linkType(m.Service)})
	}
	return d
}

// linkType returns what an export or import is of.
func linkType(service bool) string {
	if service {
		return "service"
	}
	return "stream"
}

// Accstatz is the answer of /accstatz.
type Accstatz struct {
	ServerID string        `json:"server_id"`
	Now      time.Time     `json:"now"`
	Accounts []AccountStat `json:"account_statz"`
}

// AccountStat is the traffic of one account.
type AccountStat struct {
	Account       string    `json:"acc"`
	Name          string    `json:"name"`
	Conns         int64     `json:"conns"`
	LeafNodes     int       `json:"leafnodes"`
	TotalConns    int64     `json:"total_conns"`
	NumSubs       int64     `json:"num_subscriptions"`
	Sent          DataStats `json:"sent"`
	Received      DataStats `json:"received"`
	SlowConsumers int64     `json:"slow_consumers"`
}

// DataStats counts messages and the bytes of their payloads.
type DataStats struct {
	Msgs  int64 `json:"msgs"`
	Bytes int64 `json:"bytes"`
}

// accstatz is /accstatz.
func (s *Server) accstatz(q url.Values) (any, error) {
	unused, err := boolIn(q, "unused")
	if err != nil {
		return nil, err
	}
	z := &Accstatz{ServerID: s.options.Broker.ID(), Now: time.Now().UTC(), Accounts: []AccountStat{}}
	for _, a := range s.options.Broker.Accounts() {
		if a.Clients == 0 && !unused {
			continue
		}
		z.Accounts = append(z.Accounts, AccountStat{
			Account: a.Name, Name: a.Name, Conns: a.Clients, TotalConns: a.Clients, NumSubs: a.Subscriptions,
			Sent: DataStats{a.OutMsgs, a.OutBytes}, Received: DataStats{a.InMsgs, a.InBytes}, SlowConsumers: a.SlowConsumers,
		})
	}
	return z, nil
}

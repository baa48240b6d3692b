package broker

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/natsd/natsd/internal/subject"
	"github.com/natsd/natsd/internal/transform"
)

// Export lets other accounts import a stream, which is what is published to a subject, or a service, which is requests to
// one. Source: docs/spec/config.md B6.
type Export struct {
	Subject  string   // may hold wildcards
	Service  bool     // otherwise it is a stream
	Accounts []string // that may import it; nil: all
	// Responses is the number of answers to a request. Empty means ResponseSingle.
	Responses ResponseType
	// ResponseTime is how long after a request an answer may come. Zero means DefaultResponseTime.
	ResponseTime time.Duration
	// AccountToken is the position, counted from 1, of the token of Subject that must be the name of the importing
	// account. Zero: there is none.
	AccountToken int
}

// ResponseType says how many answers a service gives to a request.
type ResponseType string

// The response types.
const (
	ResponseSingle  ResponseType = "single"
	ResponseStream  ResponseType = "stream"
	ResponseChunked ResponseType = "chunked"
)

// DefaultResponseTime is how long after a request its answers may come, unless Export says otherwise.
const DefaultResponseTime = 2 * time.Minute

// Import makes a stream or a service of another account one of the own. Source: docs/spec/config.md B6.
type Import struct {
	Account string // that exports it
	Subject string // there; covered by one of its exports
	Service bool   // otherwise it is a stream
	// Local is what it is called in the own account: for a stream the destination of a mapping from Subject, for a service
	// the subject that requests are published to, with as many wildcards as Subject. Empty means Subject.
	Local string
}

// Mapping replaces the subject of what is published in an account. Source: docs/spec/config.md B6.
type Mapping struct {
	Source       string // may hold wildcards
	Destinations []Destination
}

// Destination is one of the subjects that a Mapping chooses from at random.
type Destination struct {
	Subject string // see docs/spec/config.md B6 for what may stand in it
	Weight  int    // percent; of all together at most 100, and what is missing leaves the subject as it is
}

// links are what an account has to do with others, and with its own subjects. They are never changed.
type links struct {
	mappings []*mapping
	streams  []*streamLink  // that others import from here
	services []*serviceLink // that are imported here
}

// mapping is a Mapping ready for use.
type mapping struct {
	source       string
	destinations []weighted
}

type weighted struct {
	*transform.Transform
	upTo int // of 100
}

// streamLink is what another account imports from this one.
type streamLink struct {
	to   *account
	name *transform.Transform // from the subject here to that there

	subject string // here
}

// serviceLink is what this account imports from another one.
type serviceLink struct {
	from         *account
	name         *transform.Transform // from the subject here to that there
	single       bool
	responseTime time.Duration
}

// validateLinks calls bad for everything that is wrong with exports, imports and mappings.
func validateLinks(list []Account, bad func(format string, args ...any)) {
	for i := range list {
		a := &list[i]
		if _, err := newMappings(a.Mappings); err != nil {
			bad("mappings of account %q: %v", a.Name, err)
		}
		for _, e := range a.Exports {
			if !subject.ValidSubscription(e.Subject) {
				bad("account %q exports %q, which is not a valid subject", a.Name, e.Subject)
			}
		}
		for j := range a.Imports {
			if _, _, err := a.Imports[j].link(a.Name, list); err != nil {
				bad("account %q: %v", a.Name, err)
			}
		}
	}
	if circle := findCircle(list); circle != nil {
		bad("imports of services go in a circle: %s; remove one of them", strings.Join(circle, ", "))
	}
}

// link returns the export that an import by an account uses, and the transform between their subjects.
func (m *Import) link(importer string, list []Account) (*Export, *transform.Transform, error) {
	kind := "stream"
	if m.Service {
		kind = "service"
	}
	at := slices.IndexFunc(list, func(a Account) bool { return a.Name == m.Account })
	if at < 0 {
		return nil, nil, fmt.Errorf("cannot import %s %q: there is no account %q", kind, m.Subject, m.Account)
	}
	export := list[at].exportFor(m, importer)
	if export == nil {
		return nil, nil, fmt.Errorf("cannot import %s %q: account %q does not export it to this one", kind, m.Subject, m.Account)
	}
	name, err := m.transform()
	return export, name, err
}

// exportFor returns the export of a that covers m, nil if there is none.
func (a *Account) exportFor(m *Import, importer string) *Export {
	for i := range a.Exports {
		e := &a.Exports[i]
		if e.Service != m.Service || !subject.ValidSubscription(m.Subject) || !subject.Covers(e.Subject, m.Subject) {
			continue
		}
		if e.Accounts != nil && !slices.Contains(e.Accounts, importer) {
			continue
		}
		if tokens := strings.Split(m.Subject, "."); e.AccountToken > 0 && (e.AccountToken > len(tokens) || tokens[e.AccountToken-1] != importer) {
			continue
		}
		return e
	}
	return nil
}

// transform returns how subjects get from where they are published to where they are delivered.
func (m *Import) transform() (*transform.Transform, error) {
	local := m.Local
	if local == "" {
		local = m.Subject
	}
	if !m.Service {
		return transform.New(m.Subject, local)
	}
	if strings.Count(local, "*") != strings.Count(m.Subject, "*") {
		return nil, fmt.Errorf("service %q and its local subject %q differ in their wildcards", m.Subject, local)
	}
	return transform.New(local, m.Subject)
}

// linkAccounts gives every account its links. The options are valid.
func linkAccounts(o *Options, accounts map[string]*account) {
	all := make(map[string]*links, len(accounts))
	of := func(name string) *links {
		if all[name] == nil {
			all[name] = &links{}
		}
		return all[name]
	}
	list := o.accountList()
	for i := range list {
		a := &list[i]
		if len(a.Mappings) > 0 {
			of(a.Name).mappings, _ = newMappings(a.Mappings)
		}
		for j := range a.Imports {
			m := &a.Imports[j]
			export, name, err := m.link(a.Name, list)
			switch {
			case err != nil: // it was validated
			case m.Service:
				link := &serviceLink{from: accounts[m.Account], name: name, responseTime: export.ResponseTime}
				link.single = export.Responses == "" || export.Responses == ResponseSingle
				if link.responseTime == 0 {
					link.responseTime = DefaultResponseTime
				}
				of(a.Name).services = append(of(a.Name).services, link)
			default:
				of(m.Account).streams = append(of(m.Account).streams, &streamLink{accounts[a.Name], name, m.Subject})
			}
		}
	}
	for name, a := range accounts {
		a.links.Store(all[name])
	}
}

// accountList returns the accounts, the global one with its mappings among them.
func (o *Options) accountList() []Account {
	return append(slices.Clone(o.Accounts), Account{Name: globalAccount, Mappings: o.Mappings})
}

// newMappings returns the mappings ready for use.
func newMappings(list []Mapping) ([]*mapping, error) {
	var mappings []*mapping
	for i := range list {
		m := &mapping{source: list[i].Source}
		total := 0
		for _, d := range list[i].Destinations {
			name, err := transform.New(m.source, d.Subject)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", m.source, err)
			}
			if d.Weight < 0 || d.Weight > 100 {
				return nil, fmt.Errorf("%q: a weight of %d is out of range; use 0 to 100", m.source, d.Weight)
			}
			if total += d.Weight; total > 100 {
				return nil, fmt.Errorf("%q: total weight needs to be <= 100", m.source)
			}
			m.destinations = append(m.destinations, weighted{name, total})
		}
		mappings = append(mappings, m)
	}
	slices.SortStableFunc(mappings, func(a, b *mapping) int { return byExactness(a.source, b.source) })
	return mappings, nil
}

// byExactness orders patterns, the most exact one first: token by token, a literal comes before *, and that before >. So a pattern comes
// before all that cover it, whatever others there are. Source: docs/spec/config.md B6.
func byExactness(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		return cmp.Or(cmp.Compare(breadth(x), breadth(y)), strings.Compare(x, y))
	})
}

// breadth returns how much a token of a pattern matches: itself, one token, or all that follow.
func breadth(token string) int {
	switch token {
	case "*":
		return 1
	case ">":
		return 2
	}
	return 0
}

package bench

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Kind names a kind of traffic.
type Kind string

// The kinds of traffic.
const (
	Pub         Kind = "pub"         // publishers, and nobody who listens
	Sub         Kind = "sub"         // subscribers of what another process publishes
	PubSub      Kind = "pubsub"      // publishers and subscribers, each of whom gets every message, or a queue group
	FanOut      Kind = "fanout"      // pubsub from one to many
	Request     Kind = "request"     // requests and their replies
	Connections Kind = "connections" // connections that are opened and held
)

// Kinds are all kinds.
var Kinds = []Kind{Pub, Sub, PubSub, FanOut, Request, Connections}

// Workload is one kind of traffic.
type Workload struct {
	Name string `json:"name" yaml:"name"` // in the report; the kind if empty
	Kind Kind   `json:"workload" yaml:"workload"`

	Pubs int `json:"pubs,omitempty" yaml:"pubs"` // publishers; requesters
	Subs int `json:"subs,omitempty" yaml:"subs"` // subscribers; responders

	Size     Sizes   `json:"size" yaml:"size"`                         // of a payload
	Headers  int     `json:"headers,omitempty" yaml:"headers"`         // bytes of a header's value; 0: no headers
	Subject  string  `json:"subject,omitempty" yaml:"subject"`         // prefix of the subjects; empty: one of its own
	Subjects int     `json:"subjects,omitempty" yaml:"subjects"`       // number of subjects
	Spread   string  `json:"spread,omitempty" yaml:"spread"`           // how a subject is chosen
	Queue    string  `json:"queue,omitempty" yaml:"queue"`             // queue group of the subscribers
	Rate     float64 `json:"rate,omitempty" yaml:"rate"`               // messages or connections a second, of all together; 0: as fast as it goes
	Arrival  string  `json:"arrival,omitempty" yaml:"arrival"`         // how the messages of a rate come
	Msgs     int64   `json:"msgs,omitempty" yaml:"msgs"`               // messages, of all publishers together; 0: as long as the run takes
	InFlight int     `json:"in_flight,omitempty" yaml:"in_flight"`     // requests that wait for a reply, of each requester
	Conns    int     `json:"connections,omitempty" yaml:"connections"` // number of connections to hold

	Cold bool `json:"-" yaml:"-"` // it has no time to warm up: it is measured from its first message
}

// Numbers that nobody needs more of.
const (
	maxActors   = 100_000
	maxSubjects = 1_000_000
	maxConns    = 2_000_000
	maxRate     = 1e9
	maxHeader   = 64 << 10
)

// Complete fills in what w leaves open, and checks it.
func (w *Workload) Complete() error {
	if !slices.Contains(Kinds, w.Kind) {
		return fmt.Errorf("workload %q does not exist; it is one of %s", w.Kind, kindList())
	}
	w.fillIn()
	if err := w.check(); err != nil {
		return fmt.Errorf("workload %s: %w", w.Name, err)
	}
	return nil
}

// kindList is a text with all kinds.
func kindList() string {
	words := make([]string, len(Kinds))
	for i, k := range Kinds {
		words[i] = string(k)
	}
	return strings.Join(words, ", ")
}

func (w *Workload) fillIn() {
	fill := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	if w.Name == "" {
		w.Name = string(w.Kind)
	}
	if w.Size.text == "" {
		w.Size = FixedSize(defaultSize)
	}
	if w.Spread == "" {
		w.Spread = SpreadRound
	}
	if w.Arrival == "" {
		w.Arrival = ArrivalConstant
	}
	fill(&w.Subjects, 1)
	if w.Kind != Request {
		w.InFlight = 0
	}
	if w.Kind != Connections {
		w.Conns = 0
	}
	switch w.Kind {
	case Pub:
		fill(&w.Pubs, 1)
		w.Subs = 0
	case Sub:
		fill(&w.Subs, 1)
		w.Pubs = 0
	case FanOut:
		fill(&w.Pubs, 1)
		fill(&w.Subs, defaultFanOut)
	case PubSub:
		fill(&w.Pubs, 1)
		fill(&w.Subs, 1)
	case Request:
		fill(&w.Pubs, 1)
		fill(&w.Subs, 1)
		fill(&w.InFlight, 1)
	case Connections:
		fill(&w.Conns, defaultConns)
		w.Pubs, w.Subs, w.Msgs = 0, 0, 0
	}
}

// What a workload has if nothing else is said.
const (
	defaultSize   = 128
	defaultFanOut = 64
	defaultConns  = 1000
)

func (w *Workload) check() error {
	low, _ := w.Size.bounds()
	switch {
	case w.Pubs < 0 || w.Pubs > min(maxActors, maxPublishers) || w.Subs < 0 || w.Subs > maxActors:
		return fmt.Errorf("the numbers of publishers and subscribers go up to %d and %d", maxPublishers, maxActors)
	case w.Conns < 0 || w.Conns > maxConns:
		return fmt.Errorf("the number of connections goes up to %d", maxConns)
	case w.Subjects < 0 || w.Subjects > maxSubjects:
		return fmt.Errorf("the number of subjects goes up to %d", maxSubjects)
	case w.Headers < 0 || w.Headers > maxHeader:
		return fmt.Errorf("the size of the header goes up to %d bytes", maxHeader)
	case w.Rate < 0 || w.Rate > maxRate:
		return fmt.Errorf("a rate is from 1 to %.0f a second, or 0 for as fast as it goes", maxRate)
	case w.Msgs < 0:
		return errors.New("the number of messages is negative")
	case w.InFlight < 0 || w.InFlight > maxInFlight:
		return fmt.Errorf("the number of requests in flight goes up to %d", maxInFlight)
	case w.Kind == Request && low < numberedSize:
		return fmt.Errorf("requests have at least %d bytes, to be told apart", numberedSize)
	case !slices.Contains([]string{SpreadRound, SpreadUniform, SpreadZipf}, w.Spread):
		return fmt.Errorf("spread %q does not exist; it is one of %s, %s, %s", w.Spread, SpreadRound, SpreadUniform, SpreadZipf)
	case !slices.Contains([]string{ArrivalConstant, ArrivalPoisson}, w.Arrival):
		return fmt.Errorf("arrival %q does not exist; it is %s or %s", w.Arrival, ArrivalConstant, ArrivalPoisson)
	}
	for name, text := range map[string]string{"subject": w.Subject, "queue": w.Queue} {
		if strings.ContainsAny(text, " \t\r\n*>") || strings.HasPrefix(text, ".") || strings.HasSuffix(text, ".") || strings.Contains(text, "..") {
			return fmt.Errorf("%s %q has blanks, wildcards or empty tokens in it", name, text)
		}
	}
	return nil
}

// maxInFlight is the most requests of one requester that wait for a reply.
const maxInFlight = 1 << 20

// Scenario is a file with several workloads.
type Scenario struct {
	Workloads []Workload `yaml:"workloads"`
}

// maxScenario is the most of a scenario file that is read, in bytes.
const maxScenario = 1 << 20

// ReadScenario reads a scenario (YAML or JSON) and checks it. name is what errors call it.
func ReadScenario(name string, r io.Reader) ([]Workload, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxScenario))
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", name, err)
	}
	var s Scenario
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := cmp.Or(d.Decode(&s), refuseZeros(text)); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", name, err)
	}
	if len(s.Workloads) == 0 {
		return nil, fmt.Errorf("scenario %s: there are no workloads in it; write them as a list under \"workloads:\"", name)
	}
	seen := map[string]int{}
	for i := range s.Workloads {
		w := &s.Workloads[i]
		if err := w.Complete(); err != nil {
			return nil, fmt.Errorf("scenario %s: %w", name, err)
		}
		if seen[w.Name]++; seen[w.Name] > 1 {
			w.Name = fmt.Sprintf("%s %d", w.Name, seen[w.Name])
		}
	}
	return s.Workloads, nil
}

// refuseZeros returns which number of a scenario, of those that are at least 1, is written down as 0: that is not the same as to leave it
// out. Source: docs/spec/cli.md §13.
func refuseZeros(text []byte) error {
	var s struct {
		Workloads []map[string]yaml.Node `yaml:"workloads"`
	}
	if err := yaml.Unmarshal(text, &s); err != nil {
		return err
	}
	for i, w := range s.Workloads {
		for _, key := range []string{"pubs", "subs", "subjects", "in_flight", "connections"} {
			n := 1
			if node, has := w[key]; has && node.Decode(&n) == nil && n == 0 {
				return fmt.Errorf("line %d: %s of workload %d is 0: expected a number from 1 on", node.Line, key, i+1)
			}
		}
	}
	return nil
}

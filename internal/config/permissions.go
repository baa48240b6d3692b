package config

import (
	"math"
	"strings"
	"time"

	"github.com/natsd/natsd/internal/subject"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/confparse"
)

// Permissions say what a user may publish and subscribe to. Source: docs/spec/config.md B3.
type Permissions struct {
	Publish, Subscribe Side
	// Responses allow publishing to the reply subjects of messages received; nil: not allowed by that.
	Responses *broker.ResponsePermission
	// Pos is where the block stands.
	Pos confparse.Pos
}

// Side is one direction of permissions, and where its entries stand. Entries of Subscribe may be "subject queue".
type Side struct {
	broker.PermissionSide
	AllowAt, DenyAt []confparse.Pos
}

// Broker returns the permissions as the broker takes them, nil for nil.
func (p *Permissions) Broker() *broker.Permissions {
	if p == nil {
		return nil
	}
	return &broker.Permissions{Publish: p.Publish.PermissionSide, Subscribe: p.Subscribe.PermissionSide, Responses: p.Responses}
}

// Defaults of Responses.
const (
	defaultResponses       = 1
	defaultResponseExpires = 2 * time.Minute
)

// permissions makes the permissions of a block, nil if there is none. newer says that the rules of today's nats-server
// apply to a missing side, whatever the block looks like.
//
// A map written with plain subjects and lists only, as in 2018, has a missing or empty side closed. A map with any newer
// form has it open. Source: docs/spec/config.md B3, "the one rule that changed meaning".
func (b *builder) permissions(f *field, newer bool) *Permissions {
	if f == nil || f.block == nil {
		return nil
	}
	publish, subscribe, responses := f.block.get("publish"), f.block.get("subscribe"), f.block.get("allow_responses")
	p := &Permissions{Pos: f.entry.Pos, Publish: b.side(publish, false), Subscribe: b.side(subscribe, true)}
	newer = newer || responses != nil || isNewer(publish) || isNewer(subscribe)
	if newer {
		p.Publish.openUnless(p.Publish.Allow != nil)
		p.Subscribe.openUnless(p.Subscribe.Allow != nil)
	}
	if responses != nil {
		p.Responses = b.responses(responses.value)
		if p.Responses != nil && (publish == nil || !isAllowList(publish)) {
			p.Publish.Open = false // docs/spec/config.md B3: closes all other publishing
		}
	}
	b.warnOneSided(f, publish, subscribe, newer)
	return p
}

// openUnless opens a side that lists nothing.
func (s *Side) openUnless(listed bool) { s.Open = !listed }

// isNewer reports whether a side is written in a form that came after 2018.
func isNewer(f *field) bool {
	if f == nil {
		return false
	}
	if f.value.Kind == confparse.Map {
		return true
	}
	for _, item := range append([]*confparse.Value{f.value}, f.value.Items...) {
		if item.Kind == confparse.String && strings.ContainsAny(item.Source(), " \t") {
			return true // with a queue
		}
	}
	return false
}

// isAllowList reports whether a side names what is allowed.
func isAllowList(f *field) bool {
	if f.value.Kind != confparse.Map {
		return true
	}
	for _, e := range f.value.Entries {
		if strings.EqualFold(e.Key, "allow") {
			return true
		}
	}
	return false
}

// side makes one direction, closed unless it lists something.
func (b *builder) side(f *field, queues bool) Side {
	s := Side{}
	if f == nil {
		return s
	}
	if f.value.Kind != confparse.Map {
		s.Allow, s.AllowAt = b.subjects(f.entry.Key, f.value, queues)
		return s
	}
	for _, e := range f.value.Entries {
		switch strings.ToLower(e.Key) {
		case "allow":
			s.Allow, s.AllowAt = b.subjects(e.Key, e.Value, queues)
			if len(s.Allow) == 0 && b.strict && e.Value.Kind == confparse.Array && len(e.Value.Items) == 0 {
				b.warn(e.Pos, len(e.Key), "leave it out to allow everything", "an empty allow list allows nothing; nats-server takes it as absent")
			}
		case "deny":
			s.Deny, s.DenyAt = b.subjects(e.Key, e.Value, queues)
		default:
			if !e.Used {
				b.report(e.Pos, len(e.Key), "", "Unknown field name %q parsing subject permissions, only 'allow' or 'deny' are permitted", cut(e.Key))
			}
		}
	}
	return s
}

// subjects returns a subject or a list of them, never nil, and where they stand.
func (b *builder) subjects(key string, v *confparse.Value, queues bool) (subjects []string, places []confparse.Pos) {
	subjects = []string{}
	items, err := textsOf(v)
	if err != nil {
		b.report(v.Pos, len(v.Raw), "", "%s: %v", key, &errType{"a subject or a list of subjects", v})
		return subjects, nil
	}
	for _, item := range items {
		text := item.Source()
		name, queue, hasQueue := strings.Cut(text, " ")
		valid := subject.ValidSubscription([]byte(name)) && (!hasQueue || queues && subject.ValidSubscription([]byte(strings.TrimSpace(queue))))
		if !valid {
			b.report(item.Pos, len(item.Raw), "", "subject %q is not a valid subject", cut(text))
			continue
		}
		subjects, places = append(subjects, text), append(places, item.Pos)
	}
	return subjects, places
}

// responses makes the value of allow_responses, nil if it says no.
func (b *builder) responses(v *confparse.Value) *broker.ResponsePermission {
	r := &broker.ResponsePermission{Max: defaultResponses, Expires: defaultResponseExpires}
	if yes, err := boolOf(v); err == nil {
		if !yes {
			return nil
		}
		return r
	}
	if v.Kind != confparse.Map {
		b.report(v.Pos, len(v.Raw), "", "allow_responses: %v", &errType{"a boolean or a map with max and expires", v})
		return nil
	}
	for _, e := range v.Entries {
		switch strings.ToLower(e.Key) {
		case "max", "max_msgs", "max_messages", "max_responses":
			n, err := integerOf(e.Value, "an integer")
			if err != nil || n > math.MaxInt32 || n < math.MinInt32 {
				b.report(e.Value.Pos, len(e.Value.Raw), "", "%s: %v", e.Key, &errType{"an integer", e.Value})
			} else if n != 0 {
				r.Max = int(n)
			}
		case "expires", "expiration", "ttl":
			d, _, err := durationOf(e.Value)
			if err != nil {
				b.report(e.Value.Pos, len(e.Value.Raw), "", "%s: %v", e.Key, err)
			} else if d != 0 {
				r.Expires = d
			}
		default:
			if !e.Used {
				b.report(e.Pos, len(e.Key), "", "Unknown field %q parsing permissions", cut(e.Key))
			}
		}
	}
	return r
}

// warnOneSided says which rule applies to a map that leaves a side out. Source: docs/spec/config.md B3.
func (b *builder) warnOneSided(f, publish, subscribe *field, newer bool) {
	if !b.strict || (publish == nil) == (subscribe == nil) {
		return
	}
	missing, verb := "publish", "publish to"
	if publish != nil {
		missing, verb = "subscribe", "subscribe to"
	}
	rule := "nothing, as in gnatsd 1.1.0, since it has plain subjects only"
	if newer {
		rule = "everything, as in today's nats-server, since it has a newer form"
	}
	b.warn(f.entry.Pos, len(f.entry.Key), "write "+missing+" to be sure", "permissions without %s: the user may %s %s", missing, verb, rule)
}

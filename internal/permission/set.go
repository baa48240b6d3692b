package permission

import "github.com/natsd/natsd/internal/subject"

// Set is compiled Rules. It is for any number of goroutines. A nil Set allows everything.
type Set struct {
	publish, subscribe side
	responses          *Responses
	published          cache // answers of Publish
	received           cache // answers of Receive without a queue
}

// side is one direction; a nil list has no entries.
type side struct {
	open        bool
	allow, deny *trie
}

// Compile returns the Set for rules, nil for nil.
func Compile(rules *Rules) *Set {
	if rules == nil {
		return nil
	}
	return &Set{publish: newSide(&rules.Publish), subscribe: newSide(&rules.Subscribe), responses: rules.Responses}
}

func newSide(s *Side) side {
	compiled := side{open: s.Open}
	if !s.Open && len(s.Allow) > 0 {
		compiled.allow = newTrie(s.Allow)
	}
	if len(s.Deny) > 0 {
		compiled.deny = newTrie(s.Deny)
	}
	return compiled
}

// Responses returns what replies are allowed, nil if none are beyond what Publish allows.
func (s *Set) Responses() *Responses {
	if s == nil {
		return nil
	}
	return s.responses
}

// Publish reports whether a message may be published to a literal subject; bytes '*' and '>' in it have no special
// meaning. text is not kept.
//
// Hot path: once per change of subject. 0 allocs/op for a subject in the cache (TestAllocs).
func (s *Set) Publish(text []byte) bool {
	if s == nil {
		return true
	}
	if allowed, known := s.published.get(text); known {
		return allowed
	}
	d := s.ExplainPublish(string(text))
	s.published.put(text, d.Allowed)
	return d.Allowed
}

func anyEntry(entry) bool { return true }

// ExplainPublish is Publish with the reason and without the cache.
func (s *Set) ExplainPublish(text string) Decision {
	if s == nil {
		return Decision{Allowed: true}
	}
	return s.publish.decide(text, (*trie).matching, anyEntry)
}

// PublishAll reports whether messages may be published to every literal subject that a pattern matches, as far as that can
// be told from one entry.
func (s *Set) PublishAll(pattern string) bool {
	if s == nil {
		return true
	}
	if s.publish.deny != nil && s.publish.deny.overlaps(pattern, anyEntry) {
		return false
	}
	if s.publish.open || s.publish.allow == nil {
		return s.publish.open
	}
	_, found := s.publish.allow.covering(pattern, anyEntry)
	return found
}

// Subscribe decides about a subscription to a subject, which may hold wildcards, in a queue group, empty for a plain
// one. An allowance counts only for subscriptions that it covers whole; a denial counts if it matches the subject with
// its wildcards taken as ordinary tokens (docs/spec/client-protocol.md §12.2, §12.3).
func (s *Set) Subscribe(text, queue string) Decision {
	if s == nil {
		return Decision{Allowed: true}
	}
	return s.subscribe.decide(text, (*trie).covering, countsIn(queue))
}

// countsIn returns what tells whether an entry counts for subscriptions in a queue group.
func countsIn(queue string) func(entry) bool {
	return func(e entry) bool { return e.queue == "" || queue != "" && subject.Match(e.queue, queue) }
}

// decide finds the entry that decides, of those that count. Denials are found by matching, allowances with find.
func (s *side) decide(text string, find func(*trie, string, func(entry) bool) (int, bool), counts func(entry) bool) Decision {
	if s.deny != nil {
		if i, found := s.deny.matching(text, counts); found {
			return Decision{Allowed: false, List: DenyList, Index: i}
		}
	}
	if s.open {
		return Decision{Allowed: true}
	}
	if s.allow != nil {
		if i, found := find(s.allow, text, counts); found {
			return Decision{Allowed: true, List: AllowList, Index: i}
		}
	}
	return Decision{}
}

// Filters reports whether messages for a subscription that Subscribe allows have to be checked with Receive: some subject
// that it matches is denied.
func (s *Set) Filters(text, queue string) bool {
	return s != nil && s.subscribe.deny != nil && subject.HasWildcard(text) && s.subscribe.deny.overlaps(text, countsIn(queue))
}

// Receive reports whether a message to a literal subject may be received by a subscription in a queue group, empty for a
// plain one. text is not kept.
//
// Hot path: once per message and connection for which Filters said so. 0 allocs/op for a subject in the cache.
func (s *Set) Receive(text []byte, queue string) bool {
	if s == nil || s.subscribe.deny == nil {
		return true
	}
	if queue == "" {
		if allowed, known := s.received.get(text); known {
			return allowed
		}
	}
	_, denied := s.subscribe.deny.matching(string(text), countsIn(queue))
	if queue == "" {
		s.received.put(text, !denied)
	}
	return !denied
}

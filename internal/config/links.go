package config

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/natsd/natsd/internal/subject"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/confparse"
)

// links decodes what an account exports, imports and maps. Source: docs/spec/config.md B6.
func (b *builder) links(a *Account, block *tree) {
	for _, item := range b.maps(block.get("exports")) {
		if e, ok := b.export(item); ok {
			a.Exports = append(a.Exports, e)
		}
	}
	for _, item := range b.maps(block.get("imports")) {
		if m, ok := b.importOf(item); ok {
			a.Imports = append(a.Imports, m)
		}
	}
	a.Mappings = b.mappings(block.get("mappings"))
}

// maps returns the maps in a list.
func (b *builder) maps(f *field) []*confparse.Value {
	if f == nil {
		return nil
	}
	if f.value.Kind != confparse.Array {
		b.report(f.valuePos(), len(f.value.Raw), "", "%s: %v", f.entry.Key, &errType{"a list of maps", f.value})
		return nil
	}
	var maps []*confparse.Value
	for _, item := range f.value.Items {
		if item.Kind != confparse.Map {
			b.report(item.Pos, len(item.Raw), "", "%s: %v", f.entry.Key, &errType{"a map", item})
			continue
		}
		maps = append(maps, item)
	}
	return maps
}

// linkFields goes through the keys of a map. take handles one that it knows, in lower case, and reports whether it does.
func (b *builder) linkFields(v *confparse.Value, what string, take func(key string, e *confparse.Entry) bool) {
	for _, e := range v.Entries {
		if !take(strings.ToLower(e.Key), e) && !e.Used {
			b.report(e.Pos, len(e.Key), "", "unknown field %q in %s", cut(e.Key), what)
		}
	}
}

// export decodes one export.
func (b *builder) export(v *confparse.Value) (e broker.Export, ok bool) {
	before := len(b.findings)
	b.linkFields(v, "an export", func(key string, entry *confparse.Entry) bool {
		switch key {
		case "stream", "service":
			if e.Subject != "" {
				b.report(entry.Pos, len(entry.Key), "", "an export is a stream or a service, not both")
			}
			e.Subject, e.Service = b.subjectOf(entry), key == "service"
		case "accounts":
			e.Accounts = b.names(entry)
		case "response_type", "response":
			e.Responses = b.responseType(entry)
		case "response_threshold", "threshold", "response_max_time", "response_time":
			d, _, err := durationOf(entry.Value)
			if err != nil || d < 0 {
				b.report(entry.Value.Pos, len(entry.Value.Raw), "", "%s: %v", entry.Key, &errType{"a duration", entry.Value})
			}
			e.ResponseTime = d
		case "account_token_position":
			n, err := integerOf(entry.Value, "an integer")
			if err != nil || n < 0 || n > maxInt32 {
				b.report(entry.Value.Pos, len(entry.Value.Raw), "", "%s: %v", entry.Key, &errType{"a position, counted from 1", entry.Value})
			}
			e.AccountToken = int(n)
		case "latency":
			b.report(entry.Pos, len(entry.Key), "", "%q is not supported by this version", entry.Key)
		case "allow_trace":
			b.warn(entry.Pos, len(entry.Key), "", "%q has no effect, since there is no message tracing", entry.Key)
		default:
			return false
		}
		return true
	})
	if e.Subject == "" && len(b.findings) == before {
		b.report(v.Pos, 1, "", "an export needs a stream or a service")
	}
	return e, e.Subject != ""
}

// importOf decodes one import.
func (b *builder) importOf(v *confparse.Value) (m broker.Import, ok bool) {
	before := len(b.findings)
	prefix, to := "", ""
	b.linkFields(v, "an import", func(key string, entry *confparse.Entry) bool {
		switch key {
		case "stream", "service":
			if m.Subject != "" {
				b.report(entry.Pos, len(entry.Key), "", "an import is a stream or a service, not both")
			}
			m.Service = key == "service"
			m.Account, m.Subject = b.origin(entry)
		case "prefix":
			prefix = b.subjectOf(entry)
		case "to":
			to, _ = textOf(entry.Value)
			if to == "" {
				b.report(entry.Value.Pos, len(entry.Value.Raw), "", "%s: %v", entry.Key, &errType{"a subject", entry.Value})
			}
		case "share", "allow_trace":
			if yes, err := boolOf(entry.Value); err != nil || yes {
				b.warn(entry.Pos, len(entry.Key), "", "%q has no effect", entry.Key)
			}
		default:
			return false
		}
		return true
	})
	switch {
	case prefix != "" && (to != "" || m.Service):
		b.report(v.Pos, 1, "write to", "an import has a prefix or a to, and a service has no prefix")
	case prefix != "":
		m.Local = prefix + "." + m.Subject
	default:
		m.Local = to
	}
	if m.Subject == "" && len(b.findings) == before {
		b.report(v.Pos, 1, "", "an import needs a stream or a service")
	}
	return m, m.Subject != ""
}

// origin decodes {account, subject}.
func (b *builder) origin(entry *confparse.Entry) (account, text string) {
	if entry.Value.Kind != confparse.Map {
		b.report(entry.Value.Pos, len(entry.Value.Raw), "", "%s: %v", entry.Key, &errType{"a map with account and subject", entry.Value})
		return "", ""
	}
	b.linkFields(entry.Value, "the "+entry.Key+" of an import", func(key string, e *confparse.Entry) bool {
		switch key {
		case "account":
			account, _ = textOf(e.Value)
		case "subject":
			text = b.subjectOf(e)
		default:
			return false
		}
		return true
	})
	if account == "" || text == "" {
		b.report(entry.Pos, len(entry.Key), "", "an import needs an account and a subject")
		return "", ""
	}
	return account, text
}

// subjectOf returns a subject, perhaps with wildcards, empty if it is none.
func (b *builder) subjectOf(e *confparse.Entry) string {
	text, err := textOf(e.Value)
	if err != nil || !subject.ValidSubscription(text) {
		b.report(e.Value.Pos, len(e.Value.Raw), "", "subject %q is not a valid subject", cut(e.Value.Source()))
		return ""
	}
	return text
}

// names returns a list of names, never nil.
func (b *builder) names(e *confparse.Entry) []string {
	names := []string{}
	items, err := textsOf(e.Value)
	if err != nil {
		b.report(e.Value.Pos, len(e.Value.Raw), "", "%s: %v", e.Key, &errType{"a list of names", e.Value})
	}
	for _, item := range items {
		names = append(names, item.Source())
	}
	return names
}

func (b *builder) responseType(e *confparse.Entry) broker.ResponseType {
	switch strings.ToLower(e.Value.Source()) {
	case "single", "singleton":
		return broker.ResponseSingle
	case "stream":
		return broker.ResponseStream
	case "chunk", "chunked":
		return broker.ResponseChunked
	}
	b.report(e.Value.Pos, len(e.Value.Raw), "use single, stream or chunked", "unknown response type %q", cut(e.Value.Source()))
	return ""
}

// mappings decodes the mappings of an account. Of those of one subject the last one counts. Source: docs/spec/config.md A14, A15.
func (b *builder) mappings(f *field) []broker.Mapping {
	if f == nil {
		return nil
	}
	if f.value.Kind != confparse.Map {
		b.report(f.valuePos(), len(f.value.Raw), "", "%s: %v", f.entry.Key, &errType{"a map of subjects", f.value})
		return nil
	}
	var mappings []broker.Mapping
	var entries []*confparse.Entry // of mappings
	for _, e := range f.value.Entries {
		if e.Used {
			continue
		}
		m, ok := b.mapping(e)
		if !ok {
			continue
		}
		if at := slices.IndexFunc(entries, func(before *confparse.Entry) bool { return before.Key == e.Key }); at >= 0 {
			b.duplicate(entries[at], e)
			mappings[at], entries[at] = m, e
			continue
		}
		mappings, entries = append(mappings, m), append(entries, e)
	}
	return mappings
}

// mapping decodes one mapping.
func (b *builder) mapping(e *confparse.Entry) (m broker.Mapping, ok bool) {
	if !subject.ValidSubscription(e.Key) {
		b.report(e.Pos, len(e.Key), "", "subject %q is not a valid subject", cut(e.Key))
		return m, false
	}
	m.Source = e.Key
	switch e.Value.Kind {
	case confparse.Map:
		m.Destinations = b.destination(m.Destinations, e.Value)
	case confparse.Array:
		for _, item := range e.Value.Items {
			m.Destinations = b.destination(m.Destinations, item)
		}
	default:
		text, err := textOf(e.Value)
		if err != nil {
			b.report(e.Value.Pos, len(e.Value.Raw), "", "%s: %v", e.Key, &errType{"a subject", e.Value})
			return m, false
		}
		m.Destinations = []broker.Destination{{Subject: text, Weight: allOfIt}}
	}
	return m, true
}

// allOfIt is the weight of the only destination, in percent.
const allOfIt = 100

// destination decodes one destination and appends it.
func (b *builder) destination(all []broker.Destination, v *confparse.Value) []broker.Destination {
	if v.Kind != confparse.Map {
		b.report(v.Pos, len(v.Raw), "", "mappings: %v", &errType{"a map with destination and weight", v})
		return all
	}
	d, weighted := broker.Destination{}, false
	b.linkFields(v, "a mapping", func(key string, e *confparse.Entry) bool {
		switch key {
		case "destination", "dest":
			d.Subject, _ = textOf(e.Value)
		case "weight":
			weighted = true
			n, err := strconv.Atoi(strings.TrimSuffix(e.Value.Word(), "%"))
			if err != nil || n < 0 || n > allOfIt {
				b.report(e.Value.Pos, len(e.Value.Raw), "", "%s: %v", e.Key, &errType{"a weight from 0 to 100", e.Value})
			}
			d.Weight = n
		case "cluster":
			b.report(e.Pos, len(e.Key), "", "%q is not supported by this version", e.Key)
		default:
			return false
		}
		return true
	})
	switch {
	case d.Subject == "":
		b.report(v.Pos, 1, "", "a mapping needs a destination")
	case !weighted:
		b.report(v.Pos, 1, "", "a mapping needs a weight")
	default:
		return append(all, d)
	}
	return all
}

// checkLinks checks accounts and mappings with each other, the way the broker does.
func (b *builder) checkLinks(c *Config) {
	if findingErrors(b.findings) > 0 {
		return
	}
	o := broker.Options{Mappings: c.Mappings}
	for i := range c.Accounts {
		o.Accounts = append(o.Accounts, c.Accounts[i].Account)
	}
	pos, width := confparse.Pos{}, 0
	for _, name := range []string{"mappings", "accounts"} {
		if f := b.tree.get(name); f != nil {
			pos, width = f.entry.Pos, len(f.entry.Key)
		}
	}
	for _, err := range leaves(o.Validate()) {
		if !errors.Is(err, broker.ErrInvalidOptions) {
			b.report(pos, width, "", "%v", err)
		}
	}
}

// leaves returns the errors that were joined into err.
func leaves(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, leaves(e)...)
	}
	return all
}

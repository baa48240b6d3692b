package confparse

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// errNotOneValue says that a text is empty, broken, or more than one value.
var errNotOneValue = errors.New("not exactly one value")

// resolver puts a Document together.
type resolver struct {
	loader   Loader // with every field set
	doc      *Document
	findings Findings
	budget   int64 // bytes that may still be read
}

// scope is a map that is being filled: its keys so far are variables for what follows. Source: docs/spec/config.md A13.
type scope struct {
	around *scope // nil: the top of a file
	m      *Value
	source *Value   // the syntax tree of m
	files  []string // of the file whose top this is: it and those around it

	// The entries of m by name, last one wins, up to indexed. Built when they are needed.
	indexed int
	exact   map[string]*Entry
	folded  map[string]*Entry // by lower case name
}

// allFiles returns the files that are open, outermost first.
func (s *scope) allFiles() []string {
	for s.around != nil {
		s = s.around
	}
	return s.files
}

// index brings the index up to date.
func (s *scope) index() {
	if s.exact == nil {
		s.exact, s.folded = make(map[string]*Entry), make(map[string]*Entry)
	}
	for ; s.indexed < len(s.m.Entries); s.indexed++ {
		e := s.m.Entries[s.indexed]
		s.exact[e.Key] = e
		s.folded[strings.ToLower(e.Key)] = e
	}
}

// fill appends the items of source, a map of a syntax tree, to m.
func (r *resolver) fill(m, source *Value, s *scope) {
	for _, e := range source.Entries {
		if e.Include {
			r.include(m, e.Value, s)
			continue
		}
		value := r.value(e.Value, s)
		m.Entries = append(m.Entries, &Entry{Key: e.Key, Quoting: e.Quoting, Pos: e.Pos, Value: value})
		m.size += value.size
	}
	m.size++
}

// value returns v with every reference in it replaced. v is not changed.
func (r *resolver) value(v *Value, s *scope) *Value {
	switch v.Kind {
	case Map:
		m := *v
		m.Entries = make([]*Entry, 0, len(v.Entries))
		r.fill(&m, v, &scope{around: s, m: &m, source: v})
		return &m
	case Array:
		a := *v
		a.size = 1
		a.Items = make([]*Value, len(v.Items))
		for i, item := range v.Items {
			a.Items[i] = r.value(item, s)
			a.size += a.Items[i].size
		}
		return &a
	case Reference:
		found := r.reference(v, s)
		if found.size > MaxValues {
			r.fail(v, "", "the value of variable '%s' holds more than %d values", v.Text, MaxValues)
			return unknown(v)
		}
		return found
	case String, Int, Float, Bool, Time:
	}
	v.size = 1
	return v
}

// fail adds an error about a reference.
func (r *resolver) fail(reference *Value, hint, format string, args ...any) {
	r.findings = append(r.findings, &Finding{
		Pos: reference.Pos, Width: len(reference.Raw), Hint: hint, Text: fmt.Sprintf(format, args...),
	})
}

// unknown stands for the value of a reference that has none, after that was reported.
func unknown(reference *Value) *Value {
	return &Value{Kind: String, Pos: reference.Pos, Raw: reference.Raw, Text: reference.Raw, Via: &Variable{Name: reference.Text}, size: 1}
}

// reference returns what a reference stands for. Source: docs/spec/config.md A13.
func (r *resolver) reference(v *Value, s *scope) *Value {
	name := v.Text
	for at := s; at != nil; at = at.around {
		at.index()
		if e := at.exact[name]; e != nil {
			return use(e, v)
		}
	}
	if text, isSet := r.loader.LookupEnv(name); isSet {
		return r.environment(v, text, nil)
	}
	folded := strings.ToLower(name)
	for at := s; at != nil; at = at.around {
		if e := at.folded[folded]; e != nil {
			return use(e, v)
		}
	}
	r.fail(v, r.whereDefined(name, s), "variable reference for '%s' on line %d can not be found", name, v.Pos.Line)
	return unknown(v)
}

// use returns the value of e in the place of a reference.
func use(e *Entry, reference *Value) *Value {
	e.Used = true
	v := *e.Value
	v.Pos = reference.Pos
	v.Via = &Variable{Name: reference.Text, Pos: e.Value.Pos}
	if via := e.Value.Via; via != nil {
		v.Via.Env, v.Via.whole = via.Env, via.whole
	}
	return &v
}

// whereDefined says what to do about a variable that is not known where it is used.
func (r *resolver) whereDefined(name string, s *scope) string {
	const enough = 20 // looking for it is linear, so a file full of such errors would be quadratic
	for at := s; at != nil && len(r.findings) < enough; at = at.around {
		for _, e := range at.source.Entries {
			if strings.EqualFold(e.Key, name) && !e.Include {
				return "it is defined at " + e.Pos.String() + ", after its use; move the definition up"
			}
		}
	}
	return "define it above, or set it in the environment; put text that begins with \"$\" in quotes"
}

// environment returns the value of the environment variable that v refers to. chain holds the names of those on the way
// to it. The text may be a secret, so no error shows it. Source: docs/spec/config.md A13.
func (r *resolver) environment(v *Value, text string, chain []string) *Value {
	name := v.Text
	chain = append(chain, name)
	via := &Variable{Name: name, Pos: Pos{File: "$" + name}, Env: true}
	if strings.TrimSpace(text) == "" {
		return &Value{Kind: String, Pos: v.Pos, Via: via, size: 1}
	}
	value, ok := parseEnvironment("$"+name, text)
	if !ok {
		r.fail(v, "write it as in a file: text with blanks, commas or quotes stands in quotes",
			"variable reference for '%s' on line %d could not be parsed: the environment variable does not hold exactly one value", name, v.Pos.Line)
		return unknown(v)
	}
	isWord, raw := value.Quoting == Bare && value.Raw != "" && value.Kind != Reference, value.Raw
	value = r.inEnvironment(value, v, chain)
	switch whole := strings.TrimSpace(strings.TrimPrefix(text, byteOrderMark)); {
	case isWord && whole != raw:
		via.whole = whole
	case value.Via != nil:
		via.whole = value.Via.whole // of the variable that this one refers to
	}
	found := *value
	found.Pos, found.Via = v.Pos, via
	return &found
}

// parseEnvironment parses the text of an environment variable as what stands behind "=" in a file.
func parseEnvironment(name, text string) (v *Value, ok bool) {
	p := &parser{lexer: newLexer(name, []byte(text))}
	p.skipSpace()
	if c := p.peek(); !p.more() || c == ',' || c == ';' || c == ']' || c == '}' {
		return nil, false
	}
	v, finding := p.value()
	if finding != nil {
		return nil, false
	}
	p.skipToItem()
	return v, !p.more()
}

// inEnvironment replaces references in the value of an environment variable; they are looked up there alone.
func (r *resolver) inEnvironment(v, reference *Value, chain []string) *Value {
	switch v.Kind {
	case Reference:
		if slices.Contains(chain, v.Text) {
			r.fail(reference, "", "variable reference cycle for '%s': %s", chain[0], strings.Join(append(chain, v.Text), " -> "))
			return unknown(reference)
		}
		text, isSet := r.loader.LookupEnv(v.Text)
		if !isSet {
			r.fail(reference, "", "variable reference for '%s' on line %d can not be found, and the environment variable '%s' refers to it",
				v.Text, reference.Pos.Line, chain[len(chain)-1])
			return unknown(reference)
		}
		through := *reference
		through.Text = v.Text
		return r.environment(&through, text, chain)
	case Array:
		v.size = 1
		for i, item := range v.Items {
			v.Items[i] = r.inEnvironment(item, reference, chain)
			v.size += v.Items[i].size
		}
	case Map:
		v.size = 1
		for _, e := range v.Entries {
			if !e.Include {
				e.Value = r.inEnvironment(e.Value, reference, chain)
				v.size += e.Value.size
			}
		}
	case String, Int, Float, Bool, Time:
		v.size = 1
	}
	return v
}

// ParseValue parses text as what stands behind "=" in a file, nothing looked up: a reference stays one. name is the file
// of its places. The error says that the text is not exactly one value, and nothing about the text, which may be a secret.
func ParseValue(name, text string) (*Value, error) {
	v, ok := parseEnvironment(name, text)
	if !ok {
		return nil, errNotOneValue
	}
	return v, nil
}

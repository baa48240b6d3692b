package confparse

import (
	"bytes"
	"strings"
)

// Bounds of what Parse takes.
const (
	// MaxDepth is how deep arrays and maps may nest.
	MaxDepth = 500
	// MaxValues is how many values a file may hold, and a Document after variables were replaced.
	MaxValues = 2 << 20
)

// Parse returns the syntax tree of src, the text of a file with the given name, and what is odd about it. The error is
// a *Finding. The tree shares no memory with src. Nothing is read or looked up: includes and references stay what they
// are. Cost: linear in src.
func Parse(file string, src []byte) (root *Value, warnings Findings, err error) {
	if bytes.HasPrefix(src, []byte("\xff\xfe")) || bytes.HasPrefix(src, []byte("\xfe\xff")) {
		return nil, nil, &Finding{Pos: Pos{file, 1, 1}, Width: 2, Text: "the file is in UTF-16", Hint: "save it as UTF-8"}
	}
	p := &parser{lexer: newLexer(file, src)}
	root = &Value{Kind: Map, Pos: p.here()}
	if finding := p.items(root, place{where: top}); finding != nil {
		return nil, p.warnings, finding
	}
	return root, p.warnings, nil
}

// parser builds a syntax tree. Its methods return the first error they meet, and then nothing may be read any more.
type parser struct {
	*lexer
	warnings Findings
	depth    int
	values   int
}

// where tells what surrounds an item.
type where uint8

const (
	top   where = iota // nothing
	group              // braces without a key around the whole file, or part of it
	inMap              // the braces of a map
)

// place is what surrounds an item, and where that was opened.
type place struct {
	where where
	open  Pos
}

// items takes the items of m up to the end of what surrounds them. Source: docs/spec/config.md A2, A4, A12.
func (p *parser) items(m *Value, at place) *Finding {
	for {
		newline := p.skipToItem()
		if !p.more() {
			return p.endOfFile(at)
		}
		switch c := p.peek(); {
		case c == ',' || c == ';':
			p.at++ // an empty item
		case c == '}' && at.where == top:
			if err := p.strayBrace(newline); err != nil {
				return err
			}
		case c == '}':
			p.at++
			return nil
		case c == '{' && at.where != inMap:
			if err := p.group(m); err != nil {
				return err
			}
		case c == '{':
			return p.fail(1, "write the key in front of it", `unexpected "{": a map inside a map needs a key`)
		case c == ']' && at.where == inMap:
			return p.arrayEnd(at)
		case c == ']':
			return p.fail(1, "", `unexpected "]"`)
		case c == '=' || c == ':':
			return p.fail(1, "write the key in front of it", "Unexpected key separator '%c'", c)
		case c == '/':
			return p.fail(1, `a comment begins with "//" or "#"`, `unexpected "/"`)
		default:
			if err := p.item(m, at); err != nil {
				return err
			}
		}
	}
}

// arrayEnd returns the error for a "]" in a map.
func (p *parser) arrayEnd(at place) *Finding {
	return p.fail(1, `the map that begins at `+at.open.String()+` needs a "}"`, "Unexpected array end ']' processing map.")
}

// endOfFile ends the items at the end of the file.
func (p *parser) endOfFile(at place) *Finding {
	switch at.where {
	case inMap:
		return &Finding{Pos: at.open, Width: 1, Text: `unclosed map: no "}" follows`}
	case group:
		p.warnings = append(p.warnings, &Finding{Pos: at.open, Width: 1, Warning: true, Text: `unclosed "{" around the file`, Hint: `add a "}" at the end`})
	case top:
	}
	return nil
}

// strayBrace takes a "}" that nothing has opened, if it stands alone in the last line.
func (p *parser) strayBrace(newline bool) *Finding {
	stray := p.fail(1, "remove it, or open the map it closes", `unexpected "}"`)
	p.at++
	p.skipBlanks()
	if atLineEnd := !p.more() || isNewline(p.peek()) || p.atComment(); !newline || !atLineEnd {
		return stray
	}
	p.skipToItem()
	if p.more() {
		return stray
	}
	stray.Warning = true
	p.warnings = append(p.warnings, stray)
	return nil
}

// group takes braces without a key. What is in them belongs to what is around them.
func (p *parser) group(m *Value) *Finding {
	open := p.here()
	if err := p.descend(); err != nil {
		return err
	}
	defer p.ascend()
	p.at++
	return p.items(m, place{group, open})
}

// descend enters an array or a map.
func (p *parser) descend() *Finding {
	if p.depth++; p.depth > MaxDepth {
		return p.fail(1, "", "nested deeper than %d levels", MaxDepth)
	}
	return nil
}

func (p *parser) ascend() { p.depth-- }

// item takes a key with its value, or an include directive, and what ends it.
func (p *parser) item(m *Value, at place) *Finding {
	e := &Entry{Pos: p.here()}
	var err *Finding
	switch p.peek() {
	case '"':
		e.Quoting = Double
		e.Key, err = p.raw("key")
	case '\'':
		e.Quoting = Single
		e.Key, err = p.raw("key")
	default:
		e.Key = p.bareKey()
		if strings.EqualFold(e.Key, "include") && p.more() && isBlank(p.peek()) && !p.separatorFollows() {
			e.Include, e.Key = true, "include"
			e.Value, err = p.includePath()
			if err == nil {
				m.Entries = append(m.Entries, e)
				err = p.endOfItem(e, at)
			}
			return err
		}
	}
	if err != nil {
		return err
	}
	if err = p.toValue(e, at); err != nil {
		return err
	}
	if e.Value, err = p.value(); err != nil {
		return err
	}
	m.Entries = append(m.Entries, e)
	return p.endOfItem(e, at)
}

// separatorFollows reports whether ":" is the next byte after blanks. With "=" an include directive is meant all the
// same, and is told so.
func (p *parser) separatorFollows() bool {
	rest := bytes.TrimLeft(p.src[p.at:], " \t")
	return len(rest) > 0 && rest[0] == ':'
}

// toValue takes what stands between a key and its value. Source: docs/spec/config.md A3.
func (p *parser) toValue(e *Entry, at place) *Finding {
	p.skipSpace()
	if c := p.peek(); c == '=' || c == ':' {
		p.at++
		p.skipBlanks()
		if newline := p.skipSpace(); newline && at.where == top && !opens(p.peek()) {
			return p.missing(e)
		}
	}
	if !p.more() {
		return p.missing(e)
	}
	switch p.peek() {
	case ',', ';':
		finding := p.missing(e)
		finding.Pos, finding.Width = p.here(), 1
		return finding
	case '}', ']':
		return p.missing(e)
	}
	return nil
}

// opens reports whether c begins a value that may stand on a line of its own.
func opens(c byte) bool { return c == '{' || c == '[' || c == '(' }

// missing returns the error for a key without a value.
func (p *parser) missing(e *Entry) *Finding {
	return &Finding{Pos: e.Pos, Width: len(e.Key), Text: "missing value for key " + quote(e.Key), Hint: "write the value behind it, on the same line"}
}

// value takes a value. Source: docs/spec/config.md A5.
func (p *parser) value() (*Value, *Finding) {
	if p.values++; p.values > MaxValues {
		return nil, p.fail(1, "", "more than %d values", MaxValues)
	}
	v := &Value{Pos: p.here()}
	begin := p.at
	var err *Finding
	switch c := p.peek(); {
	case c == '[':
		v.Kind = Array
		return v, p.array(v)
	case c == '{':
		v.Kind = Map
		if err := p.descend(); err != nil {
			return nil, err
		}
		defer p.ascend()
		p.at++
		return v, p.items(v, place{inMap, v.Pos})
	case c == '(':
		v.Kind, v.Quoting = String, Block
		v.Text, err = p.block()
	case c == '"':
		v.Kind, v.Quoting = String, Double
		v.Text, err = p.escaped()
	case c == '\'':
		v.Kind, v.Quoting = String, Single
		v.Text, err = p.raw("string")
	case c == '.':
		return nil, p.fail(1, "put a 0 in front of a number, and other text in quotes", "Floats must start with a digit")
	case c == '-' || c >= '0' && c <= '9':
		err = p.numberOrWord(v)
	default:
		err = p.bareword(v)
	}
	if err != nil {
		return nil, err
	}
	v.Raw = string(p.src[begin:p.at])
	if v.Quoting == Bare {
		v.Raw = strings.TrimSuffix(v.Raw, "'")
	}
	return v, nil
}

// numberOrWord takes a number, and a comment that begins right behind it is left. What is not exactly a number is a
// word. Source: docs/spec/config.md A1, A8.
func (p *parser) numberOrWord(v *Value) *Finding {
	word := p.src[p.at:p.wordEnd()]
	if comment := indexComment(word); comment > 0 {
		word = word[:comment]
	}
	isNumber, err := numberWord(v, string(word))
	if err != nil {
		kind := "integer"
		if bytes.IndexByte(word, '.') >= 0 {
			kind = "float"
		}
		return p.fail(len(word), "", "%s '%s' is out of the range", kind, cut(string(word)))
	}
	if !isNumber {
		return p.bareword(v)
	}
	p.at += len(word)
	if p.peek() == '\'' {
		p.at++ // docs/spec/config.md A6: it ends a word and is swallowed
	}
	return nil
}

// indexComment returns where a comment begins in word, -1 if nowhere.
func indexComment(word []byte) int {
	hash, slashes := bytes.IndexByte(word, '#'), bytes.Index(word, []byte("//"))
	if hash < 0 || slashes >= 0 && slashes < hash {
		return slashes
	}
	return hash
}

// bareword takes a word and decides what it is. Source: docs/spec/config.md A6.
func (p *parser) bareword(v *Value) *Finding {
	text, escaped, err := p.word()
	if err != nil {
		return err
	}
	v.Kind, v.Text = String, text
	if escaped {
		return nil
	}
	if b, isBool := ParseBool(text); isBool {
		v.Kind, v.Text, v.number = Bool, "", NewBool(b).number
	} else if text[0] == '$' && !isHash(text) {
		v.Kind, v.Text = Reference, text[1:]
	}
	return nil
}

// isHash reports whether a word that begins with "$" is a bcrypt hash and not a reference.
func isHash(word string) bool {
	const prefix = "$2a$"
	return len(word) >= len(prefix) && word[:2] == "$2" && strings.IndexByte("abxy", word[2]) >= 0 && word[3] == '$'
}

// array takes the elements of v. Source: docs/spec/config.md A4, A10.
func (p *parser) array(v *Value) *Finding {
	if err := p.descend(); err != nil {
		return err
	}
	defer p.ascend()
	p.at++
	separated := true // whether an element may come
	comma := true     // whether a comma may not come
	for {
		if p.skipToItem() {
			separated = true
		}
		switch c := p.peek(); {
		case !p.more():
			return &Finding{Pos: v.Pos, Width: 1, Text: `unclosed array: no "]" follows`}
		case c == ']':
			p.at++
			return nil
		case c == ',' && comma:
			return p.fail(1, "remove it", "Unexpected array value terminator ','.")
		case c == ',':
			p.at++
			separated, comma = true, true
		case !separated, c == ';', c == '}':
			return p.fail(1, "put a comma between the elements", `Expected an array value terminator "," or an array terminator "]", but got %s instead.`, p.quoted())
		default:
			item, err := p.value()
			if err != nil {
				return err
			}
			v.Items = append(v.Items, item)
			separated, comma = false, false
		}
	}
}

// endOfItem checks that nothing but the end of the line or a separator follows.
func (p *parser) endOfItem(e *Entry, at place) *Finding {
	p.skipBlanks()
	c := p.peek()
	if !p.more() || isNewline(c) || c == ',' || c == ';' || p.atComment() || c == '}' && at.where != top {
		return nil
	}
	hint := "put a comma between two items on one line"
	switch {
	case !e.Include && e.Value.Pos.Line > e.Pos.Line && e.Value.Quoting == Bare:
		hint = "is the value of " + quote(e.Key) + " missing?"
	case !e.Include && strings.HasPrefix(e.Value.Raw, "#"):
		hint = "a comment cannot stand in front of a value"
	case !e.Include && e.Value.Kind == String && e.Value.Quoting == Bare:
		hint = "put text with blanks in quotes, and a comma between two items on one line"
	}
	if c == ']' && at.where == inMap {
		return p.arrayEnd(at)
	}
	if at.where == top {
		return p.fail(1, hint, "Expected a top-level value to end with a new line, comment or EOF, but got %s instead.", p.quoted())
	}
	return p.fail(1, hint, `Expected a map value terminator "," or a map terminator "}", but got %s instead.`, p.quoted())
}

// includePath takes the path of an include directive. Source: docs/spec/config.md A14.
func (p *parser) includePath() (*Value, *Finding) {
	p.skipBlanks()
	v := &Value{Kind: String, Pos: p.here()}
	var err *Finding
	found := ""
	begin := p.at
	switch c := p.peek(); {
	case !p.more(), isNewline(c):
		found = "new line"
	case c == '[':
		found = "start of an array"
	case c == '{':
		found = "start of a map"
	case c == '(':
		found = "start of a block"
	case c == '\\':
		found = "escape sequence"
	case c == '-' || c >= '0' && c <= '9':
		found = "start of a number"
	case c == '=' || c == ',' || c == ';' || c == '}' || c == '#':
		found = "'" + string(c) + "'"
	case c == '"':
		v.Quoting = Double
		v.Text, err = p.raw("include path")
	case c == '\'':
		v.Quoting = Single
		v.Text, err = p.raw("include path")
	default:
		for p.more() && !endsPath(p.src[p.at]) {
			p.at++
		}
		v.Text = string(p.src[begin:p.at])
		if p.peek() == '\'' {
			p.at++
		}
	}
	if found != "" {
		return nil, p.fail(1, `write the path in quotes behind the word, as in include "users.conf"`, "Expected include value but found %s", found)
	}
	v.Raw = string(p.src[begin:p.at])
	if v.Quoting == Bare {
		v.Raw = v.Text
	}
	return v, err
}

// endsPath reports whether c ends the bare path of an include directive.
func endsPath(c byte) bool {
	return isBlank(c) || isNewline(c) || c == ';' || c == '}' || c == '\''
}

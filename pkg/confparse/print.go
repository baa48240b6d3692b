package confparse

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Print returns the text of v, a map, as a file: one item per line, maps and arrays indented by two blanks. Parsing
// it again gives a tree that Equal finds the same, if v came from Parse. For a tree that a program made, keys and
// strings are quoted as they need be. Comments are not part of a tree.
func Print(v *Value) []byte {
	text := appendItems(nil, v.Entries, 0)
	if len(text) > 0 && text[0] >= utf8.RuneSelf {
		return append([]byte{'\n'}, text...) // at the start of a file it might be taken for a byte order mark
	}
	return text
}

// indentation of one level.
const indentation = "  "

func appendIndent(dst []byte, depth int) []byte {
	for range depth {
		dst = append(dst, indentation...)
	}
	return dst
}

func appendItems(dst []byte, entries []*Entry, depth int) []byte {
	for _, e := range entries {
		dst = appendIndent(dst, depth)
		if e.Include {
			dst = append(dst, "include "...)
			dst = append(dst, quotePath(e.Value)...)
			dst = append(dst, '\n')
			continue
		}
		dst = appendKey(dst, e)
		// The word include with a blank behind it would be a directive.
		if compound := e.Value.Kind == Map || e.Value.Kind == Array; compound && !strings.EqualFold(e.Key, "include") {
			dst = append(dst, ' ')
		} else {
			dst = append(dst, ": "...)
		}
		dst = append(appendValue(dst, e.Value, depth), '\n')
	}
	return dst
}

// quotePath returns the path of an include directive as it is written.
func quotePath(v *Value) string {
	switch {
	case v.Quoting == Bare && v.Raw != "":
		return v.Text
	case v.Quoting == Double && !strings.Contains(v.Text, `"`):
		return `"` + v.Text + `"`
	}
	return "'" + v.Text + "'"
}

func appendKey(dst []byte, e *Entry) []byte {
	quoting := e.Quoting
	if quoting == Bare && !isBareKey(e.Key) {
		quoting = Double
	}
	if quoting == Double && strings.Contains(e.Key, `"`) {
		quoting = Single
	}
	switch quoting {
	case Single:
		return append(append(append(dst, '\''), e.Key...), '\'')
	case Double:
		return append(append(append(dst, '"'), e.Key...), '"')
	case Bare, Block:
	}
	return append(dst, e.Key...)
}

// isBareKey reports whether key can stand without quotes.
func isBareKey(key string) bool {
	if key == "" || strings.IndexByte(`{}]"',;#/`, key[0]) >= 0 {
		return false
	}
	l := &lexer{src: []byte(key)}
	return l.bareKey() == key
}

func appendValue(dst []byte, v *Value, depth int) []byte {
	switch v.Kind {
	case Map:
		if len(v.Entries) == 0 {
			return append(dst, "{}"...)
		}
		dst = append(dst, "{\n"...)
		dst = appendItems(dst, v.Entries, depth+1)
		return append(appendIndent(dst, depth), '}')
	case Array:
		if len(v.Items) == 0 {
			return append(dst, "[]"...)
		}
		dst = append(dst, "[\n"...)
		for _, item := range v.Items {
			dst = append(appendValue(appendIndent(dst, depth+1), item, depth+1), '\n')
		}
		return append(appendIndent(dst, depth), ']')
	case String, Int, Float, Bool, Time, Reference:
	}
	return appendScalar(dst, v)
}

// appendScalar appends a scalar as it is written.
func appendScalar(dst []byte, v *Value) []byte {
	switch v.Kind {
	case Int:
		return strconv.AppendInt(dst, v.Int(), 10)
	case Float:
		return appendFloat(dst, v.Float())
	case Bool:
		return strconv.AppendBool(dst, v.Bool())
	case Time:
		return v.Time().AppendFormat(dst, zuluForm)
	case Reference:
		return append(append(dst, '$'), v.Text...)
	case String, Array, Map:
	}
	switch {
	case v.Via != nil && v.Via.whole != "":
		return appendQuoted(dst, v.Via.whole)
	case v.Quoting == Bare && v.Raw != "":
		return append(dst, v.Raw...) // what a word was once it is again
	case v.Quoting == Single && !strings.Contains(v.Text, "'"):
		return append(append(append(dst, '\''), v.Text...), '\'')
	case v.Quoting == Block && isBlock(v.Text):
		return append(append(append(dst, '('), v.Text...), ')')
	}
	return appendQuoted(dst, v.Text)
}

// appendFloat appends f with digits on both sides of a point, and no exponent: the language has none.
func appendFloat(dst []byte, f float64) []byte {
	begin := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if f == math.Trunc(f) && !strings.Contains(string(dst[begin:]), ".") {
		dst = append(dst, ".0"...)
	}
	return dst
}

// isBlock reports whether text can stand in a block string.
func isBlock(text string) bool {
	if text == "" || !isNewline(text[len(text)-1]) {
		return false
	}
	l := newLexer("", []byte("("+text+")"))
	inner, err := l.block()
	return err == nil && inner == text
}

// appendQuoted appends text in double quotes.
func appendQuoted(dst []byte, text string) []byte {
	dst = append(dst, '"')
	for i := range len(text) {
		if at := strings.IndexByte(plainEscaped, text[i]); at >= 0 {
			dst = append(dst, '\\', plainEscapes[at])
			continue
		}
		dst = append(dst, text[i])
	}
	return append(dst, '"')
}

// quote returns text in double quotes for a message, cut if it is long.
func quote(text string) string { return strconv.Quote(cut(text)) }

// cut returns text, shortened if it is long.
func cut(text string) string {
	const longest = 60
	if len(text) > longest {
		return text[:longest] + "..."
	}
	return text
}

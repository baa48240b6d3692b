package confparse

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// lexer walks over the text of one file. What a byte means depends on where it stands, so the parser tells the lexer
// what it is looking for.
type lexer struct {
	file string
	src  []byte
	at   int // offset of the next byte

	// The line that the last place was in. Places are asked for in ascending order, so each byte is counted once.
	known     int // offset that line and lineBegin belong to
	line      int
	lineBegin int // offset
}

// byteOrderMark is dropped at the start of a file.
const byteOrderMark = "\ufeff"

// newLexer returns a lexer at the start of src, after a byte order mark if there is one.
func newLexer(file string, src []byte) *lexer {
	l := &lexer{file: file, src: src, line: 1}
	l.at = len(src) - len(bytes.TrimPrefix(src, []byte(byteOrderMark)))
	l.known, l.lineBegin = l.at, l.at
	return l
}

// pos returns the place of an offset, which must not be less than that of an earlier call.
func (l *lexer) pos(offset int) Pos {
	for l.known < offset {
		c := l.src[l.known]
		l.known++
		if c == '\n' || c == '\r' && (l.known >= len(l.src) || l.src[l.known] != '\n') {
			l.line++
			l.lineBegin = l.known
		}
	}
	return Pos{l.file, l.line, max(0, offset-l.lineBegin) + 1}
}

// here returns the place of the next byte.
func (l *lexer) here() Pos { return l.pos(l.at) }

// more reports whether there is a next byte.
func (l *lexer) more() bool { return l.at < len(l.src) }

// peek returns the next byte, 0 at the end.
func (l *lexer) peek() byte {
	if l.at < len(l.src) {
		return l.src[l.at]
	}
	return 0
}

// rune returns the next rune and its length in bytes.
func (l *lexer) rune() (rune, int) { return utf8.DecodeRune(l.src[l.at:]) }

// quoted returns the next rune in single quotes, for messages.
func (l *lexer) quoted() string {
	if !l.more() {
		return "the end of the file"
	}
	r, _ := l.rune()
	return strconv.QuoteRune(r)
}

// fail returns an error about the next width bytes.
func (l *lexer) fail(width int, hint, format string, args ...any) *Finding {
	return &Finding{Pos: l.here(), Width: width, Hint: hint, Text: fmt.Sprintf(format, args...)}
}

// skipBlanks skips white space in the line.
func (l *lexer) skipBlanks() {
	for l.more() && isBlank(l.src[l.at]) {
		l.at++
	}
}

// skipSpace skips Unicode white space, newlines included, and reports whether there was a newline.
func (l *lexer) skipSpace() (newline bool) {
	for l.more() {
		c := l.src[l.at]
		switch {
		case isNewline(c):
			newline = true
			l.at++
		case isBlank(c):
			l.at++
		default:
			r, size := l.rune()
			if !unicode.IsSpace(r) {
				return newline
			}
			l.at += size
		}
	}
	return newline
}

// skipToItem skips white space and comments and reports whether there was a newline.
func (l *lexer) skipToItem() (newline bool) {
	for {
		newline = l.skipSpace() || newline
		if !l.atComment() {
			return newline
		}
		l.skipComment()
	}
}

// atComment reports whether a comment begins here.
func (l *lexer) atComment() bool {
	return l.peek() == '#' || bytes.HasPrefix(l.src[l.at:], []byte("//"))
}

// skipComment skips to the end of the line.
func (l *lexer) skipComment() {
	if end := bytes.IndexAny(l.src[l.at:], "\r\n"); end >= 0 {
		l.at += end
		return
	}
	l.at = len(l.src)
}

// bareKey takes a key without quotes. Source: docs/spec/config.md A2.
func (l *lexer) bareKey() string {
	begin := l.at
	for l.more() {
		r, size := l.rune()
		if r == '=' || r == ':' || r == '{' || unicode.IsSpace(r) {
			break
		}
		l.at += size
	}
	return string(l.src[begin:l.at])
}

// raw takes text in quotes without escapes. The next byte is the quote.
func (l *lexer) raw(what string) (string, *Finding) {
	quote := l.src[l.at]
	begin := l.at + 1
	end := bytes.IndexByte(l.src[begin:], quote)
	if end < 0 {
		return "", l.fail(1, "", "unclosed %s: no %c follows", what, quote)
	}
	l.at = begin + end + 1
	return string(l.src[begin : begin+end]), nil
}

// escaped takes text in double quotes. The next byte is the quote. Source: docs/spec/config.md A7.
func (l *lexer) escaped() (string, *Finding) {
	open := *l // errors about the whole string point here
	begin := l.at + 1
	l.at = begin
	var text []byte // nil until the first escape
	for {
		next := bytes.IndexAny(l.src[l.at:], `"\`)
		if next < 0 {
			return "", open.fail(1, "", `unclosed string: no " follows`)
		}
		if l.at+next+1 >= len(l.src) && l.src[l.at+next] == '\\' {
			return "", open.fail(1, "", `unclosed string: no " follows`)
		}
		if text != nil || l.src[l.at+next] == '\\' {
			text = append(text, l.src[l.at:l.at+next]...)
		}
		l.at += next
		if l.src[l.at] == '"' {
			l.at++
			if text == nil {
				return string(l.src[begin : l.at-1]), nil
			}
			return string(text), nil
		}
		var err *Finding
		if text, err = l.escape(text, true); err != nil {
			return "", err
		}
	}
}

// escape takes the escape sequence that begins here, appends what it stands for to dst and returns that. Inside
// quotes those of JSON are allowed too.
func (l *lexer) escape(dst []byte, inQuotes bool) ([]byte, *Finding) {
	if l.at+1 >= len(l.src) {
		return dst, l.fail(1, "", `Unexpected EOF after '\'`)
	}
	switch c := l.src[l.at+1]; {
	case c == 'x':
		return l.hexEscape(dst)
	case c == 'u' && inQuotes:
		return l.unicodeEscape(dst)
	case strings.IndexByte(plainEscapes, c) >= 0:
		l.at += 2
		return append(dst, plainEscaped[strings.IndexByte(plainEscapes, c)]), nil
	case inQuotes && strings.IndexByte(jsonEscapes, c) >= 0:
		l.at += 2
		return append(dst, jsonEscaped[strings.IndexByte(jsonEscapes, c)]), nil
	}
	r, size := utf8.DecodeRune(l.src[l.at+1:])
	return dst, l.fail(1+size, `write "\\" for a backslash, or put the text in single quotes`,
		`Invalid escape character %s. Only the following escape characters are allowed: \xXX, \t, \n, \r, \", \\.`, strconv.QuoteRune(r))
}

// The letters of escape sequences, and the bytes they stand for.
const (
	plainEscapes = `tnr"\`
	plainEscaped = "\t\n\r\"\\"
	jsonEscapes  = `/bf`
	jsonEscaped  = "/\b\f"
)

// hexEscape takes \xHH.
func (l *lexer) hexEscape(dst []byte) ([]byte, *Finding) {
	const length = len(`\xHH`)
	digits := l.src[l.at+2 : min(l.at+length, len(l.src))]
	n, err := strconv.ParseUint(string(digits), 16, 8)
	switch {
	case len(digits) < 2 || bytes.ContainsAny(digits, "\r\n"):
		return dst, l.fail(2, "", `Expected two hexadecimal digits after '\x', but hit end of line`)
	case err != nil:
		return dst, l.fail(length, "", `Expected two hexadecimal digits after '\x', but got '%s'`, strings.Trim(strconv.Quote(string(digits)), `"`))
	}
	l.at += length
	return append(dst, byte(n)), nil
}

// unicodeEscape takes \u and four digits, or two of them that are the halves of one character.
func (l *lexer) unicodeEscape(dst []byte) ([]byte, *Finding) {
	const length = len(`\u0000`)
	first, ok := l.unicodeUnit(l.at)
	if !ok {
		return dst, l.fail(2, "", `Expected four hexadecimal digits after '\u'`)
	}
	r := rune(first)
	l.at += length
	if second, ok := l.unicodeUnit(l.at); ok && r >= 0xd800 && r < 0xdc00 && second >= 0xdc00 && second < 0xe000 {
		l.at += length
		r = (r-0xd800)<<10 + rune(second) - 0xdc00 + 0x10000
	}
	return utf8.AppendRune(dst, r), nil
}

// unicodeUnit returns the number in a \u escape at an offset.
func (l *lexer) unicodeUnit(at int) (uint16, bool) {
	const length = len(`\u0000`)
	if at+length > len(l.src) || l.src[at] != '\\' || l.src[at+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(l.src[at+2:at+length]), 16, 16)
	return uint16(n), err == nil
}

// wordEnd returns the offset of the byte that ends the word that begins here.
func (l *lexer) wordEnd() int {
	end := l.at
	for end < len(l.src) && !endsWord(l.src[end]) {
		end++
	}
	return end
}

// word takes a word with its escapes resolved and reports whether there were any. A quote that ends it is taken too.
// Source: docs/spec/config.md A6.
func (l *lexer) word() (text string, escaped bool, err *Finding) {
	begin, end := l.at, l.wordEnd()
	if bytes.IndexByte(l.src[begin:end], '\\') < 0 {
		text = string(l.src[begin:end])
		l.at = end
	} else {
		var buf []byte
		for l.more() && !endsWord(l.src[l.at]) {
			if l.src[l.at] != '\\' {
				buf = append(buf, l.src[l.at])
				l.at++
				continue
			}
			if buf, err = l.escape(buf, false); err != nil {
				return "", true, err
			}
		}
		text, escaped = string(buf), true
	}
	if l.peek() == '\'' {
		l.at++
	}
	return text, escaped, nil
}

// block takes the text between "(" and a ")" that stands alone in column 1. Source: docs/spec/config.md A11.
func (l *lexer) block() (string, *Finding) {
	begin := l.at + 1
	for at := begin; ; {
		next := bytes.IndexByte(l.src[at:], ')')
		if next < 0 {
			return "", l.fail(1, `it ends with a ")" alone in the first column of a line`, "unclosed block string")
		}
		at += next + 1
		atBegin := isNewline(l.src[at-2])
		if atBegin && (at == len(l.src) || isNewline(l.src[at])) {
			l.at = at
			return string(l.src[begin : at-1]), nil
		}
	}
}

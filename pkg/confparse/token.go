package confparse

import (
	"strconv"
	"strings"
)

// Pos is a place in a source. The zero value is no place.
type Pos struct {
	// File is the path of the file as it was opened, or a name that says what else the text is.
	File string
	// Line and Column count from 1. Column counts bytes.
	Line, Column int
}

// IsValid reports whether p is a place.
func (p Pos) IsValid() bool { return p.Line > 0 }

// String returns FILE:LINE:COLUMN, the file alone if the line is not known.
func (p Pos) String() string {
	if !p.IsValid() {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column)
}

// Quoting says how a key or a scalar is written.
type Quoting uint8

// The ways to write a key or a scalar. Keys are never blocks.
const (
	Bare   Quoting = iota // word
	Single                // 'raw text'
	Double                // "text with \n escapes"; in a key without
	Block                 // ( newline, text, and ")" alone in column 1
)

// isBlank reports whether c is white space inside a line (docs/spec/config.md A1).
func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// isNewline reports whether c ends a line.
func isNewline(c byte) bool { return c == '\n' || c == '\r' }

// endsWord reports whether c ends a bareword. A quote does too, and is swallowed (docs/spec/config.md A6).
func endsWord(c byte) bool {
	switch c {
	case '\n', '\r', ' ', '\t', ',', ';', ']', '}', '\'':
		return true
	}
	return false
}

// booleans are the words that are boolean when they stand bare, whatever their case (docs/spec/config.md A9).
var booleans = map[string]bool{"true": true, "yes": true, "on": true, "false": false, "no": false, "off": false}

// ParseBool returns the meaning of a boolean word and whether text is one: true, yes, on, false, no, off, whatever
// the case.
func ParseBool(text string) (value, isBool bool) {
	const longest = len("false")
	if len(text) > longest {
		return false, false
	}
	value, isBool = booleans[strings.ToLower(text)]
	return value, isBool
}

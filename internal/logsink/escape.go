package logsink

import (
	"unicode"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendEscaped appends text with every character that could move the cursor, end the line or turn
// the direction of writing replaced by a visible escape such as \n, \x1b or \u202e. Text that clients
// send can so neither forge a line nor paint the terminal. Everything else, backslashes included, stays.
// Source: docs/spec/cli.md §8.1.
func appendEscaped(dst []byte, text string) []byte {
	for i := 0; i < len(text); {
		if c := text[i]; c >= ' ' && c < 0x7f { // fast path: printable ASCII
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = appendHexByte(dst, text[i])
		case unsafeToShow(r):
			dst = appendRuneEscape(dst, r)
		default:
			dst = append(dst, text[i:i+size]...)
		}
		i += size
	}
	return dst
}

// unsafeToShow reports whether r is a control character, ends a line or changes the writing direction.
func unsafeToShow(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// appendRuneEscape appends the escape of r, in Go's notation.
func appendRuneEscape(dst []byte, r rune) []byte {
	switch r {
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	if r < utf8.RuneSelf {
		return appendHexByte(dst, byte(r))
	}
	// All that is left lies in the basic plane: four digits do.
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// appendHexByte appends c as \xHH.
func appendHexByte(dst []byte, c byte) []byte {
	return append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
}

package wire

import (
	"encoding/binary"
	"math/bits"
)

// isSeparator reports whether c ends a token: blank, tab, CR or LF (docs/spec/client-protocol.md §5).
func isSeparator(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// scanToken returns the index of the first separator in b at or after i, or len(b).
//
// It looks at eight bytes at once: all separators are below 0x21, and the lowest byte below 0x21 in a word is found
// with one subtraction. Control bytes that are no separators are legal in a token and stepped over.
func scanToken(b []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for i+8 <= len(b) {
		word := binary.LittleEndian.Uint64(b[i:])
		below := (word - 0x21*ones) &^ word & highs
		if below == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(below) >> 3
		if isSeparator(b[i]) {
			return i
		}
		i++
	}
	for i < len(b) && !isSeparator(b[i]) {
		i++
	}
	return i
}

// scanName returns the index of the first byte of b at or after i that is a dot, a blank or a control byte, or len(b). A token of a
// subject that holds no control byte ends there.
func scanName(b []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for i+8 <= len(b) {
		word := binary.LittleEndian.Uint64(b[i:])
		dots := word ^ '.'*ones // zero where there is a dot
		if found := ((word-0x21*ones)&^word | (dots-ones)&^dots) & highs; found != 0 {
			return i + bits.TrailingZeros64(found)>>3
		}
		i += 8
	}
	for i < len(b) && b[i] > ' ' && b[i] != '.' {
		i++
	}
	return i
}

// skipBlanks returns the index of the first byte of b at or after i that is neither blank nor tab, or len(b).
func skipBlanks(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
		i++
	}
	return i
}

// maxSize is where sizes saturate: more than any payload limit, far from overflow.
const maxSize = 1 << 40

// parseSize reads decimal digits. Leading zeros are legal; a number too big for any limit saturates at maxSize
// (docs/spec/client-protocol.md §4.2). ok is false when text is empty or holds anything but digits.
func parseSize(text []byte) (size int64, ok bool) {
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		if size < maxSize {
			size = size*10 + int64(c-'0')
		}
	}
	return min(size, maxSize), len(text) > 0
}

//go:build race

package bufpool

import "bytes"

// pattern is what given back memory is overwritten with.
var pattern = bytes.Repeat([]byte{0xdb}, 4096)

// Scribble overwrites memory that is about to be given back, so that an alias somebody kept fails loudly in tests.
// Without the race detector it does nothing.
func Scribble(b []byte) {
	for len(b) > 0 {
		b = b[copy(b, pattern):]
	}
}

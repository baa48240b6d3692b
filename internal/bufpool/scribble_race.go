//go:build race

package bufpool

import "bytes"

// pattern is what given back memory is overwritten with.
var pattern = bytes.Repeat([]byte{0xdb}, 4096)

// scribble overwrites what was given back, so that an alias somebody kept fails loudly in tests.
func scribble(b []byte) {
	for len(b) > 0 {
		b = b[copy(b, pattern):]
	}
}

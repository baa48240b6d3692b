package bufpool

import (
	"math/bits"
	"sync"
	"unsafe"
)

const (
	minBits = 6
	maxBits = 21
)

// The smallest and the largest class.
const (
	// MinSize and MaxSize are the smallest and the largest class, in bytes. Get(n) with n above MaxSize allocates, and
	// Put drops such a slice, so that one big message does not stay in memory for ever.
	MinSize = 1 << minBits
	MaxSize = 1 << maxBits
)

// pools holds a pointer to the first byte of each free slice; the class tells how long it is. A pointer in an
// interface costs no allocation, a slice would.
var pools [maxBits - minBits + 1]sync.Pool

// Get returns a slice of length n whose capacity is that of the smallest class that holds it. Its content is
// arbitrary. The caller owns it. n below one gives nil.
func Get(n int) []byte {
	switch {
	case n <= 0:
		return nil
	case n > MaxSize:
		return make([]byte, n)
	}
	class := classOf(n)
	if p, _ := pools[class].Get().(*byte); p != nil {
		return unsafe.Slice(p, MinSize<<class)[:n]
	}
	return make([]byte, n, MinSize<<class)
}

// Put takes b back. The caller must not use it, or any slice of it, any more. b must have come from Get, unless its
// capacity is that of no class: then it is dropped, as are nil and slices above MaxSize.
func Put(b []byte) {
	n := cap(b)
	if n < MinSize || n > MaxSize || n&(n-1) != 0 {
		return
	}
	Scribble(b[:n])
	pools[classOf(n)].Put(unsafe.SliceData(b))
}

// classOf returns the index of the smallest class of at least n bytes; n is at least 1 and at most MaxSize.
func classOf(n int) int { return max(0, bits.Len(uint(n-1))-minBits) }

package bench

import (
	"encoding/binary"
	"time"
)

// Sizes of a stamp in bytes. Payloads that are shorter bear less of it.
const (
	stampSize    = 16 // publisher, number and time
	numberedSize = 8  // publisher and number
)

// maxPublishers is the most publishers of one workload: what a stamp can tell apart.
const maxPublishers = 1 << 16

// stamp is what a message says of itself: 2 bytes for the publisher, 6 for its number, counted from 0, and 8 for the time it was
// meant to be sent at, in nanoseconds since 1970.
type stamp struct {
	publisher int
	number    uint64
	at        int64 // 0: not in it
}

// put writes s to the front of payload, as much of it as there is room for.
func (s stamp) put(payload []byte) {
	if len(payload) < numberedSize {
		return
	}
	binary.BigEndian.PutUint64(payload, uint64(s.publisher)<<48|s.number)
	if len(payload) >= stampSize {
		binary.BigEndian.PutUint64(payload[numberedSize:], uint64(s.at))
	}
}

// readStamp reads the stamp of payload, and reports whether it has one.
func readStamp(payload []byte) (stamp, bool) {
	if len(payload) < numberedSize {
		return stamp{}, false
	}
	word := binary.BigEndian.Uint64(payload)
	s := stamp{publisher: int(word >> 48), number: word & (1<<48 - 1)}
	if len(payload) >= stampSize {
		s.at = int64(binary.BigEndian.Uint64(payload[numberedSize:]))
	}
	return s, true
}

// clock tells the time in nanoseconds since 1970. It does not jump with the clock of the system, so that differences are
// right, and other processes on the same machine agree with it.
type clock struct{ base time.Time }

func newClock() clock { return clock{time.Now()} }

func (c clock) now() int64 { return c.base.UnixNano() + int64(time.Since(c.base)) }

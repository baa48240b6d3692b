package broker

import (
	"sync"
	"sync/atomic"

	"github.com/natsd/natsd/internal/bufpool"
	"github.com/natsd/natsd/internal/wire"
)

// segmentSize is the capacity of an ordinary segment in bytes: what a read buffer of readSize turns into when each of
// its messages goes to one class of subscribers.
const segmentSize = 128 << 10

// segment is encoded output that any number of outbound queues refer to. One worker appends to it; the bytes that
// spans refer to are never written again.
//
// References: the worker that fills it holds one, each span another. Whoever lets go of the last one gives the memory
// back. Fixed segments are not counted.
type segment struct {
	mem   []byte       // all of the memory; the slice itself is never written again, its bytes are by the worker
	used  int          // bytes of mem that are encoded; the worker's alone
	refs  atomic.Int32 // see above
	fixed bool         // never freed: lines that every connection gets alike
}

// The lines that need no encoding. Never written to.
var (
	pingLine = fixedLine(wire.Ping)
	pongLine = fixedLine(wire.Pong)
	okLine   = fixedLine(wire.OK)
)

func fixedLine(text string) *segment {
	return &segment{mem: []byte(text), used: len(text), fixed: true}
}

// segmentPool holds ordinary segments that nobody refers to. Memory of larger ones goes back to bufpool.
var segmentPool sync.Pool

// newSegment returns an empty segment with room for at least n bytes and one reference, the caller's.
func newSegment(n int) *segment {
	if n <= segmentSize {
		if s, ok := segmentPool.Get().(*segment); ok {
			s.used = 0
			s.refs.Store(1)
			return s
		}
		n = segmentSize
	}
	return newExactSegment(n)
}

// newExactSegment is newSegment without an ordinary segment's least size.
func newExactSegment(n int) *segment {
	mem := bufpool.Get(n)
	s := &segment{mem: mem[:cap(mem)]}
	s.refs.Store(1)
	return s
}

// retain adds n references.
func (s *segment) retain(n int) {
	if !s.fixed {
		s.refs.Add(int32(n))
	}
}

// release drops n references. After the last one the memory is somebody else's.
func (s *segment) release(n int) {
	if s.fixed || s.refs.Add(int32(-n)) != 0 {
		return
	}
	if len(s.mem) == segmentSize {
		bufpool.Scribble(s.mem)
		segmentPool.Put(s)
		return
	}
	bufpool.Put(s.mem)
	s.mem = nil
}

// room returns how many more bytes fit.
func (s *segment) room() int { return len(s.mem) - s.used }

// free returns the unused memory as an empty slice to append to. What is appended counts after advance.
func (s *segment) free() []byte { return s.mem[s.used:s.used] }

// advance says that appended, which began as free and never outgrew it, is encoded.
func (s *segment) advance(appended []byte) { s.used += len(appended) }

// span is a part of a segment, queued for one connection. It owns a reference.
type span struct {
	segment  *segment
	from, to uint32
}

func (s span) bytes() []byte { return s.segment.mem[s.from:s.to] }
func (s span) size() int     { return int(s.to - s.from) }

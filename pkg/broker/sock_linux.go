package broker

import (
	"io"
	"net"
	"syscall"
	"unsafe"
)

// gatherBelow is the average size of spans in bytes up to which they are copied together before a write: the kernel
// takes longer for each piece than the copy does.
const gatherBelow = 512

// briefWrite is the size in bytes up to which a write is a raw system call, see writeOne.
const briefWrite = 4 << 10

// rawSocket is a socket that can be read and written without waiting, and parked.
type rawSocket struct{ syscall.RawConn }

// newRawSocket returns the raw side of nc, false if it has none and must be read and written by waiting.
func newRawSocket(nc net.Conn) (rawSocket, bool) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return rawSocket{}, false
	}
	raw, err := tcp.SyscallConn()
	return rawSocket{raw}, err == nil
}

// socketIO is the memory of one worker for calls to sockets: closures and vectors that cost nothing to use again.
type socketIO struct {
	spans   []span
	written int
	err     error
	writeFn func(fd uintptr) bool
	vectors [64]syscall.Iovec
	gather  []byte
}

func (w *socketIO) init() { w.writeFn = w.writeSpans }

// tryWrite writes as much of spans as the socket takes without waiting.
func (w *socketIO) tryWrite(raw syscall.RawConn, spans []span) (int, error) {
	w.spans, w.written, w.err = spans, 0, nil
	err := raw.Write(w.writeFn)
	w.spans = nil
	if err == nil {
		err = w.err
	}
	return w.written, err
}

// writeSpans is the body of tryWrite. It always returns true: the caller does not want to wait.
func (w *socketIO) writeSpans(fd uintptr) bool {
	spans := w.spans
	skip := 0 // bytes of spans[0] that are written
	for len(spans) > 0 {
		n, asked, errno := w.writeSome(int(fd), spans, skip)
		switch {
		case errno == syscall.EINTR:
			continue
		case errno == syscall.EAGAIN:
			return true
		case errno != 0:
			w.err = errno
			return true
		}
		w.written += n
		if n < asked {
			return true // the buffer is full
		}
		n += skip
		for len(spans) > 0 && n >= spans[0].size() {
			n -= spans[0].size()
			spans = spans[1:]
		}
		skip = n
	}
	return true
}

// writeSome makes one system call for the first of spans, without the first skip bytes.
func (w *socketIO) writeSome(fd int, spans []span, skip int) (n, asked int, errno syscall.Errno) {
	if len(spans) == 1 {
		b := spans[0].bytes()[skip:]
		n, errno = writeOne(fd, b)
		return n, len(b), errno
	}
	total, count := -skip, 0
	for ; count < len(spans) && count < len(w.vectors); count++ {
		total += spans[count].size()
	}
	if total < count*gatherBelow {
		w.gather = append(w.gather[:0], spans[0].bytes()[skip:]...)
		for _, s := range spans[1:] {
			if len(w.gather)+s.size() > segmentSize {
				break
			}
			w.gather = append(w.gather, s.bytes()...)
		}
		n, errno = writeOne(fd, w.gather)
		return n, len(w.gather), errno
	}
	for i := range count {
		b := spans[i].bytes()
		if i == 0 {
			b = b[skip:]
		}
		w.vectors[i].Base = unsafe.SliceData(b)
		w.vectors[i].SetLen(len(b))
	}
	r, _, errno := syscall.Syscall(syscall.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&w.vectors[0])), uintptr(count))
	clear(w.vectors[:count])
	if errno != 0 {
		return 0, total, errno
	}
	return int(r), total, 0
}

// writeOne writes b, which is not empty, with one system call.
//
// The call is a raw one if b is small: the socket does not wait for room, so Go's scheduler need not know. Told of it, it wakes its
// monitor thread for the first call after each pause, a second wake-up for every message of a quiet server. It is told of a larger
// one: that takes long, most of all over the loopback interface, where it runs the receiver's half of TCP too. That the kernel
// may sleep for a moment even so, for memory or a lock of the socket, is accepted.
func writeOne(fd int, b []byte) (int, syscall.Errno) {
	var r uintptr
	var errno syscall.Errno
	if len(b) <= briefWrite { // two calls by name: only those keep what a uintptr points to
		r, _, errno = syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	} else {
		r, _, errno = syscall.Syscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	}
	if errno != 0 {
		return 0, errno
	}
	return int(r), 0
}

// readNow reads into b, which is not empty, without waiting. again means that there is nothing to read yet.
//
// The call is a raw one for the reason given at writeOne; a read only copies.
func readNow(fd uintptr, b []byte) (n int, again bool, err error) {
	for {
		r, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
		switch {
		case errno == syscall.EINTR:
		case errno == syscall.EAGAIN:
			return 0, true, nil
		case errno != 0:
			return 0, false, errno
		case r == 0:
			return 0, false, io.EOF
		default:
			return int(r), false, nil
		}
	}
}

// unread reports whether there is input that nobody has read.
func (s rawSocket) unread() bool {
	n, _ := s.ask(syscall.TIOCINQ)
	return n > 0
}

// unsent returns how many bytes of output the peer's system has not acknowledged, and whether that is known.
func (s rawSocket) unsent() (n int64, known bool) {
	if s.RawConn == nil {
		return 0, false
	}
	return s.ask(syscall.TIOCOUTQ)
}

// ask returns the length in bytes of the queue that request is about, and whether that is known: a socket that is closed has none.
func (s rawSocket) ask(request uintptr) (n int64, known bool) {
	queued := int32(0)
	var errno syscall.Errno
	err := s.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(unsafe.Pointer(&queued)))
	})
	return int64(queued), err == nil && errno == 0
}

//go:build !linux

package broker

import (
	"net"
	"syscall"
)

// rawSocket does not exist on this system: every connection is read and written by waiting.
type rawSocket struct{ syscall.RawConn }

func newRawSocket(net.Conn) (rawSocket, bool) { return rawSocket{}, false }

// socketIO has nothing to remember on this system.
type socketIO struct{}

func (w *socketIO) init() {}

func (w *socketIO) tryWrite(syscall.RawConn, []span) (int, error) { return 0, nil }

func readNow(uintptr, []byte) (n int, again bool, err error) { return 0, true, nil }

func (rawSocket) unread() bool { return false }

func (rawSocket) unsent() (n int64, known bool) { return 0, false }

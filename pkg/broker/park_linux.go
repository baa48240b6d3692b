package broker

import (
	"fmt"
	"os"
	"syscall"
)

// hotBatches is how many batches in quick succession make a connection wait with its goroutine, which answers
// sooner, instead of being parked.
const hotBatches = 6

// firstBatches is how many batches a new connection is given before it is parked for the first time.
const firstBatches = 2

// poller waits for input on behalf of all parked connections. A parked connection has no goroutine; when it becomes
// readable, the poller starts one. It is an epoll instance, which is itself waited for through Go's own poller.
//
// Goroutine: run, started by newPoller, ends with close.
type poller struct {
	b    *Broker
	file *os.File
	raw  syscall.RawConn
}

// newPoller returns a running poller for the connections of b.
func newPoller(b *Broker) (*poller, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot create an epoll instance: %w", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		_ = syscall.Close(fd)
		return nil, fmt.Errorf("cannot make the epoll instance non-blocking: %w", err)
	}
	p := &poller{b: b, file: os.NewFile(uintptr(fd), "epoll")}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		_ = p.file.Close()
		return nil, fmt.Errorf("cannot wait for the epoll instance: %w", err)
	}
	b.tasks.Add(1)
	go p.run()
	return p, nil
}

// close ends run.
func (p *poller) close() { _ = p.file.Close() }

// run starts a goroutine for every parked connection that becomes readable.
func (p *poller) run() {
	defer p.b.tasks.Done()
	var events [128]syscall.EpollEvent
	for {
		n := 0
		err := p.raw.Read(func(fd uintptr) bool {
			var err error
			n, err = syscall.EpollWait(int(fd), events[:], 0)
			return n > 0 || err != nil && err != syscall.EINTR
		})
		if err != nil {
			return // closed
		}
		for i := range max(0, n) {
			p.b.unpark(uint64(uint32(events[i].Fd)) | uint64(uint32(events[i].Pad))<<32)
		}
	}
}

// watch makes the poller unpark the connection with this cid when its socket, fd, becomes readable, once.
func (p *poller) watch(fd uintptr, cid uint64) error {
	event := syscall.EpollEvent{
		Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | 1<<30, // EPOLLONESHOT
		Fd:     int32(uint32(cid)), Pad: int32(uint32(cid >> 32)),
	}
	var err error
	if e := p.raw.Control(func(epoll uintptr) {
		err = syscall.EpollCtl(int(epoll), syscall.EPOLL_CTL_MOD, int(fd), &event)
		if err == syscall.ENOENT {
			err = syscall.EpollCtl(int(epoll), syscall.EPOLL_CTL_ADD, int(fd), &event)
		}
	}); e != nil {
		return e
	}
	return err
}

// unpark starts the serving goroutine of the connection with this cid, if it is parked.
func (b *Broker) unpark(cid uint64) {
	if c := b.connection(cid); c != nil && c.serving.CompareAndSwap(parked, served) {
		b.tasks.Add(1)
		go c.serve()
	}
}

// park gives up the serving goroutine of c, whose socket was drained, and reports whether that was possible. If it was,
// the caller must not touch c any more: what has come meanwhile wakes it at once.
func (c *conn) park() bool {
	if c.b.poller == nil {
		c.in.rooted = true // the wheel asks without knowing
		return false
	}
	c.serving.Store(parked)
	var err error
	if e := c.raw.Control(func(fd uintptr) { err = c.b.poller.watch(fd, c.id) }); e != nil {
		err = e
	}
	// A failure, or a close that came before c was parked, is left to this goroutine if nobody else has it already.
	if (err == nil && !c.ended()) || !c.serving.CompareAndSwap(parked, served) {
		return true
	}
	c.in.rooted = err != nil
	return false
}

// quiet reports whether c, which has nothing to read, is to be parked: not before its first words, CONNECT and SUB,
// which follow each other at once, and not while it is busy.
func (c *conn) quiet() bool {
	if c.b.poller == nil || c.in.rooted || !c.in.settled && c.in.batches < firstBatches {
		return false
	}
	c.in.settled = true
	return c.in.batches < hotBatches
}

// noteActivity counts the batches of c that come in quick succession.
func (c *conn) noteActivity() {
	now := c.b.wheel.now()
	if now-c.seen.Load() > 1 && c.in.settled {
		c.in.batches = 0
	}
	c.in.batches = min(c.in.batches+1, hotBatches)
	c.seen.Store(now)
}

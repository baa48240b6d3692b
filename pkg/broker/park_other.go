//go:build !linux

package broker

// poller does not exist on this system: every connection waits with its goroutine.
type poller struct{}

func newPoller(*Broker) (*poller, error) { return nil, nil }

func (p *poller) close() {}

func (c *conn) park() bool { return false }

func (c *conn) quiet() bool { return false }

func (c *conn) noteActivity() { c.seen.Store(c.b.wheel.now()) }

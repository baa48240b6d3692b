package bench

// The fence: when all is published and the server has confirmed it, each subscriber sends PING. A server queues the answer
// behind all messages that it has for the subscriber, so that nothing more comes after it: what is missing then is lost,
// and nobody has to wait and see. Source: docs/spec/client-protocol.md §1 and §6.4.
//
// It says that only of one server: from another, a message may still be on its way. And not after a connection broke, since
// the server may go on reading what it had got over it.

// raiseFence sends the PINGs, if the answers are to say something.
func (p *play) raiseFence() {
	if p.Kind == Sub || len(p.subscribers) == 0 || p.disconnects.Load() > 0 || p.gone.Load() > 0 || !p.hasOneServer() {
		return
	}
	p.fenced = true
	for _, s := range p.subscribers {
		if c := s.link.current(); c != nil {
			p.run.readers.Go(func() { _ = c.write([]byte("PING\r\n")) }) // whoever reads notices a failure
		}
	}
}

// hasOneServer reports whether all connections are to the same server.
func (p *play) hasOneServer() bool {
	ids := map[string]bool{}
	note := func(l *link) {
		if c := l.current(); c != nil {
			ids[c.info.ID] = true
		}
	}
	for _, s := range p.subscribers {
		note(&s.link)
	}
	for _, pub := range p.publishers {
		note(&pub.link)
	}
	return len(ids) == 1 && !ids[""]
}

// isBehindFence reports whether every subscriber has got what was sent before the fence.
func (p *play) isBehindFence() bool {
	for _, s := range p.subscribers {
		if !s.behindFence.Load() {
			return false
		}
	}
	return true
}

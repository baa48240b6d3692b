package broker

// Stats is a snapshot of what a broker has done so far. Sizes are payload bytes, headers included.
type Stats struct {
	Connections       int64 // clients connected now
	Links             int64 // connections to other servers, now
	TotalConnections  int64 // clients accepted so far, those that were turned away included
	Subscriptions     int64 // now, those of other servers included
	InMsgs, InBytes   int64 // from clients and other servers
	OutMsgs, OutBytes int64 // queued for them
	SlowConsumers     int64 // of them, cut because they were too slow

	// Of those above, what has to do with clients.
	ClientInMsgs, ClientInBytes, ClientOutMsgs, ClientOutBytes, SlowClients int64

	Pending     int64 // bytes that wait to be written
	MostPending int64 // of them, those for one connection

	StaleConnections int64 // clients that did not answer PINGs
	StalledClients   int64 // of those connected now, that had to wait for slow consumers
}

// Stats returns a snapshot. Cost: O(connections). Locks: takes b.mu for as long as it takes to copy the list of connections, and
// out.mu of one after the other.
func (b *Broker) Stats() Stats {
	b.slow.mu.Lock()
	s := Stats{
		TotalConnections: b.total.Load(), StaleConnections: b.staleConns.Load(),
		SlowConsumers: b.slow.mu.clients + b.slow.mu.links, SlowClients: b.slow.mu.clients,
	}
	b.slow.mu.Unlock()
	for _, a := range b.live.Load().authority.accounts {
		s.Subscriptions += int64(a.index.Count())
	}
	// What has gone and what is there are taken at the same moment; a connection that goes after that still counts.
	b.mu.Lock()
	clients, links := b.mu.pastClients, b.mu.pastLinks
	conns := make([]*conn, 0, len(b.mu.conns)+len(b.mu.links))
	for _, c := range b.mu.conns {
		conns = append(conns, c)
	}
	for _, c := range b.mu.links {
		conns = append(conns, c)
	}
	s.Connections, s.Links = int64(len(b.mu.conns)), int64(len(b.mu.links))
	b.mu.Unlock()
	for _, c := range conns {
		t := &clients
		if c.route != nil {
			t = &links
		}
		pending := t.add(c)
		s.Pending += pending
		s.MostPending = max(s.MostPending, pending)
		if c.stalls.Load() > 0 {
			s.StalledClients++
		}
	}
	s.ClientInMsgs, s.ClientInBytes = clients.received.messages, clients.received.bytes
	s.ClientOutMsgs, s.ClientOutBytes = clients.sent.messages, clients.sent.bytes
	s.InMsgs, s.InBytes = s.ClientInMsgs+links.received.messages, s.ClientInBytes+links.received.bytes
	s.OutMsgs, s.OutBytes = s.ClientOutMsgs+links.sent.messages, s.ClientOutBytes+links.sent.bytes
	return s
}

package broker

import "sync"

// closedLog remembers the connections that closed last, and counts why connections closed.
type closedLog struct {
	mu struct { // guards everything inside it
		sync.Mutex
		ring    []ConnState // the oldest is at next once it is full
		next    int
		reasons map[string]int64
	}
}

// add remembers one, as one of at most limit.
func (l *closedLog) add(s ConnState, limit int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.reasons == nil {
		l.mu.reasons = make(map[string]int64)
	}
	l.mu.reasons[s.Reason]++
	switch {
	case limit <= 0:
	case len(l.mu.ring) < limit:
		l.mu.ring = append(l.mu.ring, s)
	default:
		l.mu.ring[l.mu.next] = s
		l.mu.next = (l.mu.next + 1) % len(l.mu.ring)
	}
}

// countClosed counts a connection that closed and is not remembered.
func (b *Broker) countClosed(reason closeReason) { b.closed.add(ConnState{Reason: string(reason)}, 0) }

// all returns what is remembered, the oldest first.
func (l *closedLog) all() []ConnState {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]ConnState, 0, len(l.mu.ring))
	list = append(list, l.mu.ring[l.mu.next:]...)
	return append(list, l.mu.ring[:l.mu.next]...)
}

// Closed returns the clients that closed last, Options.MaxClosedClients of them at most, the oldest first.
func (b *Broker) Closed() []ConnState { return b.closed.all() }

// CloseReasons returns how many clients and links have closed so far, by reason (docs/spec/monitoring.md §5.3).
func (b *Broker) CloseReasons() map[string]int64 {
	b.closed.mu.Lock()
	defer b.closed.mu.Unlock()
	counts := make(map[string]int64, len(b.closed.mu.reasons))
	for reason, n := range b.closed.mu.reasons {
		counts[reason] = n
	}
	return counts
}

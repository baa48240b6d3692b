package broker

import (
	"maps"
	"sync"
)

// closedLog remembers the connections that closed last, and counts why connections closed.
type closedLog struct {
	mu struct { // guards everything inside it
		sync.Mutex
		last    ring[ConnState]
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
	l.mu.last.add(s, limit)
}

// countClosed counts a connection that closed and is not remembered.
func (b *Broker) countClosed(reason closeReason) { b.closed.add(ConnState{Reason: string(reason)}, 0) }

// Closed returns the clients that closed last, Options.MaxClosedClients of them at most, the oldest first.
func (b *Broker) Closed() []ConnState {
	b.closed.mu.Lock()
	defer b.closed.mu.Unlock()
	return b.closed.mu.last.all()
}

// CloseReasons returns how many clients and links have closed so far, by reason (docs/spec/monitoring.md §5.3).
func (b *Broker) CloseReasons() map[string]int64 {
	b.closed.mu.Lock()
	defer b.closed.mu.Unlock()
	return maps.Clone(b.closed.mu.reasons)
}

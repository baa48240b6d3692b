package cluster

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// act does what has fallen due.
func (m *mesh) act() {
	for _, id := range m.linkIDs() {
		m.actOn(m.links[id])
	}
	var due []*target
	for _, t := range m.targets {
		if t.due(m.now) && (!m.ducked || t.token != "") {
			due = append(due, t)
		}
	}
	slices.SortFunc(due, func(a, b *target) int { return strings.Compare(a.key, b.key) })
	for _, t := range due {
		m.begin(t)
	}
}

// actOn does what has fallen due for a link.
func (m *mesh) actOn(l *link) {
	if l.dropped {
		return
	}
	if past(l.deadline, m.now) {
		switch {
		case l.waiting:
			m.introduce(l)
		case l.locked:
			m.drop(l, "Authentication Timeout", "Authentication Timeout")
		default:
			m.say(levelError, l.id, "The other server has not said who it is in %v; is this the route port of a NATS server?", registerTime)
			l.blame(fmt.Sprintf("the server there has not said who it is in %v; is this the route port of a NATS server?", registerTime))
			l.logged = true
			m.drop(l, "", "Stale Connection")
		}
		return
	}
	if past(l.probe, m.now) {
		m.drop(l, "Stale Connection", "Stale Connection")
		return
	}
	if past(l.tellAll, m.now) {
		l.tellAll, l.toldAll = time.Time{}, m.now
		m.do(announceAgain{l.id})
	}
	if l.peer() && !m.now.Before(l.nextPing) {
		if l.pings++; l.pings > m.options.PingMax {
			m.say(levelDebug, l.id, "Stale Client Connection - Closing")
			m.drop(l, "Stale Connection", "Stale Connection")
			return
		}
		m.do(ping{l.id})
		l.nextPing = m.now.Add(m.options.PingInterval)
	}
}

// next returns when something falls due next; zero if nothing does.
func (m *mesh) next() time.Time {
	var first time.Time
	consider := func(t time.Time) {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for _, l := range m.links {
		if l.dropped {
			continue
		}
		consider(l.deadline)
		consider(l.probe)
		consider(l.tellAll)
		if l.peer() {
			consider(l.nextPing)
		}
	}
	for _, t := range m.targets {
		if t.idle() && (!m.ducked || t.token != "") {
			consider(t.retryAt)
		}
	}
	return first
}

// past reports whether t, unless it is zero, has come.
func past(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

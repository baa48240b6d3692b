package cluster

import (
	"time"

	"github.com/natsd/natsd/pkg/broker"
)

// link is what the mesh knows of one link.
type link struct {
	id    linkID
	ip    string // of the other end
	key   string // likewise, see accepted
	begun time.Time

	target    *target // that led to it; nil: the other server has dialled
	addr      string  // of the target, that was dialled
	solicited bool    // this server has dialled, or would
	explicit  bool    // because of its configuration
	handover  bool    // one end is the process that hands over to the other

	waiting  bool  // for the INFO of the server that was dialled; CONNECT was not sent
	locked   bool  // until CONNECT comes
	hello    *info // the first INFO
	info     *info // the last one, once it is registered
	dropped  bool  // closing
	replaced bool  // by another one to the same server
	banished bool  // its server is not looked for when it has closed, see banish

	failure string // why it is closing or has closed, for MissingSnapshot; empty: not known
	logged  bool   // failure is in the log

	deadline time.Time // for INFO or CONNECT; zero: none
	nextPing time.Time
	toldAll  time.Time // when all of the interest here was announced last
	tellAll  time.Time // when it is to be announced once more; zero: not
	pings    int       // not answered
	probe    time.Time // for a PONG, see settle; zero: none
}

// peer reports whether the link was registered.
func (l *link) peer() bool { return l.info != nil }

// blame notes why the link leads to nothing. What is known first counts: the rest follows from it.
func (l *link) blame(failure string) {
	if l.failure == "" {
		l.failure = failure
	}
}

// young reports whether the link may still be one that the other server does not let in: that may take it a while, and comes after its INFO.
func (l *link) young(now time.Time) bool { return now.Sub(l.begun) < registerTime }

// turnedAway reports whether the other server has closed the link, which this one had dialled, before it was sure that it lets it in.
func (l *link) turnedAway(now time.Time) bool {
	return l.solicited && l.target != nil && !l.dropped && l.young(now)
}

// dialectOf returns how a server wants to be spoken to.
func dialectOf(i *info) broker.Dialect { return broker.Dialect{V1: i.old(), Headers: i.Headers} }

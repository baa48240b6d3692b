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

	deadline time.Time // for INFO or CONNECT; zero: none
	nextPing time.Time
	toldAll  time.Time // when all of the interest here was announced last
	tellAll  time.Time // when it is to be announced once more; zero: not
	pings    int       // not answered
	probe    time.Time // for a PONG, see settle; zero: none
}

// peer reports whether the link was registered.
func (l *link) peer() bool { return l.info != nil }

// dialectOf returns how a server wants to be spoken to.
func dialectOf(i *info) broker.Dialect { return broker.Dialect{V1: i.old(), Headers: i.Headers} }

package permission

import "time"

// Rules say what a user may do. They are not changed after Compile.
type Rules struct {
	Publish, Subscribe Side
	// Responses allow publishing to the reply subjects of messages received, beyond Publish; nil: they do not.
	Responses *Responses
}

// Side is one direction. Entries of Subscribe may be "SUBJECT QUEUE": what is allowed then are subscriptions in that
// queue group only, and what is denied are those. Both parts may hold wildcards. All must be valid.
type Side struct {
	// Open allows everything that Deny does not name; Allow is not looked at then.
	Open        bool
	Allow, Deny []string
}

// Responses bounds what may be published to the reply subject of a message received.
type Responses struct {
	Max     int           // messages; negative: no limit
	Expires time.Duration // after the message was received; negative: never
}

// List names one of the lists of a side.
type List uint8

// The lists.
const (
	NoList List = iota // the side is open, or lists nothing that fits
	AllowList
	DenyList
)

// Decision is an answer and the reason for it.
type Decision struct {
	Allowed bool
	List    List // that decided
	Index   int  // of the entry in it
}

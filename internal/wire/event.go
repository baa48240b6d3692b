package wire

import "errors"

// Op names an event. The zero value, OpNone, means that more input is needed.
type Op uint8

// The events a client can cause, one for each verb of docs/spec/client-protocol.md §5, and those of a route.
const (
	OpNone Op = iota
	OpPub
	OpHPub
	OpSub
	OpUnsub
	OpPing
	OpPong
	OpConnect
	OpInfo
	OpOK
	OpErr

	// On routes only, see NextRoute.
	OpRSub   // RS+
	OpRUnsub // RS-
	OpRMsg   // RMSG
	OpRHMsg  // HMSG
	OpMsg    // MSG
	OpLeaf   // LS+, LS- and LMSG, which are read and nothing else
)

// String returns the verb.
func (o Op) String() string {
	names := [...]string{"none", "PUB", "HPUB", "SUB", "UNSUB", "PING", "PONG", "CONNECT", "INFO", "+OK", "-ERR",
		"RS+", "RS-", "RMSG", "HMSG", "MSG", "leaf"}
	if int(o) < len(names) {
		return names[o]
	}
	return "unknown"
}

// The ways input can be wrong. Each ends the connection; docs/spec/client-protocol.md §13 has the text each is told.
var (
	// ErrUnknownOp reports a verb that does not exist or a payload that does not end where it must.
	ErrUnknownOp = errors.New("unknown protocol operation")
	// ErrArguments reports a wrong number of arguments, or a size that is not a number.
	ErrArguments = errors.New("malformed arguments")
	// ErrControlLine reports arguments longer than Parser.MaxControlLine.
	ErrControlLine = errors.New("maximum control line exceeded")
	// ErrMaxPayload reports a size above Parser.MaxPayload.
	ErrMaxPayload = errors.New("maximum payload exceeded")
)

// Event is what the parser found. Its byte slices borrow the input given to Next: copy what must outlive it.
// Fields that do not belong to the event's verb are left as they were.
type Event struct {
	Subject []byte // PUB, HPUB, SUB, and all of routes
	Reply   []byte // PUB, HPUB, RMSG, HMSG, MSG; nil when absent
	Queue   []byte // SUB, RS+, RS-; nil when absent
	SID     []byte // SUB, UNSUB, MSG
	Arg     []byte // CONNECT, INFO, -ERR: everything between the verb and the line end, blanks trimmed in front

	// SizeText and HeaderText are the sizes as the client wrote them: they are echoed to subscribers, leading
	// zeros included (docs/spec/client-protocol.md §4.2). HeaderText is nil for PUB.
	SizeText   []byte
	HeaderText []byte
	// Size is the length of Payload in bytes, headers included. HeaderSize is the length of the header
	// block at its front, zero for PUB.
	Size       int
	HeaderSize int
	Payload    []byte

	// Tail is everything after the subject and its blank: "[reply ]size\r\npayload\r\n", and with HPUB the header
	// size too. It is what subscribers get behind "MSG subject sid ", so it can be sent as it is. It is nil when
	// the client's line was not written canonically from the subject on: single blanks, CR LF at the end.
	Tail []byte

	// Max is UNSUB's count; zero when absent or not a number (docs/spec/client-protocol.md §7).
	Max int64

	// Account is that of RS+, RS-, RMSG and HMSG. Queues are the queue groups that RMSG and HMSG are for, a list for
	// CutToken, and Listed says that there is such a list. Weight is the number of members that RS+ announces, zero for a
	// plain subscription.
	Account []byte
	Queues  []byte
	Listed  bool
	Weight  int64

	// Matched is not the parser's, and nil between two events: the subject that decides who gets the message, where Subject
	// is another one, which is only shown (docs/spec/route-protocol.md §3.6).
	Matched []byte
}

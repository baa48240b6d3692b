package wire

// verb is one word a line may start with.
type verb struct {
	name  string // lower case
	op    Op
	blank bool // a blank or tab must follow
	bare  bool // whatever follows on the line is ignored
}

// The verbs a client may send (docs/spec/client-protocol.md §4). MSG, HMSG and the other verbs of routes are not
// among them: see route.go.
var (
	verbPub     = verb{name: "pub", op: OpPub, blank: true}
	verbHPub    = verb{name: "hpub", op: OpHPub, blank: true}
	verbSub     = verb{name: "sub", op: OpSub, blank: true}
	verbUnsub   = verb{name: "unsub", op: OpUnsub, blank: true}
	verbPing    = verb{name: "ping", op: OpPing, bare: true}
	verbPong    = verb{name: "pong", op: OpPong, bare: true}
	verbConnect = verb{name: "connect", op: OpConnect}
	verbInfo    = verb{name: "info", op: OpInfo}
	verbOK      = verb{name: "+ok", op: OpOK, bare: true}
	verbErr     = verb{name: "-err", op: OpErr}
)

// verbState says how far a verb has been recognised.
type verbState uint8

const (
	verbWrong verbState = iota
	verbIncomplete
	verbComplete
)

// matchVerb finds the verb b starts with, ignoring case. b is not empty. A first wrong byte is enough for verbWrong.
func matchVerb(b []byte) (*verb, verbState) { return matchIn(b, candidate(b)) }

// matchIn is matchVerb for the only verb that b can be, nil if it is none.
func matchIn(b []byte, v *verb) (*verb, verbState) {
	if v == nil {
		return nil, verbWrong
	}
	for i := 0; i < len(v.name); i++ {
		if i == len(b) {
			return v, verbIncomplete
		}
		if lower(b[i]) != v.name[i] {
			return nil, verbWrong
		}
	}
	return v, verbComplete
}

// candidate returns the only verb that b can be, or nil. Where two share their first byte the second decides.
func candidate(b []byte) *verb {
	switch lower(b[0]) {
	case 'p':
		if len(b) == 1 {
			return &verbPub
		}
		switch lower(b[1]) {
		case 'i':
			return &verbPing
		case 'o':
			return &verbPong
		}
		return &verbPub
	case 'h':
		return &verbHPub
	case 's':
		return &verbSub
	case 'u':
		return &verbUnsub
	case 'c':
		return &verbConnect
	case 'i':
		return &verbInfo
	case '+':
		return &verbOK
	case '-':
		return &verbErr
	}
	return nil
}

// lower folds an ASCII letter to lower case.
func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

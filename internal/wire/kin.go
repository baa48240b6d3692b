package wire

import "bytes"

// Kin are PUBs that lie one behind the other and whose subjects differ in one token alone: telemetry is like that, with a subject for
// each device. At is where in the subject that token begins. Nothing is kin to the zero value.
type Kin struct {
	At int

	head, foot []byte // what the lines have in common: up to that token, and behind it up to the blank behind the subject
}

// Kin returns what the PUB that Next has just returned and the one at the front of b, which follows it, have in common, and whether
// their subjects differ in one token alone. It borrows the input.
func (p *Parser) Kin(b []byte) (k Kin, ok bool) {
	const verb = len("PUB ")
	if p.line == nil {
		return Kin{}, false
	}
	subject := p.line[verb : verb+len(p.previous)+1] // and the blank behind it
	if len(b) < verb+len(subject) || !bytes.Equal(b[:verb], p.line[:verb]) {
		return Kin{}, false
	}
	for i, c := range subject {
		if b[verb+i] != c {
			k.head, k.foot = p.line[:verb+k.At], subject[scanName(subject, k.At):]
			end := scanName(b, verb+k.At)
			return k, end > verb+k.At && bytes.HasPrefix(b[end:], k.foot)
		}
		if c == '.' {
			k.At = i + 1
		}
	}
	return Kin{}, false // the same subject
}

// NextKin is Next for one more of k at the front of b. It returns 0 for anything else, and for what is not there as a whole or out of the
// ordinary; nothing is then decided, and the event stays as it is.
//
// Hot path: once per message of a row of kin. 0 allocs/op (TestKinAllocs, BenchmarkKin).
func (p *Parser) NextKin(b []byte, k Kin) int {
	if len(k.foot) == 0 || !bytes.HasPrefix(b, k.head) {
		return 0
	}
	end := scanName(b, len(k.head))
	if end == len(k.head) || !bytes.HasPrefix(b[end:], k.foot) {
		return 0
	}
	return p.fastTail(b, end+len(k.foot)-1, false)
}

package wire

import (
	"bytes"
	"encoding/binary"
)

// Parser finds the events in a client's input. The zero value with its limits set is ready; it is not safe for
// concurrent use.
type Parser struct {
	Event

	// MaxControlLine is the most bytes the arguments of a line may have (docs/spec/client-protocol.md §4.1).
	MaxControlLine int
	// MaxPayload is the most bytes a payload may have, headers included. Negative means no limit.
	MaxPayload int64

	// Need is how many bytes, counted from the start of the input given, the event being waited for has in all.
	// It is set with OpNone, and zero while that is not known yet.
	Need int

	// Skipping is the PING, PONG or +OK whose line end has not come yet; a caller that shares one Parser
	// among connections saves and restores it. Nothing else carries over from one call of Next to the
	// following after Forget: Event and Need are results, written by Next and never read by it.
	Skipping Op

	// Repeated says that the PUB just parsed has the same subject as the event before, which was a PUB too. It is set
	// where that shows without looking for it.
	Repeated bool
	previous []byte // subject of the event before, a PUB, in the caller's buffer; nil: none, or the buffer has changed
	line     []byte // its control line, line end included
}

// Forget makes p ready for another buffer: the one of the events before may have changed.
func (p *Parser) Forget() { p.previous, p.line, p.Repeated = nil, nil, false }

// More returns how many messages at the front of b, which follows the PUB that Next has just returned, have the same control
// line as that one, and how many bytes each of them takes. The caller may take any number of them from the front, and goes on
// with Next behind them; the event stays as it is.
//
// Hot path: once per row of messages on one subject. 0 allocs/op (TestParserAllocs, BenchmarkParser).
func (p *Parser) More(b []byte) (n, each int) {
	if p.line == nil {
		return 0, 0
	}
	payload := len(p.line) + p.Size
	each = payload + 2
	for len(b) >= each && bytes.Equal(b[:len(p.line)], p.line) && b[payload] == '\r' && b[payload+1] == '\n' {
		b = b[each:]
		n++
	}
	return n, each
}

// Reset makes p ready for another connection and drops what p borrows. The limits stay.
func (p *Parser) Reset() {
	p.Event = Event{}
	p.Need, p.Skipping = 0, OpNone
	p.Forget()
}

// Next returns the first event in b and the number of bytes it took. With OpNone and a nil error it needs more
// input: the caller offers b[n:] again with new bytes behind it. After an error the parser is of no use any more.
// A line that is too long, a verb that is wrong and a payload that is too big are reported as soon as that is
// certain, without waiting for the rest.
//
// Hot path: once per protocol line. 0 allocs/op (TestParserAllocs, BenchmarkParser).
// Fast path: a PUB written canonically and there as a whole. Slow path: everything else.
func (p *Parser) Next(b []byte) (op Op, n int, err error) {
	if len(b) > len("PUB a 0\r\n\r\n")-1 && p.Skipping == OpNone && binary.LittleEndian.Uint32(b)|0x202020 == pubVerb {
		if n := p.fastPub(b); n > 0 {
			return OpPub, n, nil
		}
	}
	p.Forget()
	return p.next(b)
}

// pubVerb is "pub " as a little-endian word. The blank is compared exactly: or-ing 0x20 into the first three bytes
// only folds case.
const pubVerb = uint32('p') | uint32('u')<<8 | uint32('b')<<16 | uint32(' ')<<24

// fastPub parses "PUB subject [reply] size\r\npayload\r\n" and returns its length, or 0 when anything about it
// is out of the ordinary; nothing is then decided.
func (p *Parser) fastPub(b []byte) int {
	const args = len("PUB ")
	subjectEnd := args + len(p.previous)
	repeated := subjectEnd > args && subjectEnd < len(b) && b[subjectEnd] == ' ' && string(b[args:subjectEnd]) == string(p.previous)
	if !repeated {
		subjectEnd = scanToken(b, args)
	}
	if subjectEnd == args || subjectEnd+1 >= len(b) || b[subjectEnd] != ' ' {
		return 0
	}
	return p.fastTail(b, subjectEnd, repeated)
}

// fastTail is fastPub from the blank behind the subject on, which is b[subjectEnd]. repeated is what becomes of p.Repeated.
func (p *Parser) fastTail(b []byte, subjectEnd int, repeated bool) int {
	const args = len("PUB ")
	sizeAt, reply := subjectEnd+1, []byte(nil)
	size, sizeEnd := digits(b, sizeAt)
	if sizeEnd >= len(b) {
		return 0
	}
	if b[sizeEnd] != '\r' {
		replyEnd := scanToken(b, sizeAt)
		if replyEnd == sizeAt || replyEnd+1 >= len(b) || b[replyEnd] != ' ' {
			return 0
		}
		reply, sizeAt = b[sizeAt:replyEnd], replyEnd+1
		if size, sizeEnd = digits(b, sizeAt); sizeEnd >= len(b) || b[sizeEnd] != '\r' {
			return 0
		}
	}
	payload := sizeEnd + 2
	end := payload + size
	switch width := sizeEnd - sizeAt; {
	case width == 0 || width > 9, end+2 > len(b),
		b[payload-1] != '\n' || b[end] != '\r' || b[end+1] != '\n',
		sizeEnd-args > p.MaxControlLine, p.MaxPayload >= 0 && int64(size) > p.MaxPayload:
		return 0
	}
	p.Subject, p.Reply = b[args:subjectEnd], reply
	p.Repeated, p.previous, p.line = repeated, p.Subject, b[:payload]
	p.SizeText, p.HeaderText = b[sizeAt:sizeEnd], nil
	p.Size, p.HeaderSize = size, 0
	p.Payload, p.Tail = b[payload:end], b[subjectEnd+1:end+2]
	return end + 2
}

// digits reads at most ten decimal digits of b from i on and returns their value and the index behind them.
func digits(b []byte, i int) (value, end int) {
	for stop := min(len(b), i+10); i < stop; i++ {
		d := b[i] - '0'
		if d > 9 {
			break
		}
		value = value*10 + int(d)
	}
	return value, i
}

// next is Next without the fast path.
func (p *Parser) next(b []byte) (Op, int, error) {
	p.Need = 0
	if p.Skipping != OpNone {
		return p.skipLine(p.Skipping, b, 0)
	}
	if len(b) == 0 {
		return OpNone, 0, nil
	}
	v, state := matchVerb(b)
	switch {
	case state == verbWrong:
		return OpNone, 0, ErrUnknownOp
	case state == verbIncomplete:
		return OpNone, 0, nil
	case v.bare:
		return p.skipLine(v.op, b, len(v.name))
	}
	at := len(v.name)
	if v.blank {
		if at == len(b) {
			return OpNone, 0, nil
		}
		if b[at] != ' ' && b[at] != '\t' {
			return OpNone, 0, ErrUnknownOp
		}
	}
	lineEnd := bytes.IndexByte(b[at:], '\n')
	if err := checkLine(b, at, lineEnd, p.MaxControlLine); err != nil || lineEnd < 0 {
		return OpNone, 0, err
	}
	lineEnd += at
	switch v.op {
	case OpPub, OpHPub:
		return p.publish(v.op, b, at, lineEnd)
	case OpSub:
		return p.subscribe(b, at, lineEnd)
	case OpUnsub:
		return p.unsubscribe(b, at, lineEnd)
	default:
		p.Arg = argument(b, at, lineEnd)
		return v.op, lineEnd + 1, nil
	}
}

// skipLine ends op at the next line end, from index i of b on; everything up to it is ignored, however long it is.
func (p *Parser) skipLine(op Op, b []byte, i int) (Op, int, error) {
	if end := bytes.IndexByte(b[i:], '\n'); end >= 0 {
		p.Skipping = OpNone
		return op, i + end + 1, nil
	}
	p.Skipping = op
	return OpNone, len(b), nil
}

// checkLine applies the control line limit to the arguments that start at b[at], blanks in front not counted.
// length is the distance from at to the LF, or -1 when it has not come yet.
func checkLine(b []byte, at, length, limit int) error {
	if length >= 0 && length <= limit {
		return nil
	}
	end := len(b)
	if length >= 0 {
		end = at + length
	}
	start := skipBlanks(b[:end], at)
	// Blanks in front are free of charge, yet no line may grow without end.
	if start-at > limit {
		return ErrControlLine
	}
	if end > start && b[end-1] == '\r' {
		end--
	}
	if end-start > limit {
		return ErrControlLine
	}
	return nil
}

// argument returns the line b[at:lineEnd] without blanks in front and without a CR at the end.
func argument(b []byte, at, lineEnd int) []byte {
	if lineEnd > at && b[lineEnd-1] == '\r' {
		lineEnd--
	}
	return b[skipBlanks(b[:lineEnd], at):lineEnd]
}

// tokens are the arguments of one line. count goes on counting when there are more than fit.
type tokens struct {
	at    [4]struct{ from, to int }
	count int
}

// split finds the tokens of the line b[at:lineEnd].
func split(b []byte, at, lineEnd int) (t tokens) {
	line := b[:lineEnd]
	for {
		for at < lineEnd && isSeparator(line[at]) {
			at++
		}
		if at == lineEnd {
			return t
		}
		end := scanToken(line, at)
		if t.count < len(t.at) {
			t.at[t.count].from, t.at[t.count].to = at, end
		}
		t.count++
		at = end
	}
}

// token returns argument i of the line.
func (t *tokens) token(b []byte, i int) []byte { return b[t.at[i].from:t.at[i].to] }

// publish parses PUB and HPUB, payload included.
func (p *Parser) publish(op Op, b []byte, at, lineEnd int) (Op, int, error) {
	t := split(b, at, lineEnd)
	sizes := 1
	if op == OpHPub {
		sizes = 2
	}
	if t.count != 1+sizes && t.count != 2+sizes {
		return OpNone, 0, ErrArguments
	}
	p.Subject, p.Reply, p.HeaderText, p.HeaderSize = t.token(b, 0), nil, nil, 0
	if t.count == 2+sizes {
		p.Reply = t.token(b, 1)
	}
	p.SizeText = t.token(b, t.count-1)
	size, ok := parseSize(p.SizeText)
	if !ok {
		return OpNone, 0, ErrArguments
	}
	p.Size = int(size)
	if op == OpHPub {
		p.HeaderText = t.token(b, t.count-2)
		headerSize, ok := parseSize(p.HeaderText)
		if !ok || headerSize > size {
			return OpNone, 0, ErrArguments
		}
		p.HeaderSize = int(headerSize)
	}
	// The protocol has no sizes of more than nine digits, limit or not.
	if p.MaxPayload >= 0 && size > p.MaxPayload || size > 999_999_999 {
		return OpNone, 0, ErrMaxPayload
	}
	tail := -1
	if canonical(b, &t, lineEnd+1) {
		tail = t.at[1].from
	}
	return p.payload(op, b, lineEnd+1, tail)
}

// payload takes the payload that starts at b[start] and checks its terminator (docs/spec/client-protocol.md §5). The tail
// of the event begins at b[tail]; there is none if that is negative.
func (p *Parser) payload(op Op, b []byte, start, tail int) (Op, int, error) {
	end := start + p.Size
	if len(b) > end && b[end] != '\r' || len(b) > end+1 && b[end+1] != '\n' {
		return OpNone, 0, ErrUnknownOp
	}
	if len(b) < end+2 {
		p.Need = end + 2
		return OpNone, 0, nil
	}
	p.Payload, p.Tail = b[start:end], nil
	if tail >= 0 {
		p.Tail = b[tail : end+2]
	}
	return op, end + 2, nil
}

// canonical reports whether the tokens stand one blank apart and the last is followed by CR LF, which ends at
// b[lineEnd].
func canonical(b []byte, t *tokens, lineEnd int) bool {
	for i := 1; i < t.count; i++ {
		if t.at[i].from != t.at[i-1].to+1 || b[t.at[i-1].to] != ' ' {
			return false
		}
	}
	return t.at[t.count-1].to+2 == lineEnd && b[lineEnd-2] == '\r'
}

// subscribe parses "SUB subject [queue] sid".
func (p *Parser) subscribe(b []byte, at, lineEnd int) (Op, int, error) {
	t := split(b, at, lineEnd)
	switch t.count {
	case 2:
		p.Queue = nil
	case 3:
		p.Queue = t.token(b, 1)
	default:
		return OpNone, 0, ErrArguments
	}
	p.Subject, p.SID = t.token(b, 0), t.token(b, t.count-1)
	return OpSub, lineEnd + 1, nil
}

// unsubscribe parses "UNSUB sid [max]". A max that is no number counts as none (docs/spec/client-protocol.md §7).
func (p *Parser) unsubscribe(b []byte, at, lineEnd int) (Op, int, error) {
	t := split(b, at, lineEnd)
	if t.count != 1 && t.count != 2 {
		return OpNone, 0, ErrArguments
	}
	p.SID, p.Max = t.token(b, 0), 0
	if t.count == 2 {
		p.Max, _ = parseSize(t.token(b, 1))
	}
	return OpUnsub, lineEnd + 1, nil
}

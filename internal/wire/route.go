package wire

import (
	"bytes"
	"encoding/binary"
	"strconv"
)

// Limits of what a route may send. Source: docs/spec/route-protocol.md §1 (10), §3.6.
const (
	MaxRouteLine    = 64 << 10 // bytes of arguments
	MaxRoutePayload = 64 << 20 // bytes, headers included
)

// The verbs of routes, of both generations (docs/spec/route-protocol.md). The others are those of clients.
var (
	verbRSub   = verb{name: "rs+", op: OpRSub, blank: true}
	verbRUnsub = verb{name: "rs-", op: OpRUnsub, blank: true}
	verbRMsg   = verb{name: "rmsg", op: OpRMsg, blank: true}
	verbRHMsg  = verb{name: "hmsg", op: OpRHMsg, blank: true}
	verbMsg    = verb{name: "msg", op: OpMsg, blank: true}
	verbLSub   = verb{name: "ls+", op: OpLeaf, blank: true}
	verbLUnsub = verb{name: "ls-", op: OpLeaf, blank: true}
	verbLMsg   = verb{name: "lmsg", op: OpLeaf, blank: true}
)

// routeCandidate is candidate for routes.
func routeCandidate(b []byte) *verb {
	switch lower(b[0]) {
	case 'r':
		switch {
		case len(b) > 1 && lower(b[1]) == 'm':
			return &verbRMsg
		case len(b) > 2 && b[2] == '-':
			return &verbRUnsub
		}
		return &verbRSub
	case 'h':
		return &verbRHMsg
	case 'm':
		return &verbMsg
	case 'l':
		switch {
		case len(b) > 1 && lower(b[1]) == 'm':
			return &verbLMsg
		case len(b) > 2 && b[2] == '-':
			return &verbLUnsub
		}
		return &verbLSub
	case 'p':
		if len(b) > 1 && lower(b[1]) != 'i' && lower(b[1]) != 'o' {
			return nil // PUB
		}
		if len(b) == 1 {
			return &verbPing // as good as PONG while that is all there is
		}
	}
	return candidate(b)
}

// NextRoute is Next for what comes from another server. Its limits are MaxRouteLine and MaxRoutePayload. It takes the verbs
// of both generations at any time.
//
// Hot path: once per line of a route. 0 allocs/op (TestParserAllocs, BenchmarkRouteParser). Fast path: an RMSG without
// queue groups, written canonically and there as a whole. Spec: docs/spec/route-protocol.md §1 (4), §2, §3.5, §3.6.
func (p *Parser) NextRoute(b []byte) (op Op, n int, err error) {
	if len(b) > len("RMSG a b 0\r\n\r\n")-1 && p.Skipping == OpNone && binary.LittleEndian.Uint32(b)|0x20202020 == rmsgVerb && b[4] == ' ' {
		if n := p.fastRMsg(b); n > 0 {
			return OpRMsg, n, nil
		}
	}
	p.Forget()
	p.Need = 0
	if p.Skipping != OpNone {
		return p.skipLine(p.Skipping, b, 0)
	}
	if len(b) == 0 {
		return OpNone, 0, nil
	}
	v, state := matchIn(b, routeCandidate(b))
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
	if err := checkLine(b, at, lineEnd, MaxRouteLine); err != nil || lineEnd < 0 {
		return OpNone, 0, err
	}
	return p.routeLine(v, b, at, lineEnd+at)
}

// routeLine parses the arguments b[at:lineEnd] of v, and the payload if there is one.
func (p *Parser) routeLine(v *verb, b []byte, at, lineEnd int) (Op, int, error) {
	switch v.op {
	case OpRSub, OpRUnsub:
		return p.interest(v.op, b, at, lineEnd)
	case OpRMsg, OpRHMsg:
		return p.routed(v.op, b, at, lineEnd)
	case OpMsg:
		return p.routedV1(b, at, lineEnd)
	case OpSub:
		return p.subscribe(b, at, lineEnd)
	case OpUnsub:
		return p.unsubscribe(b, at, lineEnd)
	case OpLeaf:
		if v != &verbLMsg {
			return OpLeaf, lineEnd + 1, nil
		}
		list := splitList(b, at, lineEnd)
		return p.sized(OpLeaf, b, &list, lineEnd, 1, -1)
	default:
		p.Arg = argument(b, at, lineEnd)
		return v.op, lineEnd + 1, nil
	}
}

// rmsgVerb is "rmsg" as a little-endian word.
const rmsgVerb = uint32('r') | uint32('m')<<8 | uint32('s')<<16 | uint32('g')<<24

// fastRMsg parses "RMSG account subject [reply] size\r\npayload\r\n" and returns its length, or 0 when anything about it is
// out of the ordinary; nothing is then decided.
func (p *Parser) fastRMsg(b []byte) int {
	const args = len("RMSG ")
	accountEnd := scanToken(b, args)
	if accountEnd == args || accountEnd+2 >= len(b) || b[accountEnd] != ' ' {
		return 0
	}
	subjectEnd := scanToken(b, accountEnd+1)
	if subjectEnd == accountEnd+1 || subjectEnd+1 >= len(b) || b[subjectEnd] != ' ' {
		return 0
	}
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
		sizeEnd-args > MaxRouteLine, size > MaxRoutePayload:
		return 0
	}
	p.Account, p.Subject, p.Reply = b[args:accountEnd], b[accountEnd+1:subjectEnd], reply
	p.Queues, p.Listed = nil, false
	p.SizeText, p.HeaderText = b[sizeAt:sizeEnd], nil
	p.Size, p.HeaderSize = size, 0
	p.Payload, p.Tail = b[payload:end], b[subjectEnd+1:end+2]
	return end + 2
}

// tokenList is like tokens, for lines with any number of arguments: the first ones, the last ones, and how many.
type tokenList struct {
	first [5]place
	last  [2]place // the last one, and the one before
	count int
}

// place is a part of a line.
type place struct{ from, to int }

func (a place) in(b []byte) []byte { return b[a.from:a.to] }

// splitList finds the tokens of the line b[at:lineEnd].
func splitList(b []byte, at, lineEnd int) (t tokenList) {
	line := b[:lineEnd]
	for {
		for at < lineEnd && isSeparator(line[at]) {
			at++
		}
		if at == lineEnd {
			return t
		}
		token := place{at, scanToken(line, at)}
		if t.count < len(t.first) {
			t.first[t.count] = token
		}
		t.last[1], t.last[0] = t.last[0], token
		t.count++
		at = token.to
	}
}

// interest parses "RS+ account subject [queue weight]" and "RS- account subject [queue]".
func (p *Parser) interest(op Op, b []byte, at, lineEnd int) (Op, int, error) {
	t := splitList(b, at, lineEnd)
	withQueue := 4
	if op == OpRUnsub {
		withQueue = 3
	}
	if t.count != 2 && t.count != withQueue {
		return OpNone, 0, ErrArguments
	}
	p.Account, p.Subject, p.Queue, p.Weight = t.first[0].in(b), t.first[1].in(b), nil, 0
	if t.count == withQueue {
		p.Queue = t.first[2].in(b)
		if op == OpRSub {
			weight, ok := parseSize(t.first[3].in(b))
			if !ok || weight == 0 {
				return OpNone, 0, ErrArguments
			}
			p.Weight = weight
		}
	}
	return op, lineEnd + 1, nil
}

// routed parses RMSG and HMSG, payload included. Spec: docs/spec/route-protocol.md §3.6.
func (p *Parser) routed(op Op, b []byte, at, lineEnd int) (Op, int, error) {
	t := splitList(b, at, lineEnd)
	sizes := 1
	if op == OpRHMsg {
		sizes = 2
	}
	if t.count < 2+sizes {
		return OpNone, 0, ErrArguments
	}
	p.Account, p.Subject, p.Reply = t.first[0].in(b), t.first[1].in(b), nil
	p.Queues, p.Listed = nil, false
	tail := t.last[sizes-1].from
	switch middle := t.count - 2 - sizes; middle {
	case 0:
	case 1:
		p.Reply = t.first[2].in(b)
		tail = t.first[2].from
	default:
		mark := t.first[2].in(b)
		begin := 3
		switch {
		case len(mark) == 1 && mark[0] == '|':
		case len(mark) == 1 && mark[0] == '+':
			p.Reply = t.first[3].in(b)
			tail = -1
			begin = 4
		default:
			return OpNone, 0, ErrArguments
		}
		p.Listed = true
		if t.count-sizes > begin {
			p.Queues = b[t.first[begin].from:t.last[sizes-1].from]
		}
	}
	if !plainEnd(b, &t, tail, lineEnd) {
		tail = -1
	}
	return p.sized(op, b, &t, lineEnd, sizes, tail)
}

// plainEnd reports whether what stands in b from the index from on, to the line end, is tokens one blank apart and CR LF.
func plainEnd(b []byte, t *tokenList, from, lineEnd int) bool {
	if from < 0 || b[lineEnd-1] != '\r' || t.last[0].to != lineEnd-1 {
		return false
	}
	for i := from; i < t.last[0].to; i++ {
		if b[i] == '\t' || b[i] == '\r' || b[i] == ' ' && b[i+1] == ' ' {
			return false
		}
	}
	return true
}

// routedV1 parses "MSG subject rsid [reply] size", payload included. Spec: docs/spec/route-protocol.md §2.4.
func (p *Parser) routedV1(b []byte, at, lineEnd int) (Op, int, error) {
	t := splitList(b, at, lineEnd)
	if t.count != 3 && t.count != 4 {
		return OpNone, 0, ErrArguments
	}
	p.Subject, p.SID, p.Reply = t.first[0].in(b), t.first[1].in(b), nil
	if t.count == 4 {
		p.Reply = t.first[2].in(b)
	}
	tail := t.first[2].from
	if !plainEnd(b, &t, tail, lineEnd) {
		tail = -1
	}
	return p.sized(OpMsg, b, &t, lineEnd, 1, tail)
}

// sized parses the sizes that end the line, of which there are one or two, and the payload behind it.
func (p *Parser) sized(op Op, b []byte, t *tokenList, lineEnd, sizes, tail int) (Op, int, error) {
	if t.count < sizes {
		return OpNone, 0, ErrArguments
	}
	p.SizeText, p.HeaderText, p.HeaderSize = t.last[0].in(b), nil, 0
	size, ok := parseSize(p.SizeText)
	if !ok {
		return OpNone, 0, ErrArguments
	}
	p.Size = int(size)
	if sizes == 2 {
		p.HeaderText = t.last[1].in(b)
		headerSize, ok := parseSize(p.HeaderText)
		if !ok || headerSize > size {
			return OpNone, 0, ErrArguments
		}
		p.HeaderSize = int(headerSize)
	}
	if size > MaxRoutePayload {
		return OpNone, 0, ErrMaxPayload
	}
	return p.payload(op, b, lineEnd+1, tail)
}

// CutToken returns the first token of list, which is a part of a line, and what follows it. The token is empty when
// there are no more.
func CutToken(list []byte) (token, rest []byte) {
	at := 0
	for at < len(list) && isSeparator(list[at]) {
		at++
	}
	end := scanToken(list, at)
	return list[at:end], list[end:]
}

// AppendRMsgHead appends "RMSG account subject " or, with headers, "HMSG account subject ". What follows is Event.Tail of a
// canonical message, or the work of AppendMsgTail or AppendRMsgTail.
func AppendRMsgHead[S ~string | ~[]byte](dst []byte, account S, subject []byte, headers bool) []byte {
	if headers {
		dst = append(dst, "HMSG "...)
	} else {
		dst = append(dst, "RMSG "...)
	}
	dst = append(dst, account...)
	dst = append(dst, ' ')
	dst = append(dst, subject...)
	return append(dst, ' ')
}

// AppendRMsgQueues appends "+ reply queue queue " or "| queue queue ".
func AppendRMsgQueues(dst, reply []byte, queues []string) []byte {
	if len(reply) > 0 {
		dst = append(dst, "+ "...)
		dst = append(dst, reply...)
		dst = append(dst, ' ')
	} else {
		dst = append(dst, "| "...)
	}
	for _, q := range queues {
		dst = append(dst, q...)
		dst = append(dst, ' ')
	}
	return dst
}

// AppendInterest appends RS+ with the weight, or RS- if weight is 0. queue is empty for plain interest, which has no weight
// on the wire (docs/spec/route-protocol.md §3.5).
func AppendInterest(dst []byte, account, subject, queue string, weight int) []byte {
	if weight > 0 {
		dst = append(dst, "RS+ "...)
	} else {
		dst = append(dst, "RS- "...)
	}
	dst = append(dst, account...)
	dst = append(dst, ' ')
	dst = append(dst, subject...)
	if queue != "" {
		dst = append(dst, ' ')
		dst = append(dst, queue...)
		if weight > 0 {
			dst = append(dst, ' ')
			dst = strconv.AppendInt(dst, int64(weight), 10)
		}
	}
	return append(dst, CRLF...)
}

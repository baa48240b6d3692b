package wire

import (
	"math/big"
	"strings"
)

// reference is the grammar of docs/spec/client-protocol.md §4 and §5 written down as plainly as possible: it sees the
// whole input, copies freely and knows nothing of splits. The tests hold Parser to it.
func reference(l limits, in string) (events []string, err error) {
	for in != "" {
		op, rest, state := referenceVerb(in)
		if state != nil || op == OpNone {
			return events, state
		}
		line, after, complete := strings.Cut(rest, "\n")
		var e Event
		if op != OpPing && op != OpPong && op != OpOK {
			trimmed := strings.TrimLeft(line, " \t")
			arg := strings.TrimSuffix(trimmed, "\r")
			if len(arg) > l.line || len(line)-len(trimmed) > l.line {
				return events, ErrControlLine
			}
			e.Arg = []byte(arg)
		}
		if !complete {
			return events, nil
		}
		fields := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r", r) })
		switch op {
		case OpPub, OpHPub:
			after, complete, err = referencePublish(l, op, &e, line, fields, after)
		case OpSub:
			err = referenceSub(&e, fields)
		case OpUnsub:
			err = referenceUnsub(&e, fields)
		}
		if err != nil || !complete {
			return events, err
		}
		events, in = append(events, describe(op, &e)), after
	}
	return events, nil
}

// referenceVerb returns the verb in starts with and what follows it. OpNone with a nil error: more is needed.
func referenceVerb(in string) (Op, string, error) {
	folded := []byte(in)
	for i, c := range folded {
		if c >= 'a' && c <= 'z' {
			folded[i] = c - 'a' + 'A'
		}
	}
	short := false
	for op := OpPub; op <= OpErr; op++ {
		name := op.String()
		if rest, ok := strings.CutPrefix(string(folded), name); ok {
			rest = in[len(in)-len(rest):]
			if op == OpPub || op == OpHPub || op == OpSub || op == OpUnsub {
				if rest == "" {
					return OpNone, "", nil
				}
				if !strings.HasPrefix(rest, " ") && !strings.HasPrefix(rest, "\t") {
					return OpNone, "", ErrUnknownOp
				}
			}
			return op, rest, nil
		}
		short = short || strings.HasPrefix(name, string(folded))
	}
	if short {
		return OpNone, "", nil
	}
	return OpNone, "", ErrUnknownOp
}

// referencePublish fills e from the fields of a PUB or HPUB and takes the payload off after.
func referencePublish(l limits, op Op, e *Event, line string, fields []string, after string) (rest string, complete bool, err error) {
	sizes := 1
	if op == OpHPub {
		sizes = 2
	}
	if len(fields) < 1+sizes || len(fields) > 2+sizes {
		return "", false, ErrArguments
	}
	e.Subject = []byte(fields[0])
	if len(fields) == 2+sizes {
		e.Reply = []byte(fields[1])
	}
	size := referenceNumber(fields[len(fields)-1])
	header := new(big.Int)
	e.SizeText = []byte(fields[len(fields)-1])
	if op == OpHPub {
		header = referenceNumber(fields[len(fields)-2])
		e.HeaderText = []byte(fields[len(fields)-2])
	}
	// Two sizes beyond 2^40 bytes are not told apart (Parser saturates): both are too big anyway.
	huge := big.NewInt(maxSize)
	switch {
	case size == nil || header == nil:
		return "", false, ErrArguments
	case header.Cmp(size) > 0 && size.Cmp(huge) < 0:
		return "", false, ErrArguments
	case size.Cmp(big.NewInt(999_999_999)) > 0, l.payload >= 0 && size.Cmp(big.NewInt(l.payload)) > 0:
		return "", false, ErrMaxPayload
	}
	e.Size, e.HeaderSize = int(size.Int64()), int(header.Int64())
	if len(after) > e.Size && after[e.Size] != '\r' || len(after) > e.Size+1 && after[e.Size+1] != '\n' {
		return "", false, ErrUnknownOp
	}
	if len(after) < e.Size+2 {
		return "", false, nil
	}
	e.Payload = []byte(after[:e.Size])
	if strings.TrimLeft(line, " \t\r") == strings.Join(fields, " ")+"\r" { // separators in front of the subject do not matter
		e.Tail = []byte(strings.Join(fields[1:], " ") + "\r\n" + after[:e.Size+2])
	}
	return after[e.Size+2:], true, nil
}

// referenceNumber returns the value of decimal digits, or nil for anything else.
func referenceNumber(s string) *big.Int {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return nil
	}
	n, _ := new(big.Int).SetString(s, 10)
	return n
}

func referenceSub(e *Event, fields []string) error {
	if len(fields) != 2 && len(fields) != 3 {
		return ErrArguments
	}
	e.Subject, e.SID = []byte(fields[0]), []byte(fields[len(fields)-1])
	if len(fields) == 3 {
		e.Queue = []byte(fields[1])
	}
	return nil
}

func referenceUnsub(e *Event, fields []string) error {
	if len(fields) != 1 && len(fields) != 2 {
		return ErrArguments
	}
	e.SID = []byte(fields[0])
	if len(fields) == 2 {
		if n := referenceNumber(fields[1]); n != nil {
			e.Max = maxSize
			if n.Cmp(big.NewInt(maxSize)) < 0 {
				e.Max = n.Int64()
			}
		}
	}
	return nil
}

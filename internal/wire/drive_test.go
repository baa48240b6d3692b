package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// limits are the two limits of a Parser, in bytes.
type limits struct {
	line    int
	payload int64
}

// usual are the limits of a server with small ones: far enough for every ordinary line of these tests.
var usual = limits{line: 64, payload: 1024}

// errStuck reports a Parser that breaks the contract of Next.
var errStuck = errors.New("parser broke its contract")

// feed drives a Parser as a connection does: what Next leaves unused is offered again with the next chunk behind it.
// With patient set it does not call Next before p.Need bytes are there, except for the last chunk. It returns one
// text for each event and the error that ended the input, if any.
func feed(l limits, patient bool, chunks ...string) (events []string, err error) {
	p := &Parser{MaxControlLine: l.line, MaxPayload: l.payload}
	var buf []byte
	var row alike
	need := 0
	for i, chunk := range chunks {
		buf = append(buf, chunk...)
		if patient && len(buf) < need && i < len(chunks)-1 {
			continue
		}
		for {
			op, n, err := p.Next(buf)
			if err != nil {
				return events, err
			}
			if broken := contract(p, op, n, len(buf), need); broken != nil {
				return events, broken
			}
			if op != OpNone {
				events = append(events, describe(op, &p.Event))
			}
			if broken := row.check(p, op, n, buf[n:]); broken != nil {
				return events, broken
			}
			buf, need = buf[n:], 0
			if op == OpNone {
				need = p.Need
				break
			}
		}
	}
	return events, nil
}

// contract checks what Next promises beside the event: how much it used, what it keeps, and Need.
func contract(p *Parser, op Op, n, have, need int) error {
	switch {
	case n < 0 || n > have:
		return fmt.Errorf("%w: used %d of %d bytes", errStuck, n, have)
	case op != OpNone && n == 0:
		return fmt.Errorf("%w: %v used nothing", errStuck, op)
	case op != OpNone && need != 0 && n != need:
		return fmt.Errorf("%w: %v used %d bytes, Need was %d", errStuck, op, n, need)
	case op == OpNone && p.Need != 0 && (p.Need <= have || n != 0):
		return fmt.Errorf("%w: Need is %d with %d bytes there, %d used", errStuck, p.Need, have, n)
	case op == OpNone && p.Skipping != OpNone && n != have:
		return fmt.Errorf("%w: a skipped line keeps %d bytes", errStuck, have-n)
	case op == OpNone && p.Skipping == OpNone && n != 0:
		return fmt.Errorf("%w: %d bytes are gone without an event", errStuck, n)
	case op != OpNone && p.Skipping != OpNone:
		return fmt.Errorf("%w: still skipping %v after %v", errStuck, p.Skipping, op)
	}
	return nil
}

// alike is what More has said about the events to come.
type alike struct {
	left, each           int
	subject, reply, size string
}

// check compares an event of n bytes with what More has said before, and asks More about rest, which follows.
func (a *alike) check(p *Parser, op Op, n int, rest []byte) error {
	is := alike{subject: string(p.Subject), reply: string(p.Reply), size: string(p.SizeText)}
	if a.left > 0 && (op != OpPub || n != a.each || is.subject != a.subject || is.reply != a.reply || is.size != a.size) {
		return fmt.Errorf("%w: More promised another %+v, Next has %v of %d bytes, %+v", errStuck, *a, op, n, is)
	}
	*a = alike{left: a.left - 1, each: a.each, subject: a.subject, reply: a.reply, size: a.size}
	if op != OpPub || a.left > 0 {
		return nil
	}
	before := describe(op, &p.Event)
	is.left, is.each = p.More(rest)
	if is.left*is.each > len(rest) || describe(op, &p.Event) != before {
		return fmt.Errorf("%w: More takes %d times %d of %d bytes", errStuck, is.left, is.each, len(rest))
	}
	*a = is
	return nil
}

// describe writes an event as text: the verb, then every field that belongs to it.
func describe(op Op, e *Event) string {
	var s strings.Builder
	s.WriteString(op.String())
	field := func(name string, b []byte) {
		if b != nil {
			fmt.Fprintf(&s, " %s=%q", name, b)
		}
	}
	switch op {
	case OpPub, OpHPub:
		field("subject", e.Subject)
		field("reply", e.Reply)
		field("header", e.HeaderText)
		field("size", e.SizeText)
		field("payload", e.Payload)
		field("tail", e.Tail)
		if size, err := strconv.Atoi(string(e.SizeText)); err != nil || size != e.Size || size != len(e.Payload) {
			fmt.Fprintf(&s, " WRONG size %d", e.Size)
		}
		if size, _ := strconv.Atoi(string(e.HeaderText)); size != e.HeaderSize {
			fmt.Fprintf(&s, " WRONG header size %d", e.HeaderSize)
		}
	case OpSub:
		field("subject", e.Subject)
		field("queue", e.Queue)
		field("sid", e.SID)
	case OpUnsub:
		field("sid", e.SID)
		fmt.Fprintf(&s, " max=%d", e.Max)
	case OpConnect, OpInfo, OpErr:
		field("arg", e.Arg)
	}
	return s.String()
}

// parseCase is input, and the events and the error it must give.
type parseCase struct {
	name    string
	in      string
	limits  limits // zero means usual
	want    []string
	wantErr error
}

// check runs each case whole, byte by byte, and against the reference parser.
func check(t *testing.T, cases []parseCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.limits == (limits{}) {
				c.limits = usual
			}
			compare := func(how string, got []string, err error) {
				t.Helper()
				if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
					t.Errorf("%s: events of %.80q:\ngot  %s\nwant %s", how, c.in, strings.Join(got, "\n     "), strings.Join(c.want, "\n     "))
				}
				if !errors.Is(err, c.wantErr) || (err == nil) != (c.wantErr == nil) {
					t.Errorf("%s: error of %.80q: got %v, want %v", how, c.in, err, c.wantErr)
				}
			}
			got, err := feed(c.limits, false, c.in)
			compare("whole", got, err)
			got, err = feed(c.limits, false, strings.Split(c.in, "")...)
			compare("byte by byte", got, err)
			got, err = feed(c.limits, true, strings.Split(c.in, "")...)
			compare("patient", got, err)
			got, err = reference(c.limits, c.in)
			compare("reference", got, err)
		})
	}
}

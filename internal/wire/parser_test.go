package wire

import (
	"errors"
	"strconv"
	"strings"
	"testing"
)

// The tables are named after the sentences of docs/spec/client-protocol.md.

func TestLines(t *testing.T) { // §4
	check(t, []parseCase{
		{name: "verbs are case-insensitive", in: "pUb foo 2\r\nok\r\nsUB foo 1\r\nunsuB 1\r\npinG\r\nPong\r\ncOnnect {}\r\ninFo {}\r\n+Ok\r\n-eRR x\r\n",
			want: []string{
				`PUB subject="foo" size="2" payload="ok" tail="2\r\nok\r\n"`, `SUB subject="foo" sid="1"`, `UNSUB sid="1" max=0`,
				`PING`, `PONG`, `CONNECT arg="{}"`, `INFO arg="{}"`, `+OK`, `-ERR arg="x"`,
			}},
		{name: "any run of blanks and tabs is one separator", in: "sub\tfoo\t \t1\nPUB  \t foo \t r\t\t2\nok\r\nUNSUB \t1 \t5\n",
			want: []string{`SUB subject="foo" sid="1"`, `PUB subject="foo" reply="r" size="2" payload="ok"`, `UNSUB sid="1" max=5`}},
		{name: "LF alone ends a control line", in: "SUB foo 1\nUNSUB 1\nPING\nPONG\nCONNECT {}\nPUB a 0\n\r\n",
			want: []string{`SUB subject="foo" sid="1"`, `UNSUB sid="1" max=0`, `PING`, `PONG`, `CONNECT arg="{}"`, `PUB subject="a" size="0" payload=""`}},
		{name: "trailing blanks are ignored", in: "SUB foo 1 \t \r\nUNSUB 1 \r\nPUB foo 2 \r\nok\r\nPUB foo 2\t\nok\r\n",
			want: []string{`SUB subject="foo" sid="1"`, `UNSUB sid="1" max=0`, `PUB subject="foo" size="2" payload="ok"`, `PUB subject="foo" size="2" payload="ok"`}},
		{name: "tokens hold any byte but separators", in: "SUB \x00\x01\xff q\x7f\x80 \x1f!\xc3\xa9\r\nPUB f\x00o r\xfe 1\r\n\x00\r\n",
			want: []string{`SUB subject="\x00\x01\xff" queue="q\x7f\x80" sid="\x1f!é"`, `PUB subject="f\x00o" reply="r\xfe" size="1" payload="\x00" tail="r\xfe 1\r\n\x00\r\n"`}},
		{name: "a CR inside a line separates", in: "SUB foo\r1\r\n", want: []string{`SUB subject="foo" sid="1"`}},
		{name: "leading blank", in: " PING\r\n", wantErr: ErrUnknownOp},
		{name: "leading tab", in: "\tPING\r\n", wantErr: ErrUnknownOp},
		{name: "empty line", in: "\r\n", wantErr: ErrUnknownOp},
		{name: "stray LF", in: "PING\r\n\n", want: []string{"PING"}, wantErr: ErrUnknownOp},
		{name: "stray CR", in: "PING\n\rPING\n", want: []string{"PING"}, wantErr: ErrUnknownOp},
		{name: "NUL as verb", in: "\x00PING\r\n", wantErr: ErrUnknownOp},
		{name: "high byte as verb", in: "\xd0\xb9PING\r\n", wantErr: ErrUnknownOp},
		{name: "letters that fold to ASCII outside ASCII", in: "+O\u212a\r\n", wantErr: ErrUnknownOp},
		{name: "PING ignores the rest of its line", in: "PING  \r  \nPINGxyz\nPING\x00\xff\n", want: []string{"PING", "PING", "PING"}},
		{name: "PONG ignores the rest of its line", in: "PONG  \r  \nPONGxyz\n", want: []string{"PONG", "PONG"}},
		{name: "+OK ignores the rest of its line", in: "+OK  \r  \n+OKxyz\n", want: []string{"+OK", "+OK"}},
		{name: "CONNECT needs no blank", in: "CONNECT{}\r\nCONNECT \t {\"a\": 1} \r\nCONNECT\r\n",
			want: []string{`CONNECT arg="{}"`, `CONNECT arg="{\"a\": 1} "`, `CONNECT arg=""`}},
		{name: "-ERR with its text", in: "-ERR 'some text'\r\n-ERR\n", want: []string{`-ERR arg="'some text'"`, `-ERR arg=""`}},
	})
}

func TestWrongVerbIsSeenAtItsFirstWrongByte(t *testing.T) { // §4
	for _, c := range []string{
		"Z", "X", "M", "R", "L", "A", "\r", "\n", " ", "PX", "PUX", "PUBS", "PUB\r", "PUB\n", "PUBX", "PIX", "PINX", "POX", "POM", "PONX", "PB",
		"HX", "HM", "HPX", "HPUX", "HPUBX", "HPUB\n", "SX", "SUX", "SUBX", "SUB\r", "UX", "UNX", "UNSX", "UNSUX", "UNSUB_", "UNSUB\r",
		"CX", "CONNECX", "IX", "INFX", "+X", "+OX", "-X", "-ERX",
	} {
		p := Parser{MaxControlLine: 64}
		if _, _, err := p.Next([]byte(c)); err != ErrUnknownOp {
			t.Errorf("%q: got %v, want %v", c, err, ErrUnknownOp)
		}
		if op, n, err := p.Next([]byte(c[:len(c)-1])); op != OpNone || n != 0 || err != nil {
			t.Errorf("%q: got %v %d %v, want to wait for more", c[:len(c)-1], op, n, err)
		}
	}
}

func TestControlLineLimit(t *testing.T) { // §4.1
	arg := func(n int) string { return strings.Repeat("x", n) }
	lim := limits{line: 16, payload: 1024}
	check(t, []parseCase{
		{name: "exactly at the limit", limits: lim, in: "SUB " + arg(14) + " 1\r\n", want: []string{`SUB subject="` + arg(14) + `" sid="1"`}},
		{name: "exactly at the limit with LF", limits: lim, in: "SUB " + arg(14) + " 1\n", want: []string{`SUB subject="` + arg(14) + `" sid="1"`}},
		{name: "one byte over", limits: lim, in: "SUB " + arg(15) + " 1\r\n", wantErr: ErrControlLine},
		{name: "one byte over with LF", limits: lim, in: "SUB " + arg(15) + " 1\n", wantErr: ErrControlLine},
		{name: "a CR that turns out to be inside counts", limits: lim, in: "SUB " + arg(14) + " 1\rx\r\n", wantErr: ErrControlLine},
		{name: "only one CR is the line end's", limits: lim, in: "SUB " + arg(14) + " 1\r\r\n", wantErr: ErrControlLine},
		{name: "verb and blanks in front do not count", limits: lim, in: "SUB    \t  " + arg(14) + " 1\r\n", want: []string{`SUB subject="` + arg(14) + `" sid="1"`}},
		{name: "trailing blanks count", limits: lim, in: "SUB " + arg(14) + " 1 \r\n", wantErr: ErrControlLine},
		{name: "PUB at the limit", limits: lim, in: "PUB " + arg(14) + " 2\r\nok\r\n", want: []string{`PUB subject="` + arg(14) + `" size="2" payload="ok" tail="2\r\nok\r\n"`}},
		{name: "PUB one byte over, whole", limits: lim, in: "PUB " + arg(15) + " 2\r\nok\r\n", wantErr: ErrControlLine},
		{name: "HPUB one byte over", limits: lim, in: "HPUB " + arg(13) + " 0 2\r\nok\r\n", wantErr: ErrControlLine},
		{name: "UNSUB one byte over", limits: lim, in: "UNSUB " + arg(17) + "\r\n", wantErr: ErrControlLine},
		{name: "CONNECT at the limit", limits: lim, in: "CONNECT " + arg(16) + "\r\n", want: []string{`CONNECT arg="` + arg(16) + `"`}},
		{name: "CONNECT without blank at the limit with LF", limits: lim, in: "CONNECT" + arg(16) + "\n", want: []string{`CONNECT arg="` + arg(16) + `"`}},
		{name: "CONNECT without blank one byte over with LF", limits: lim, in: "CONNECT" + arg(17) + "\n", wantErr: ErrControlLine},
		{name: "CONNECT one byte over", limits: lim, in: "CONNECT " + arg(17) + "\r\n", wantErr: ErrControlLine},
		{name: "INFO one byte over", limits: lim, in: "INFO " + arg(17) + "\r\n", wantErr: ErrControlLine},
		{name: "-ERR one byte over", limits: lim, in: "-ERR " + arg(17) + "\r\n", wantErr: ErrControlLine},
		{name: "the payload does not count", limits: lim, in: "PUB foo 40\r\n" + arg(40) + "\r\n", want: []string{`PUB subject="foo" size="40" payload="` + arg(40) + `" tail="40\r\n` + arg(40) + `\r\n"`}},
		{name: "an endless line", limits: lim, in: "SUB " + arg(17), wantErr: ErrControlLine},
		{name: "endless blanks", limits: lim, in: "SUB " + strings.Repeat(" ", 1000), wantErr: ErrControlLine},
		{name: "endless tabs before CONNECT's argument", limits: lim, in: "CONNECT" + strings.Repeat("\t", 17), wantErr: ErrControlLine},
		{name: "an over-long line is refused before its arguments", limits: lim, in: "UNSUB " + strings.Repeat("a ", 20) + "\r\n", wantErr: ErrControlLine},
		{name: "PING has no limit", limits: lim, in: "PING" + arg(1000) + "\r\n", want: []string{"PING"}},
	})
}

func TestControlLineLimitIsSeenBeforeTheLineEnds(t *testing.T) { // §4.1, natsd: also while incomplete
	for _, verb := range []string{"PUB ", "HPUB ", "SUB ", "UNSUB ", "CONNECT ", "CONNECT", "INFO ", "-ERR "} {
		p := Parser{MaxControlLine: 16}
		in := []byte(verb + strings.Repeat("x", 17))
		if op, n, err := p.Next(in[:len(in)-1]); op != OpNone || n != 0 || err != nil {
			t.Errorf("%q: got %v %d %v, want to wait for more", in[:len(in)-1], op, n, err)
		}
		if _, _, err := p.Next(in); err != ErrControlLine {
			t.Errorf("%q: got %v, want %v", in, err, ErrControlLine)
		}
	}
}

func TestEndlessSkippedLineDoesNotGrow(t *testing.T) { // §4
	for _, verb := range []string{"PING", "PONG", "+OK"} {
		p := Parser{MaxControlLine: 16}
		for i, chunk := range []string{verb, "x", strings.Repeat("x", 4096), "\r", "PUB foo"} {
			if op, n, err := p.Next([]byte(chunk)); op != OpNone || n != len(chunk) || err != nil {
				t.Fatalf("%s chunk %d: got %v %d %v, want all %d bytes consumed", verb, i, op, n, err, len(chunk))
			}
			if p.Skipping.String() != verb {
				t.Fatalf("%s chunk %d: skipping %v", verb, i, p.Skipping)
			}
		}
		if op, n, err := p.Next([]byte("y\nPING\n")); op.String() != verb || n != 2 || err != nil {
			t.Fatalf("%s: got %v %d %v at the line end", verb, op, n, err)
		}
		if p.Skipping != OpNone {
			t.Fatalf("%s: still skipping", verb)
		}
	}
}

func TestSkippingIsAllThatCarriesOver(t *testing.T) {
	inputs := []string{"PINGxx\nPUB a 1\r\nx\r\n", "+OK and more\nHPUB b r 1 2\r\nhx\r\n", "SUB foo q 1\r\nPONG \n", "UNSUB 1 7\nCONNECT {}\n"}
	shared := Parser{MaxControlLine: usual.line, MaxPayload: usual.payload}
	type state struct {
		buf      []byte
		at       int
		skipping Op
		events   []string
	}
	conns := make([]state, len(inputs))
	for left := true; left; {
		left = false
		for i := range conns {
			c := &conns[i]
			if c.at == len(inputs[i]) {
				continue
			}
			left = true
			c.buf = append(c.buf, inputs[i][c.at])
			c.at++
			shared.Skipping = c.skipping
			op, n, err := shared.Next(c.buf)
			if err != nil {
				t.Fatalf("%q: %v", inputs[i], err)
			}
			if op != OpNone {
				c.events = append(c.events, describe(op, &shared.Event))
			}
			c.buf, c.skipping = c.buf[n:], shared.Skipping
		}
	}
	for i, in := range inputs {
		want, err := reference(usual, in)
		if got := conns[i].events; err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%q: got %q, want %q (%v)", in, got, want, err)
		}
	}
}

func TestSizes(t *testing.T) { // §4.2
	check(t, []parseCase{
		{name: "+5", in: "PUB foo +5\r\nhello\r\n", wantErr: ErrArguments},
		{name: "-1", in: "PUB foo -1\r\nhello\r\n", wantErr: ErrArguments},
		{name: "5x", in: "PUB foo 5x\r\nhello\r\n", wantErr: ErrArguments},
		{name: "1e3", in: "PUB foo 1e3\r\nhello\r\n", wantErr: ErrArguments},
		{name: "0x5", in: "PUB foo 0x5\r\nhello\r\n", wantErr: ErrArguments},
		{name: "5.0", in: "PUB foo 5.0\r\nhello\r\n", wantErr: ErrArguments},
		{name: "other digits", in: "PUB foo \u0665\r\nhello\r\n", wantErr: ErrArguments},
		{name: "NUL behind digits", in: "PUB foo 5\x00\r\nhello\r\n", wantErr: ErrArguments},
		{name: "empty", in: "PUB foo \r\nhello\r\n", wantErr: ErrArguments},
		{name: "HPUB, header size no number", in: "HPUB foo -1 5\r\nhello\r\n", wantErr: ErrArguments},
		{name: "HPUB, total size no number", in: "HPUB foo 1 +5\r\nhello\r\n", wantErr: ErrArguments},
		{name: "leading zeros are echoed", in: "PUB foo 005\r\nhello\r\n", want: []string{`PUB subject="foo" size="005" payload="hello" tail="005\r\nhello\r\n"`}},
		{name: "ten digits with leading zeros", in: "PUB foo 0000000005\r\nhello\r\n", want: []string{`PUB subject="foo" size="0000000005" payload="hello" tail="0000000005\r\nhello\r\n"`}},
		{name: "thirty digits with leading zeros", in: "PUB foo " + strings.Repeat("0", 29) + "5\r\nhello\r\n",
			want: []string{`PUB subject="foo" size="` + strings.Repeat("0", 29) + `5" payload="hello" tail="` + strings.Repeat("0", 29) + `5\r\nhello\r\n"`}},
		{name: "HPUB with leading zeros", in: "HPUB foo 02 05\r\nhello\r\n", want: []string{`HPUB subject="foo" header="02" size="05" payload="hello" tail="02 05\r\nhello\r\n"`}},
		{name: "ten digits", in: "PUB foo 9999999999\r\n", wantErr: ErrMaxPayload},
		{name: "2^64 does not wrap", in: "PUB foo 18446744073709551616\r\n", wantErr: ErrMaxPayload},
		{name: "2^64+5 does not wrap", in: "PUB foo 18446744073709551621\r\nhello\r\n", wantErr: ErrMaxPayload},
		{name: "HPUB, header size beyond 64 bits", in: "HPUB foo 18446744073709551617 5\r\nhello\r\n", wantErr: ErrArguments},
		{name: "HPUB, both beyond 64 bits", in: "HPUB foo 18446744073709551616 18446744073709551616\r\n", wantErr: ErrMaxPayload},
		{name: "no limit, ten digits", limits: limits{64, -1}, in: "PUB foo 1000000000\r\n", wantErr: ErrMaxPayload},
		{name: "no limit, nine digits", limits: limits{64, -1}, in: "PUB foo 999999999\r\nx"},
		{name: "no limit, beyond 64 bits", limits: limits{64, -1}, in: "PUB foo 18446744073709551616\r\n", wantErr: ErrMaxPayload},
	})
}

func TestMaxPayload(t *testing.T) { // §9
	check(t, []parseCase{
		{name: "at the limit", limits: limits{64, 5}, in: "PUB foo 5\r\nhello\r\n", want: []string{`PUB subject="foo" size="5" payload="hello" tail="5\r\nhello\r\n"`}},
		{name: "one byte over, control line is enough", limits: limits{64, 5}, in: "PUB foo 6\r\n", wantErr: ErrMaxPayload},
		{name: "one byte over, whole", limits: limits{64, 5}, in: "PUB foo 6\r\nhello!\r\n", wantErr: ErrMaxPayload},
		{name: "HPUB total size counts", limits: limits{64, 5}, in: "HPUB foo 2 6\r\n", wantErr: ErrMaxPayload},
		{name: "HPUB at the limit", limits: limits{64, 5}, in: "HPUB foo 5 5\r\nhello\r\n", want: []string{`HPUB subject="foo" header="5" size="5" payload="hello" tail="5 5\r\nhello\r\n"`}},
		{name: "zero allows the empty message", limits: limits{64, 0}, in: "PUB foo 0\r\n\r\nPUB foo 1\r\n", want: []string{`PUB subject="foo" size="0" payload="" tail="0\r\n\r\n"`}, wantErr: ErrMaxPayload},
		{name: "argument count comes first", limits: limits{64, 5}, in: "PUB a b c 6\r\n", wantErr: ErrArguments},
	})
}

func TestParseFailures(t *testing.T) { // §4.3
	check(t, []parseCase{
		{name: "ZZZ", in: "ZZZ", wantErr: ErrUnknownOp},
		{name: "MSG", in: "MSG foo 1 2\r\nok\r\n", wantErr: ErrUnknownOp},
		{name: "HMSG", in: "HMSG foo 1 2 2\r\nok\r\n", wantErr: ErrUnknownOp},
		{name: "RS+", in: "RS+ foo\r\n", wantErr: ErrUnknownOp},
		{name: "LS+", in: "LS+ foo\r\n", wantErr: ErrUnknownOp},
		{name: "RMSG", in: "RMSG foo\r\n", wantErr: ErrUnknownOp},
		{name: "A+", in: "A+ foo\r\n", wantErr: ErrUnknownOp},
		{name: "SUB without blank", in: "SUB\r\n", wantErr: ErrUnknownOp},
		{name: "UNSUB_2", in: "UNSUB_2\r\n", wantErr: ErrUnknownOp},
		{name: "PUBS foo 2", in: "PUBS foo 2\r\n", wantErr: ErrUnknownOp},
		{name: "PUB foo", in: "PUB foo\r\n", wantErr: ErrArguments},
		{name: "PUB", in: "PUB \r\n", wantErr: ErrArguments},
		{name: "PUB foo bar", in: "PUB foo bar\r\n", wantErr: ErrArguments},
		{name: "PUB with a CR that does not end the line", in: "PUB foo 2\rxok\r\n\r\n", wantErr: ErrArguments},
		{name: "PUB foo bar 2 2", in: "PUB foo bar 2 2\r\nok\r\n", wantErr: ErrArguments},
		{name: "PUB of ten tokens", in: "PUB a b c d e f g h i 2\r\nok\r\n", wantErr: ErrArguments},
		{name: "HPUB foo 2", in: "HPUB foo 2\r\nok\r\n", wantErr: ErrArguments},
		{name: "HPUB foo r 1 2 3", in: "HPUB foo r 1 2 3\r\nok\r\n", wantErr: ErrArguments},
		{name: "HPUB header above total", in: "HPUB foo 3 2\r\nok\r\n", wantErr: ErrArguments},
		{name: "SUB foo", in: "SUB foo\r\n", wantErr: ErrArguments},
		{name: "SUB", in: "SUB  \r\n", wantErr: ErrArguments},
		{name: "SUB foo q q2 1", in: "SUB foo q q2 1\r\n", wantErr: ErrArguments},
		{name: "SUB of six tokens", in: "SUB a b c d e f\r\n", wantErr: ErrArguments},
		{name: "UNSUB", in: "UNSUB \r\n", wantErr: ErrArguments},
		{name: "UNSUB 1 2 3", in: "UNSUB 1 2 3\r\n", wantErr: ErrArguments},
		{name: "terminator not where it belongs", in: "PUB foo 2\r\nokXX\r\n", wantErr: ErrUnknownOp},
		{name: "what came before a failure counts", in: "PING\r\nSUB foo 1\r\nZ", want: []string{"PING", `SUB subject="foo" sid="1"`}, wantErr: ErrUnknownOp},
	})
}

func TestPayloadTerminator(t *testing.T) { // §5
	check(t, []parseCase{
		{name: "CR LF inside the payload", in: "PUB foo 6\r\na\r\nb\r\n\r\n", want: []string{`PUB subject="foo" size="6" payload="a\r\nb\r\n" tail="6\r\na\r\nb\r\n\r\n"`}},
		{name: "the empty message", in: "PUB foo 0\r\n\r\n", want: []string{`PUB subject="foo" size="0" payload="" tail="0\r\n\r\n"`}},
		{name: "a lone LF", in: "PUB foo 2\r\nok\nPING\r\n", wantErr: ErrUnknownOp},
		{name: "first byte is seen without the second", in: "PUB foo 2\r\nokX", wantErr: ErrUnknownOp},
		{name: "?LF", in: "PUB foo 2\r\nok?\n", wantErr: ErrUnknownOp},
		{name: "CR CR", in: "PUB foo 2\r\nok\r\r\n", wantErr: ErrUnknownOp},
		{name: "CR and then another line", in: "PUB foo 2\r\nok\rPING\r\n", wantErr: ErrUnknownOp},
		{name: "missing", in: "PUB foo 2\r\nok"},
		{name: "half", in: "PUB foo 2\r\nok\r"},
		{name: "payload longer than said", in: "PUB foo 2\r\nokk\r\n", wantErr: ErrUnknownOp},
		{name: "payload shorter than said", in: "PUB foo 4\r\nok\r\nPING\r\n", wantErr: ErrUnknownOp},
		{name: "HPUB, wrong", in: "HPUB foo 1 2\r\nokX", wantErr: ErrUnknownOp},
		{name: "HPUB, half", in: "HPUB foo 1 2\r\nok\r"},
	})
}

func TestTailIsWhatSubscribersGet(t *testing.T) { // §8: exactly one blank between fields
	const header = "NATS/1.0\r\nBar: Baz\r\n\r\n"
	check(t, []parseCase{
		{name: "PUB", in: "PUB foo 2\r\nok\r\n", want: []string{`PUB subject="foo" size="2" payload="ok" tail="2\r\nok\r\n"`}},
		{name: "PUB with reply", in: "PUB foo r 2\r\nok\r\n", want: []string{`PUB subject="foo" reply="r" size="2" payload="ok" tail="r 2\r\nok\r\n"`}},
		{name: "PUB with digits as reply", in: "PUB foo 2 2\r\nok\r\n", want: []string{`PUB subject="foo" reply="2" size="2" payload="ok" tail="2 2\r\nok\r\n"`}},
		{name: "what stands before the subject does not matter", in: "PUB \t foo 2\r\nok\r\n", want: []string{`PUB subject="foo" size="2" payload="ok" tail="2\r\nok\r\n"`}},
		{name: "two blanks before the subject", in: "PUB  foo 2\r\nok\r\nPUB  foo r 2\r\nok\r\n",
			want: []string{`PUB subject="foo" size="2" payload="ok" tail="2\r\nok\r\n"`, `PUB subject="foo" reply="r" size="2" payload="ok" tail="r 2\r\nok\r\n"`}},
		{name: "HPUB", in: "HPUB foo 22 33\r\n" + header + "Hello NATS!\r\n",
			want: []string{`HPUB subject="foo" header="22" size="33" payload="NATS/1.0\r\nBar: Baz\r\n\r\nHello NATS!" tail="22 33\r\nNATS/1.0\r\nBar: Baz\r\n\r\nHello NATS!\r\n"`}},
		{name: "HPUB with reply", in: "HPUB foo rep 22 33\r\n" + header + "Hello NATS!\r\n",
			want: []string{`HPUB subject="foo" reply="rep" header="22" size="33" payload="NATS/1.0\r\nBar: Baz\r\n\r\nHello NATS!" tail="rep 22 33\r\nNATS/1.0\r\nBar: Baz\r\n\r\nHello NATS!\r\n"`}},
		{name: "HPUB without header", in: "HPUB foo 0 2\r\nok\r\n", want: []string{`HPUB subject="foo" header="0" size="2" payload="ok" tail="0 2\r\nok\r\n"`}},
		{name: "PUB after HPUB has no header", in: "HPUB foo 1 2\r\nok\r\nPUB foo 2\r\nok\r\nPUB foo  2\r\nok\r\n",
			want: []string{`HPUB subject="foo" header="1" size="2" payload="ok" tail="1 2\r\nok\r\n"`, `PUB subject="foo" size="2" payload="ok" tail="2\r\nok\r\n"`, `PUB subject="foo" size="2" payload="ok"`}},
		{name: "no CR before LF", in: "PUB foo 2\nok\r\n", want: []string{`PUB subject="foo" size="2" payload="ok"`}},
		{name: "a blank before LF", in: "PUB foo 2 \nok\r\n", want: []string{`PUB subject="foo" size="2" payload="ok"`}},
		{name: "a blank before CR LF", in: "PUB foo 2 \r\nok\r\n", want: []string{`PUB subject="foo" size="2" payload="ok"`}},
		{name: "two CR", in: "PUB foo 2\r\r\nok\r\n", want: []string{`PUB subject="foo" size="2" payload="ok"`}},
		{name: "a tab behind the subject", in: "PUB foo\t2\r\nok\r\n", want: []string{`PUB subject="foo" size="2" payload="ok"`}},
		{name: "a CR behind the subject", in: "PUB foo\r2\r\nok\r\n", want: []string{`PUB subject="foo" size="2" payload="ok"`}},
		{name: "a tab behind the reply", in: "PUB foo r\t2\r\nok\r\n", want: []string{`PUB subject="foo" reply="r" size="2" payload="ok"`}},
		{name: "two blanks behind the subject", in: "PUB foo  r 2\r\nok\r\n", want: []string{`PUB subject="foo" reply="r" size="2" payload="ok"`}},
		{name: "two blanks behind the reply", in: "PUB foo r  2\r\nok\r\n", want: []string{`PUB subject="foo" reply="r" size="2" payload="ok"`}},
		{name: "HPUB, two blanks between the sizes", in: "HPUB foo r 1  2\r\nok\r\n", want: []string{`HPUB subject="foo" reply="r" header="1" size="2" payload="ok"`}},
		{name: "HPUB, no CR before LF", in: "HPUB foo 1 2\nok\r\n", want: []string{`HPUB subject="foo" header="1" size="2" payload="ok"`}},
	})
}

func TestSubAndUnsub(t *testing.T) { // §5, §7
	check(t, []parseCase{
		{name: "plain", in: "SUB foo.* 1\r\n", want: []string{`SUB subject="foo.*" sid="1"`}},
		{name: "queue", in: "SUB foo.> workers abc\r\n", want: []string{`SUB subject="foo.>" queue="workers" sid="abc"`}},
		{name: "plain after queue", in: "SUB foo q 1\r\nSUB foo 2\r\n", want: []string{`SUB subject="foo" queue="q" sid="1"`, `SUB subject="foo" sid="2"`}},
		{name: "max", in: "UNSUB 1 5\r\n", want: []string{`UNSUB sid="1" max=5`}},
		{name: "max of 0 is none", in: "UNSUB 1 0\r\n", want: []string{`UNSUB sid="1" max=0`}},
		{name: "max that is not a number is none", in: "UNSUB 1 x\r\nUNSUB 1 -1\r\nUNSUB 1 +5\r\nUNSUB 1 5x\r\n",
			want: []string{`UNSUB sid="1" max=0`, `UNSUB sid="1" max=0`, `UNSUB sid="1" max=0`, `UNSUB sid="1" max=0`}},
		{name: "max with leading zeros", in: "UNSUB 1 007\r\n", want: []string{`UNSUB sid="1" max=7`}},
		{name: "max after max", in: "UNSUB 1 5\r\nUNSUB 1\r\n", want: []string{`UNSUB sid="1" max=5`, `UNSUB sid="1" max=0`}},
		{name: "max beyond 64 bits does not wrap", in: "UNSUB 1 18446744073709551617\r\n", want: []string{`UNSUB sid="1" max=` + strconv.FormatInt(maxSize, 10)}},
	})
}

func TestNeedIsTheWholeEvent(t *testing.T) {
	for _, in := range []string{"PUB foo 5\r\nhello\r\n", "PUB foo 5\nhello\r\n", "HPUB foo r 2 5\r\nhello\r\n", "PUB a 0\r\n\r\n"} {
		head := strings.IndexByte(in, '\n') + 1
		p := Parser{MaxControlLine: 64, MaxPayload: 64}
		for i := range in {
			want := 0
			if i >= head {
				want = len(in)
			}
			if op, n, err := p.Next([]byte(in[:i])); op != OpNone || n != 0 || err != nil || p.Need != want {
				t.Fatalf("%q: got %v %d %v Need %d, want Need %d", in[:i], op, n, err, p.Need, want)
			}
		}
		if op, n, err := p.Next([]byte(in + "PING\r\n")); op == OpNone || n != len(in) || err != nil {
			t.Fatalf("%q: got %v %d %v", in, op, n, err)
		}
	}
}

func TestResetForgetsInputAndKeepsLimits(t *testing.T) {
	p := Parser{MaxControlLine: 7, MaxPayload: 8}
	if _, _, err := p.Next([]byte("PUB foo 5\r\nhello\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Next([]byte("PINGx")); err != nil || p.Skipping != OpPing {
		t.Fatalf("skipping %v, error %v", p.Skipping, err)
	}
	p.Reset()
	if p.Skipping != OpNone || p.Need != 0 || p.Subject != nil || p.Payload != nil || p.Tail != nil {
		t.Errorf("after Reset: %+v", p)
	}
	if p.MaxControlLine != 7 || p.MaxPayload != 8 {
		t.Errorf("limits after Reset: %d, %d", p.MaxControlLine, p.MaxPayload)
	}
}

func TestOpString(t *testing.T) {
	if got := Op(200).String(); got != "unknown" {
		t.Errorf("Op(200): %q", got)
	}
	if OpNone.String() != "none" || OpErr.String() != "-ERR" {
		t.Errorf("OpNone is %q, OpErr is %q", OpNone, OpErr)
	}
}

func TestErrorsAreDistinct(t *testing.T) {
	all := []error{ErrUnknownOp, ErrArguments, ErrControlLine, ErrMaxPayload}
	for i, a := range all {
		for j, b := range all {
			if (i == j) != errors.Is(a, b) {
				t.Errorf("%v is %v", a, b)
			}
		}
	}
}

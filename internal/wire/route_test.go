package wire

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// feedRoute returns the events in chunks, offered one after the other, in a form to compare, and the error that ends them.
func feedRoute(chunks ...string) (events []string, err error) {
	var p Parser
	var held []byte
	for _, chunk := range chunks {
		held = append(held, chunk...)
		for {
			op, n, err := p.NextRoute(held)
			if err != nil {
				return events, err
			}
			if n < 0 || n > len(held) || op == OpNone && n == 0 && p.Need > 0 && p.Need <= len(held) {
				return events, errors.New("broken contract")
			}
			if op != OpNone {
				events = append(events, describeRoute(op, &p.Event))
			}
			held = held[n:]
			if op == OpNone {
				break
			}
		}
	}
	return events, nil
}

// describeRoute renders what an event says.
func describeRoute(op Op, e *Event) string {
	switch op {
	case OpRSub:
		return fmt.Sprintf("RS+ %s %s [%s] %d", e.Account, e.Subject, e.Queue, e.Weight)
	case OpRUnsub:
		return fmt.Sprintf("RS- %s %s [%s]", e.Account, e.Subject, e.Queue)
	case OpRMsg, OpRHMsg:
		return fmt.Sprintf("%v %s %s reply=%s listed=%v queues=%q header=%d size=%d %q tail=%q", op, e.Account, e.Subject, e.Reply, e.Listed, queueNames(e.Queues), e.HeaderSize, e.Size, e.Payload, e.Tail)
	case OpMsg:
		return fmt.Sprintf("MSG %s %s reply=%s %q tail=%q", e.Subject, e.SID, e.Reply, e.Payload, e.Tail)
	case OpSub:
		return fmt.Sprintf("SUB %s [%s] %s", e.Subject, e.Queue, e.SID)
	case OpUnsub:
		return fmt.Sprintf("UNSUB %s %d", e.SID, e.Max)
	case OpConnect, OpInfo, OpErr:
		return fmt.Sprintf("%v %s", op, e.Arg)
	}
	return op.String()
}

func queueNames(list []byte) (names []string) {
	for name, rest := CutToken(list); len(name) > 0; name, rest = CutToken(rest) {
		names = append(names, string(name))
	}
	return names
}

// TestRouteLines: docs/spec/route-protocol.md §2.3, §2.4, §3.5, §3.6, line by line.
func TestRouteLines(t *testing.T) {
	for in, want := range map[string]string{
		"RS+ $G foo\r\n":                      "RS+ $G foo [] 0",
		"rs+ $G w q 3\r\n":                    "RS+ $G w [q] 3",
		"RS- $G foo\r\n":                      "RS- $G foo []",
		"RS- \t$G w  q\n":                     "RS- $G w [q]",
		"LS+ o $G a\r\n":                      "leaf",
		"ls- $G a\r\n":                        "leaf",
		"LMSG o A a 2\r\nok\r\n":              "leaf",
		"RMSG $G foo 2\r\nok\r\n":             `RMSG $G foo reply= listed=false queues=[] header=0 size=2 "ok" tail="2\r\nok\r\n"`,
		"rmsg $G foo r 2\r\nok\r\n":           `RMSG $G foo reply=r listed=false queues=[] header=0 size=2 "ok" tail="r 2\r\nok\r\n"`,
		"RMSG $G foo | 2\r\nok\r\n":           `RMSG $G foo reply=| listed=false queues=[] header=0 size=2 "ok" tail="| 2\r\nok\r\n"`,
		"RMSG $G foo + 2\r\nok\r\n":           `RMSG $G foo reply=+ listed=false queues=[] header=0 size=2 "ok" tail="+ 2\r\nok\r\n"`,
		"RMSG $G foo | g1 g2 2\r\nok\r\n":     `RMSG $G foo reply= listed=true queues=["g1" "g2"] header=0 size=2 "ok" tail="2\r\nok\r\n"`,
		"RMSG $G foo + r q 2\r\nok\r\n":       `RMSG $G foo reply=r listed=true queues=["q"] header=0 size=2 "ok" tail=""`,
		"RMSG $G foo + r 2\r\nok\r\n":         `RMSG $G foo reply=r listed=true queues=[] header=0 size=2 "ok" tail=""`,
		"RMSG $G foo  2\r\nok\r\n":            `RMSG $G foo reply= listed=false queues=[] header=0 size=2 "ok" tail="2\r\nok\r\n"`,
		"RMSG $G foo r  2\r\nok\r\n":          `RMSG $G foo reply=r listed=false queues=[] header=0 size=2 "ok" tail=""`,
		"HMSG $G foo 2 4\r\nhhok\r\n":         `HMSG $G foo reply= listed=false queues=[] header=2 size=4 "hhok" tail="2 4\r\nhhok\r\n"`,
		"HMSG $G foo r 2 4\r\nhhok\r\n":       `HMSG $G foo reply=r listed=false queues=[] header=2 size=4 "hhok" tail="r 2 4\r\nhhok\r\n"`,
		"HMSG $G foo + r q p 2 4\r\nhhok\r\n": `HMSG $G foo reply=r listed=true queues=["q" "p"] header=2 size=4 "hhok" tail=""`,
		"HMSG $G foo | q 2 4\r\nhhok\r\n":     `HMSG $G foo reply= listed=true queues=["q"] header=2 size=4 "hhok" tail="2 4\r\nhhok\r\n"`,
		"MSG foo RSID:5:1 2\r\nok\r\n":        `MSG foo RSID:5:1 reply= "ok" tail="2\r\nok\r\n"`,
		"MSG w QRSID:5:3 r 1\r\nx\r\n":        `MSG w QRSID:5:3 reply=r "x" tail="r 1\r\nx\r\n"`,
		"SUB foo  RSID:5:1\r\n":               "SUB foo [] RSID:5:1",
		"SUB w q QRSID:5:3\r\n":               "SUB w [q] QRSID:5:3",
		"UNSUB RSID:5:1 4\r\n":                "UNSUB RSID:5:1 4",
		"INFO {\"server_id\":\"X\"}\r\n":      `INFO {"server_id":"X"}`,
		"CONNECT {}\r\n":                      "CONNECT {}",
		"PING\r\n":                            "PING",
		"+OK\r\n":                             "+OK",
		"-ERR 'x'\r\n":                        "-ERR 'x'",
	} {
		for i := range in {
			got, err := feedRoute(in[:i], in[i:])
			if err != nil || len(got) != 1 || got[0] != want {
				t.Fatalf("%q cut at %d: got %q, %v, want %q", in, i, got, err, want)
			}
		}
	}
}

// TestRouteLinesRefused: lines that end a route (docs/spec/route-protocol.md §3.5, §3.6, §5).
func TestRouteLinesRefused(t *testing.T) {
	for in, want := range map[string]error{
		"RS+ $G\r\n": ErrArguments, "RS+ $G foo bar\r\n": ErrArguments, "RS+ $G foo q 1 2\r\n": ErrArguments, "RS+ $G foo q 0\r\n": ErrArguments,
		"RS+ $G foo q x\r\n": ErrArguments, "RS- $G foo q 1\r\n": ErrArguments, "RMSG $G 2\r\n": ErrArguments, "RMSG $G foo x q 2\r\n": ErrArguments,
		"RMSG $G foo x\r\n": ErrArguments, "HMSG $G foo 4 2\r\nok\r\n": ErrArguments, "HMSG $G foo 2\r\n": ErrArguments, "MSG foo 2\r\n": ErrArguments,
		"RMSG $G foo 67108865\r\n": ErrMaxPayload, "RMSG $G foo 2\r\nokx": ErrUnknownOp, "PUB foo 2\r\nok\r\n": ErrUnknownOp, "HPUB a 0 0\r\n": ErrUnknownOp,
		"RX": ErrUnknownOp, "LMSG\r\n": ErrUnknownOp, "LMSG \r\n": ErrArguments, "UNSUB \r\n": ErrArguments,
		"RS+ $G " + strings.Repeat("x", MaxRouteLine): ErrControlLine,
	} {
		if got, err := feedRoute(in); !errors.Is(err, want) {
			t.Errorf("%q: got %q, %v, want %v", in[:min(len(in), 40)], got, err, want)
		}
	}
}

// FuzzRouteParserSplit checks that how input is cut changes nothing.
func FuzzRouteParserSplit(f *testing.F) {
	for _, seed := range []string{
		"RS+ $G foo\r\nRS- $G foo\r\nRMSG $G foo 2\r\nok\r\nPING\r\n", "HMSG $G foo + r q 2 4\r\nhhok\r\nRMSG $G a | b c 1\r\nx\r\n",
		"SUB foo  RSID:5:1\r\nMSG w QRSID:5:3 r 1\r\nx\r\nUNSUB RSID:5:1 4\r\n", "LS+ a b\r\nLMSG a b c 2\r\nok\r\n", "RMSG $G foo 00002\r\nok\r\n",
		"INFO {}\r\n+OK\r\n-ERR 'x'\r\n", "RMSG $G a 9999999999\r\n", "RMSG a\tb 0\n\r\n",
	} {
		f.Add([]byte(seed), uint64(len(seed)))
	}
	f.Fuzz(func(t *testing.T, input []byte, cuts uint64) {
		in := string(input[:min(len(input), 256)])
		want, wantErr := feedRoute(in)
		same := func(chunks ...string) {
			t.Helper()
			got, err := feedRoute(chunks...)
			if !slices.Equal(got, want) || err != wantErr {
				t.Fatalf("chunks %q:\ngot  %q, %v\nwant %q, %v", chunks, got, err, want, wantErr)
			}
		}
		for i := range in {
			same(in[:i], in[i:])
		}
		same(strings.SplitAfter(in, "")...)
		random := rand.New(rand.NewPCG(cuts, 1))
		for range 4 {
			same(cutAtRandom(random, in)...)
		}
	})
}

// TestRouteEncoders: what is written can be read.
func TestRouteEncoders(t *testing.T) {
	var out []byte
	out = AppendInterest(out, "A", "foo.*", "", 1)
	out = AppendInterest(out, "A", "foo", "q", 7)
	out = AppendInterest(out, "A", "foo", "q", 0)
	out = AppendInterest(out, "A", "foo.*", "", 0)
	out = AppendRMsgHead(out, "A", []byte("foo"), false)
	out = AppendMsgTail(out, []byte("r"), nil, []byte("2"), []byte("ok"))
	out = AppendRMsgHead(out, "A", []byte("foo"), true)
	out = AppendRMsgQueues(out, []byte("r"), []string{"p", "q"})
	out = AppendMsgTail(out, nil, []byte("2"), []byte("4"), []byte("hhok"))
	out = AppendRMsgHead(out, "A", []byte("foo"), false)
	out = AppendRMsgQueues(out, nil, []string{"p"})
	out = AppendMsgTail(out, nil, nil, []byte("0"), nil)
	got, err := feedRoute(string(out))
	want := []string{
		"RS+ A foo.* [] 0", "RS+ A foo [q] 7", "RS- A foo [q]", "RS- A foo.* []",
		`RMSG A foo reply=r listed=false queues=[] header=0 size=2 "ok" tail="r 2\r\nok\r\n"`,
		`HMSG A foo reply=r listed=true queues=["p" "q"] header=2 size=4 "hhok" tail=""`,
		`RMSG A foo reply= listed=true queues=["p"] header=0 size=0 "" tail="0\r\n\r\n"`,
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q: got %q, %v", out, got, err)
	}
}

// TestRouteParserAllocs: reading what a route sends allocates nothing.
func TestRouteParserAllocs(t *testing.T) {
	var p Parser
	lines := [][]byte{[]byte("RMSG $G foo r 2\r\nok\r\n"), []byte("RMSG $G foo + r q p 2\r\nok\r\n"), []byte("HMSG $G foo 2 4\r\nhhok\r\n"), []byte("RS+ $G foo q 2\r\n"), []byte("MSG foo RSID:5:1 2\r\nok\r\n")}
	if n := testing.AllocsPerRun(100, func() {
		for _, line := range lines {
			if _, n, err := p.NextRoute(line); n != len(line) || err != nil {
				t.Fatalf("%q: %d, %v", line, n, err)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkRouteParser reads messages without and with a queue group.
func BenchmarkRouteParser(b *testing.B) {
	for name, line := range map[string]string{"plain": "RMSG $G foo.bar 16\r\n0123456789abcdef\r\n", "queue": "RMSG $G foo.bar | workers 16\r\n0123456789abcdef\r\n"} {
		b.Run(name, func(b *testing.B) {
			var p Parser
			in := []byte(line)
			b.ReportAllocs()
			for b.Loop() {
				if _, n, _ := p.NextRoute(in); n != len(in) {
					b.Fatal(n)
				}
			}
		})
	}
}

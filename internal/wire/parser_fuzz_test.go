package wire

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// FuzzParserSplit checks that how input is cut changes nothing: whole, cut in two at every byte and cut at random, with
// and without waiting for Need, it gives the events and the error of the reference parser.
func FuzzParserSplit(f *testing.F) {
	for _, seed := range []string{
		"CONNECT {\"verbose\":false}\r\nSUB foo q 1\r\nPUB foo r 2\r\nok\r\nPING\r\n",
		"HPUB foo rep 12 17\r\nNATS/1.0\r\n\r\nhello\r\nUNSUB 1 5\r\nPONG\r\n",
		"PUB foo 005\r\nhello\r\nPUB foo 18446744073709551616\r\n", "PUB a 0\r\n\r\nPUB a\t0 \n\r\n", "PUB foo 2\r\nokX",
		"PINGxyz\n+OK  \r \nPONG\r\n-ERR 'x'\r\nINFO{}\n", "SUB " + strings.Repeat("x", 60), "CONNECT" + strings.Repeat(" ", 60),
		"UNSUB 1 18446744073709551616\r\nZ", "HPUB foo 3 2\r\nok\r\n", "sub\tfoo\t \t1\npub foo\t 2\nok\r\nping\n", " PING\r\n", "PUB a r 1\r\nx\r\nPUB a r 1\r\ny\r\nPUB a r 1\r\nz\r\nPUB a r 1\r\n12\r\n", "PUB f\x00\xff 1\r\n\xff\r\n",
	} {
		f.Add([]byte(seed), uint64(len(seed)), uint8(32), int64(64))
	}
	f.Fuzz(func(t *testing.T, input []byte, cuts uint64, line uint8, payload int64) {
		if len(input) > 256 {
			input = input[:256]
		}
		in, l := string(input), limits{line: int(line), payload: payload}
		want, wantErr := reference(l, in)
		same := func(patient bool, chunks ...string) {
			t.Helper()
			got, err := feed(l, patient, chunks...)
			if !slices.Equal(got, want) || err != wantErr {
				t.Fatalf("limits %+v, patient %v, chunks %q:\ngot  %q, %v\nwant %q, %v", l, patient, chunks, got, err, want, wantErr)
			}
		}
		same(false, in)
		for i := range in {
			same(false, in[:i], in[i:])
		}
		same(true, strings.SplitAfter(in, "")...)
		random := rand.New(rand.NewPCG(cuts, 1))
		for range 4 {
			same(random.IntN(2) == 0, cutAtRandom(random, in)...)
		}
	})
}

// cutAtRandom cuts s into pieces, some of them empty.
func cutAtRandom(random *rand.Rand, s string) (pieces []string) {
	for s != "" {
		n := random.IntN(min(len(s), 16) + 1)
		pieces, s = append(pieces, s[:n]), s[n:]
	}
	return append(pieces, "")
}

// FuzzEncodeParse writes a random PUB, HPUB or SUB with the encoders and checks that parsing gives it back, with a tail
// that is the very bytes encoded.
func FuzzEncodeParse(f *testing.F) {
	f.Add("foo", "", "1", []byte("hello"), uint8(0), uint8(0))
	f.Add("foo.bar", "_INBOX.1", "", []byte("NATS/1.0\r\n\r\nhello"), uint8(12), uint8(2))
	f.Add("a\x00b", "\xff", "q", []byte("\r\n\r\n"), uint8(0), uint8(12))
	f.Add("12", "3", "4", []byte{}, uint8(200), uint8(1))
	f.Fuzz(func(t *testing.T, subject, reply, queue string, payload []byte, header, zeros uint8) {
		subject, reply, queue = token(subject, "s"), token(reply, ""), token(queue, "")
		encodePublish(t, subject, reply, "", payload, zeros)
		encodePublish(t, subject, reply, strings.Repeat("0", int(zeros%8))+fmt.Sprint(min(int(header), len(payload))), payload, zeros)

		line := "SUB " + subject + " " + queue + " " + subject + "\r\n"
		want := fmt.Sprintf("SUB subject=%q queue=%q sid=%q", subject, queue, subject)
		if queue == "" {
			want = fmt.Sprintf("SUB subject=%q sid=%q", subject, subject)
		}
		if got, err := feed(limits{line: 1 << 20, payload: -1}, false, line); err != nil || !slices.Equal(got, []string{want}) {
			t.Fatalf("%q: got %q, %v, want %q", line, got, err, want)
		}
	})
}

// token makes a token of s: no separators, and instead when nothing is left.
func token(s, instead string) string {
	s = strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "").Replace(s)
	if s == "" {
		return instead
	}
	return s
}

// encodePublish checks one publish. header is the header size as text, empty for PUB.
func encodePublish(t *testing.T, subject, reply, header string, payload []byte, zeros uint8) {
	t.Helper()
	size := strings.Repeat("0", int(zeros%16)) + fmt.Sprint(len(payload))
	tail := AppendMsgTail(nil, []byte(reply), []byte(header), []byte(size), payload)
	op, verb := OpPub, "PUB "
	if header != "" {
		op, verb = OpHPub, "HPUB "
	}
	in := append([]byte(verb+subject+" "), tail...)
	p := Parser{MaxControlLine: 1 << 20, MaxPayload: -1}
	got, n, err := p.Next(in)
	if got != op || n != len(in) || err != nil {
		t.Fatalf("%q: got %v %d %v", in, got, n, err)
	}
	if string(p.Subject) != subject || string(p.Reply) != reply || string(p.HeaderText) != header || string(p.SizeText) != size || !bytes.Equal(p.Payload, payload) {
		t.Fatalf("%q: got %s", in, describe(op, &p.Event))
	}
	if !bytes.Equal(p.Tail, tail) {
		t.Fatalf("%q: tail %q, want %q", in, p.Tail, tail)
	}
}

func TestFeedFindsBrokenContracts(t *testing.T) {
	p := &Parser{Need: 3}
	for _, err := range []error{
		contract(p, OpNone, 5, 4, 0), contract(p, OpPing, 0, 4, 0), contract(p, OpPub, 4, 9, 5), contract(p, OpNone, 0, 4, 0),
		contract(&Parser{}, OpNone, 1, 4, 0), contract(&Parser{Skipping: OpPing}, OpNone, 1, 4, 0), contract(&Parser{Skipping: OpPing}, OpPing, 4, 4, 0),
	} {
		if !errors.Is(err, errStuck) {
			t.Errorf("got %v, want %v", err, errStuck)
		}
	}
}

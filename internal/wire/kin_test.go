package wire

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// kinOf parses the PUB at the front of in and returns the subjects of those behind it that are kin, each checked against Next.
func kinOf(t *testing.T, l limits, in []byte) (list []string) {
	t.Helper()
	p := Parser{MaxControlLine: l.line, MaxPayload: l.payload}
	op, n, err := p.Next(in)
	if op != OpPub || err != nil {
		return nil
	}
	first := string(p.Subject)
	in = in[n:]
	kin, ok := p.Kin(in)
	if !ok {
		if n := p.NextKin(in, kin); n > 0 && kin.head != nil {
			t.Fatalf("%q is no kin, and yet there is %q", in, in[:n])
		}
		return nil
	}
	for {
		before := p.Event
		n := p.NextKin(in, kin)
		if n == 0 {
			if describe(OpPub, &before) != describe(OpPub, &p.Event) {
				t.Fatalf("the event has changed from %s to %s", describe(OpPub, &before), describe(OpPub, &p.Event))
			}
			return list
		}
		got := describe(OpPub, &p.Event)
		plain := Parser{MaxControlLine: l.line, MaxPayload: l.payload}
		if op, m, err := plain.Next(in); op != OpPub || m != n || err != nil || describe(OpPub, &plain.Event) != got {
			t.Fatalf("%q: got %d, %s; Next has %v, %d, %v, %s", in, n, got, op, m, err, describe(op, &plain.Event))
		}
		if p.HeaderText != nil || p.HeaderSize != 0 || p.Repeated {
			t.Fatalf("%q: %+v", in, p.Event)
		}
		list = append(list, string(p.Subject))
		if differ := tokensThatDiffer(first, string(p.Subject)); len(differ) > 1 || len(differ) == 1 && differ[0] != strings.Count(first[:kin.At], ".") {
			t.Fatalf("%q is kin of %q at %d", p.Subject, first, kin.At)
		}
		if more, each := p.More(in[n:]); more > 0 && !bytes.Equal(in[:each][:len(p.line)], p.line) {
			t.Fatalf("%d more of %q", more, p.line)
		}
		in = in[n:]
	}
}

// tokensThatDiffer returns the numbers of the tokens in which a and b differ, too many if b has another number of tokens, or an empty one
// where they differ.
func tokensThatDiffer(a, b string) (list []int) {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	if len(as) != len(bs) {
		return []int{0, 0}
	}
	for i := range as {
		if as[i] != bs[i] {
			list = append(list, i)
			if bs[i] == "" {
				return []int{0, 0}
			}
		}
	}
	return list
}

func TestKin(t *testing.T) {
	pub := func(subject string) string { return "PUB " + subject + " 2\r\nhi\r\n" }
	for _, c := range []struct{ name, in, want string }{
		{name: "nothing", in: pub("a.1")},
		{name: "last token", in: pub("a.1") + pub("a.2") + pub("a.333"), want: "a.2 a.333"},
		{name: "first token", in: pub("a.1") + pub("b.1") + pub("ccc.1"), want: "b.1 ccc.1"},
		{name: "only token", in: pub("a") + pub("b") + pub("c.d"), want: "b"},
		{name: "in the middle", in: pub("a.1.b") + pub("a.22.b") + pub("a.1.b") + pub("a.1.c"), want: "a.22.b a.1.b"},
		{name: "first shorter", in: pub("a.22.b") + pub("a.2.b"), want: "a.2.b"},
		{name: "first longer", in: pub("a.2") + pub("a.22"), want: "a.22"},
		{name: "longer than a word of the processor", in: pub("a.12345678901") + pub("a.1234567890123456789") + pub("a.12345678.1"), want: "a.1234567890123456789"},
		{name: "the same", in: pub("a.1") + pub("a.1")},
		{name: "two tokens", in: pub("a.1.1") + pub("a.2.2")},
		{name: "another, then two tokens", in: pub("a.1.1") + pub("a.2.1") + pub("a.2.2"), want: "a.2.1"},
		{name: "more tokens", in: pub("a.1") + pub("a.1.2")},
		{name: "fewer tokens", in: pub("a.1.2") + pub("a.1")},
		{name: "no token", in: pub("a.1") + pub("a.") + pub("a.2")},
		{name: "no token in the middle", in: pub("a.1.b") + pub("a..b")},
		{name: "sizes that differ", in: pub("a.1") + "PUB a.2 0\r\n\r\nPUB a.3 10\r\n0123456789\r\nPUB a.4 002\r\nhi\r\n", want: "a.2 a.3 a.4"},
		{name: "with a reply", in: pub("a.1") + "PUB a.2 r 2\r\nhi\r\nPUB a.3 r2 2\r\nhi\r\n" + pub("a.4"), want: "a.2 a.3 a.4"},
		{name: "with a number as reply", in: pub("a.1") + "PUB a.2 2 2\r\nhi\r\n", want: "a.2"},
		{name: "behind one with a reply", in: "PUB a.1 r 2\r\nhi\r\n" + pub("a.2"), want: "a.2"},
		{name: "with a reply that is not canonical", in: pub("a.1") + "PUB a.2 r  2\r\nhi\r\n"},
		{name: "another case", in: pub("a.1") + "pub a.2 2\r\nhi\r\n"},
		{name: "the same other case", in: "pub a.1 2\r\nhi\r\npub a.2 2\r\nhi\r\n", want: "a.2"},
		{name: "behind one that is not canonical", in: "PUB a.1  2\r\nhi\r\n" + pub("a.2")},
		{name: "two blanks", in: pub("a.1") + "PUB a.2  2\r\nhi\r\n"},
		{name: "a tab", in: pub("a.1") + "PUB a.2\t2\r\nhi\r\n"},
		{name: "a control byte", in: pub("a.1") + pub("a.\x01") + pub("a.2")},
		{name: "a blank before the line end", in: pub("a.1") + "PUB a.2 2 \r\nhi\r\n"},
		{name: "no CR", in: pub("a.1") + "PUB a.2 2\nhi\r\n"},
		{name: "no size", in: pub("a.1") + "PUB a.2 \r\nhi\r\n"},
		{name: "ten digits", in: pub("a.1") + "PUB a.2 0000000002\r\nhi\r\n"},
		{name: "terminator not where it belongs", in: pub("a.1") + "PUB a.2 2\r\nhi!\r\n"},
		{name: "payload not there", in: pub("a.1") + "PUB a.2 2\r\nhi\r"},
		{name: "line not there", in: pub("a.1") + "PUB a.2"},
		{name: "size not there", in: pub("a.1") + "PUB a.2 "},
		{name: "token not there", in: pub("a.1") + "PUB a."},
		{name: "too large", in: pub("a.1") + fmt.Sprintf("PUB a.2 %d\r\n%s\r\n", usual.payload+1, strings.Repeat("x", int(usual.payload)+1))},
		{name: "line too long", in: pub("a.1") + pub("a."+strings.Repeat("x", 64))},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := strings.Join(kinOf(t, usual, []byte(c.in)), " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// FuzzKin checks that whatever is called kin is what Next makes of it, and differs in the one token.
func FuzzKin(f *testing.F) {
	for _, seed := range []string{
		"PUB a.1 2\r\nhi\r\nPUB a.2 2\r\nhi\r\nPUB a.3 0\r\n\r\n", "PUB a.1.b 2\r\nhi\r\nPUB a.22.b 1\r\nx\r\nPUB a..b 1\r\nx\r\n", "pub a 0\r\n\r\npub b 0\r\n\r\n",
		"PUB a.1 0\r\n\r\nPUB a.2 r 0\r\n\r\n", "PUB a.\x00 0\r\n\r\nPUB a.\x01 0\r\n\r\n", "PUB abcdefgh.1 1\r\nx\r\nPUB abcdefgh.12345678 01\r\nx\r\n",
	} {
		f.Add([]byte(seed), uint8(64), int64(64))
	}
	f.Fuzz(func(t *testing.T, in []byte, line uint8, payload int64) {
		kinOf(t, limits{line: int(line), payload: payload}, in)
	})
}

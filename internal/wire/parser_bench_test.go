package wire

import (
	"fmt"
	"strings"
	"testing"
)

// sample is one line of each kind that is parsed per message.
type sample struct{ name, in string }

func samples() (s []sample) {
	for _, size := range []int{16, 128, 8192} {
		payload := strings.Repeat("x", size)
		s = append(s,
			sample{fmt.Sprintf("PUB/size=%d", size), fmt.Sprintf("PUB orders.eu.1 %d\r\n%s\r\n", size, payload)},
			sample{fmt.Sprintf("PUBreply/size=%d", size), fmt.Sprintf("PUB orders.eu.1 _INBOX.abcdef.1 %d\r\n%s\r\n", size, payload)},
			sample{fmt.Sprintf("HPUB/size=%d", size), fmt.Sprintf("HPUB orders.eu.1 _INBOX.abcdef.1 12 %d\r\nNATS/1.0\r\n\r\n%s\r\n", size+12, payload)})
	}
	return append(s,
		sample{"PUBslow/size=16", "pub  orders.eu.1\t16 \n" + strings.Repeat("x", 16) + "\r\n"},
		sample{"SUB", "SUB orders.*.1 workers 17\r\n"}, sample{"UNSUB", "UNSUB 17 5\r\n"}, sample{"PING", "PING\r\n"},
		sample{"CONNECT", "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n"})
}

func TestParserAllocs(t *testing.T) {
	p := Parser{MaxControlLine: 4096, MaxPayload: 1 << 20}
	for _, s := range samples() {
		in := []byte(s.in)
		if n := testing.AllocsPerRun(100, func() {
			if op, _, err := p.Next(in[:len(in)-1]); op != OpNone || err != nil {
				t.Fatalf("%s: got %v, %v for all but one byte", s.name, op, err)
			}
			if op, n, err := p.Next(in); op == OpNone || n != len(in) || err != nil {
				t.Fatalf("%s: got %v %d %v", s.name, op, n, err)
			}
			p.Skipping = OpNone
		}); n != 0 {
			t.Errorf("%s: %.0f allocs, want 0", s.name, n)
		}
	}
}

func TestKinAllocs(t *testing.T) {
	in := []byte(strings.Repeat("PUB a.1.b 2\r\nhi\r\nPUB a.22.b 3\r\nhi!\r\n", 2))
	p := Parser{MaxControlLine: 4096, MaxPayload: 1 << 20}
	if n := testing.AllocsPerRun(100, func() {
		_, first, _ := p.Next(in)
		kin, ok := p.Kin(in[first:])
		if n := p.NextKin(in[first:], kin); !ok || n == 0 || string(p.Subject) != "a.22.b" {
			t.Fatalf("got %v, %d, %s", ok, n, p.Subject)
		}
		p.Forget()
	}); n != 0 {
		t.Errorf("%.0f allocs, want 0", n)
	}
}

func TestEncoderAllocs(t *testing.T) {
	dst := make([]byte, 0, 1024)
	subject, sid, size, payload := []byte("orders.eu.1"), []byte("17"), []byte("128"), make([]byte, 128)
	if n := testing.AllocsPerRun(100, func() {
		b := AppendMsgTail(AppendMsgHead(dst, subject, sid, true), sid, size, size, payload)
		AppendErr(b, "Invalid Subject")
	}); n != 0 {
		t.Errorf("%.0f allocs, want 0", n)
	}
}

func BenchmarkParser(b *testing.B) {
	for _, s := range samples() {
		b.Run(s.name, func(b *testing.B) {
			p := Parser{MaxControlLine: 4096, MaxPayload: 1 << 20}
			in := []byte(s.in)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if _, n, err := p.Next(in); n != len(in) || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkKin is one of a row of messages whose subjects differ in one token.
func BenchmarkKin(b *testing.B) {
	for _, size := range []int{16, 128} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			p := Parser{MaxControlLine: 4096, MaxPayload: 1 << 20}
			payload := strings.Repeat("x", size)
			in := fmt.Appendf(nil, "PUB orders.eu.1 %d\r\n%s\r\nPUB orders.eu.2 %d\r\n%s\r\n", size, payload, size, payload)
			if _, n, err := p.Next(in); n != len(in)/2 || err != nil {
				b.Fatal(n, err)
			}
			in = in[len(in)/2:]
			kin, _ := p.Kin(in)
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if n := p.NextKin(in, kin); n != len(in) {
					b.Fatal(n)
				}
			}
		})
	}
}

func BenchmarkAppendMsg(b *testing.B) {
	subject, sid, reply := []byte("orders.eu.1"), []byte("17"), []byte("_INBOX.abcdef.1")
	for _, size := range []int{16, 128, 8192} {
		payload, digits := make([]byte, size), fmt.Append(nil, size)
		tail := AppendMsgTail(nil, reply, nil, digits, payload)
		run := func(name string, encode func(dst []byte) []byte) {
			b.Run(fmt.Sprintf("%s/size=%d", name, size), func(b *testing.B) {
				dst := encode(nil)
				b.SetBytes(int64(len(dst)))
				b.ReportAllocs()
				for b.Loop() {
					dst = encode(dst[:0])
				}
			})
		}
		run("fields", func(dst []byte) []byte {
			return AppendMsgTail(AppendMsgHead(dst, subject, sid, false), reply, nil, digits, payload)
		})
		run("tail", func(dst []byte) []byte { return append(AppendMsgHead(dst, subject, sid, false), tail...) })
	}
}

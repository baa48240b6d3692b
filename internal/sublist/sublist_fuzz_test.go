package sublist

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// FuzzSublist reads the input as a program of insertions, removals and matches, and compares each match with the
// oracle. First byte: the size of the cache. Then per step: an operation, queue and member, and a subject of up to four
// tokens from an alphabet of eight.
func FuzzSublist(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0x00, 5, 0, 0x08, 4, 0, 0x08, 4, 0, 0x08})
	f.Add([]byte("\x40\x00\x07\x00\x00\x0e\x09\x05\x02\x01\x05\x02\x01\x05\x02\x01\x03\x07\x00\x05\x02\x01"))
	f.Add([]byte("\x02\x10\x3f\x21\x80\x11\x0c\x05\x00\x21\x05\x00\x21\x05\x00\x22\x05\x00\x22\x05\x00\x23\x05\x00\x23"))
	many := []byte{3}
	for i := range byte(250) {
		many = append(many, i, i*7, i*13)
	}
	f.Add(many)
	f.Add(append(many[:len(many):len(many)], 0x84, 1, 2, 0x84, 3, 4, 5, 2, 1, 0x84, 5, 6))
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) == 0 || len(program) > 600 {
			return
		}
		interpret(t, newLimited[*member](1+int(program[0])%70), program[1:])
	})
}

func interpret(t *testing.T, x *Index[*member], program []byte) {
	var (
		o       oracle
		readers [2]Reader[*member]
		members [4]member
	)
	for i := range members {
		members[i].name = i
	}
	for ; len(program) >= 3; program = program[3:] {
		operation, who, where := program[0], program[1], program[2]
		queue, v := []string{"", "q", "", "r"}[who&3], &members[who>>2&3]
		pattern, subject := spell(who>>4, where)
		switch operation % 8 {
		case 0, 1, 2:
			if got := x.Insert([]byte(pattern), queue, v); got != pattern {
				t.Fatalf("Insert(%q) = %q", pattern, got)
			}
			o.insert(pattern, queue, v)
		case 3:
			if got, want := x.Remove(pattern, queue, v), o.remove(pattern, queue, v); got != want {
				t.Fatalf("Remove(%q, %q, %d) = %v, want %v", pattern, queue, v.name, got, want)
			}
		case 4:
			if operation&0x80 != 0 {
				o.removeSome(t, x, rand.New(rand.NewPCG(uint64(who), uint64(where))))
			} else if len(o.list) > 0 {
				s := o.list[int(where)%len(o.list)]
				if !x.Remove(s.pattern, s.queue, s.v) || !o.remove(s.pattern, s.queue, s.v) {
					t.Fatalf("Remove(%+v) did not find it", s)
				}
			}
		default:
			want := o.match(subject)
			r := &readers[operation>>3&1]
			if got := answerOf(t, r.Match(x, []byte(subject))); !got.equal(want) {
				t.Fatalf("match %q:\n got %v\nwant %v", subject, got, want)
			}
			o.expectWalk(t, r, x, subject, want)
			o.expectKin(t, x, subject)
		}
	}
	o.check(t, x)
}

// spell makes a valid pattern, and a subject of the same tokens that may be malformed.
func spell(form, where byte) (pattern, subject string) {
	alphabet := [...]string{"a", "b", "*", "a*"}
	tokens := make([]string, 1+form&3)
	for i := range tokens {
		tokens[i] = alphabet[where>>(2*i)&3]
	}
	pattern = strings.Join(tokens, ".")
	subject = pattern
	if form&4 != 0 {
		pattern += ".>"
		subject += "."
	}
	if form&12 == 8 {
		pattern = ">"
	}
	return pattern, subject
}

package sublist

import (
	"strings"
	"testing"
)

// TestAnyToken: which token of a subject does not matter is known where patterns have none but "*" for it, or end before it.
func TestAnyToken(t *testing.T) {
	for _, c := range []struct {
		patterns, subject string
		want              string // the tokens that do not matter
	}{
		{patterns: "", subject: "a.b", want: ""},
		{patterns: "a", subject: "a.b", want: ""},
		{patterns: "a.b.*", subject: "a.b.1", want: "1"},
		{patterns: "a.*.c", subject: "a.1.c", want: "1"},
		{patterns: "*.b.c", subject: "1.b.c", want: "1"},
		{patterns: "a.*.c.*", subject: "a.1.c.2", want: "1 2"},
		{patterns: "a.>", subject: "a.1.2.3", want: "1 2 3"},
		{patterns: ">", subject: "1.2", want: "1 2"},
		{patterns: "a.*.c a.7.d", subject: "a.1.c", want: "1"},
		{patterns: "a.*.c a.7.d.*", subject: "a.1.c", want: ""},
		{patterns: "a.*.c a.7.*", subject: "a.7.c", want: ""}, // two ways
		{patterns: "a.*.c a.x.*", subject: "a.1.y", want: ""},
		{patterns: "a.b.* a.>", subject: "a.b.1", want: "1"},
		{patterns: "a.b.* a.b.1", subject: "a.b.1", want: ""}, // of its own
		{patterns: "a.b.* a.b.1", subject: "a.b.2", want: "2"},
		{patterns: "a.b.* a.b.*.d", subject: "a.b.1", want: "1"},
		{patterns: "x.*", subject: "a.b", want: ""},
	} {
		x := New[*member]()
		for _, pattern := range strings.Fields(c.patterns) {
			x.Insert([]byte(pattern), "", &member{})
		}
		var got []string
		at := 0
		for _, token := range strings.Split(c.subject, ".") {
			if x.AnyToken([]byte(c.subject), at) {
				got = append(got, token)
			}
			at += len(token) + 1
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q, subject %s: got %v, want %q", c.patterns, c.subject, got, c.want)
		}
	}
}

// TestOwn follows a literal subject through its life.
func TestOwn(t *testing.T) {
	x := New[*member]()
	v := &member{}
	own := func(want bool) {
		t.Helper()
		if got := x.Own([]byte("a.1")); got != want {
			t.Errorf("Own = %v, want %v", got, want)
		}
	}
	var r Reader[*member]
	x.Insert([]byte("a.*"), "", v)
	for range 3 {
		r.Match(x, []byte("a.1")) // a cached result is nothing of its own
	}
	own(false)
	x.Insert([]byte("b"), "", v)
	own(false)
	x.Insert([]byte("a.1"), "q", v)
	own(true)
	x.Remove("a.1", "q", v)
	own(false)
	x.Remove("b", "", v)
	own(false)
	x.Insert([]byte("a.1"), "", v)
	x.Remove("a.*", "", v)
	own(true)
}

func TestKinAllocs(t *testing.T) {
	x := New[*member]()
	x.Insert([]byte("a.*.c"), "", &member{})
	x.Insert([]byte("b"), "", &member{})
	subject := []byte("a.1.c")
	if n := testing.AllocsPerRun(100, func() {
		if !x.AnyToken(subject, 2) || x.Own(subject) {
			t.Fatal("a.1.c has matches of its own")
		}
	}); n != 0 {
		t.Errorf("%.0f allocs, want 0", n)
	}
}

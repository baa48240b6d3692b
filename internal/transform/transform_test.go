package transform

import (
	"testing"

	"github.com/natsd/natsd/internal/subject"
)

func TestTransform(t *testing.T) {
	for _, test := range []struct{ source, destination, subject, want string }{
		{"a", "b", "a", "b"},
		{"a.b", "c.d.e", "a.b", "c.d.e"},
		{"a.*.*", "b.$2.$1", "a.x.y", "b.y.x"},
		{"a.*.*", "b.{{wildcard(2)}}.c.{{ wildcard( 1 ) }}", "a.x.y", "b.y.c.x"},
		{"a.*", "b.*", "a.x", "b.x"},
		{"*.a.*", "*.b.*", "x.a.y", "x.b.y"},
		{"a.>", "b.>", "a.x.y", "b.x.y"},
		{"a.*.>", "b.$1.c.>", "a.x.y.z", "b.x.c.y.z"},
		{">", "all.>", "x.y", "all.x.y"},
		{">", ">", "x.y", "x.y"},
		{"a.*", "b", "a.x", "b"},
		{"a.*", "$x.$", "a.x", "$x.$"},
		{"a.*.*", "p.{{partition(10,1,2)}}", "a.x.y", "p.2"},
		{"a.*", "p.{{partition(1,1)}}", "a.x", "p.0"},
	} {
		tr, err := New(test.source, test.destination)
		if err != nil {
			t.Errorf("%s -> %s: %v", test.source, test.destination, err)
			continue
		}
		if !tr.Matches([]byte(test.subject)) {
			t.Errorf("%s does not match %s", test.source, test.subject)
		}
		if got := string(tr.Append(nil, []byte(test.subject))); got != test.want {
			t.Errorf("%s -> %s: %s becomes %s, want %s", test.source, test.destination, test.subject, got, test.want)
		}
		if pattern := tr.Destination(); !subject.Match(pattern, test.want) {
			t.Errorf("%s -> %s: destination %s does not match %s", test.source, test.destination, pattern, test.want)
		}
	}
	for _, test := range [][2]string{
		{"a..b", "c"}, {"a", ""}, {"a", "b..c"}, {"a", "b.>"}, {"a.>", "b"}, {"a.>", "b.>.c"}, {"a.*", "b.$2"}, {"a.*", "b.$0"}, {"a", "b.*"},
		{"a.*", "b.{{wildcard(2)}}"}, {"a.*", "b.{{split(1)}}"}, {"a.*", "b.{{wildcard(x)}}"}, {"a.*", "b.{{partition(0,1)}}"},
		{"a.*", "b.{{partition(3)}}"}, {"a.*", "b.{{wildcard}}"}, {"a", "b c"}, {"a.*", "b.{{partition(3,2)}}"},
	} {
		if tr, err := New(test[0], test[1]); err == nil {
			t.Errorf("%s -> %s is accepted: %+v", test[0], test[1], tr)
		}
	}
}

func FuzzTransform(f *testing.F) {
	f.Add("a.*.>", "b.$1.>", "a.x.y")
	f.Add("a.*", "{{partition(3,1)}}", "a.x")
	f.Fuzz(func(t *testing.T, source, destination, text string) {
		tr, err := New(source, destination)
		if err != nil || !tr.Matches([]byte(text)) {
			return
		}
		if got := tr.Append(nil, []byte(text)); len(got) == 0 {
			t.Errorf("%q -> %q: %q becomes nothing", source, destination, text)
		}
	})
}

package permission

import (
	"fmt"
	"testing"
)

// TestSpecExamples has the examples of docs/spec/client-protocol.md §12.
func TestSpecExamples(t *testing.T) {
	allow := func(list ...string) *Rules { return &Rules{Subscribe: Side{Allow: list}} }
	deny := func(list ...string) *Rules { return &Rules{Subscribe: Side{Open: true, Deny: list}} }
	tests := []struct {
		rules       *Rules
		text, queue string
		want        bool
	}{
		{nil, ">", "", true},
		{allow(), "foo", "", false},
		{allow("foo.*"), "foo.bar", "", true},
		{allow("foo.*"), "foo.*", "", true},
		{allow("foo.*"), "foo.>", "", false},
		{allow("foo.*"), ">", "", false},
		{allow(">"), ">", "", true},
		{deny("foo.>"), "foo.*", "", false},
		{deny("foo.>"), "foo.bar", "", false},
		{deny("foo.*"), "foo.>", "", false},
		{deny("foo.baz"), "foo.*", "", true},
		{deny("foo.baz"), ">", "", true},
		{allow("foo v1"), "foo", "v1", true},
		{allow("foo v1"), "foo", "v2", false},
		{allow("foo v1"), "foo", "", false},
		{allow("foo"), "foo", "any", true},
		{allow("foo v*"), "foo", "v1", false}, // "v*" is a literal token
		{allow("foo v.>"), "foo", "v.1", true},
		{deny("foo v1"), "foo", "v1", false},
		{deny("foo v1"), "foo", "", true},
		{&Rules{Subscribe: Side{Open: true, Deny: []string{"foo", "foo v1"}}}, "foo", "v2", false},
	}
	for _, test := range tests {
		if got := Compile(test.rules).Subscribe(test.text, test.queue).Allowed; got != test.want {
			t.Errorf("%+v: subscribe to %q in %q: got %v", test.rules, test.text, test.queue, got)
		}
	}
}

// TestDecision checks that the reason names the entry.
func TestDecision(t *testing.T) {
	set := Compile(&Rules{Publish: Side{Allow: []string{"a", "b.>"}, Deny: []string{"c", "b.c"}}})
	for text, want := range map[string]Decision{
		"b.d": {true, AllowList, 1}, "b.c": {false, DenyList, 1}, "x": {false, NoList, 0}, "a": {true, AllowList, 0},
	} {
		if got := set.ExplainPublish(text); got != want {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
}

// TestCacheBounds asks about more subjects than a cache holds, and again.
func TestCacheBounds(t *testing.T) {
	set := Compile(&Rules{Publish: Side{Allow: []string{"even.>"}}})
	for range 2 {
		for i := range 2 * maxCache {
			text := fmt.Appendf(nil, "%s.%d", [2]string{"even", "odd"}[i%2], i)
			if set.Publish(text) != (i%2 == 0) {
				t.Fatalf("wrong answer about %s", text)
			}
		}
	}
	if n := len(*set.published.slots.Load()); n != maxCache {
		t.Errorf("the cache has %d slots, want %d", n, maxCache)
	}
}

func TestAllocs(t *testing.T) {
	set := Compile(&Rules{Publish: Side{Allow: []string{"a.>"}}, Subscribe: Side{Open: true, Deny: []string{"b.>"}}})
	text := []byte("a.b.c")
	if n := testing.AllocsPerRun(100, func() { set.Publish(text); set.Receive(text, "") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkPublish is the cost of a question whose answer is cached, for one subject and for 10 000.
func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		set := Compile(&Rules{Publish: Side{Allow: []string{"sensor.>", "b", "c.*"}}})
		subjects := make([][]byte, n)
		for i := range subjects {
			subjects[i] = fmt.Appendf(nil, "sensor.%d.value", i)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				set.Publish(subjects[i%n])
			}
		})
	}
}

//go:build linux

package broker

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/natsd/natsd/internal/permission"
	"github.com/rs/zerolog"
)

// hotPaths are ways that a message can take. The input is that of one batch.
var hotPaths = []struct {
	name    string
	connect string   // what the publisher says first
	subs    []string // what one subscriber each says first
	input   string
}{
	{name: "nobody", connect: quietConnect, input: publishes(100, 16, "a.b")},
	{name: "one subscriber", connect: quietConnect, subs: []string{"SUB a.b 1\r\n"}, input: publishes(100, 128, "a.b")},
	{name: "one subscriber, wildcard", connect: quietConnect, subs: []string{"SUB a.* 1\r\n"}, input: publishes(50, 16, "a.b") + publishes(50, 16, "a.c")},
	{name: "eight in a class", connect: quietConnect, subs: strings.Split(strings.Repeat("SUB a.b 1\r\n|", 7)+"SUB a.b 1\r\n", "|"), input: publishes(100, 128, "a.b")},
	{name: "four in two classes", connect: quietConnect, subs: []string{"SUB a.b 1\r\n", "SUB a.b 1\r\n", "SUB a.b 2\r\n", "SUB a.b 2\r\n"}, input: publishes(100, 128, "a.b")},
	{name: "a class each", connect: quietConnect, subs: []string{"SUB a.b 1\r\n", "SUB a.b 2\r\n", "SUB a.b 3\r\n"}, input: publishes(100, 128, "a.b")},
	{name: "many classes", connect: quietConnect, subs: []string{"SUB a.b 1\r\n", "SUB a.b 2\r\n", "SUB a.b 3\r\n", "SUB a.b 4\r\n", "SUB a.b 5\r\n", "SUB a.b 6\r\n", "SUB a.b 7\r\n", "SUB a.b 8\r\n", "SUB a.b 9\r\n"}, input: publishes(100, 128, "a.b")},
	{name: "twice on a connection", connect: quietConnect, subs: []string{"SUB a.b 1\r\nSUB a.* 2\r\n"}, input: publishes(100, 128, "a.b")},
	{name: "queue group", connect: quietConnect, subs: []string{"SUB a.b q 1\r\n", "SUB a.b q 1\r\n", "SUB a.> q 1\r\n"}, input: publishes(100, 128, "a.b")},
	{name: "two subjects in turn", connect: quietConnect, subs: []string{"SUB a.b 1\r\n", "SUB a.c 1\r\n"}, input: strings.Repeat(publishes(1, 32, "a.b")+publishes(1, 32, "a.c"), 50)},
	{name: "many subjects", connect: quietConnect, subs: []string{"SUB a.*.c 1\r\n"}, input: kinRow("a.", ".c", 100)},
	{name: "two tokens differ", connect: quietConnect, subs: []string{"SUB a.> 1\r\n"}, input: strings.Repeat(publishes(1, 16, "a.1.1")+publishes(1, 16, "a.2.2"), 50)},
	{name: "8 KiB", connect: quietConnect, subs: []string{"SUB a.b 1\r\n", "SUB a.b 1\r\n"}, input: publishes(4, 8<<10, "a.b")},
	{name: "verbose", connect: `CONNECT {"verbose":true,"pedantic":true}` + "\r\n", subs: []string{"SUB a.b 1\r\n"}, input: publishes(100, 16, "a.b")},
	{name: "headers", connect: `CONNECT {"verbose":false,"headers":true}` + "\r\n",
		subs:  []string{`CONNECT {"headers":true}` + "\r\nSUB a.b 1\r\n", "SUB a.b 1\r\n"},
		input: strings.Repeat("HPUB a.b 12 17\r\nNATS/1.0\r\n\r\nhello\r\n", 100)},
	{name: "no responders", connect: `CONNECT {"verbose":false,"headers":true,"no_responders":true}` + "\r\nSUB in.* 1\r\n",
		input: strings.Repeat("PUB a.b in.1 2\r\nhi\r\n", 100)},
	{name: "not canonical", connect: quietConnect, subs: []string{"SUB a.b 1\r\n"}, input: strings.Repeat("pub  a.b\t2\nhi\r\n", 100)},
	{name: "ping", connect: quietConnect, input: strings.Repeat("PING\r\n", 100)},
}

// TestBatchAllocs: nothing on the way of a message allocates, from the read buffer to the system call.
func TestBatchAllocs(t *testing.T) {
	for _, c := range hotPaths {
		t.Run(c.name, func(t *testing.T) {
			e := newEngine(t)
			publisher := e.connect("/dev/null", c.connect)
			for _, lines := range c.subs {
				e.connect("/dev/null", lines)
			}
			for range 3 { // memory to reuse, and the cache
				e.feed(publisher, c.input)
			}
			if publisher.ended() {
				t.Fatalf("the publisher was closed: %s", *publisher.ending.Load())
			}
			if n := testing.AllocsPerRun(100, func() { e.feed(publisher, c.input) }); n != 0 {
				t.Errorf("%.0f allocations per batch, want 0", n)
			}
		})
	}
}

// TestDeliverAllocs: the same for the fan-out alone.
func TestDeliverAllocs(t *testing.T) {
	e := newEngine(t)
	publisher := e.connect("/dev/null", quietConnect)
	for range 64 {
		e.connect("/dev/null", "SUB a.b 1\r\n")
	}
	e.feed(publisher, publishes(10, 16, "a.b"))
	w := publisher.in.w
	w.parser.Subject, w.parser.SizeText, w.parser.Payload = []byte("a.b"), []byte("2"), []byte("hi")
	w.parser.Size, w.parser.Tail, w.parser.Reply = 2, []byte("2\r\nhi\r\n"), nil
	m := message{&w.parser.Event, false}
	deliver := func() {
		for range 10 {
			if !w.deliver(publisher, m, w.reader.Match(e.live.Load().authority.global.index, m.Subject), e.live.Load().authority.global) {
				t.Fatal("nobody took the message")
			}
		}
		w.finish(publisher)
	}
	if n := testing.AllocsPerRun(100, deliver); n != 0 {
		t.Errorf("%.0f allocations per run, want 0", n)
	}
}

// BenchmarkFanout is the whole way of a message, parsed, matched, delivered and written to /dev/null, per message.
func BenchmarkFanout(b *testing.B) {
	for _, size := range []int{16, 128, 8192} {
		for _, subs := range []int{0, 1, 8, 64, 500} {
			b.Run(fmt.Sprintf("size=%d/subs=%d", size, subs), func(b *testing.B) {
				e := newEngine(b)
				publisher := e.connect("/dev/null", quietConnect)
				for range subs {
					e.connect("/dev/null", "SUB a.b 1\r\n")
				}
				per := max(1, (readSize-minRead)/(size+len("PUB a.b 8192\r\n\r\n")))
				benchmarkBatches(b, e, publisher, per, size*max(1, subs), publishes(per, size, "a.b"))
			})
		}
	}
}

// BenchmarkLog is BenchmarkFanout with one subscriber for each level of the log: whoever does not ask for a trace does not pay for it.
func BenchmarkLog(b *testing.B) {
	for _, level := range []zerolog.Level{zerolog.Disabled, zerolog.InfoLevel, zerolog.DebugLevel, zerolog.TraceLevel} {
		b.Run(level.String(), func(b *testing.B) {
			e := newLoggingEngine(b, zerolog.New(io.Discard).Level(level))
			publisher := e.connect("/dev/null", quietConnect)
			e.connect("/dev/null", "SUB a.b 1\r\n")
			benchmarkBatches(b, e, publisher, 1000, 16, publishes(1000, 16, "a.b"))
		})
	}
}

// TestLogAllocs: a log that is asked for less than a trace does not make a message allocate.
func TestLogAllocs(t *testing.T) {
	e := newLoggingEngine(t, zerolog.New(io.Discard).Level(zerolog.DebugLevel))
	publisher := e.connect("/dev/null", quietConnect)
	e.connect("/dev/null", "SUB a.b 1\r\n")
	input := publishes(100, 16, "a.b")
	for range 3 { // memory to reuse, and the cache
		e.feed(publisher, input)
	}
	if n := testing.AllocsPerRun(100, func() { e.feed(publisher, input) }); n != 0 {
		t.Errorf("%.0f allocations per batch, want 0", n)
	}
}

// BenchmarkPermissions is BenchmarkFanout for a publisher with permissions and for one without, on one subject and on many.
func BenchmarkPermissions(b *testing.B) {
	rules := &Permissions{Publish: PermissionSide{Allow: []string{"a.>", "b.*", "c"}, Deny: []string{"secret.>", "a.*.c"}}, Subscribe: PermissionSide{Open: true}}
	many := &strings.Builder{}
	for i := range 1000 {
		many.WriteString(publishes(1, 16, fmt.Sprintf("a.%04d", i)))
	}
	for _, test := range []struct {
		name, sub, input string
		per              int
	}{
		{"nobody", "", publishes(1000, 16, "a.b"), 1000},
		{"nobody-long", "", publishes(1000, 16, "a.0.bench.subject.long"), 1000},
		{"one", "SUB a.b 1\r\n", publishes(1000, 16, "a.b"), 1000},
		{"many-one-pattern", "SUB a.* 1\r\n", many.String(), 1000},
		{"many-two-patterns", "SUB a.* 1\r\nSUB a.> 2\r\n", many.String(), 1000},
	} {
		for _, user := range []*identity{nil, {rules: permission.Compile(rules), stamp: 1}} {
			b.Run(fmt.Sprintf("%s/rules=%v", test.name, user != nil), func(b *testing.B) {
				e := newEngine(b)
				publisher := e.connect("/dev/null", quietConnect)
				if user != nil {
					user.account = e.live.Load().authority.accounts[globalAccount]
					publisher.identity.Store(user)
				}
				if test.sub != "" {
					e.connect("/dev/null", test.sub)
				}
				benchmarkBatches(b, e, publisher, test.per, 16, test.input)
			})
		}
	}
}

// BenchmarkBatch is the whole way of a message for each of the hot paths, per batch.
func BenchmarkBatch(b *testing.B) {
	for _, c := range hotPaths {
		b.Run(strings.ReplaceAll(c.name, " ", "-"), func(b *testing.B) {
			e := newEngine(b)
			publisher := e.connect("/dev/null", c.connect)
			for _, lines := range c.subs {
				e.connect("/dev/null", lines)
			}
			benchmarkBatches(b, e, publisher, 1, len(c.input), c.input)
		})
	}
}

// benchmarkBatches feeds input, which counts as per operations of size bytes each, until b is satisfied.
func benchmarkBatches(b *testing.B, e *engine, publisher *conn, per, size int, input string) {
	b.SetBytes(int64(size))
	b.ReportAllocs()
	e.feed(publisher, input)
	b.ResetTimer()
	for n := 0; n < b.N; n += per {
		e.feed(publisher, input)
	}
}

// BenchmarkDeliver is the fan-out of one message alone, without parsing, ten to a batch.
func BenchmarkDeliver(b *testing.B) {
	for _, subs := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("subs=%d", subs), func(b *testing.B) {
			e := newEngine(b)
			publisher := e.connect("/dev/null", quietConnect)
			for range subs {
				e.connect("/dev/null", "SUB a.b 1\r\n")
			}
			e.feed(publisher, publishes(1, 16, "a.b"))
			w := publisher.in.w
			w.parser.Subject, w.parser.SizeText, w.parser.Payload = []byte("a.b"), []byte("2"), []byte("hi")
			w.parser.Size, w.parser.Tail, w.parser.Reply = 2, []byte("2\r\nhi\r\n"), nil
			m := message{&w.parser.Event, false}
			b.SetBytes(int64(2 * subs))
			b.ReportAllocs()
			b.ResetTimer()
			for n := range b.N {
				w.deliver(publisher, m, w.reader.Match(e.live.Load().authority.global.index, m.Subject), e.live.Load().authority.global)
				if n%10 == 9 {
					w.finish(publisher)
				}
			}
			w.finish(publisher)
		})
	}
}

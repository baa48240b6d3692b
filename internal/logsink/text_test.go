package logsink_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/logsink"
	"github.com/rs/zerolog"
)

// sampleTime is the time of the sample lines in docs/spec/cli.md §8.1.
func sampleTime() time.Time {
	return time.Date(2018, 3, 23, 11, 46, 15, 239889_000, time.UTC)
}

// everything shows all levels.
var everything = logsink.Levels{Debug: true, Trace: true}

// render returns the line of one event logged by log.
func render(format logsink.Format, log func(*zerolog.Logger)) string {
	var out bytes.Buffer
	logger := logsink.NewLogger(logsink.NewText(&out, format), everything)
	log(&logger)
	return out.String()
}

func TestLineFormat(t *testing.T) {
	ready := func(l *zerolog.Logger) { l.Info().Msg("Server is ready") }
	for _, c := range []struct {
		name   string
		format logsink.Format
		log    func(*zerolog.Logger)
		want   string
	}{
		{name: "with time", format: logsink.Format{PID: 7499, Now: sampleTime}, log: ready,
			want: "[7499] 2018/03/23 11:46:15.239889 [INF] Server is ready\n"},
		{name: "logtime off", format: logsink.Format{PID: 7499}, log: ready,
			want: "[7499] [INF] Server is ready\n"},
		{name: "in colour", format: logsink.Format{PID: 7499, Now: sampleTime, Color: true}, log: ready,
			want: "[7499] 2018/03/23 11:46:15.239889 [\x1b[32mINF\x1b[0m] Server is ready\n"},
		{name: "microseconds keep their zeros",
			format: logsink.Format{PID: 1, Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 6_000, time.UTC) }}, log: ready,
			want: "[1] 2026/01/02 03:04:05.000006 [INF] Server is ready\n"},
		{name: "no second newline after a text that has one", format: logsink.Format{PID: 1},
			log: func(l *zerolog.Logger) { l.Info().Msg("done\n") }, want: "[1] [INF] done\n"},
		{name: "empty text", format: logsink.Format{PID: 1},
			log: func(l *zerolog.Logger) { l.Info().Msg("") }, want: "[1] [INF] \n"},
		{name: "a connection prefix goes before the text", format: logsink.Format{PID: 1, PrefixField: "conn"},
			log: func(l *zerolog.Logger) {
				l.Debug().Str("conn", "127.0.0.1:5222 - cid:3").Msg("Client connection created")
			},
			want: "[1] [DBG] 127.0.0.1:5222 - cid:3 - Client connection created\n"},
		{name: "other fields follow in their order", format: logsink.Format{PID: 1},
			log: func(l *zerolog.Logger) {
				l.Warn().Str("user", "ann").Int("size", 3).Err(errors.New("too big")).Str("empty", "").Msg("refused")
			},
			want: "[1] [WRN] refused user=ann size=3 error=\"too big\" empty=\"\"\n"},
		{name: "fields of all kinds", format: logsink.Format{PID: 1},
			log: func(l *zerolog.Logger) {
				l.Info().Strs("list", []string{"a,}", "b]"}).Bool("on", true).Float64("f", 1.5).Dict("map", zerolog.Dict().Str("k", "v")).Msg("x")
			},
			want: `[1] [INF] x list="[\"a,}\",\"b]\"]" on=true f=1.5 map="{\"k\":\"v\"}"` + "\n"},
		{name: "text is never a format", format: logsink.Format{PID: 1},
			log: func(l *zerolog.Logger) { l.Info().Msg("100%s %d") }, want: "[1] [INF] 100%s %d\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := render(c.format, c.log); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestLabels(t *testing.T) {
	for _, c := range []struct {
		level zerolog.Level
		want  string
	}{
		{zerolog.TraceLevel, "[\x1b[33mTRC\x1b[0m]"},
		{zerolog.DebugLevel, "[\x1b[36mDBG\x1b[0m]"},
		{zerolog.InfoLevel, "[\x1b[32mINF\x1b[0m]"},
		{zerolog.WarnLevel, "[\x1b[0;93mWRN\x1b[0m]"},
		{zerolog.ErrorLevel, "[\x1b[31mERR\x1b[0m]"},
		{zerolog.FatalLevel, "[\x1b[31mFTL\x1b[0m]"},
		{zerolog.NoLevel, "[\x1b[32mINF\x1b[0m]"},
	} {
		got := render(logsink.Format{PID: 1, Color: true}, func(l *zerolog.Logger) { l.WithLevel(c.level).Msg("x") })
		if want := "[1] " + c.want + " x\n"; got != want {
			t.Errorf("level %q: got %q, want %q", c.level, got, want)
		}
	}
}

func TestControlCharactersAreEscaped(t *testing.T) {
	for _, c := range []struct {
		name, text, want string
	}{
		{name: "a forged line", text: "x\n[1] [INF] forged", want: `x\n[1] [INF] forged`},
		{name: "return, tab, nul", text: "a\rb\tc\x00d", want: `a\rb\tc\x00d`},
		{name: "terminal colours", text: "\x1b[31mred", want: `\x1b[31mred`},
		{name: "delete and C1", text: "a\x7fb\u0085c\u009bd", want: `a\x7fb\u0085c\u009bd`},
		{name: "line separators", text: "a\u2028b\u2029c", want: `a\u2028b\u2029c`},
		{name: "reversed writing", text: "a\u202eb\u2066c", want: `a\u202eb\u2066c`},
		{name: "letters of all scripts stay", text: "größe 日本 \U0001F600", want: "größe 日本 \U0001F600"},
		{name: "backslashes stay", text: `c:\logs\n`, want: `c:\logs\n`},
		{name: "bytes that are no UTF-8", text: "a\xffb", want: "a\ufffdb"},
		{name: "two newlines at the end: the last ends the line", text: "a\n\n", want: `a\n`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := render(logsink.Format{PID: 1}, func(l *zerolog.Logger) { l.Info().Msg(c.text) })
			if want := "[1] [INF] " + c.want + "\n"; got != want {
				t.Errorf("message: got %q, want %q", got, want)
			}
			got = render(logsink.Format{PID: 1, PrefixField: "conn"}, func(l *zerolog.Logger) { l.Info().Str("conn", c.text).Msg("x") })
			if strings.Count(got, "\n") != 1 || strings.ContainsAny(got, "\x00\x1b\r") {
				t.Errorf("prefix: control characters got through: %q", got)
			}
			got = render(logsink.Format{PID: 1}, func(l *zerolog.Logger) { l.Info().Str(c.text, c.text).Msg("x") })
			if strings.Count(got, "\n") != 1 || strings.ContainsAny(got, "\x00\x1b\r") {
				t.Errorf("field: control characters got through: %q", got)
			}
		})
	}
}

func TestWriteTakesTheLevelFromTheEvent(t *testing.T) {
	for _, c := range []struct {
		name, raw, want string
	}{
		{name: "an event", raw: `{"level":"error","message":"no"}`, want: "[1] [ERR] no\n"},
		{name: "an event without level", raw: `{"message":"hi"}`, want: "[1] [INF] hi\n"},
		{name: "an event with an unknown level", raw: `{"level":"loud","message":"hi"}`, want: "[1] [INF] hi\n"},
		{name: "not an event", raw: "plain\x1b words\n", want: "[1] [INF] plain\\x1b words\n"},
		{name: "a cut event", raw: `{"level":"error","message":"n`, want: "[1] [INF] {\"level\":\"error\",\"message\":\"n\n"},
		{name: "no value", raw: `{"level":}`, want: "[1] [INF] {\"level\":}\n"},
		{name: "no name", raw: `{5:6}`, want: "[1] [INF] {5:6}\n"},
		{name: "an empty event", raw: "{}\n", want: "[1] [INF] \n"},
		{name: "bytes that are no UTF-8", raw: "a\xffb", want: "[1] [INF] a\\xffb\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			n, err := logsink.NewText(&out, logsink.Format{PID: 1}).Write([]byte(c.raw))
			if n != len(c.raw) || err != nil {
				t.Errorf("Write = %d, %v, want %d and no error", n, err, len(c.raw))
			}
			if out.String() != c.want {
				t.Errorf("got %q, want %q", out.String(), c.want)
			}
		})
	}
}

func TestLevelsAreIndependent(t *testing.T) {
	for _, c := range []struct {
		levels logsink.Levels
		want   string
	}{
		{logsink.Levels{}, "INF WRN ERR FTL"},
		{logsink.Levels{Debug: true}, "DBG INF WRN ERR FTL"},
		{logsink.Levels{Trace: true}, "TRC INF WRN ERR FTL"},
		{logsink.Levels{Debug: true, Trace: true}, "TRC DBG INF WRN ERR FTL"},
	} {
		var out bytes.Buffer
		logger := logsink.NewLogger(logsink.NewText(&out, logsink.Format{PID: 1}), c.levels)
		for level := zerolog.TraceLevel; level <= zerolog.FatalLevel; level++ {
			logger.WithLevel(level).Msg("")
		}
		var labels []string
		for line := range strings.Lines(out.String()) {
			labels = append(labels, line[len("[1] ["):len("[1] [INF")])
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("%+v: shown %q, want %q", c.levels, got, c.want)
		}
		if got := logger.Trace().Enabled(); got != c.levels.Trace {
			t.Errorf("%+v: Trace().Enabled() = %v", c.levels, got)
		}
		if got := logger.Debug().Enabled(); got != c.levels.Debug {
			t.Errorf("%+v: Debug().Enabled() = %v", c.levels, got)
		}
	}
}

// writeCounter remembers every call of Write.
type writeCounter struct{ calls []string }

func (w *writeCounter) Write(p []byte) (int, error) {
	w.calls = append(w.calls, string(p))
	return len(p), nil
}

func TestOneWritePerLineFromManyGoroutines(t *testing.T) {
	const writers, lines = 8, 200
	counter := &writeCounter{}
	logger := logsink.NewLogger(logsink.NewText(counter, logsink.Format{PID: 1}), everything)
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range lines {
				logger.Info().Msg(fmt.Sprintf("writer %d line %d %s", w, i, strings.Repeat("x", i)))
			}
		})
	}
	group.Wait()
	if len(counter.calls) != writers*lines {
		t.Errorf("%d calls of Write, want %d", len(counter.calls), writers*lines)
	}
	for _, call := range counter.calls {
		if !strings.HasPrefix(call, "[1] [INF] writer ") || strings.Index(call, "\n") != len(call)-1 {
			t.Fatalf("a call wrote %q, want one whole line", call)
		}
	}
}

func TestHugeLineIsWrittenWhole(t *testing.T) {
	text := strings.Repeat("y", 1<<20)
	counter := &writeCounter{}
	logger := logsink.NewLogger(logsink.NewText(counter, logsink.Format{PID: 1}), everything)
	logger.Info().Msg(text)
	logger.Info().Msg("small")
	if len(counter.calls) != 2 || counter.calls[0] != "[1] [INF] "+text+"\n" || counter.calls[1] != "[1] [INF] small\n" {
		t.Errorf("got %d calls; a line of 1 MiB and a small one must each be one call with the exact text", len(counter.calls))
	}
}

// failing refuses everything.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestErrorOfTheOutputIsReturned(t *testing.T) {
	full := errors.New("disk full")
	text := logsink.NewText(failing{full}, logsink.Format{})
	if _, err := text.WriteLevel(zerolog.InfoLevel, []byte(`{"message":"x"}`)); !errors.Is(err, full) {
		t.Errorf("WriteLevel returned %v, want %v", err, full)
	}
}

func FuzzOneLinePerEvent(f *testing.F) {
	f.Add("Server is ready", "127.0.0.1:5222 - cid:3")
	f.Add("a\nb\x00\xff\x1b[0m\u202e", "\r\n")
	f.Fuzz(func(t *testing.T, message, conn string) {
		format := logsink.Format{PID: 1, PrefixField: "conn"}
		got := render(format, func(l *zerolog.Logger) { l.Info().Str("conn", conn).Msg(message) })
		if !strings.HasPrefix(got, "[1] [INF] ") || strings.Index(got, "\n") != len(got)-1 {
			t.Errorf("message %q, conn %q: not exactly one line: %q", message, conn, got)
		}
		if strings.ContainsFunc(got[:len(got)-1], func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
			t.Errorf("message %q, conn %q: control character in %q", message, conn, got)
		}
	})
}

func BenchmarkLine(b *testing.B) {
	logger := logsink.NewLogger(logsink.NewText(failing{nil}, logsink.Format{PID: 1, Now: sampleTime, PrefixField: "conn"}), everything)
	b.ReportAllocs()
	for b.Loop() {
		logger.Trace().Str("conn", "127.0.0.1:5222 - cid:3").Msg("<<- [PUB orders.eu 128]")
	}
}

func FuzzAnyBytesAreOneLine(f *testing.F) {
	for _, seed := range []string{`{"level":"info","conn":"c","message":"m"}`, `{"a":[{"b":"}"}],"c":1}`, `{"a":`, `{"a"`, `{"":"\u12"}`, "plain", `{"a":"b" ,}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var out bytes.Buffer
		logsink.NewText(&out, logsink.Format{PID: 1, PrefixField: "conn"}).Write(raw)
		if got := out.String(); !strings.HasPrefix(got, "[1] [") || strings.Index(got, "\n") != len(got)-1 {
			t.Errorf("%q: not exactly one line: %q", raw, got)
		}
	})
}

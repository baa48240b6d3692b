package testutil

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// serve runs a server that greets with INFO and answers lines: PING with PONG, "say x" with x and a line end, "bye" by
// closing. It ends with the test.
func serve(t *testing.T) (addr string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // stopped by closing the listener, waited for below
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answer(conn) // ends when the client hangs up; CheckLeaks waits for it
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	return listener.Addr().String()
}

func answer(conn net.Conn) {
	defer conn.Close()
	io.WriteString(conn, "INFO {\"max_payload\":10} \r\n")
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		line := lines.Text()
		text, say := strings.CutPrefix(line, "say ")
		switch {
		case line == "PING":
			io.WriteString(conn, "PONG\r\n")
		case say:
			io.WriteString(conn, text+"\r\n")
		case line == "bye":
			return
		}
	}
}

// recorder is a testing.TB that keeps the first failure instead of failing.
type recorder struct {
	testing.TB
	failure  string
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Fatalf(format string, args ...any) {
	r.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// play plays text against addr and returns the failure, empty when there is none.
func play(t *testing.T, addr, text string) string {
	tr, err := ParseTranscript("x.txt", text)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() { // ends with the transcript or with Fatalf
		defer close(done)
		tr.Play(r, addr)
	}()
	<-done
	for _, f := range r.cleanups {
		f()
	}
	return r.failure
}

func TestTranscript(t *testing.T) {
	CheckLeaks(t)
	addr := serve(t)
	for _, c := range []struct{ name, text, failure string }{
		{"bytes", `C: say a b\r\nPING\r\n` + "\n" + `S: a b\r\nPONG\r\n`, ""},
		{"answer in pieces", `C: say a\r\nsay b\r\n` + "\n" + `S: a\r` + "\n" + `S: \nb\r\n`, ""},
		{"escapes", `C: say \x00\t\\"\x20|\r\n` + "\n" + `S: \x00\t\\"\x20|\r\n`, ""},
		{"alternatives", `C: say b\r\n` + "\n" + `S: a\r\n | b\r\n`, ""},
		{"several connections", `C1: say a\r\n` + "\n" + `C2: say b\r\n` + "\n" + `S2: b\r\n` + "\n" + `S1: a\r\n`, ""},
		{"exactly one", `C1: say a\r\n` + "\n" + `S1|S2|S3: a\r\n`, ""},
		{"nothing", `C: dial` + "\n" + `S: nothing`, ""},
		{"close", `C: bye\r\n` + "\n" + `S: close`, ""},
		{"end", `C: bye\r\n` + "\n" + `S: end`, ""},
		{"hang up and come back", `C: PING\r\n` + "\n" + `C: close` + "\n" + `C: PING\r\n` + "\n" + `S: PONG\r\n`, ""},
		{"greeting", `S: greeting "max_payload":10 !"ldm"`, ""},
		{"info", `C: say INFO {"ldm":true}\x20\r\n` + "\n" + `S: info "ldm":true`, ""},

		{"wrong bytes", `C: say a\r\n` + "\n" + `S: b\r\n`, "x.txt:2: got"},
		{"no alternative", `C: say c\r\n` + "\n" + `S: a\r\n | b\r\n`, "x.txt:2: got"},
		{"closed instead of an answer", `C: bye\r\n` + "\n" + `S: b\r\n`, "x.txt:2: got"},
		{"an answer instead of nothing", `C: say a\r\n` + "\n" + `S: nothing`, "x.txt:2: got"},
		{"an answer before the end", `C: say a\r\nbye\r\n` + "\n" + `S: close`, "x.txt:2: got"},
		{"an answer before the orderly end", `C: say a\r\nbye\r\n` + "\n" + `S: end`, "x.txt:2: got"},
		{"an answer nobody expects", `C1: say a\r\nsay b\r\n` + "\n" + `S1: a\r\n`, "x.txt:2: got"},
		{"none instead of exactly one", `S1|S2: a\r\n`, "sent to 0 connections"},
		{"two instead of exactly one", `C1: say a\r\n` + "\n" + `C2: say a\r\n` + "\n" + `S1|S2: a\r\n`, "sent to 2 connections"},
		{"greeting without a word", `S: greeting "ldm"`, "x.txt:1: INFO is not as in"},
		{"greeting with a word it must not have", `S: greeting !"max_payload"`, "x.txt:1: INFO is not as in"},
		{"info without blank", `C: say INFO {}\r\n` + "\n" + `S: info`, "x.txt:2: got"},
		{"info with two blanks", `C: say INFO {}\x20\x20\r\n` + "\n" + `S: info`, "x.txt:2: got"},
		{"info without JSON", `C: say INFO {x}\x20\r\n` + "\n" + `S: info`, "x.txt:2: got"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := play(t, addr, c.text)
			if !strings.Contains(got, c.failure) || (got == "") != (c.failure == "") {
				t.Errorf("failure %q, want %q", got, c.failure)
			}
		})
	}
}

func TestParseTranscript(t *testing.T) {
	tr, err := ParseTranscript("x.txt", "# spec §4.1, §7: words\nopt: a=b=c\nopt: d=\n\nC: x\n")
	if err != nil || fmt.Sprint(tr.Options, tr.Cites) != "[{a b=c} {d }] [4.1 7]" {
		t.Errorf("got %v %v", tr, err)
	}
	for _, c := range []struct{ text, want string }{
		{"", "no steps"},
		{"# only words\n", "no steps"},
		{"C: x \n", "x.txt:1: blank at the end"},
		{"\nX: y", "x.txt:2: line"},
		{"C:x", "x.txt:1: line"},
		{"C1|C2: x", "x.txt:1: line"},
		{"C1|S2: x", "only one connection can send"},
		{`C: \q`, "x.txt:1: cannot read"},
		{"C: x\nopt: a=b", "x.txt:2: option"},
		{"opt: a", "x.txt:1: option"},
	} {
		if _, err := ParseTranscript("x.txt", c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got error %v, want %q", c.text, err, c.want)
		}
	}
}

func TestGolden(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "x.golden")
	defer func(asked bool) { *update = asked }(*update)
	*update = true
	Golden(t, path, []byte("a\n"))
	*update = false
	Golden(t, path, []byte("a\n"))
	r := &recorder{TB: t}
	failed := false
	Golden(errorRecorder{r, &failed}, path, []byte("b\n"))
	if !failed {
		t.Error("a difference was not found")
	}
}

// errorRecorder notes that Errorf was called.
type errorRecorder struct {
	*recorder
	failed *bool
}

func (r errorRecorder) Errorf(string, ...any) { *r.failed = true }

func TestPlayFiles(t *testing.T) {
	CheckLeaks(t)
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.txt", "# §1\nopt: k=v\nS: nothing\n")
	write("b.txt", "# §2.3\nS: nothing\n")
	var options []Option
	PlayFiles(t, filepath.Join(dir, "*.txt"), 1, func(t *testing.T, o []Option) string {
		options = append(options, o...)
		return serve(t)
	})
	if fmt.Sprint(options) != "[{k v}]" {
		t.Errorf("options %v", options)
	}
	if got, err := CitedSections(filepath.Join(dir, "*.txt")); fmt.Sprint(got) != "[1 2.3]" || err != nil {
		t.Errorf("cited %v, %v", got, err)
	}
	write("c.txt", "no step\n")
	for _, pattern := range []string{"*.txt", "*.nothing", "["} {
		if _, err := CitedSections(filepath.Join(dir, pattern)); err == nil {
			t.Errorf("%s: no error", pattern)
		}
	}
}

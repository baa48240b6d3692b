//go:build linux

package broker

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/natsd/natsd/internal/permission"
	"github.com/natsd/natsd/internal/subject"
)

// kinRow returns PUBs whose subjects differ in the token between before and after, of sizes that differ too.
func kinRow(before, after string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "PUB %s%d%s %d\r\n%0*d\r\n", before, i*i, after, 3+i%4, 3+i%4, i)
	}
	return b.String()
}

// linesFor returns what came of the PUBs in text for a subscription on pattern with this sid. Payloads hold no line ends.
func linesFor(text, pattern, sid string) (want []string) {
	list := strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\n")
	for i := 0; i+1 < len(list); i += 2 {
		words := strings.Fields(list[i])
		if !slices.Contains(strings.Split(words[1], "."), "") && subject.Match(pattern, words[1]) && !strings.HasPrefix(words[1], "_SYS.") {
			want = append(want, "MSG "+words[1]+" "+sid+" "+strings.Join(words[2:], " "), list[i+1])
		}
	}
	return want
}

// subscribe connects a client with a subscription on pattern, and returns it and the file that what it gets is written to.
func (e *engine) subscribe(t *testing.T, pattern, sid string) (c *conn, file string) {
	file = filepath.Join(t.TempDir(), "out")
	return e.connect(file, quietConnect+"SUB "+pattern+" "+sid+"\r\n"), file
}

// expectLines fails unless a file holds just these lines.
func expectLines(t *testing.T, file string, want []string) {
	t.Helper()
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != strings.Join(append(want, ""), "\r\n") {
		t.Errorf("got\n%q, want\n%q", strings.Split(string(got), "\r\n"), want)
	}
}

// TestKin: of rows of messages whose subjects differ in one token, everybody gets what the subscription is for, once, as it is and in
// order; whatever else lies between them, and whatever subscriptions of their own some of the subjects have.
func TestKin(t *testing.T) {
	const n = 40
	rows := kinRow("a.b.", "", n) + kinRow("a.", ".c", n) + kinRow("a.b.", ".d.e", n) + kinRow("", ".b.c", n) + kinRow("_INBOX.abcdefghijkl.", "", n)
	for _, c := range []struct {
		name   string
		subs   []string // patterns, of a subscriber each
		input  string
		direct int // messages, at least, that are not matched by themselves
	}{
		{name: "last token", subs: []string{"a.b.*"}, input: rows, direct: n - 4},
		{name: "token in the middle", subs: []string{"a.*.c"}, input: rows, direct: n - 4},
		{name: "token with more behind it", subs: []string{"a.b.*.d.*"}, input: rows, direct: n - 4},
		{name: "first token", subs: []string{"*.b.c"}, input: rows},
		{name: "tail", subs: []string{"a.>"}, input: rows, direct: 3*n - 12},
		{name: "everything", subs: []string{">"}, input: rows, direct: 4*n - 20},
		{name: "inbox", subs: []string{"_INBOX.abcdefghijkl.*"}, input: rows, direct: n - 4},
		{name: "with subjects of their own", subs: []string{"a.b.*", "a.b.9", "a.b.16", "a.b.100"}, input: rows, direct: n - 20},
		{name: "with a pattern of their own", subs: []string{"a.*.c", "a.16.*", "a.16.>"}, input: rows},
		{name: "the first has one of its own", subs: []string{"a.b.*", "a.b.0"}, input: strings.Repeat("PUB a.b.0 2\r\nhi\r\n", 3) + kinRow("a.b.", "", n)},
		{name: "two subscribers of two classes", subs: []string{"a.b.*", "a.b.*"}, input: rows, direct: n - 4},
		{name: "two patterns", subs: []string{"a.b.*", "a.>"}, input: rows},
		{
			name: "others between them", subs: []string{"a.*"}, direct: 5,
			input: kinRow("a.", "", 5) + "PUB a.x in 2\r\nhi\r\n" + kinRow("a.", "", 5) + "PUB a..x 1\r\nx\r\nPUB a. 1\r\nx\r\nPUB a.b.c 1\r\nx\r\nPUB a.x  2\r\nhi\r\nPUB a.y 002\r\nhi\r\n" +
				"pub a.z 1\r\nx\r\nPUB a 1\r\nx\r\nPUB a.\x01 1\r\nx\r\nPUB a.* 1\r\nx\r\nPUB a.> 1\r\nx\r\n" + kinRow("a.", "", 5),
		},
		{name: "reserved, behind others", subs: []string{">"}, input: "PUB A.x 1\r\nx\r\nPUB B.x 1\r\nx\r\nPUB C.x 1\r\nx\r\nPUB _SYS.x 1\r\nx\r\nPUB D.x 1\r\nx\r\n"},
		{name: "reserved", subs: []string{"_SYS.>", "*.x", ">"}, input: "PUB _A.x 1\r\nx\r\nPUB _B.x 1\r\nx\r\nPUB _C.x 1\r\nx\r\nPUB _SYS.x 1\r\nx\r\nPUB _D.x 1\r\nx\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEngine(t)
			publisher := e.connect("/dev/null", quietConnect)
			files := make([]string, len(c.subs))
			for i, pattern := range c.subs {
				_, files[i] = e.subscribe(t, pattern, fmt.Sprint(i))
			}
			e.feed(publisher, c.input)
			for i, pattern := range c.subs {
				expectLines(t, files[i], linesFor(c.input, pattern, fmt.Sprint(i)))
			}
			sent := strings.Count(strings.ToUpper(c.input), "PUB ")
			if got := publisher.received.messages.Load(); got != int64(sent) {
				t.Errorf("%d messages are counted, want %d", got, sent)
			}
			if got := e.live.Load().authority.global.index.Stats().Misses; int(got) > sent-c.direct {
				t.Errorf("%d of %d messages were matched by themselves, want at most %d", got, sent, sent-c.direct)
			}
		})
	}
}

// TestKinPermissions: a message that its user may not publish is refused in the middle of a row as well, and one that is too large.
func TestKinPermissions(t *testing.T) {
	const n = 12
	input := kinRow("a.", ".c", n)
	for _, c := range []struct {
		name   string
		allow  []string
		deny   []string
		limit  int64
		direct int
		gone   string // what nobody gets
	}{
		{name: "all", allow: []string{"a.>"}, direct: n - 5},
		{name: "one is not", allow: []string{"a.>"}, deny: []string{"a.16.c"}, gone: "a.16.c"},
		{name: "one pattern is not", allow: []string{"a.>"}, deny: []string{"a.25.*"}, gone: "a.25.c"},
		{name: "size", allow: []string{">"}, limit: 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEngine(t)
			publisher := e.connect("/dev/null", quietConnect)
			publisher.identity.Store(&identity{
				account: e.live.Load().authority.accounts[globalAccount], tooMuch: c.limit, stamp: 1,
				rules: permission.Compile(&Permissions{Publish: PermissionSide{Allow: c.allow, Deny: c.deny}, Subscribe: PermissionSide{Open: true}}),
			})
			_, file := e.subscribe(t, "a.*.c", "1")
			e.feed(publisher, input)
			var want []string
			all := linesFor(input, "a.*.c", "1")
			for i := 0; i < len(all); i += 2 {
				if c.gone == "" || !strings.Contains(all[i], c.gone+" ") {
					want = append(want, all[i:i+2]...)
				}
			}
			expectLines(t, file, want)
			if got := e.live.Load().authority.global.index.Stats().Misses; int(got) > n-c.direct {
				t.Errorf("%d of %d messages were matched by themselves, want at most %d", got, n, n-c.direct)
			}
		})
	}
}

// TestRowsOfTheVerbose: a verbose client gets an +OK for each message of a row, and a pedantic one its error.
func TestRowsOfTheVerbose(t *testing.T) {
	const n = 10
	for _, c := range []struct {
		connect  string
		ok, errs int
	}{
		{connect: `{"verbose":true,"pedantic":false}`, ok: 1 + 2*n + 3},
		{connect: `{"verbose":false,"pedantic":true}`, errs: 2},
	} {
		e := newEngine(t)
		said := filepath.Join(t.TempDir(), "said")
		publisher := e.connect(said, "CONNECT "+c.connect+"\r\n")
		_, file := e.subscribe(t, "a.*", "1")
		valid, invalid := kinRow("a.", "", n)+row(0, n, 2, "a.x"), "PUB a.* 1\r\nx\r\nPUB a.> 1\r\nx\r\n"
		e.feed(publisher, valid+invalid+"PUB a.y 1\r\nx\r\n")
		if c.errs == 0 {
			valid += invalid
		}
		expectLines(t, file, linesFor(valid+"PUB a.y 1\r\nx\r\n", "a.*", "1"))
		text, err := os.ReadFile(said)
		if err != nil {
			t.Fatal(err)
		}
		if ok, errs := strings.Count(string(text), "+OK"), strings.Count(string(text), "Invalid Subject"); ok != c.ok || errs != c.errs {
			t.Errorf("%s: %d times +OK and %d errors, want %d and %d", c.connect, ok, errs, c.ok, c.errs)
		}
	}
}

// TestKinOfTooMuch: a message above the limit of its user ends the connection in the middle of a row as well.
func TestKinOfTooMuch(t *testing.T) {
	e := newEngine(t)
	publisher := e.connect("/dev/null", quietConnect)
	publisher.identity.Store(&identity{account: e.live.Load().authority.accounts[globalAccount], tooMuch: 7})
	_, file := e.subscribe(t, "a.*", "1")
	input := kinRow("a.", "", 8)
	e.feed(publisher, input+"PUB a.x 7\r\nseven77\r\nPUB a.y 1\r\nx\r\n")
	expectLines(t, file, linesFor(input, "a.*", "1"))
	if reason := publisher.ending.Load(); reason == nil || *reason != reasonMaxPayload {
		t.Errorf("the publisher ended with %v", reason)
	}
}

// TestKinOfWhatHasGone: who was subscribed to the first message of a row in particular, and has just unsubscribed, does not get the others.
func TestKinOfWhatHasGone(t *testing.T) {
	for _, pattern := range []string{"a.1.*", "a.1.c"} {
		t.Run(pattern, func(t *testing.T) {
			e := newEngine(t)
			publisher := e.connect("/dev/null", quietConnect)
			_, stays := e.subscribe(t, "a.*.c", "1")
			gone, file := e.subscribe(t, pattern, "2")
			first, rest := "PUB a.1.c 2\r\nhi\r\n", kinRow("a.", ".c", 5)
			publisher.in.borrow(e.Broker)
			w := publisher.in.w
			w.refresh()
			w.end = copy(w.in, first+rest)
			_, n, err := w.parser.Next(w.in[:w.end])
			if err != nil {
				t.Fatal(err)
			}
			w.start = n
			id := publisher.identity.Load()
			m, r := message{&w.parser.Event, false}, w.reader.Match(id.account.index, w.parser.Subject)
			for range 2 {
				r = w.reader.Match(id.account.index, w.parser.Subject) // cached by now
			}
			if len(r.Plain) != 2 || !w.run.begin(w, publisher, r, id.account) {
				t.Fatalf("no run to %d subscribers", len(r.Plain))
			}
			w.extend(m)
			e.feed(gone, "UNSUB 2\r\n")
			if publisher.publishKin(w, m, r, id); w.start != n {
				t.Errorf("messages were published to who was subscribed to the first one: %q", w.in[n:w.start])
			}
			w.seal()
			publisher.batch()
			expectLines(t, file, nil)
			expectLines(t, stays, linesFor(first+rest, "a.*.c", "1"))
		})
	}
}

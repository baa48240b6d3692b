//go:build linux

package broker

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// row returns PUB of n messages, numbered from the given number on, which differ in their payloads alone.
func row(from, n, size int, subject string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "PUB %s %d\r\n%0*d\r\n", subject, size, size, from+i)
	}
	return b.String()
}

// bodies returns the payloads in what was written to the file at path, which holds messages only.
func bodies(t *testing.T, path string) (list []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\r\n"), "\r\n")
	for i := 0; i+1 < len(lines); i += 2 {
		words := strings.Fields(lines[i])
		if len(words) != 4 || words[0] != "MSG" {
			t.Fatalf("%s: line %q", path, lines[i])
		}
		list = append(list, lines[i+1])
	}
	return list
}

// TestTrain: of rows of messages that differ in their payloads alone, everybody gets each message once, as it is and in order, on
// every way that there is.
func TestTrain(t *testing.T) {
	const rows, each, size = 3, 40, 24
	many := make([]string, 3*maxClasses)
	for i := range many {
		many[i] = fmt.Sprintf("SUB a.b %d\r\n", i)
	}
	for _, c := range []struct {
		name string
		subs []string
		of   int // subscribers that share a message
	}{
		{name: "one class", subs: []string{"SUB a.b 1\r\n", "SUB a.* 1\r\n"}, of: 1},
		{name: "two classes", subs: []string{"SUB a.b 1\r\n", "SUB a.b 22\r\n"}, of: 1},
		{name: "many classes", subs: many, of: 1},
		{name: "queue group", subs: []string{"SUB a.b q 1\r\n", "SUB a.b q 2\r\n", "SUB a.> q 3\r\n"}, of: 3},
		{name: "queue group of one", subs: []string{"SUB a.b q 1\r\n"}, of: 1},
		{name: "limited", subs: []string{"SUB a.b 1\r\nUNSUB 1 1000\r\n", "SUB a.b 1\r\n"}, of: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEngine(t)
			publisher := e.connect("/dev/null", quietConnect)
			files := make([]string, len(c.subs))
			for i, lines := range c.subs {
				files[i] = filepath.Join(t.TempDir(), "out")
				e.connect(files[i], quietConnect+lines)
			}
			for k := range rows {
				e.feed(publisher, row(k*each, each, size, "a.b")+"PUB a.b 1\r\nx\r\n"+row(0, 3, size, "b")+"PUB a.b 1\r\ny\r\n")
			}
			total := 0
			for _, file := range files {
				list := bodies(t, file)
				total += len(list)
				last := -1
				for _, body := range list {
					var n int
					if len(body) == 1 {
						continue
					}
					if _, err := fmt.Sscanf(body, "%d", &n); err != nil || len(body) != size {
						t.Fatalf("payload %q", body)
					}
					if n <= last {
						t.Fatalf("%s: %d after %d", file, n, last)
					}
					if c.of == 1 && n != last+1 {
						t.Fatalf("%s: %d after %d", file, n, last)
					}
					last = n
				}
			}
			if want := rows * (each + 2) * len(files) / c.of; total != want {
				t.Errorf("%d messages were delivered, want %d", total, want)
			}
			if got := publisher.received.messages.Load(); got != rows*(each+5) {
				t.Errorf("%d messages are counted, want %d", got, rows*(each+5))
			}
		})
	}
}

// TestTrainRefused: what a member of a queue group that is about to go cannot take goes to the others.
func TestTrainRefused(t *testing.T) {
	e := newEngine(t)
	publisher := e.connect("/dev/null", quietConnect)
	var files []string
	for i := range 3 {
		file := filepath.Join(t.TempDir(), "out")
		c := e.connect(file, quietConnect+"SUB a.b q 1\r\n")
		if i == 1 {
			c.out.mu.Lock()
			c.out.mu.closed = true
			c.out.mu.Unlock()
		}
		files = append(files, file)
	}
	const n = 60
	e.feed(publisher, row(0, n, 8, "a.b"))
	seen := map[string]int{}
	for i, file := range files {
		list := bodies(t, file)
		if i == 1 && len(list) > 0 {
			t.Errorf("a closed member got %d messages", len(list))
		}
		for _, body := range list {
			seen[body]++
		}
	}
	for i := range n {
		if body := fmt.Sprintf("%08d", i); seen[body] != 1 {
			t.Errorf("message %s came %d times", body, seen[body])
		}
	}
}

// TestTrainLimited: a member of a queue group whose limit comes while a row is on its way takes what it may still get, and the others
// the rest. Spec: docs/spec/client-protocol.md §6.4, §7.
func TestTrainLimited(t *testing.T) {
	const n, limit = 60, 5
	e := newEngine(t)
	publisher := e.connect("/dev/null", quietConnect)
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "limited"), filepath.Join(dir, "other")}
	limited := e.connect(files[0], quietConnect+"SUB a.b q 1\r\n")
	e.connect(files[1], quietConnect+"SUB a.b q 1\r\n")
	publisher.in.borrow(e.Broker)
	w := publisher.in.w
	w.end = copy(w.in, row(0, n+1, 8, "a.b"))
	_, first, err := w.parser.Next(w.in[:w.end])
	if err != nil {
		t.Fatal(err)
	}
	rest, each := w.parser.More(w.in[first:w.end])
	m, r := message{&w.parser.Event, false}, w.reader.Match(e.live.Load().authority.global.index, w.parser.Subject)
	if rest != n || !w.trainable(publisher, r) {
		t.Fatalf("%d messages behind the first, want %d, and the group takes them at once", rest, n)
	}
	limited.out.mu.Lock()
	limited.subs.mu.list[0].max.Store(limit)
	limited.out.mu.Unlock()
	w.trainToGroup(publisher, m, &r.Queues()[0], train{rest, each, first + each - len(m.Tail), len(m.Tail)})
	w.finish(publisher)
	seen := map[string]int{}
	for _, file := range files {
		for _, body := range bodies(t, file) {
			seen[body]++
		}
	}
	for i := range n {
		if body := fmt.Sprintf("%08d", i+1); seen[body] != 1 {
			t.Errorf("message %s came %d times", body, seen[body])
		}
	}
	if got := len(bodies(t, files[0])); got != limit {
		t.Errorf("the limited member got %d messages, want %d", got, limit)
	}
}

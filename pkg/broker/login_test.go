//go:build linux

package broker

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// putUsedWorkers puts workers into the pool of e whose last batch was long ago and ended with input, a PUB that id was allowed.
func putUsedWorkers(t *testing.T, e *engine, id *identity, input string) {
	t.Helper()
	var used []*worker
	for range 8 { // a pool may drop some, and gives them out in no certain order
		w := e.borrow()
		w.end = copy(w.in, input)
		if _, n, err := w.parser.Next(w.in[:w.end]); n != w.end || err != nil {
			t.Fatalf("%q: %d bytes, %v", input, n, err)
		}
		w.permitted = permitted{id: id, allowed: true}
		w.readAt = e.clock() - int64(time.Hour)
		w.empty()
		used = append(used, w)
	}
	for _, w := range used {
		e.giveBack(w)
	}
}

// TestWorkerAfterLogin: what stands behind a CONNECT whose password takes long to check is handled by another worker. What that one
// did before counts for nothing: neither what was allowed, nor when it was. Spec: docs/spec/client-protocol.md §12.
func TestWorkerAfterLogin(t *testing.T) {
	rules := &Permissions{Publish: PermissionSide{Allow: []string{"a.ok"}}, Subscribe: PermissionSide{Open: true}}
	e := newEngineWith(t, Options{Auth: &Auth{Users: []User{{Name: "all"}, {Name: "bob", Password: cheapHash(t, "s3cret"), Permissions: rules}}}})
	dir := t.TempDir()
	heard, told := filepath.Join(dir, "heard"), filepath.Join(dir, "told")
	e.connect(heard, `CONNECT {"verbose":false,"user":"all"}`+"\r\nSUB > 1\r\n")
	c := e.connect(told, "") // has its worker
	putUsedWorkers(t, e, e.live.Load().authority.users["bob"], "PUB a.ok 1\r\nx\r\n")
	before := e.clock()
	e.feed(c, `CONNECT {"verbose":false,"user":"bob","pass":"s3cret"}`+"\r\nPUB b.no 1\r\nx\r\nPUB a.ok 1\r\ny\r\n")
	if got := bodies(t, heard); !slices.Equal(got, []string{"y"}) {
		t.Errorf("%q was published, want what is allowed only", got)
	}
	text, err := os.ReadFile(told)
	if err != nil {
		t.Fatal(err)
	}
	if want := `-ERR 'Permissions Violation for Publish to "b.no"'`; !strings.Contains(string(text), want) {
		t.Errorf("the client was told %q, want %s", text, want)
	}
	if sum := e.Latency().Sum; sum <= 0 || sum >= time.Hour {
		t.Errorf("the message was in the server for %v, says the histogram", sum)
	}
	if at := c.activeAt.Load(); at < before {
		t.Errorf("the client was last active %v before it connected", time.Duration(before-at))
	}
}

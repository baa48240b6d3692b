package confparse_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/natsd/natsd/pkg/confparse"
)

// folder writes files into a new folder and returns its path.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestIncludes has the rules of docs/spec/config.md A14.
func TestIncludes(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string // JSON, or a part of the error
	}{
		{name: "at the top", files: map[string]string{"main.conf": "a: 1\ninclude x.conf\nc: 3", "x.conf": "b: 2"}, want: `{"a":1,"b":2,"c":3}`},
		{name: "in a map", files: map[string]string{"main.conf": "m { include 'x.conf'; c: 3 }", "x.conf": "b: 2"}, want: `{"m":{"b":2,"c":3}}`},
		{name: "whatever the case, and in double quotes", files: map[string]string{"main.conf": "INCLUDE \"x y.conf\"", "x y.conf": "b: 2"}, want: `{"b":2}`},
		{name: "relative to the file that includes", files: map[string]string{"main.conf": "include sub/x.conf", "sub/x.conf": "include y.conf", "sub/y.conf": "b: 2"}, want: `{"b":2}`},
		{name: "replaces keys whole", files: map[string]string{"main.conf": "m { a: 1 }\ninclude x.conf", "x.conf": "m { b: 2 }"}, want: `{"m":{"b":2}}`},
		{name: "sees no variables from outside", files: map[string]string{"main.conf": "a: 1\ninclude x.conf", "x.conf": "b: $a"}, want: "x.conf:1:4: variable reference for 'a'"},
		{name: "gives variables", files: map[string]string{"main.conf": "include x.conf\nb: $a", "x.conf": "a: 1"}, want: `{"a":1,"b":1}`},
		{name: "a bare path ends at a semicolon", files: map[string]string{"main.conf": "include x.conf; b: 2", "x.conf": "a: 1"}, want: `{"a":1,"b":2}`},
		{name: "twice", files: map[string]string{"main.conf": "m { include x.conf }\nn { include x.conf }", "x.conf": "a: 1"}, want: `{"m":{"a":1},"n":{"a":1}}`},
		{name: "an absolute path that is meant from here", files: map[string]string{"main.conf": "include /no/such/folder/x.conf", "no/such/folder/x.conf": "a: 1"}, want: `{"a":1}`},
		{name: "errors of all files", files: map[string]string{"main.conf": "a: $X\ninclude x.conf\nb: $Y", "x.conf": "c: $Z"}, want: "main.conf:3:4"},
		{name: "a folder", files: map[string]string{"main.conf": "include sub", "sub/x.conf": ""}, want: "is a directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := folder(t, c.files)
			doc, err := (&confparse.Loader{}).Load(filepath.Join(dir, "main.conf"))
			if err != nil {
				if !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %s", err, c.want)
				}
				return
			}
			if got := asJSON(t, doc); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestIncludeThroughLinks: a cycle that path names do not show ends all the same.
func TestIncludeThroughLinks(t *testing.T) {
	dir := folder(t, map[string]string{"main.conf": "include d/main.conf"})
	if err := os.Symlink(dir, filepath.Join(dir, "d")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	_, err := (&confparse.Loader{}).Load(filepath.Join(dir, "main.conf"))
	if err == nil || !strings.Contains(err.Error(), "nested deeper than 32 files") {
		t.Errorf("got %.200v", err)
	}
}

// TestUnreadable: files that cannot be read are reported with the reason.
func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	_, err := (&confparse.Loader{}).Load(filepath.Join(dir, "x.conf"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "error opening config file: open ") {
		t.Errorf("got %v", err)
	}
	if _, err = (&confparse.Loader{}).Load(dir); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("got %v", err)
	}
	secret := filepath.Join(dir, "secret.conf")
	if err := os.WriteFile(secret, nil, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(secret); err == nil {
		t.Skip("this user may read everything")
	}
	if _, err = (&confparse.Loader{}).Load(secret); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

// TestTooMuch: input that would take too much time or memory is refused.
func TestTooMuch(t *testing.T) {
	doubling := "v0 = [1,1]\n"
	for i := range 40 {
		doubling += fmt.Sprintf("v%d = [$v%d,$v%d]\n", i+1, i, i)
	}
	for name, c := range map[string]struct{ text, want string }{
		"100 000 braces":        {"a " + strings.Repeat("{a ", 100_000), "nested deeper than 500 levels"},
		"100 000 groups":        {strings.Repeat("{", 100_000), "nested deeper than 500 levels"},
		"100 000 brackets":      {"a " + strings.Repeat("[", 100_000), "nested deeper than 500 levels"},
		"variables that double": {doubling, "holds more than"},
		"a file of 100 MB":      {strings.Repeat("# 100 megabytes\n", 100<<20/16), "too big for a configuration"},
		"millions of values":    {"a [" + strings.Repeat("1,", 3<<20) + "]", "more than 2097152 values"},
	} {
		if _, err := load(t, c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %.200v, want %s", name, err, c.want)
		}
	}
	dir := folder(t, map[string]string{"main.conf": strings.Repeat("include x.conf\n", 100), "x.conf": "# " + strings.Repeat("x", 1000)})
	if _, err := (&confparse.Loader{MaxBytes: 20_000}).Load(filepath.Join(dir, "main.conf")); !errors.Is(err, confparse.ErrTooBig) {
		t.Errorf("a file included often: got %.200v", err)
	}
}

// TestVariablesAreTraced: a value knows where it is used and where it is defined.
func TestVariablesAreTraced(t *testing.T) {
	doc, err := load(t, "p = 1\nport = $p\nnum = $NUM")
	if err != nil {
		t.Fatal(err)
	}
	port, num := doc.Root.Get("port"), doc.Root.Get("num")
	if port.Pos.Line != 2 || port.Via == nil || port.Via.Name != "p" || port.Via.Pos.Line != 1 || port.Via.Env {
		t.Errorf("port: %+v, %+v", port, port.Via)
	}
	if num.Via == nil || !num.Via.Env || num.Via.Pos.File != "$NUM" {
		t.Errorf("num: %+v", num.Via)
	}
	if !doc.Root.Entries[0].Used || doc.Root.Entries[1].Used {
		t.Error("only p is used")
	}
}

// TestEnvironmentStaysSecret: an error about an environment variable does not show its text.
func TestEnvironmentStaysSecret(t *testing.T) {
	l := &confparse.Loader{LookupEnv: func(string) (string, bool) { return "s3cret 's3cret", true }}
	_, err := l.LoadBytes("x.conf", []byte("a: $X"))
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
}

// FuzzLoad checks that no text and no environment make the loader panic or loop.
func FuzzLoad(f *testing.F) {
	f.Add("a: $X\ninclude y\nb { c: $a }", "[$Y, {a: $X}]")
	f.Add("include x\na=$X", "'3xyz'")
	f.Fuzz(func(t *testing.T, text, env string) {
		l := &confparse.Loader{
			ReadFile: func(path string, _ int64) ([]byte, error) {
				if filepath.Base(path) == "y" {
					return []byte(text), nil
				}
				return nil, fs.ErrNotExist
			},
			LookupEnv: func(name string) (string, bool) { return env, name == "X" || name == "Y" },
		}
		doc, err := l.LoadBytes("x", []byte(text))
		if err == nil && doc.Root.Interface() == nil {
			t.Fatal("no root")
		}
	})
}

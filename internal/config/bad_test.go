package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestBadFiles: every file of testdata/bad has the findings that the file with the same name and .err holds: place, width
// of the token, text, hint, fix.
func TestBadFiles(t *testing.T) {
	t.Chdir(filepath.Join("testdata", "bad"))
	names, err := filepath.Glob("*.conf")
	if err != nil || len(names) < 150 {
		t.Fatalf("%d files, error %v", len(names), err)
	}
	environ := []string{"BROKEN=a s3cret", "CYCLE=$OTHER", "OTHER=$CYCLE", "DANGLING=$NOWHERE"}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			r := Load(Input{File: name, Environ: environ, Features: AllFeatures(), Strict: true})
			if r.Config != nil || r.Err() == nil {
				t.Error("accepted")
			}
			var b strings.Builder
			for _, f := range r.Findings {
				kind := "error"
				if f.Warning {
					kind = "warning"
				}
				fmt.Fprintf(&b, "%s %s+%d: %s\n", kind, f.Pos, f.Width, f.Text)
				if f.Hint != "" {
					fmt.Fprintf(&b, "  hint: %s\n", f.Hint)
				}
				if f.Fix != "" {
					fmt.Fprintf(&b, "  fix: %s\n", f.Fix)
				}
			}
			if strings.Contains(b.String(), "s3cret") {
				t.Errorf("a secret is shown:\n%s", b.String())
			}
			golden := strings.TrimSuffix(name, ".conf") + ".err"
			if *update {
				if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if b.String() != string(want) {
				t.Errorf("got\n%swant\n%s", b.String(), want)
			}
		})
	}
}

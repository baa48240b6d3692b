package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/natsd/natsd"

// rule says what the product files of a package may import, apart from the standard library. Paths of this module stand
// without its name. A pattern that ends with "/..." stands for everything below.
type rule struct {
	pkg   string
	allow []string
}

// table is the import table of docs/architecture.md. The first rule that names a package is the one that counts; a
// package without a rule is an error, so that a new one gets its place.
var table = []rule{
	{pkg: ".", allow: []string{"cmd", "internal/iostreams"}},
	{pkg: "cmd", allow: []string{"pkg/...", "internal/iostreams", "internal/logsink", "internal/config", "internal/password", "internal/permission", "internal/subject", "internal/tlsconfig", "internal/wire", "internal/control", "internal/bench",
		"golang.org/x/sys/...", "github.com/...", "go.yaml.in/yaml/v3", "golang.org/x/term", "golang.org/x/crypto/bcrypt"}},
	{pkg: "pkg/broker", allow: []string{
		"internal/wire", "internal/sublist", "internal/subject", "internal/bufpool", "internal/invariants", "internal/interest", "internal/permission", "internal/password", "internal/transform",
		"github.com/rs/zerolog", "github.com/nats-io/nuid", "github.com/nats-io/nkeys",
	}},
	{pkg: "pkg/confparse"},
	{pkg: "internal/config", allow: []string{
		"pkg/confparse", "pkg/broker", "pkg/cluster", "pkg/monitor", "internal/subject", "internal/password", "internal/tlsconfig", "internal/logsink",
		"github.com/spf13/viper", "github.com/nats-io/nkeys",
	}},
	{pkg: "pkg/cluster", allow: []string{
		"pkg/broker", "internal/wire", "internal/subject", "internal/bufpool", "internal/invariants", "internal/interest", "internal/permission", "internal/password",
		"github.com/rs/zerolog", "github.com/nats-io/nuid",
	}},
	{pkg: "pkg/monitor", allow: []string{
		"pkg/broker", "pkg/cluster", "internal/subject", "internal/password", "github.com/rs/zerolog", "github.com/prometheus/client_golang/...",
	}},
	{pkg: "internal/control"},
	{pkg: "internal/bench", allow: []string{
		"github.com/nats-io/nkeys", "github.com/nats-io/nuid", "github.com/HdrHistogram/hdrhistogram-go", "github.com/prometheus/procfs", "go.yaml.in/yaml/v3",
	}},
	{pkg: "internal/interest"},
	{pkg: "internal/permission", allow: []string{"internal/subject"}},
	{pkg: "internal/password", allow: []string{"golang.org/x/crypto/..."}},
	{pkg: "internal/tlsconfig"},
	{pkg: "internal/transform", allow: []string{"internal/subject"}},
	{pkg: "internal/wire"},
	{pkg: "internal/subject"},
	{pkg: "internal/bufpool"},
	{pkg: "internal/arch"},
	{pkg: "internal/sublist", allow: []string{"internal/subject", "internal/invariants"}},
	{pkg: "internal/iostreams"},
	{pkg: "internal/logsink", allow: []string{"github.com/rs/zerolog", "golang.org/x/sys/windows/..."}},
	{pkg: "internal/testutil/certs"},
	{pkg: "internal/testutil", allow: []string{"pkg/...", "internal/...", "go.uber.org/goleak"}},
	{pkg: "internal/tools/...", allow: []string{"pkg/...", "internal/...", "github.com/HdrHistogram/hdrhistogram-go"}},
	{pkg: "e2e/...", allow: []string{"internal/testutil/certs", "github.com/nats-io/..."}},
	{pkg: "e2e", allow: []string{"internal/testutil/certs", "github.com/nats-io/..."}},
}

// file is one Go file of the tree.
type file struct {
	path   string // from the root, with slashes
	pkg    string // folder, from the root
	isTest bool
	tree   *ast.File
}

// source parses every Go file of the repository.
func source(t *testing.T) []file {
	t.Helper()
	root := filepath.Join("..", "..")
	var files []file
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if base := entry.Name(); name != root && (strings.HasPrefix(base, ".") || base == "node_modules" || base == "testdata" || base == "tools" && filepath.Dir(name) == root) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		tree, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		slashed := filepath.ToSlash(relative)
		files = append(files, file{slashed, path.Dir(slashed), strings.HasSuffix(slashed, "_test.go"), tree})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// matches reports whether name is, or is below, pattern.
func matches(pattern, name string) bool {
	if below, isTree := strings.CutSuffix(pattern, "/..."); isTree {
		return strings.HasPrefix(name, below+"/")
	}
	return pattern == name
}

// checkImports returns what is wrong with the imports of f.
func checkImports(f file, rules []rule) []string {
	var faults []string
	i := slices.IndexFunc(rules, func(r rule) bool { return matches(r.pkg, f.pkg) })
	if i < 0 {
		return []string{fmt.Sprintf("%s: package %s has no place in the table of internal/arch; give it one", f.path, f.pkg)}
	}
	for _, spec := range f.tree.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		own, isOwn := strings.CutPrefix(name, module+"/")
		switch {
		case isOwn:
			name = own
		case !strings.Contains(strings.Split(name, "/")[0], "."):
			continue // standard library
		}
		switch {
		case name == "github.com/nats-io/nats-server" || strings.HasPrefix(name, "github.com/nats-io/nats-server/"):
			faults = append(faults, fmt.Sprintf("%s: imports %s; nothing here does", f.path, name))
		case isOwn && name == "cmd" && f.pkg != ".":
			faults = append(faults, fmt.Sprintf("%s: imports cmd; only main does", f.path))
		case f.isTest:
		case !slices.ContainsFunc(rules[i].allow, func(pattern string) bool { return matches(pattern, name) }):
			faults = append(faults, fmt.Sprintf("%s: %s must not import %s", f.path, f.pkg, name))
		}
	}
	return faults
}

// checkHouse returns what is wrong with product file f otherwise.
func checkHouse(f file) []string {
	var faults []string
	library := strings.HasPrefix(f.pkg, "pkg/") || strings.HasPrefix(f.pkg, "internal/") && !strings.HasPrefix(f.pkg, "internal/tools/")
	for _, decl := range f.tree.Decls {
		if function, ok := decl.(*ast.FuncDecl); ok && library && function.Recv == nil && function.Name.Name == "init" {
			faults = append(faults, fmt.Sprintf("%s: func init; a library does nothing when it is imported", f.path))
		}
	}
	ast.Inspect(f.tree, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := selector.X.(*ast.Ident)
		if !ok {
			return true
		}
		switch call := x.Name + "." + selector.Sel.Name; call {
		case "os.Exit", "log.Fatal", "log.Fatalf":
			if f.pkg != "." && !strings.HasPrefix(f.pkg, "internal/tools/") {
				faults = append(faults, fmt.Sprintf("%s: %s; only main ends the process", f.path, call))
			}
		case "signal.Notify", "signal.Ignore":
			if f.pkg != "cmd" {
				faults = append(faults, fmt.Sprintf("%s: %s; only cmd catches signals", f.path, call))
			}
		}
		return true
	})
	if base := path.Base(f.pkg); slices.Contains([]string{"util", "utils", "common", "helpers", "misc"}, base) {
		faults = append(faults, fmt.Sprintf("%s: a package named %s says nothing", f.path, base))
	}
	return faults
}

func TestImportTable(t *testing.T) {
	files := source(t)
	if len(files) < 50 {
		t.Fatalf("only %d files found; the walk does not see the tree", len(files))
	}
	for _, f := range files {
		for _, fault := range checkImports(f, table) {
			t.Error(fault)
		}
	}
}

func TestHouseRules(t *testing.T) {
	for _, f := range source(t) {
		if f.isTest {
			continue
		}
		for _, fault := range checkHouse(f) {
			t.Error(fault)
		}
	}
}

// TestTheChecksCanFail: each rule finds a made-up violation.
func TestTheChecksCanFail(t *testing.T) {
	for _, c := range []struct{ name, at, code string }{
		{name: "broker imports Cobra", at: "pkg/broker/x.go", code: `package broker; import _ "github.com/spf13/cobra"`},
		{name: "wire imports broker", at: "internal/wire/x.go", code: `package wire; import _ "` + module + `/pkg/broker"`},
		{name: "test imports cmd", at: "pkg/broker/x_test.go", code: `package broker; import _ "` + module + `/cmd"`},
		{name: "product imports testutil", at: "pkg/broker/x.go", code: `package broker; import _ "` + module + `/internal/testutil"`},
		{name: "nats-server", at: "e2e/x_test.go", code: `package e2e; import _ "github.com/nats-io/nats-server/v2/server"`},
		{name: "package without a place", at: "internal/new/x.go", code: `package new`},
		{name: "init", at: "pkg/broker/x.go", code: `package broker; func init() {}`},
		{name: "exit", at: "pkg/broker/x.go", code: `package broker; import "os"; func f() { os.Exit(1) }`},
		{name: "signals", at: "pkg/broker/x.go", code: `package broker; import "os/signal"; func f() { signal.Notify(nil) }`},
		{name: "drawer", at: "cmd/utils/x.go", code: `package utils`},
	} {
		tree, err := parser.ParseFile(token.NewFileSet(), c.at, c.code, 0)
		if err != nil {
			t.Fatal(err)
		}
		f := file{c.at, path.Dir(c.at), strings.HasSuffix(c.at, "_test.go"), tree}
		if faults := append(checkImports(f, table), checkHouse(f)...); len(faults) == 0 {
			t.Errorf("%s: nothing found", c.name)
		}
	}
}

// TestMethodsAreDropped checks that nothing in the program looks up methods by a name that is only known at run time, as
// text/template does: the linker then keeps every exported method of every type, a fifth of the program.
func TestMethodsAreDropped(t *testing.T) {
	cmd := exec.Command("go", "build", "-pgo=off", "-ldflags=-dumpdep", "-o", os.DevNull, module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	seen := false
	for line := range strings.Lines(string(out)) {
		seen = seen || strings.HasPrefix(line, "main.main -> ")
		if from, _, _ := strings.Cut(line, " -> "); strings.Contains(from, "<ReflectMethod>") {
			t.Errorf("%s finds methods by name; something has come to need it", from)
			return
		}
	}
	if !seen {
		t.Errorf("the linker tells nothing about main.main:\n%.300s", out)
	}
}

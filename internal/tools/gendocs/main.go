// Command gendocs writes the documents that are made from the schema of the configuration: docs/config-reference.md,
// docs/man/natsd.conf.5, docs/natsd.schema.json and the table in README.md. Run it from the root of the repository;
// `make generate` does.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/natsd/natsd/internal/config"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gendocs:", err)
		os.Exit(1)
	}
}

func run() error {
	schema, err := json.MarshalIndent(config.JSONSchema(), "", "  ")
	if err != nil {
		return err
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		return err
	}
	table, err := between(string(readme), config.ReadmeTable())
	if err != nil {
		return err
	}
	for path, text := range map[string]string{
		"docs/config-reference.md":             config.Reference(),
		filepath.Join("docs/man/natsd.conf.5"): config.ManPage(),
		"docs/natsd.schema.json":               string(schema) + "\n",
		"README.md":                            table,
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // documents are for everybody
			return err
		}
	}
	return nil
}

// Marks around the table in README.md.
const (
	begin = "<!-- keys: made by make generate -->\n"
	end   = "<!-- end of keys -->\n"
)

// between returns text with what stands between the marks replaced.
func between(text, table string) (string, error) {
	head, rest, found := strings.Cut(text, begin)
	_, tail, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		return "", fmt.Errorf("README.md lacks the marks %q and %q", begin, end)
	}
	return head + begin + "\n" + table + "\n" + end + tail, nil
}

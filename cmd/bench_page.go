package cmd

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/natsd/natsd/internal/bench"
)

// The parts of the page with a report. Its script draws what the JSON in the page says, and nothing else.
var (
	//go:embed report/page.html
	reportPage string
	//go:embed report/page.css
	reportStyle string
	//go:embed report/page.js
	reportScript string
)

// benchPage returns a report as a page that needs nothing else: no file, no server, no network.
func benchPage(report *bench.Report) ([]byte, error) {
	var data bytes.Buffer
	encoder := json.NewEncoder(&data) // it writes <, > and & so that they are no HTML
	if err := encoder.Encode(report); err != nil {
		return nil, fmt.Errorf("cannot render the report: %w", err)
	}
	page := strings.NewReplacer(
		"{{.StyleHash}}", sourceHash(reportStyle), "{{.ScriptHash}}", sourceHash(reportScript),
		"{{.Style}}", reportStyle, "{{.Script}}", reportScript, "{{.Data}}", strings.TrimSpace(data.String()),
	).Replace(reportPage)
	return []byte(page), nil
}

// sourceHash is how a content security policy names a text.
func sourceHash(text string) string {
	hash := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(hash[:])
}

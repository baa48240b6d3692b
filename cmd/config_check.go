package cmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/natsd/natsd/internal/config"
	"github.com/natsd/natsd/pkg/confparse"
	"github.com/spf13/cobra"
)

const configCheckLong = `Check configuration files as a server would read them, environment included, and say
everything that is wrong with them, with the place and, where there is one, a suggestion.
"-" is standard input.

Exit codes: 0 all files are valid, warnings allowed; 3 one is not.`

// errInvalidConfig says that findings were printed.
var errInvalidConfig = &quietError{errors.New("the configuration is not valid"), exitConfig}

// newConfigCheckCmd returns `natsd config check`.
func newConfigCheckCmd(f *Factory) *cobra.Command {
	asJSON := false
	file := ""
	c := &cobra.Command{
		Use:               "check FILE...",
		Short:             "Say everything that is wrong with configuration files",
		Long:              configCheckLong,
		Example:           "  natsd config check natsd.conf\n  natsd config check --json a.conf b.conf\n  natsd config check - < natsd.conf",
		ValidArgsFunction: completeConfig,
		RunE: func(c *cobra.Command, files []string) error {
			if file != "" {
				files = append(files, file)
			}
			if len(files) == 0 {
				return asUsageError(errors.New("name at least one file"), c)
			}
			return checkFiles(f, files, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "Print the findings as JSON on standard output, one line per file")
	addConfigFlag(c, &file, "A file to check, as serve takes it")
	return c
}

// checkFiles checks files and prints the findings. Source: docs/spec/config.md B11.
func checkFiles(f *Factory, files []string, asJSON bool) error {
	valid := true
	for _, name := range files {
		result := checkFile(f, name, nil)
		valid = valid && result.Err() == nil
		if err := printFindings(f, name, result, asJSON); err != nil {
			return err
		}
	}
	if !valid {
		return errInvalidConfig
	}
	return nil
}

// checkFile returns what there is to say about a file with the environment and flags over it.
func checkFile(f *Factory, name string, flags []config.GivenFlag) *config.Result {
	return config.Load(config.Input{File: name, Stdin: f.Streams.In, Environ: f.Environ, Flags: flags, Certificates: true, Strict: true})
}

// printFindings prints the findings about a file, for people or for programs.
func printFindings(f *Factory, name string, result *config.Result, asJSON bool) error {
	var err error
	if asJSON {
		err = writeFindingsJSON(f.Streams.Out, name, result)
	} else {
		err = writeFindings(f.Streams.Err, name, result, f.Streams.ErrIsDevice() && !f.noColor())
	}
	if err != nil {
		return fmt.Errorf("cannot print the findings: %w", err)
	}
	return nil
}

// Colours of findings, ANSI SGR parameters.
const (
	colorError   = "31"
	colorWarning = "33"
	colorFix     = "32"
)

// writeFindings prints every finding with its line of the file, and at the end whether the file is valid.
func writeFindings(w io.Writer, name string, result *config.Result, color bool) error {
	var b bytes.Buffer
	paint := func(code, text string) string {
		if !color {
			return text
		}
		return "\x1b[" + code + "m" + text + "\x1b[0m"
	}
	lines := make(map[string][]string)
	for _, finding := range result.Findings {
		label, code := "error", colorError
		if finding.Warning {
			label, code = "warning", colorWarning
		}
		place := name
		if finding.Pos != (confparse.Pos{}) {
			place = finding.Pos.String()
		}
		fmt.Fprintf(&b, "%s: %s: %s", place, paint(code, label), finding.Text)
		if finding.Hint != "" {
			fmt.Fprintf(&b, "; %s", finding.Hint)
		}
		b.WriteByte('\n')
		if _, split := lines[finding.Pos.File]; !split {
			lines[finding.Pos.File] = splitLines(result.Sources[finding.Pos.File])
		}
		if line, caret := excerpt(lines[finding.Pos.File], finding); line != "" {
			fmt.Fprintf(&b, "    %s\n    %s", line, paint(code, caret))
			if finding.Fix != "" {
				fmt.Fprintf(&b, " %s", paint(colorFix, finding.Fix))
			}
			b.WriteByte('\n')
		}
	}
	if result.Err() == nil {
		fmt.Fprintf(&b, "configuration file %s is valid (sha256:%s)\n", name, result.Digest)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// excerpt returns the line that a finding is about, and a line with carets below the token; "" if there is no line that
// can be shown. A line that may hold a secret is not shown.
func excerpt(lines []string, finding *confparse.Finding) (line, caret string) {
	const longest = 160
	if !finding.Pos.IsValid() || finding.Pos.Line > len(lines) {
		return "", ""
	}
	text := lines[finding.Pos.Line-1]
	column := finding.Pos.Column - 1
	if len(text) > longest || column > len(text) || config.MayHoldSecret(text) || strings.ContainsFunc(text, isControl) {
		return "", ""
	}
	pad := strings.Map(func(r rune) rune {
		if r == '\t' {
			return '\t'
		}
		return ' '
	}, text[:column])
	width := max(1, min(finding.Width, len(text)-column))
	return text, pad + strings.Repeat("^", width)
}

// splitLines returns the lines of a file, whatever ends them.
func splitLines(source []byte) []string {
	text := strings.ReplaceAll(strings.ReplaceAll(string(source), "\r\n", "\n"), "\r", "\n")
	return strings.Split(text, "\n")
}

// isControl reports whether r would do something to a terminal.
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 }

// findingJSON is a finding for programs.
type findingJSON struct {
	File       string `json:"file,omitempty"`
	Line       int    `json:"line,omitempty"`
	Column     int    `json:"column,omitempty"`
	Severity   string `json:"severity"`
	Text       string `json:"text"`
	Hint       string `json:"hint,omitempty"`
	Suggestion string `json:"suggestion,omitempty"`
}

// writeFindingsJSON prints the findings of one file as a line of JSON.
func writeFindingsJSON(w io.Writer, name string, result *config.Result) error {
	report := struct {
		File     string        `json:"file"`
		Valid    bool          `json:"valid"`
		Digest   string        `json:"sha256,omitempty"`
		Findings []findingJSON `json:"findings"`
	}{name, result.Err() == nil, result.Digest, []findingJSON{}}
	for _, f := range result.Findings {
		severity := "error"
		if f.Warning {
			severity = "warning"
		}
		report.Findings = append(report.Findings, findingJSON{f.Pos.File, f.Pos.Line, f.Pos.Column, severity, f.Text, f.Hint, f.Fix})
	}
	return json.NewEncoder(w).Encode(report)
}

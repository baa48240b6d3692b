package confparse

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// DefaultMaxBytes is how many bytes of configuration a Loader reads unless told otherwise.
const DefaultMaxBytes = 32 << 20

// maxIncludeDepth is how many files may be open within each other.
const maxIncludeDepth = 32

// ErrTooBig says that a configuration is larger than Loader.MaxBytes.
var ErrTooBig = errors.New("too big for a configuration")

// Loader turns files into a Document. The zero value reads files of the operating system and knows no environment.
type Loader struct {
	// ReadFile returns the content of a file, or ErrTooBig if that has more than limit bytes. Nil: the operating
	// system's files.
	ReadFile func(path string, limit int64) ([]byte, error)
	// LookupEnv returns an environment variable and whether it is set. Nil: none is.
	LookupEnv func(name string) (string, bool)
	// MaxBytes bounds the size of all files taken together; a file included twice counts twice. Zero means
	// DefaultMaxBytes.
	MaxBytes int64
}

// Document is a configuration that was put together: includes are in their place, references replaced.
type Document struct {
	// Root is the top map.
	Root *Value
	// Warnings are about what was understood but probably not meant.
	Warnings Findings
	// Files are the names of all files, in the order they were opened first.
	Files []string
	// Sources are the texts of these files, for messages that show a line.
	Sources map[string][]byte
}

// Load reads the file at path and what it includes. The Document is returned also with an error, for its Sources. The
// error holds Findings; the file's own errors come before those of the files it includes.
func (l *Loader) Load(path string) (*Document, error) {
	r := l.newResolver()
	src, err := r.read(path)
	if err != nil {
		return r.doc, Findings{{Text: "error opening config file: " + err.Error(), Err: err}}
	}
	return r.run(path, src)
}

// LoadBytes is Load for a text that is at hand. Relative includes are looked up from the folder of name.
func (l *Loader) LoadBytes(name string, src []byte) (*Document, error) {
	r := l.newResolver()
	if r.budget -= int64(len(src)); r.budget < 0 {
		return r.doc, Findings{{Pos: Pos{File: name}, Text: ErrTooBig.Error(), Err: ErrTooBig}}
	}
	return r.run(name, src)
}

// newResolver returns a resolver for one configuration.
func (l *Loader) newResolver() *resolver {
	r := &resolver{loader: *l, doc: &Document{Sources: make(map[string][]byte)}, budget: l.MaxBytes}
	if r.budget == 0 {
		r.budget = DefaultMaxBytes
	}
	if r.loader.ReadFile == nil {
		r.loader.ReadFile = readFile
	}
	if r.loader.LookupEnv == nil {
		r.loader.LookupEnv = func(string) (string, bool) { return "", false }
	}
	return r
}

// readFile is the ReadFile of the operating system.
func readFile(path string, limit int64) (text []byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	text, err = io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(text)) > limit {
		return nil, fmt.Errorf("read %s: %w: more than %d bytes", path, ErrTooBig, limit)
	}
	return text, err
}

// read returns the text of a file, within the budget.
func (r *resolver) read(path string) ([]byte, error) {
	src, err := r.loader.ReadFile(path, r.budget)
	if err != nil {
		return nil, err
	}
	r.budget -= int64(len(src))
	return src, nil
}

// run puts the document together. name is that of the main file.
func (r *resolver) run(name string, src []byte) (*Document, error) {
	r.doc.Root = &Value{Kind: Map, Pos: Pos{name, 1, 1}}
	r.file(name, src, r.doc.Root, nil)
	r.findings.Sort(r.doc.Files)
	r.doc.Warnings.Sort(r.doc.Files)
	return r.doc, r.findings.asError()
}

// file parses a file and puts its items into m. open are the files around it.
func (r *resolver) file(name string, src []byte, m *Value, open []string) {
	if _, known := r.doc.Sources[name]; !known {
		r.doc.Files = append(r.doc.Files, name)
		r.doc.Sources[name] = src
	}
	root, warnings, err := Parse(name, src)
	r.doc.Warnings = append(r.doc.Warnings, warnings...)
	if err != nil {
		r.findings = append(r.findings, FindingsOf(err)...)
		return
	}
	own := &Value{Kind: Map, Pos: root.Pos}
	r.fill(own, root, &scope{m: own, source: root, files: append(slices.Clone(open), filepath.Clean(name))})
	m.Entries = append(m.Entries, own.Entries...)
	m.size += own.size
	if m.size > MaxValues {
		r.findings = append(r.findings, &Finding{Pos: root.Pos, Text: fmt.Sprintf("more than %d values", MaxValues)})
	}
}

// include does what an include directive says. Source: docs/spec/config.md A14.
func (r *resolver) include(m *Value, directive *Value, s *scope) {
	fail := func(hint, format string, args ...any) {
		r.findings = append(r.findings, &Finding{Pos: directive.Pos, Width: len(directive.Raw), Hint: hint, Text: fmt.Sprintf(format, args...)})
	}
	path := directive.Text
	if path == "" {
		fail("", "Expected include value but found an empty path")
		return
	}
	beside := filepath.Join(filepath.Dir(directive.Pos.File), path)
	if !filepath.IsAbs(path) {
		path = beside
	}
	src, err := r.read(path)
	if errors.Is(err, fs.ErrNotExist) && path != beside {
		if other, otherErr := r.read(beside); otherErr == nil {
			path, src, err = beside, other, nil
		}
	}
	path = filepath.Clean(path)
	files := s.allFiles()
	switch {
	case err != nil:
		fail("the path is relative to the folder of the file that includes it", "error opening include file '%s': %v", directive.Text, err)
		r.findings[len(r.findings)-1].Err = err
	case slices.Contains(files, path):
		chain := ""
		for _, name := range files[slices.Index(files, path):] {
			chain += name + " -> "
		}
		fail("", "include cycle: %s%s", chain, path)
	case len(files) >= maxIncludeDepth:
		fail("", "includes nested deeper than %d files", maxIncludeDepth)
	default:
		r.file(path, src, m, files)
	}
}

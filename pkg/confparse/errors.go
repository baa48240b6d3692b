package confparse

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// Finding is something to say about a place in a configuration: an error or a warning.
type Finding struct {
	// Pos is the first byte of the token it is about, for anything unclosed the opening delimiter
	// (docs/spec/config.md A16). The line is 0 when a whole file is meant.
	Pos Pos
	// Width is the number of bytes of that token that stand on the line; 0 counts as 1.
	Width int
	// Text says what is wrong, in one line, without the place.
	Text string
	// Hint says what to do about it, in one line. Empty: nothing to add.
	Hint string
	// Fix is what to write instead of the token. Empty: no suggestion.
	Fix string
	// Warning says that the configuration can be used all the same.
	Warning bool
	// Err is the cause, for errors.Is; it is part of Text. May be nil.
	Err error
}

// Error returns FILE:LINE:COLUMN: text; hint.
func (f *Finding) Error() string {
	var b strings.Builder
	if f.Pos != (Pos{}) {
		b.WriteString(f.Pos.String() + ": ")
	}
	b.WriteString(f.Text)
	if f.Hint != "" {
		b.WriteString("; " + f.Hint)
	}
	return b.String()
}

// Unwrap returns the cause.
func (f *Finding) Unwrap() error { return f.Err }

// Findings is a list of errors as one error. It is never empty where it is returned as an error.
type Findings []*Finding

// Error returns one line per finding.
func (fs Findings) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the findings, for errors.As.
func (fs Findings) Unwrap() []error {
	all := make([]error, len(fs))
	for i, f := range fs {
		all[i] = f
	}
	return all
}

// asError returns fs as an error, nil if there are none.
func (fs Findings) asError() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}

// FindingsOf returns the findings in err, which may be of any kind: what is no finding becomes one without a place.
func FindingsOf(err error) Findings {
	var many Findings
	var one *Finding
	switch {
	case err == nil:
		return nil
	case errors.As(err, &many):
		return many
	case errors.As(err, &one):
		return Findings{one}
	}
	return Findings{{Text: err.Error(), Err: err}}
}

// Sort puts fs in the order of the places they are about: files in the order of names, in a file from top to bottom.
// The order of files is that of first, then the rest by name.
func (fs Findings) Sort(first []string) {
	rank := make(map[string]int, len(first))
	for i, name := range first {
		if _, known := rank[name]; !known {
			rank[name] = i - len(first)
		}
	}
	slices.SortStableFunc(fs, func(a, b *Finding) int {
		return cmp.Or(
			cmp.Compare(rank[a.Pos.File], rank[b.Pos.File]), cmp.Compare(a.Pos.File, b.Pos.File),
			cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column),
		)
	})
}

package testutil

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A Transcript is a conversation in the client protocol, read from a text file:
//
//	# docs/spec/client-protocol.md §15: a comment
//	opt: max_payload=10
//	C: SUB foo 1\r\nPING\r\n
//	S: +OK\r\nPONG\r\n
//
// "C:" is what a client sends and "S:" what the server must answer, to the byte. "C1:", "S1:" and so on are further
// connections; one is made where it is named first, and the INFO it is greeted with is taken off. Escapes: \r \n \t \\
// and \x00. A line has no blanks at its end; a blank that belongs there is \x20. Every connection that is open at the
// end must be silent then.
//
// Instead of bytes, an S line may say:
//
//	S: a | b                     one of several answers
//	S1|S2: a                     exactly one of the connections is sent a; what causes it was answered before
//	S: nothing                   PING draws PONG and nothing else
//	S: close                     the server closes, and sends nothing before that
//	S: end                       the same, and in an orderly way: a reset fails
//	S: info "headers":true ...   an INFO line that contains each of the words, and none that stands behind a "!"
//	S: greeting "proto":1 ...    the same for the INFO line the connection began with
//
// and a C line may say "dial" (connect, send nothing) or "close" (hang up; the next use of the name dials again).
type Transcript struct {
	// Options are the lines "opt: key=value", in order.
	Options []Option
	// Cut is the most bytes that go into one write, zero for no limit. It is not part of the file: how input is cut must
	// not change what is answered.
	Cut int
	// Cites are the sections of the specification its comments name, such as "4.1".
	Cites []string

	steps []step
}

// Option is one "opt:" line.
type Option struct{ Key, Value string }

// step is one C or S line.
type step struct {
	where string // "file:12: "
	kind  stepKind
	conns []string // one, or those of which exactly one is sent text
	texts []string // bytes, alternatives, or words
}

type stepKind uint8

const (
	stepSend stepKind = iota
	stepDial
	stepHangUp
	stepExpect
	stepOneOf
	stepNothing
	stepClosed
	stepEnd
	stepInfo
	stepGreeting
)

var (
	stepLine = regexp.MustCompile(`^([CS]\d*(?:\|S\d*)*): (.*)$`)
	citation = regexp.MustCompile(`§(\d+(?:\.\d+)*)`)
)

// ParseTranscript reads the text of a transcript; name stands in errors and failures.
func ParseTranscript(name, text string) (*Transcript, error) {
	var tr Transcript
	for i, line := range strings.Split(text, "\n") {
		where := fmt.Sprintf("%s:%d: ", name, i+1)
		switch {
		case strings.TrimRight(line, " \t") != line:
			return nil, fmt.Errorf(`%sblank at the end of the line; write \x20 if it belongs there`, where)
		case line == "":
		case strings.HasPrefix(line, "#"):
			for _, m := range citation.FindAllStringSubmatch(line, -1) {
				tr.Cites = append(tr.Cites, m[1])
			}
		case strings.HasPrefix(line, "opt: "):
			key, value, ok := strings.Cut(line[len("opt: "):], "=")
			if !ok || len(tr.steps) > 0 {
				return nil, fmt.Errorf("%soption %q; write opt: key=value above the first step", where, line)
			}
			tr.Options = append(tr.Options, Option{key, value})
		default:
			s, err := parseStep(line)
			if err != nil {
				return nil, fmt.Errorf("%s%w", where, err)
			}
			s.where = where
			tr.steps = append(tr.steps, s)
		}
	}
	if len(tr.steps) == 0 {
		return nil, fmt.Errorf("%s: no steps", name)
	}
	return &tr, nil
}

// parseStep reads a C or S line.
func parseStep(line string) (step, error) {
	m := stepLine.FindStringSubmatch(line)
	if m == nil {
		return step{}, fmt.Errorf("line %q is no step; begin it with C: or S:, as in C: PING", line)
	}
	side, text := m[1], m[2]
	s := step{}
	for _, name := range strings.Split(side, "|") {
		s.conns = append(s.conns, name[1:])
	}
	word, rest, _ := strings.Cut(text, " ")
	switch several := len(s.conns) > 1; {
	case several && side[0] == 'C':
		return step{}, fmt.Errorf("%q: only one connection can send", side)
	case side[0] == 'C' && text == "dial":
		s.kind = stepDial
		return s, nil
	case side[0] == 'C' && text == "close":
		s.kind = stepHangUp
		return s, nil
	case side[0] == 'C':
		s.kind = stepSend
	case several:
		s.kind = stepOneOf
	case text == "nothing":
		s.kind = stepNothing
		return s, nil
	case text == "close":
		s.kind = stepClosed
		return s, nil
	case text == "end":
		s.kind = stepEnd
		return s, nil
	case word == "info", word == "greeting":
		s.kind = stepInfo
		if word == "greeting" {
			s.kind = stepGreeting
		}
		s.texts = strings.Fields(rest)
		return s, nil
	default:
		s.kind = stepExpect
	}
	alternatives := []string{text}
	if s.kind == stepExpect {
		alternatives = strings.Split(text, " | ")
	}
	for _, a := range alternatives {
		text, err := unescape(a)
		if err != nil {
			return step{}, err
		}
		s.texts = append(s.texts, text)
	}
	return s, nil
}

// unescape resolves \r \n \t \\ and \x00.
func unescape(s string) (string, error) {
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	if err != nil {
		return "", fmt.Errorf(`cannot read %q: only the escapes \r \n \t \\ and \x00 are known`, s)
	}
	return text, nil
}

// Play holds the conversation with the server at addr.
func (tr *Transcript) Play(t testing.TB, addr string) {
	t.Helper()
	conns := make(map[string]*Client)
	for i := range tr.steps {
		s := &tr.steps[i]
		for _, name := range s.conns {
			if conns[name] == nil {
				conns[name] = Dial(t, addr)
				conns[name].cut = tr.Cut
			}
			conns[name].where = s.where
		}
		s.play(t, conns)
	}
	for _, c := range conns {
		c.ExpectNothing()
	}
}

// play does one step. A connection that has ended is taken out of conns.
func (s *step) play(t testing.TB, conns map[string]*Client) {
	t.Helper()
	name := s.conns[0]
	c := conns[name]
	switch s.kind {
	case stepSend:
		c.Send(s.texts[0])
	case stepHangUp:
		c.Close()
		delete(conns, name)
	case stepExpect:
		c.ExpectAny(s.texts...)
	case stepOneOf:
		s.playOneOf(t, conns)
	case stepNothing:
		c.ExpectNothing()
	case stepClosed:
		c.ExpectClosed()
		delete(conns, name)
	case stepEnd:
		c.ExpectEnd()
		delete(conns, name)
	case stepInfo:
		contains(t, s.where, c.ExpectInfo(), s.texts)
	case stepGreeting:
		contains(t, s.where, c.Info, s.texts)
	}
}

// playOneOf checks that exactly one connection was sent the text. A PONG ends the wait for each.
func (s *step) playOneOf(t testing.TB, conns map[string]*Client) {
	t.Helper()
	var got []string
	for _, name := range s.conns {
		conns[name].Send("PING\r\n")
		if conns[name].ExpectAny("PONG\r\n", s.texts[0]+"PONG\r\n") != "PONG\r\n" {
			got = append(got, "S"+name)
		}
	}
	if len(got) != 1 {
		t.Fatalf("%s%q was sent to %d connections %v, want exactly one", s.where, s.texts[0], len(got), got)
	}
}

// contains checks that an INFO line has every word, and none that stands behind a "!".
func contains(t testing.TB, where, info string, words []string) {
	t.Helper()
	for _, word := range words {
		absent, not := strings.CutPrefix(word, "!")
		if strings.Contains(info, absent) == not {
			t.Fatalf("%sINFO is not as in %q: %s", where, word, info)
		}
	}
}

// PlayFiles plays every transcript that matches pattern as a subtest, with Cut set to cut. start runs a server with the options of the
// transcript, sees to its end, and returns its address.
func PlayFiles(t *testing.T, pattern string, cut int, start func(t *testing.T, options []Option) (addr string)) {
	t.Helper()
	files, err := parseFiles(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		f.Cut = cut
		t.Run(f.name, func(t *testing.T) { f.Play(t, start(t, f.Options)) })
	}
}

// CitedSections returns the sections of the specification that the transcripts matching pattern cite.
func CitedSections(pattern string) (cited []string, err error) {
	files, err := parseFiles(pattern)
	for _, f := range files {
		cited = append(cited, f.Cites...)
	}
	return cited, err
}

// transcriptFile is a Transcript and the name of its file, extension left out.
type transcriptFile struct {
	*Transcript
	name string
}

// parseFiles reads all transcripts that match pattern. There must be some.
func parseFiles(pattern string) (files []transcriptFile, err error) {
	paths, err := filepath.Glob(pattern)
	if err == nil && len(paths) == 0 {
		err = fmt.Errorf("no transcripts match %q", pattern)
	}
	var errs []error
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		name := filepath.Base(path)
		tr, err := ParseTranscript(name, string(text))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		files = append(files, transcriptFile{tr, strings.TrimSuffix(name, ".txt")})
	}
	return files, errors.Join(append(errs, err)...)
}

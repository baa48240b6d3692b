package logsink

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/rs/zerolog"
)

// maxKeptLine is the size in bytes up to which the buffer of a line is kept for the next one.
const maxKeptLine = 64 << 10

// ErrNotFile is returned by Reopen when the lines do not go to a file.
var ErrNotFile = errors.New("the log does not go to a file")

// Text is a zerolog writer that renders events as classic lines. Every line is written whole, with one
// call of the output's Write. All methods may be called from any goroutine.
type Text struct {
	mu struct {
		sync.Mutex
		format Format
		out    io.Writer
		line   []byte // reused for every line

		rotating bool // lines about the rotation are written
	}
}

// NewText returns a Text that writes lines in the given format to out. It does not close out.
func NewText(out io.Writer, format Format) *Text {
	t := &Text{}
	t.mu.format, t.mu.out = format, out
	return t
}

// Replace makes t write to out in the given format from now on, and returns what it wrote to before, which is not
// closed. Locks: takes t.mu.
func (t *Text) Replace(out io.Writer, format Format) (before io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before = t.mu.out
	t.mu.format, t.mu.out = format, out
	return before
}

// Output returns what t writes to. Locks: takes t.mu.
func (t *Text) Output() io.Writer {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.out
}

// Write renders one event whose level is inside it. Bytes that are no event become an information
// line of their own, so that nothing is lost. It returns the error of the output. Locks: takes t.mu.
func (t *Text) Write(raw []byte) (int, error) {
	return len(raw), t.write(raw, nil)
}

// WriteLevel renders one event of the given level. It implements zerolog.LevelWriter. Locks: takes t.mu.
func (t *Text) WriteLevel(level zerolog.Level, raw []byte) (int, error) {
	return len(raw), t.write(raw, &level)
}

// Reopen re-opens the log file and writes first as an information line before any other goroutine
// can write to the new file. It returns ErrNotFile if the lines do not go to a File; after any
// other error the lines keep going to the old file. Locks: takes t.mu.
func (t *Text) Reopen(first string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	file, isFile := t.mu.out.(*File)
	if !isFile {
		return ErrNotFile
	}
	if err := file.Reopen(); err != nil {
		return err
	}
	return t.writeLocked(event{level: zerolog.InfoLevel, text: first})
}

// write writes the line of an event. A nil level is that in the event. Locks: takes t.mu.
func (t *Text) write(raw []byte, level *zerolog.Level) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, err := parseEvent(raw, t.mu.format.PrefixField)
	if err != nil {
		e = event{level: zerolog.InfoLevel, text: string(raw)}
	}
	if level != nil {
		e.level = *level
	}
	return t.writeLocked(e)
}

// writeLocked writes the line of e. Locks: needs t.mu, which keeps the lines in the order of their times.
func (t *Text) writeLocked(e event) error {
	if leveled, ok := t.mu.out.(Leveled); ok {
		return leveled.WriteText(e.level, string(e.appendText(nil)))
	}
	var line []byte
	if t.mu.format.JSON {
		line = t.mu.format.appendJSON(t.mu.line[:0], e)
	} else {
		line = e.appendText(t.mu.format.appendHead(t.mu.line[:0], e.level))
	}
	if cap(line) <= maxKeptLine {
		t.mu.line = line
	}
	_, err := t.mu.out.Write(line)
	if file, isFile := t.mu.out.(*File); isFile && file.due() && !t.mu.rotating {
		t.rotateLocked(file)
	}
	return err
}

// Leveled is an output that takes the texts of lines, without what stands in front of them, each with its level.
type Leveled interface {
	io.Writer
	WriteText(level zerolog.Level, text string) error
}

// RotateIfDue rotates a log file that was too large when it was opened. Source: docs/spec/cli.md §8.2. Locks: takes t.mu.
func (t *Text) RotateIfDue() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if file, isFile := t.mu.out.(*File); isFile && file.due() {
		t.mu.rotating = true
		_ = t.writeLocked(event{level: zerolog.InfoLevel, text: "Rotating logfile..."}) // a failure shows at the next line
		t.mu.rotating = false
		t.rotateLocked(file)
	}
}

// rotateLocked begins a new log file, and says so in it. Source: docs/spec/cli.md §8.2. Locks: needs t.mu.
func (t *Text) rotateLocked(file *File) {
	t.mu.rotating = true
	defer func() { t.mu.rotating = false }()
	say := func(level zerolog.Level, format string, args ...any) {
		_ = t.writeLocked(event{level: level, text: fmt.Sprintf(format, args...)}) // a failure shows at the next line
	}
	r, err := file.rotate()
	if err != nil {
		say(zerolog.ErrorLevel, "%v", err)
		return
	}
	if r.Backup != "" {
		say(zerolog.InfoLevel, "Rotated log, backup saved as %q", r.Backup)
	}
	for _, name := range r.Purged {
		say(zerolog.InfoLevel, "Purged log file %q", name)
	}
}

var _ zerolog.LevelWriter = (*Text)(nil)

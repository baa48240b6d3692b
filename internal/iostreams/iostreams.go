package iostreams

import (
	"io"
	"os"
	"strings"
)

// Streams are the standard streams of one program run. Results go to Out, words to Err.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer

	errDevice bool // Err is a character device
}

// System returns the streams of the process.
func System() *Streams {
	return &Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, errDevice: isDevice(os.Stderr)}
}

// Test returns streams that live in memory: In reads input, Out and Err can be inspected.
func Test(input string) (streams *Streams, out, err *Buffer) {
	out, err = NewBuffer(), NewBuffer()
	return &Streams{In: strings.NewReader(input), Out: out, Err: err}, out, err
}

// ErrIsDevice reports whether Err is a character device, such as a terminal. /dev/null is one too.
// Source: docs/spec/cli.md §8.1.
func (s *Streams) ErrIsDevice() bool { return s.errDevice }

// WithErrDevice returns a copy of s whose ErrIsDevice answers device.
func (s *Streams) WithErrDevice(device bool) *Streams {
	t := *s
	t.errDevice = device
	return &t
}

// isDevice reports whether f is a character device. A file that cannot be examined is none.
func isDevice(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

package iostreams_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/natsd/natsd/internal/iostreams"
)

func TestTestStreamsKeepOutAndErrApart(t *testing.T) {
	streams, out, err := iostreams.Test("typed")
	io.WriteString(streams.Out, "result")
	io.WriteString(streams.Err, "words")
	in, readErr := io.ReadAll(streams.In)
	if readErr != nil || string(in) != "typed" {
		t.Errorf("In = %q, %v, want \"typed\"", in, readErr)
	}
	if got := out.String(); got != "result" {
		t.Errorf("Out = %q, want \"result\"", got)
	}
	if got := err.String(); got != "words" {
		t.Errorf("Err = %q, want \"words\"", got)
	}
}

func TestSystemStreamsAreTheProcess(t *testing.T) {
	streams := iostreams.System()
	if streams.In != os.Stdin || streams.Out != os.Stdout || streams.Err != os.Stderr {
		t.Error("System does not return the standard streams of the process")
	}
}

func TestErrIsDevice(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	file, err := os.Create(filepath.Join(t.TempDir(), "err"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	saved := os.Stderr
	defer func() { os.Stderr = saved }()
	for _, c := range []struct {
		name string
		file *os.File
		want bool
	}{
		{name: "the null device is a character device", file: null, want: true},
		{name: "a file is none", file: file, want: false},
	} {
		os.Stderr = c.file
		if got := iostreams.System().ErrIsDevice(); got != c.want {
			t.Errorf("%s: ErrIsDevice = %v, want %v", c.name, got, c.want)
		}
	}
	streams, _, _ := iostreams.Test("")
	if streams.ErrIsDevice() || !streams.WithErrDevice(true).ErrIsDevice() {
		t.Error("WithErrDevice(true) must turn a memory stream, which is no device, into one")
	}
}

func TestBufferWaitFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := iostreams.NewBuffer()
		go func() {
			<-time.After(time.Second)
			io.WriteString(b, "rea")
			<-time.After(time.Second)
			io.WriteString(b, "dy")
		}()
		if !b.WaitFor("ready", time.Minute) {
			t.Error("WaitFor did not see a text written in two parts")
		}
		if b.WaitFor("absent", time.Minute) {
			t.Error("WaitFor claims to have seen a text nobody wrote")
		}
	})
}

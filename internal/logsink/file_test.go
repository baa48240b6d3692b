package logsink_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/natsd/natsd/internal/logsink"
)

// openFile opens a log file and closes it at the end of the test.
func openFile(t *testing.T, path string) *logsink.File {
	t.Helper()
	file, err := logsink.OpenFile(path, logsink.Rotation{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// content returns what the file at path holds.
func content(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestFileIsAppendedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "natsd.log")
	if err := os.WriteFile(path, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	openFile(t, path).Write([]byte("new\n"))
	if got := content(t, path); got != "old\nnew\n" {
		t.Errorf("file holds %q, want the old line and the new one", got)
	}
}

func TestNewFileIsReadableByTheGroupOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "natsd.log")
	openFile(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	// Windows has no such modes; everywhere else the umask may take bits away but not add any.
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && (mode&^0o640 != 0 || mode&0o600 != 0o600) {
		t.Errorf("mode %o, want 0640 less the umask", mode)
	}
}

func TestOpenErrorNamesThePath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "absent", "natsd.log")
	_, err := logsink.OpenFile(path, logsink.Rotation{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "open "+path) {
		t.Errorf("OpenFile: %v, want an error that begins with \"open PATH\"", err)
	}
}

func TestReopenAfterRename(t *testing.T) {
	path := filepath.Join(t.TempDir(), "natsd.log")
	text := logsink.NewText(openFile(t, path), logsink.Format{PID: 1})
	logger := logsink.NewLogger(text, everything)
	logger.Info().Msg("one")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	logger.Info().Msg("two") // still goes to the renamed file
	if err := text.Reopen("File log re-opened"); err != nil {
		t.Fatal(err)
	}
	logger.Info().Msg("three")
	if got, want := content(t, path+".1"), "[1] [INF] one\n[1] [INF] two\n"; got != want {
		t.Errorf("old file holds %q, want %q", got, want)
	}
	if got, want := content(t, path), "[1] [INF] File log re-opened\n[1] [INF] three\n"; got != want {
		t.Errorf("new file holds %q, want %q", got, want)
	}
}

func TestReopenThatFailsKeepsTheOldFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	moved := dir + ".moved"
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := logsink.NewText(openFile(t, filepath.Join(dir, "natsd.log")), logsink.Format{PID: 1})
	logger := logsink.NewLogger(text, everything)
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	if err := text.Reopen("File log re-opened"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Reopen: %v, want an error that says the folder is gone", err)
	}
	logger.Info().Msg("still here")
	if got, want := content(t, filepath.Join(moved, "natsd.log")), "[1] [INF] still here\n"; got != want {
		t.Errorf("old file holds %q, want %q", got, want)
	}
}

func TestReopenWithoutFile(t *testing.T) {
	if err := logsink.NewText(&strings.Builder{}, logsink.Format{}).Reopen("x"); !errors.Is(err, logsink.ErrNotFile) {
		t.Errorf("Reopen: %v, want ErrNotFile", err)
	}
}

func TestNoLineIsLostWhileReopening(t *testing.T) {
	const writers, lines, reopens = 4, 100, 20
	path := filepath.Join(t.TempDir(), "natsd.log")
	text := logsink.NewText(openFile(t, path), logsink.Format{PID: 1})
	logger := logsink.NewLogger(text, everything)
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for range lines {
				logger.Info().Msg("line")
			}
		})
	}
	for range reopens {
		if err := text.Reopen("again"); err != nil {
			t.Error(err)
		}
	}
	group.Wait()
	if got := strings.Count(content(t, path), "[1] [INF] line\n"); got != writers*lines {
		t.Errorf("%d whole lines in the file, want %d", got, writers*lines)
	}
}

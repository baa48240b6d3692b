package logsink_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/logsink"
	"github.com/natsd/natsd/internal/testutil"
	"github.com/rs/zerolog"
)

// files returns the log files with this path, backups first, and all that is in them.
func files(t *testing.T, path string) (names []string, text string) {
	t.Helper()
	backups, err := filepath.Glob(path + ".*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(backups, path) {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		var in io.Reader = file
		if strings.HasSuffix(name, ".gz") {
			if in, err = gzip.NewReader(file); err != nil {
				t.Fatal(err)
			}
		}
		part, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		text += string(part)
	}
	return append(backups, path), text
}

// TestRotationLosesNothing: many writers, a small limit, and every line is in one of the files, once and whole.
func TestRotationLosesNothing(t *testing.T) {
	for _, compress := range []bool{false, true} {
		testutil.CheckLeaks(t)
		const writers, lines = 4, 3000
		path := filepath.Join(t.TempDir(), "natsd.log")
		file, err := logsink.OpenFile(path, logsink.Rotation{Size: 8 << 10, Compress: compress})
		if err != nil {
			t.Fatal(err)
		}
		sink := logsink.NewText(file, logsink.Format{PID: 1})
		logger := logsink.NewLogger(sink, everything)
		var tasks sync.WaitGroup
		for w := range writers {
			tasks.Go(func() {
				for i := range lines {
					logger.Info().Msgf("line %d of %d.", i, w)
					if i == lines/2 && w == 0 {
						if err := sink.Reopen("File log re-opened"); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		tasks.Wait()
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		names, text := files(t, path)
		if len(names) < 10 {
			t.Errorf("only %d files", len(names))
		}
		for w := range writers {
			for i := range lines {
				if n := strings.Count(text, fmt.Sprintf("[1] [INF] line %d of %d.\n", i, w)); n != 1 {
					t.Fatalf("line %d of %d is there %d times", i, w, n)
				}
			}
		}
		if n := strings.Count(text, "Rotated log, backup saved as "); n != len(names)-1 {
			t.Errorf("%d rotations are told of, %d backups are there", n, len(names)-1)
		}
	}
}

// TestRotationLines are the names and texts of docs/spec/cli.md §8.2.
func TestRotationLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "natsd.log")
	if err := os.WriteFile(path, []byte(strings.Repeat("x", 300)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bystander := path + ".2026.notes"
	if err := os.WriteFile(bystander, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 4, 5, 6, 7, 8, time.Local)
	file, err := logsink.OpenFile(path, logsink.Rotation{Size: 200, Files: 3, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	sink := logsink.NewText(file, logsink.Format{PID: 1})
	sink.RotateIfDue()
	logger := logsink.NewLogger(sink, everything)
	first := path + ".2026.03.04.05.06.07.000000008"
	if got := content(t, first); got != strings.Repeat("x", 300)+"\n[1] [INF] Rotating logfile...\n" {
		t.Errorf("the first backup is %q", got)
	}
	if got, want := content(t, path), fmt.Sprintf("[1] [INF] Rotated log, backup saved as %q\n", first); got != want {
		t.Errorf("the log is %q, want %q", got, want)
	}
	for range 2 {
		now = now.Add(time.Second)
		logger.Info().Msg(strings.Repeat("y", 200))
	}
	if _, err := os.Stat(first); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the oldest of four files is still there: %v", err)
	}
	if text := content(t, path); !strings.HasSuffix(text, fmt.Sprintf("[1] [INF] Purged log file %q\n", first)) {
		t.Errorf("the log is %q", text)
	}
	if _, err := os.Stat(bystander); err != nil {
		t.Error("a file of somebody else was removed")
	}
}

// TestRotationByAge: old backups go, whatever their number.
func TestRotationByAge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "natsd.log")
	now := time.Date(2026, 3, 4, 5, 6, 7, 8, time.Local)
	file, err := logsink.OpenFile(path, logsink.Rotation{Size: 10, Age: time.Hour, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	logger := logsink.NewLogger(logsink.NewText(file, logsink.Format{PID: 1}), everything)
	logger.Info().Msg("first")
	now = now.Add(30 * time.Minute)
	logger.Info().Msg("second")
	now = now.Add(45 * time.Minute)
	logger.Info().Msg("third")
	names, text := files(t, path)
	if len(names) != 3 || strings.Contains(text, "first") || !strings.Contains(text, "second") {
		t.Errorf("files %v with %q", names, text)
	}
}

// TestRotationFails: without a place for the backup lines go on in the file there is.
func TestRotationFails(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "logs")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "natsd.log")
	file, err := logsink.OpenFile(path, logsink.Rotation{Size: 50})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := os.Rename(folder, folder+".moved"); err != nil {
		t.Fatal(err)
	}
	logger := logsink.NewLogger(logsink.NewText(file, logsink.Format{PID: 1}), everything)
	for i := range 20 {
		logger.Info().Msgf("line %d", i)
	}
	text := content(t, filepath.Join(folder+".moved", "natsd.log"))
	for i := range 20 {
		if !strings.Contains(text, fmt.Sprintf("line %d\n", i)) {
			t.Errorf("line %d is missing", i)
		}
	}
	if n := strings.Count(text, "cannot rotate the log file"); n == 0 || n > 10 {
		t.Errorf("the failure is told %d times", n)
	}
}

// TestJSON: one object per line, with stable names, whatever a client writes.
func TestJSON(t *testing.T) {
	var out strings.Builder
	at := time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)
	sink := logsink.NewText(&out, logsink.Format{PID: 7, JSON: true, PrefixField: "conn", Now: func() time.Time { return at }})
	logger := logsink.NewLogger(sink, everything)
	logger.Info().Msg("Server is ready")
	logger.Warn().Str("conn", "[::1]:5 - cid:3").Msg("Slow Consumer Detected: MaxPending of 5 Exceeded")
	logger.Error().Str("conn", "127.0.0.1:5 - rid:9").Str("extra", "x\"y").Msg("evil \"},{\n\x1b[31m\xff")
	logger.Trace().Msg("<<- [PING]")
	want := []map[string]any{
		{"level": "info", "time": "2026-03-04T05:06:07.000008Z", "pid": 7.0, "event": "server_ready", "message": "Server is ready"},
		{"level": "warn", "time": "2026-03-04T05:06:07.000008Z", "pid": 7.0, "event": "slow_consumer", "remote": "[::1]:5", "cid": 3.0,
			"message": "Slow Consumer Detected: MaxPending of 5 Exceeded"},
		{"level": "error", "time": "2026-03-04T05:06:07.000008Z", "pid": 7.0, "event": "message", "remote": "127.0.0.1:5", "rid": 9.0, "extra": "x\"y",
			"message": "evil \"},{\n\x1b[31m\ufffd"},
		{"level": "trace", "time": "2026-03-04T05:06:07.000008Z", "pid": 7.0, "event": "trace", "message": "<<- [PING]"},
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != len(want) || strings.Contains(out.String(), "\x1b") {
		t.Fatalf("the log is %q", out.String())
	}
	for i, line := range lines {
		var got map[string]any
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want[i]) {
			t.Errorf("line %d is %v, want %v", i, got, want[i])
		}
	}
}

// TestEventsAreDocumented: docs/logging.md has a row for every event.
func TestEventsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/logging.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range logsink.Events() {
		if !strings.Contains(string(text), fmt.Sprintf("| `%s` | %s |", e.Name, e.Doc)) {
			t.Errorf("no row for %s", e.Name)
		}
		if _, err := regexp.Compile(e.Text); err != nil {
			t.Error(err)
		}
	}
}

// slowOutput takes lines when it is told to.
type slowOutput struct {
	mu    sync.Mutex
	lines []string
	gate  chan struct{}
}

func (s *slowOutput) Write(p []byte) (int, error) {
	return len(p), s.WriteText(zerolog.InfoLevel, string(p))
}
func (s *slowOutput) Close() error { return nil }
func (s *slowOutput) WriteText(_ zerolog.Level, text string) error {
	<-s.gate
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, text)
	return nil
}

// TestQueue: a slow output holds nobody up, and what was dropped is told of.
func TestQueue(t *testing.T) {
	testutil.CheckLeaks(t)
	out := &slowOutput{gate: make(chan struct{})}
	queue := logsink.NewQueue(out, time.Minute)
	logger := logsink.NewLogger(logsink.NewText(queue, logsink.Format{PID: 1}), everything)
	const lines = 6000
	for i := range lines {
		logger.Info().Msgf("line %d", i)
	}
	close(out.gate)
	if err := queue.Close(); err != nil {
		t.Fatal(err)
	}
	told := false
	for _, line := range out.lines {
		told = told || strings.Contains(line, "lines of the log were dropped")
	}
	if !told || len(out.lines) < 4000 || len(out.lines) > lines || out.lines[0] != "line 0\n" && out.lines[1] != "line 0\n" {
		t.Errorf("%d lines, told: %v, first %q", len(out.lines), told, out.lines[:2])
	}
}

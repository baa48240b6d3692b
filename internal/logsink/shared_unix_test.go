//go:build unix

package logsink_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/logsink"
	"github.com/natsd/natsd/internal/testutil"
)

// TestTwoProcessesRotateOneLog: during an upgrade two processes write to one log. Neither takes the file of the other away, and every line is
// in one of the files, once and whole. Source: docs/spec/cli.md §8.2.
func TestTwoProcessesRotateOneLog(t *testing.T) {
	testutil.CheckLeaks(t)
	const rounds, busy = 200, 20 // one process logs much more than the other
	path := filepath.Join(t.TempDir(), "natsd.log")
	var sinks []*logsink.Text
	var logs []*logsink.File
	for pid := range 2 {
		file, err := logsink.OpenFile(path, logsink.Rotation{Size: 4 << 10, Compress: true})
		if err != nil {
			t.Fatal(err)
		}
		logs, sinks = append(logs, file), append(sinks, logsink.NewText(file, logsink.Format{PID: pid}))
	}
	fresh, old := logsink.NewLogger(sinks[0], everything), logsink.NewLogger(sinks[1], everything)
	for i := range rounds {
		for k := range busy {
			fresh.Info().Msgf("line %d.%d of the new process.", i, k)
		}
		old.Info().Msgf("line %d of the old process.", i)
	}
	for _, file := range logs {
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
	names, text := files(t, path)
	if len(names) < 10 {
		t.Errorf("only %d files", len(names))
	}
	for i := range rounds {
		for k := range busy {
			if n := strings.Count(text, fmt.Sprintf("[0] [INF] line %d.%d of the new process.\n", i, k)); n != 1 {
				t.Fatalf("line %d.%d of the new process is there %d times", i, k, n)
			}
		}
		if n := strings.Count(text, fmt.Sprintf("[1] [INF] line %d of the old process.\n", i)); n != 1 {
			t.Fatalf("line %d of the old process is there %d times", i, n)
		}
	}
}

// exists reports whether there is a file with this name.
func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// TestBackupInUse: a backup that another process still writes to is neither compressed nor removed; once it does so no longer, the next
// rotation makes up for it.
func TestBackupInUse(t *testing.T) {
	testutil.CheckLeaks(t)
	path := filepath.Join(t.TempDir(), "natsd.log")
	open := func(files int) (*logsink.File, func(text string)) {
		now := time.Date(2026, 3, 4, 5, 6, 7, 8, time.Local)
		file, err := logsink.OpenFile(path, logsink.Rotation{Size: 100, Files: files, Compress: true, Now: func() time.Time {
			now = now.Add(time.Second)
			return now
		}})
		if err != nil {
			t.Fatal(err)
		}
		logger := logsink.NewLogger(logsink.NewText(file, logsink.Format{PID: 1}), everything)
		return file, func(text string) { logger.Info().Msg(text) }
	}
	partner, say := open(0)
	file, log := open(2)
	for i := range 4 {
		log(fmt.Sprintf("%d %s", i, strings.Repeat("x", 100)))
	}
	say("still there")
	first := path + ".2026.03.04.05.06.08.000000008"
	if text := content(t, first); !strings.Contains(text, "] 0 x") || !strings.Contains(text, "still there\n") {
		t.Errorf("the first backup holds %q", text)
	}
	if err := partner.Close(); err != nil {
		t.Fatal(err)
	}
	last := path + ".2026.03.04.05.06.11.000000008"
	for deadline := time.Now().Add(20 * time.Second); exists(last) || !exists(last+".gz"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a backup that nobody writes to is not compressed")
		}
	}
	log(strings.Repeat("y", 100))
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	names, _ := files(t, path)
	if want := []string{path + ".2026.03.04.05.06.12.000000008.gz", path}; !slices.Equal(names, want) {
		t.Errorf("in the end there are %v, want %v", names, want)
	}
}

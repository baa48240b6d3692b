package logsink

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil"
)

// TestCloseWhileCompressing: whoever closes a log does not wait until a large backup is compressed, and finds it as it was.
func TestCloseWhileCompressing(t *testing.T) {
	testutil.CheckLeaks(t)
	const huge = 64 << 30 // bytes, none of which is on the disk
	path := filepath.Join(t.TempDir(), "natsd.log")
	backup := path + time.Now().Format(backupLayout) + ".000000001"
	if err := os.WriteFile(backup, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(backup, huge); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(path, Rotation{Size: 1, Compress: true})
	if err != nil {
		t.Fatal(err)
	}
	f.patience = time.Millisecond
	if _, err := f.rotate(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.rotate(); err != nil {
		t.Fatal(err)
	}
	returns(t, "Close", func() { err = f.Close() })
	if err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(backup); err != nil || info.Size() != huge {
		t.Errorf("the backup is not what it was: %v", err)
	}
	if _, err := os.Stat(backup + compressed); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a part of a compressed backup is left: %v", err)
	}
}

package logsink

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Rotation says when a new log file begins, and what becomes of the old ones. The zero value never begins one.
// Source: docs/spec/cli.md §8.2.
type Rotation struct {
	Size     int64         // bytes of a file above which the next one begins; 0: never
	Files    int           // to keep, the current one included; 0: all
	Age      time.Duration // of backups after which they are removed; 0: never
	Compress bool          // backups
	Now      func() time.Time
}

// backupLayout is what is added to the name of a file that is put aside; nanoseconds come after it.
const backupLayout = ".2006.01.02.15.04.05"

// compressed is added to the name of a backup that was compressed.
const compressed = ".gz"

// Rotated is what a rotation has done.
type Rotated struct {
	Backup string   // the name of the file that was put aside
	Purged []string // backups that were removed
}

// due reports whether the file is above the limit.
func (f *File) due() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.limit.Load() > 0 && f.size.Load() > f.limit.Load()
}

// rotate puts the file aside and begins a new one. When it fails, lines keep going to the file there is, and the limit doubles, so that
// it is not tried again at every line. Locks: takes f.mu.
func (f *File) rotate() (Rotated, error) {
	var r Rotated
	now := f.rotation.Now()
	r.Backup = f.path + now.Format(backupLayout) + fmt.Sprintf(".%09d", now.Nanosecond())
	if err := f.swap(r.Backup); err != nil {
		f.limit.Store(2 * f.limit.Load())
		return Rotated{}, fmt.Errorf("cannot rotate the log file: %w", err)
	}
	f.limit.Store(f.rotation.Size)
	r.Purged = f.purge(now)
	if f.rotation.Compress {
		f.tasks.Go(func() { compress(r.Backup) })
	}
	return r, nil
}

// swap renames the file and opens a new one under its name.
func (f *File) swap(backup string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := os.Rename(f.path, backup); err != nil {
		return err
	}
	file, err := openAppend(f.path)
	if err != nil {
		return errors.Join(err, os.Rename(backup, f.path))
	}
	_ = f.mu.file.Close() // every line in it was handed to the system; a failing close changes nothing
	f.mu.file = file
	f.size.Store(0)
	return nil
}

// backups returns the files that were put aside, the oldest first: their names say when.
func (f *File) backups() []string {
	entries, err := os.ReadDir(filepath.Dir(f.path))
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		rest, found := strings.CutPrefix(e.Name(), filepath.Base(f.path))
		if found && isBackup(strings.TrimSuffix(rest, compressed)) {
			names = append(names, filepath.Join(filepath.Dir(f.path), e.Name()))
		}
	}
	slices.Sort(names)
	return names
}

// isBackup reports whether the end of a name is what rotate gives: no file of anybody else is touched.
func isBackup(rest string) bool {
	_, ok := backupTime(rest)
	return ok
}

// backupTime returns when a file with this end of its name was put aside.
func backupTime(rest string) (time.Time, bool) {
	at := strings.LastIndexByte(rest, '.')
	if at < 0 || len(rest)-at != len(".123456789") || strings.Trim(rest[at+1:], "0123456789") != "" {
		return time.Time{}, false
	}
	t, err := time.ParseInLocation(backupLayout, rest[:at], time.Local) //nolint:gosmopolitan // names are in local time: docs/spec/cli.md §8.2
	return t, err == nil
}

// purge removes the backups that are too many or too old, and returns those it has removed.
func (f *File) purge(now time.Time) []string {
	backups := f.backups()
	surplus := 0
	if f.rotation.Files > 0 {
		surplus = max(0, len(backups)-(f.rotation.Files-1))
	}
	var purged []string
	for i, name := range backups {
		rest := strings.TrimSuffix(strings.TrimPrefix(name, filepath.Join(filepath.Dir(f.path), filepath.Base(f.path))), compressed)
		t, _ := backupTime(rest)
		old := f.rotation.Age > 0 && now.Sub(t) > f.rotation.Age
		if (i < surplus || old) && os.Remove(name) == nil {
			purged = append(purged, name)
		}
	}
	return purged
}

// compress replaces a file by a compressed one. A failure leaves it as it is: it is complete either way.
func compress(name string) {
	if err := compressTo(name, name+compressed); err != nil {
		_ = os.Remove(name + compressed)
		return
	}
	_ = os.Remove(name) // it is there twice otherwise, which harms nobody
}

func compressTo(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it was read
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(out)
	_, err = io.Copy(z, in)
	return errors.Join(err, z.Close(), out.Sync(), out.Close())
}

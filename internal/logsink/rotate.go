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
	"sync/atomic"
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
	Backup string   // the name of the file that was put aside; empty: another process had done it
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
	now := f.rotation.Now()
	backup, err := f.swap(now)
	if err != nil {
		f.limit.Store(2 * f.limit.Load())
		return Rotated{}, fmt.Errorf("cannot rotate the log file: %w", err)
	}
	f.limit.Store(f.rotation.Size)
	r := Rotated{Backup: backup, Purged: f.purge(now)}
	if f.rotation.Compress {
		f.compressSoon()
	}
	return r, nil
}

// swap renames the file, opens a new one under its name and returns the name of the old one. If the name leads to another file by now,
// which is that of the process on the other side of an upgrade, that one is opened, and not taken away from it: "" is returned.
// Locks: takes f.mu.
func (f *File) swap(now time.Time) (backup string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if isAt(f.mu.file, f.path) {
		backup = f.backupName(now)
		if err := os.Rename(f.path, backup); err != nil {
			return "", err
		}
	}
	file, err := openLive(f.path)
	if err != nil {
		if backup != "" {
			err = errors.Join(err, os.Rename(backup, f.path))
		}
		return "", err
	}
	_ = f.mu.file.Close() // every line in it was handed to the system; a failing close changes nothing
	f.mu.file = file
	f.measure(file)
	return backup, nil
}

// backupName returns the name of a backup that is made now. The clocks of some systems are too coarse to tell two of them apart.
func (f *File) backupName(now time.Time) string {
	for ; ; now = now.Add(1) {
		name := f.path + now.Format(backupLayout) + fmt.Sprintf(".%09d", now.Nanosecond())
		if !exists(name) && !exists(name+compressed) {
			return name
		}
	}
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
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

// purge removes the backups that are too many or too old, and returns those it has removed. One that a process still writes to stays.
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
		if (i < surplus || old) && !f.inUse(name) && os.Remove(name) == nil {
			purged = append(purged, name)
		}
	}
	return purged
}

// compressSoon has the backups compressed by a goroutine, of which there is one at a time.
func (f *File) compressSoon() {
	p := &f.packing
	p.Lock()
	defer p.Unlock()
	if p.running {
		p.again = true
		return
	}
	p.running = true
	f.tasks.Go(func() {
		for more := true; more; more = f.haveMore() {
			f.compressBackups()
		}
	})
}

// haveMore reports whether there was a rotation while backups were compressed; if not, that ends.
func (f *File) haveMore() bool {
	p := &f.packing
	p.Lock()
	defer p.Unlock()
	p.running, p.again = p.again, false
	return p.running
}

// compressBackups compresses the backups that nobody writes to: those of this rotation, and of earlier ones that were in use then.
func (f *File) compressBackups() {
	for _, name := range f.backups() {
		if !strings.HasSuffix(name, compressed) && !f.inUse(name) && !f.hurry.Load() {
			f.compress(name)
		}
	}
}

// inUse reports whether a process still writes to a backup. Locks: takes f.looks.
func (f *File) inUse(name string) bool {
	f.looks.Lock()
	defer f.looks.Unlock()
	return inUse(name)
}

// compress replaces a file by a compressed one. A failure leaves it as it is: it is complete either way.
func (f *File) compress(name string) {
	out, err := os.OpenFile(name+compressed, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return // somebody else is at it, if it is there already
	}
	if err := f.compressTo(out, name); err != nil {
		_ = os.Remove(name + compressed)
		return
	}
	_ = os.Remove(name) // it is there twice otherwise, which harms nobody
}

// errHurry ends a compression that Close does not wait for.
var errHurry = errors.New("the log is closed")

// unhurried reads as long as Close waits.
type unhurried struct {
	in    io.Reader
	hurry *atomic.Bool
}

func (u unhurried) Read(p []byte) (int, error) {
	if u.hurry.Load() {
		return 0, errHurry
	}
	return u.in.Read(p)
}

// compressTo writes the content of a file to out, and closes it.
func (f *File) compressTo(out *os.File, name string) error {
	in, err := os.Open(name)
	if err != nil {
		return errors.Join(err, out.Close())
	}
	defer func() { _ = in.Close() }() // it was read
	z := gzip.NewWriter(out)
	_, err = io.Copy(z, unhurried{in, &f.hurry})
	return errors.Join(err, z.Close(), out.Sync(), out.Close())
}

package logsink

import (
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// fileMode is the mode of a new log file, less the umask (docs/spec/cli.md §8.2).
const fileMode = 0o640

// openAttempts is how often a log file is opened anew that another process puts aside at the same moment.
const openAttempts = 10

// File is a log file, opened for append and never truncated. All methods may be called from any goroutine.
type File struct {
	path     string // as given to OpenFile, never written again
	rotation Rotation

	size  atomic.Int64 // of the current file, bytes
	limit atomic.Int64 // above which it is rotated; 0: never
	tasks sync.WaitGroup
	looks sync.Mutex // held while f looks whether a backup is in use: two looks at once would take each other for a writer

	patience time.Duration // see closePatience; never written again
	hurry    atomic.Bool   // Close does not wait for backups to be compressed any more
	packing  struct {      // guards everything inside it
		sync.Mutex
		running bool // a goroutine compresses backups
		again   bool // and is to look for more when it is done
	}

	mu struct {
		sync.RWMutex
		file *os.File
	}
}

// closePatience is how long Close waits for backups to be compressed. What is not done then stays as it is, and complete.
const closePatience = 3 * time.Second

// OpenFile opens the log file at path, relative to the working directory, and creates it if need be.
func OpenFile(path string, r Rotation) (*File, error) {
	file, err := openLive(path)
	if err != nil {
		return nil, err
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	f := &File{path: path, rotation: r, patience: closePatience}
	f.limit.Store(r.Size)
	f.mu.file = file
	f.measure(file)
	return f, nil
}

// measure notes the size of a file that was opened.
func (f *File) measure(file *os.File) {
	if info, err := file.Stat(); err == nil {
		f.size.Store(info.Size())
	}
}

// openLive opens path the way every log file is opened, and holds it, so that no other process compresses or removes it as a backup.
func openLive(path string) (*os.File, error) {
	for range openAttempts {
		file, err := openAppend(path)
		if err != nil {
			return nil, err
		}
		if hold(file) && isAt(file, path) {
			return file, nil
		}
		_ = file.Close() // another process has put it aside just now; nothing was written to it
	}
	return openAppend(path) // no plain file
}

// isAt reports whether the open file is the one that its path leads to.
func isAt(file *os.File, path string) bool {
	there, err := os.Stat(path)
	if err != nil {
		return false
	}
	open, err := file.Stat()
	return err == nil && os.SameFile(there, open)
}

// Write appends p with one call of the operating system. Locks: takes f.mu for reading; appends of
// several goroutines are kept apart by the operating system.
func (f *File) Write(p []byte) (int, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	n, err := f.mu.file.Write(p)
	f.size.Add(int64(n))
	return n, err
}

// Reopen opens the path again, for use after the file was renamed, and closes the old file. If
// the path cannot be opened it returns the error and keeps the old file. Locks: takes f.mu.
func (f *File) Reopen() error {
	file, err := openLive(f.path)
	if err != nil {
		return err
	}
	f.mu.Lock()
	old := f.mu.file
	f.mu.file = file
	f.measure(file)
	f.mu.Unlock()
	_ = old.Close() // every line in it was handed to the system; a failing close changes nothing
	return nil
}

// Close closes the file, and gives up compressing backups if that takes long. Writing to it afterwards is an error. Locks: takes f.mu.
func (f *File) Close() error {
	hurry := time.AfterFunc(f.patience, func() { f.hurry.Store(true) })
	defer hurry.Stop()
	f.tasks.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.file.Close()
}

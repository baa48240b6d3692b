package logsink

import (
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// fileMode is the mode of a new log file, less the umask (docs/spec/cli.md §8.2).
const fileMode = 0o640

// File is a log file, opened for append and never truncated. All methods may be called from any goroutine.
type File struct {
	path     string // as given to OpenFile, never written again
	rotation Rotation

	size  atomic.Int64 // of the current file, bytes
	limit atomic.Int64 // above which it is rotated; 0: never
	tasks sync.WaitGroup
	mu    struct {
		sync.RWMutex
		file *os.File
	}
}

// OpenFile opens the log file at path, relative to the working directory, and creates it if need be.
func OpenFile(path string, r Rotation) (*File, error) {
	file, err := openAppend(path)
	if err != nil {
		return nil, err
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	f := &File{path: path, rotation: r}
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

// openAppend opens path the way every log file is opened.
func openAppend(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, fileMode)
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
	file, err := openAppend(f.path)
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

// Close closes the file. Writing to it afterwards is an error. Locks: takes f.mu.
func (f *File) Close() error {
	f.tasks.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.file.Close()
}

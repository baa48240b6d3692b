package logsink

import (
	"os"
	"syscall"
)

// openAppend opens path for lines at its end. Other than os.OpenFile it lets the file be renamed while it is open: a rotation has to, and
// whoever wants a log re-opened. Source: docs/spec/cli.md §8.2.
func openAppend(path string) (*os.File, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	// Without FILE_WRITE_DATA every write goes to the end.
	const access = syscall.FILE_APPEND_DATA | syscall.FILE_WRITE_ATTRIBUTES | syscall.STANDARD_RIGHTS_WRITE | syscall.SYNCHRONIZE
	const share = syscall.FILE_SHARE_READ | syscall.FILE_SHARE_WRITE | syscall.FILE_SHARE_DELETE
	handle, err := syscall.CreateFile(name, access, share, nil, syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(handle), path), nil
}

package cmd

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// pidFileMode is the mode of a new pid file, less the umask (docs/spec/cli.md §6).
const pidFileMode = 0o640

// errLink refuses a pid file that is a symbolic link: whoever can place one would choose which file of
// the server's user is overwritten.
var errLink = errors.New("is a symbolic link; name the file itself")

// writePIDFile writes pid to the file at path, in decimal and without a newline. An existing file is
// truncated.
func writePIDFile(path string, pid int) error {
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return &fs.PathError{Op: "open", Path: path, Err: errLink}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|openNoFollow, pidFileMode)
	if err != nil {
		return err
	}
	_, err = file.WriteString(strconv.Itoa(pid))
	return errors.Join(err, file.Close())
}

// removePIDFile removes the file at path if it still holds pid. A file that somebody else has written
// since, or removed, is left alone.
func removePIDFile(path string, pid int) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("cannot check the pid file before removing it: %w", err)
	}
	if strings.TrimSpace(string(content)) != strconv.Itoa(pid) {
		return nil
	}
	return os.Remove(path)
}

// pidIn returns the process id that the file at path holds, 0 if it holds none, or nothing can be read from it.
func pidIn(path string) int {
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return 0
	}
	file, err := os.OpenFile(path, os.O_RDONLY|openNoFollow, 0)
	if err != nil {
		return 0
	}
	defer file.Close() //nolint:errcheck // it was read
	const longest = 64 // bytes that can matter
	text, err := io.ReadAll(io.LimitReader(file, longest))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 0 {
		return 0
	}
	return pid
}

// giveBackPIDFile is removePIDFile for a server that did not start: a file that held before, the id of a process that
// is alive, holds it again, since that process may be the server that this one could not take the place of.
// Source: docs/spec/cli.md §6.
func giveBackPIDFile(path string, pid, before int) error {
	if before == 0 || before == pid || !isAlive(before) || pidIn(path) != pid {
		return removePIDFile(path, pid)
	}
	return writePIDFile(path, before)
}

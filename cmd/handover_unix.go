//go:build unix

package cmd

import (
	"os"
	"runtime"
	"syscall"
)

// startWith starts a program with the standard streams of this process and, from file descriptor 3 on, files. Unlike os/exec it leaves
// sockets as they are: exec makes them blocking, here too, and an accept that blocks cannot be ended.
func startWith(program string, args, env []string, files []*os.File) (*os.Process, error) {
	attr := &syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2}}
	for _, file := range files {
		raw, err := file.SyscallConn()
		if err != nil {
			return nil, err
		}
		if err := raw.Control(func(fd uintptr) { attr.Files = append(attr.Files, fd) }); err != nil {
			return nil, err
		}
	}
	pid, err := syscall.ForkExec(program, args, attr)
	runtime.KeepAlive(files)
	if err != nil {
		return nil, err
	}
	return os.FindProcess(pid)
}

package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// maxComm is the most bytes of its name that the system keeps for a process.
const maxComm = 15

// runningServers returns the ids of the servers that are run under the name of this program, this process not counted; those of
// the own user unless that is root.
func (f *Factory) runningServers() ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("cannot list processes: %w", err)
	}
	name := f.programName()
	name = name[:min(len(name), maxComm)]
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if info, err := e.Info(); err != nil || os.Geteuid() != 0 && ownerOf(info) != os.Geteuid() {
			continue
		}
		comm, err := os.ReadFile(filepath.Join("/proc", e.Name(), "comm"))
		if err != nil || strings.TrimSpace(string(comm)) != name {
			continue // or it has just gone
		}
		line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err != nil || len(line) == 0 || !isServer(strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")) {
			continue
		}
		pids = append(pids, pid)
	}
	slices.Sort(pids)
	return pids, nil
}

func ownerOf(info os.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return -1
}

// goneCheck returns what reports whether the process that has this id now is gone. Another one that gets the same id is not it.
func goneCheck(pid int) func() (bool, error) {
	begun, _ := startOf(pid)
	return func() (bool, error) {
		now, err := startOf(pid)
		return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) || now != begun || now == "", nil
	}
}

// startOf returns when a process was started, in a unit of the system's; empty if it has ended and waits for its parent.
func startOf(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// The name, in brackets, may hold anything.
	_, rest, _ := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" "))
	fields := strings.Fields(string(rest))
	const state, begun = 0, 19
	if len(fields) <= begun || fields[state] == "Z" || fields[state] == "X" {
		return "", nil
	}
	return fields[begun], nil
}

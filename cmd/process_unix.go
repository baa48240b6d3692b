//go:build unix && !linux

package cmd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// runningServers returns the ids of the servers that are run under the name of this program, this process not counted; those of
// the own user unless that is root.
func (f *Factory) runningServers() ([]int, error) {
	output, err := exec.Command("ps", "-axww", "-o", "pid=,uid=,args=").Output()
	if err != nil {
		return nil, fmt.Errorf("cannot list processes: %w", err)
	}
	var pids []int
	for line := range strings.Lines(string(output)) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		pid, err := strconv.Atoi(fields[0])
		uid, e := strconv.Atoi(fields[1])
		if err != nil || e != nil || pid == os.Getpid() || os.Geteuid() != 0 && uid != os.Geteuid() {
			continue
		}
		if filepath.Base(fields[2]) == f.programName() && isServer(fields[2:]) {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, nil
}

// goneCheck returns what reports whether the process with this id is gone.
func goneCheck(pid int) func() (bool, error) {
	return func() (bool, error) { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH), nil }
}

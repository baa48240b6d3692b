package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// allProcesses stands for all servers.
const allProcesses = "*"

// resolveProcesses returns the process ids that targets name; without any, that of the only server there is.
// Source: docs/spec/cli.md §5.
func resolveProcesses(f *Factory, targets []string) ([]int, error) {
	if len(targets) == 0 {
		pids, err := f.runningServers()
		switch {
		case err != nil:
			return nil, fmt.Errorf("unable to resolve pid, try providing one: %w", err)
		case len(pids) == 0:
			return nil, fmt.Errorf("no %s processes running", f.programName())
		case len(pids) > 1:
			return nil, &listError{fmt.Sprintf("multiple %s processes running:", f.programName()), textsOf(pids)}
		}
		return pids, nil
	}
	var all []int
	for _, target := range targets {
		pids, err := resolveProcess(f, target)
		if err != nil {
			return nil, err
		}
		for _, pid := range pids {
			if !slices.Contains(all, pid) {
				all = append(all, pid)
			}
		}
	}
	return all, nil
}

// resolveProcess returns the process ids that one target names.
func resolveProcess(f *Factory, target string) ([]int, error) {
	if beginning, isPattern := strings.CutSuffix(target, allProcesses); isPattern && strings.Trim(beginning, "0123456789") == "" {
		running, err := f.runningServers()
		if err != nil {
			return nil, fmt.Errorf("unable to resolve pid, try providing one: %w", err)
		}
		pids := slices.DeleteFunc(running, func(pid int) bool { return !strings.HasPrefix(strconv.Itoa(pid), beginning) })
		if len(pids) == 0 {
			return nil, fmt.Errorf("no %s processes running", f.programName())
		}
		return pids, nil
	}
	text := target
	const longest = 64 // bytes of a pid file that can matter
	if file, err := os.Open(target); err == nil {
		buffer := make([]byte, longest)
		n, _ := file.Read(buffer)
		_ = file.Close() // it was read
		text = strings.TrimSpace(string(buffer[:n]))
	}
	pid, err := strconv.Atoi(text)
	if err != nil || pid <= 0 {
		return nil, fmt.Errorf("invalid pid: %s", printable(target))
	}
	return []int{pid}, nil
}

func textsOf(list []int) []string {
	texts := make([]string, len(list))
	for i, n := range list {
		texts[i] = strconv.Itoa(n)
	}
	return texts
}

// programName returns the name that this program was started by.
func (f *Factory) programName() string {
	if name := filepath.Base(f.Program); f.Program != "" && name != "." {
		return name
	}
	return programName
}

// isServer reports whether a command line, program name included, runs a server: other commands of this program have the same
// name and must not be told anything.
func isServer(args []string) bool {
	if len(args) < 2 {
		return true
	}
	first := args[1]
	return first == "serve" || strings.HasPrefix(first, "-")
}

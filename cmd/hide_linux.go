package cmd

import (
	"strings"
	"unsafe"
)

// Flags whose value is a secret, and those whose value may hold one in a URL.
var (
	secretFlags = []string{"pass", "auth"}
	urlFlags    = []string{"cluster", "cluster_listen", "routes"}
)

// HideSecrets overwrites the secrets in the command line of the process, so that ps and /proc do not show them to everybody
// on the machine, and returns a copy of it from before. args must be os.Args: their bytes are the memory that the
// system shows. They are read nowhere else afterwards.
func HideSecrets(args []string) []string {
	before := make([]string, len(args))
	for i, arg := range args {
		before[i] = strings.Clone(arg)
	}
	for i, arg := range before {
		name, isFlag := strings.CutPrefix(arg, "-")
		name = strings.TrimPrefix(name, "-")
		name, value, joined := strings.Cut(name, "=")
		hide := hider(name)
		switch {
		case i == 0:
		case !isFlag || hide == nil:
			hideUserInfo(args[i], 0) // of whatever command, a URL is a URL
		case joined:
			hide(args[i], len(arg)-len(value))
		case i+1 < len(args):
			hide(args[i+1], 0)
		}
	}
	return before
}

// hider returns what hides the value of a flag, nil if it is no secret.
func hider(flag string) func(arg string, from int) {
	for _, name := range secretFlags {
		if flag == name {
			return func(arg string, from int) { overwrite(arg, from, len(arg)) }
		}
	}
	for _, name := range urlFlags {
		if flag == name {
			return hideUserInfo
		}
	}
	return nil
}

// hideUserInfo overwrites what stands in front of the "@" of every URL in arg from an index on.
func hideUserInfo(arg string, from int) {
	for at := from; ; {
		begin := strings.Index(arg[at:], "://")
		if begin < 0 {
			return
		}
		begin += at + len("://")
		at = begin
		end := len(arg)
		if comma := strings.IndexByte(arg[begin:], ','); comma >= 0 {
			end = begin + comma
		}
		if last := strings.LastIndexByte(arg[begin:end], '@'); last >= 0 {
			overwrite(arg, begin, begin+last)
		}
	}
}

// overwrite writes over a part of arg, whose memory must be writable.
func overwrite(arg string, from, to int) {
	memory := unsafe.Slice(unsafe.StringData(arg), len(arg))
	for i := from; i < to; i++ {
		memory[i] = 'x'
	}
}

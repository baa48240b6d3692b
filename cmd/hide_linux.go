package cmd

import (
	"slices"
	"strings"
	"unsafe"
)

// Flags whose value is a secret, and those whose value may hold one in a URL, of whatever command.
var (
	secretFlags  = []string{"pass", "auth"}
	clusterFlags = []string{"cluster", "cluster_listen"}
	urlFlags     = []string{"routes", "server", "s", "monitor", "monitor_a", "monitor_b"}
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
		case !isFlag:
			hidePassword(args[i], 0) // of whatever command, a URL is a URL
		case hide == nil && joined && !strings.Contains(name, ":"):
			hidePassword(args[i], len(arg)-len(value))
		case hide == nil:
			hidePassword(args[i], len("-")) // perhaps a letter with its value
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
	flag = strings.ReplaceAll(flag, "-", "_")
	switch {
	case slices.Contains(secretFlags, flag):
		return func(arg string, from int) { overwrite(arg, from, len(arg)) }
	case slices.Contains(clusterFlags, flag):
		return hideCluster
	case slices.Contains(urlFlags, flag):
		return hideUserInfo
	}
	return nil
}

// hideCluster overwrites everything in front of the last "@" of arg from an index on but the scheme, if there is one: what
// docs/spec/cli.md §4 takes for user and password, and more where that is wrong.
func hideCluster(arg string, from int) {
	if scheme, rest, found := strings.Cut(arg[from:], "://"); found && !strings.ContainsAny(scheme, ":@") {
		from = len(arg) - len(rest)
	}
	if last := strings.LastIndexByte(arg[from:], '@'); last >= 0 {
		overwrite(arg, from, from+last)
	}
}

// hidePassword is hideUserInfo for what may be no URL, such as the name of a file: without a scheme, it takes a password to be one.
func hidePassword(arg string, from int) {
	begin, last := userInfo(arg, from)
	if !strings.Contains(arg[begin:last], ":") {
		from = last
	}
	hideUserInfo(arg, from)
}

// hideUserInfo overwrites what stands in front of the "@" of every URL in arg from an index on, where the first one may have no
// scheme. A comma may be part of a password, so in a list it may hide the server before as well.
func hideUserInfo(arg string, from int) {
	for {
		begin, last := userInfo(arg, from)
		overwrite(arg, begin, last)
		next := strings.Index(arg[last:], "://")
		if next < 0 {
			return
		}
		from = last + next + len("://")
	}
}

// userInfo returns where user and password of a URL lie, whose scheme ends at an index of arg; begin is end if there are none.
func userInfo(arg string, from int) (begin, end int) {
	authority := arg[from:]
	if i := strings.IndexAny(authority, "/?#"); i >= 0 {
		authority = authority[:i]
	}
	return from, from + max(strings.LastIndexByte(authority, '@'), 0)
}

// overwrite writes over a part of arg, whose memory must be writable.
func overwrite(arg string, from, to int) {
	memory := unsafe.Slice(unsafe.StringData(arg), len(arg))
	for i := from; i < to; i++ {
		memory[i] = 'x'
	}
}

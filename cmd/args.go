package cmd

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// looseBoolAnnotation marks a boolean flag that also takes a boolean word as its value when that word
// stands alone, as in `--logtime false`.
const looseBoolAnnotation = "natsd_loose_bool"

// rewriteArgs turns the command lines of gnatsd into ones Cobra reads the same way, and leaves all
// others alone. args does not contain the program name.
// Source: docs/spec/cli.md §1 (drop-in start) and §2 (dashes, lone boolean words).
func rewriteArgs(root *cobra.Command, args []string) []string {
	if len(args) == 0 {
		return []string{"serve"}
	}
	switch first := args[0]; {
	case first == "-v" || first == "--version":
		return args[:1] // wins over everything
	case first == "-h" || first == "--help":
		return args
	case strings.EqualFold(first, "version") || strings.EqualFold(first, "help"):
		return slices.Concat([]string{strings.ToLower(first)}, args[1:])
	case strings.HasPrefix(first, "-"):
		args = slices.Concat([]string{"serve"}, args)
	case first != "serve":
		return args
	}
	serve, _, err := root.Find([]string{"serve"})
	if err != nil {
		return args
	}
	return slices.Concat(args[:1], joinLooseBools(serve.Flags(), args[1:]))
}

// joinLooseBools returns args with the spellings of gnatsd replaced by those of pflag: one dash or two in front of any
// name, -DV for both, and every lone boolean word joined to the loose flag in front of it. The values of other flags
// are stepped over, whatever they look like, so that `--log -T true` keeps its meaning: a file named -T.
func joinLooseBools(flags *pflag.FlagSet, args []string) []string {
	joined := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			return append(joined, args[i:]...)
		}
		joined = append(joined, respell(flags, args[i])...)
		last := len(joined) - 1
		flag := openFlag(flags, joined[last])
		if flag == nil || i+1 == len(args) {
			continue
		}
		next := args[i+1]
		if _, isBool := parseBool(next); isBool && len(flag.Annotations[looseBoolAnnotation]) > 0 {
			joined[last] += "=" + next
			i++
		} else if flag.NoOptDefVal == "" {
			joined = append(joined, next)
			i++
		}
	}
	return joined
}

// respell returns arg as pflag writes it: a long name has two dashes, a letter has one. Words that are no flags, bundles of
// letters and unknown names stay as they are. Source: docs/spec/cli.md §2.
func respell(flags *pflag.FlagSet, arg string) []string {
	name, isFlag := strings.CutPrefix(arg, "-")
	if !isFlag {
		return []string{arg}
	}
	name = strings.TrimPrefix(name, "-")
	name, value, hasValue := strings.Cut(name, "=")
	if hasValue {
		value = "=" + value
	}
	switch {
	case name == debugTrace:
		return []string{"-D" + value, "-V" + value}
	case name == debugTraceVerbose:
		return []string{"-D" + value, "--trace_verbose" + value}
	case len(name) == 1 && flags.ShorthandLookup(name) != nil:
		return []string{"-" + name + value}
	case len(name) > 1 && flags.Lookup(name) != nil:
		return []string{"--" + name + value}
	}
	return []string{arg}
}

// Flags that stand for two: -D and -V of gnatsd, -D and -VV of nats-server.
const (
	debugTrace        = "DV"
	debugTraceVerbose = "DVV"
)

// openFlag returns the flag in arg that may look for its value in the next word, or nil if there is none.
func openFlag(flags *pflag.FlagSet, arg string) *pflag.Flag {
	if name, isLong := strings.CutPrefix(arg, "--"); isLong {
		return flags.Lookup(name) // with "=" in it, no flag has that name
	}
	letters, isShort := strings.CutPrefix(arg, "-")
	for i := 0; isShort && i < len(letters); i++ {
		flag := flags.ShorthandLookup(letters[i : i+1])
		if last := i == len(letters)-1; flag == nil || last {
			return flag
		}
		if flag.NoOptDefVal == "" || letters[i+1] == '=' {
			return nil // the rest of the word is the value
		}
	}
	return nil
}

package cmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// Groups of commands in the help text.
const (
	groupServer = "server"
	groupOther  = "other"
)

const rootLong = `natsd is a message broker that speaks the NATS protocol.

Without a command it runs a server, so "natsd -p 4222" is "natsd serve -p 4222".

Exit codes: 0 done, 1 failed, 2 the command line is wrong, 3 a configuration is not valid
(config check).`

const rootExample = `  natsd                          run a server on port 4222
  natsd serve -p -1 -DV          run a server on a free port, and show what it does
  natsd help serve               list the flags of the server`

// newRootCmd returns the command tree.
func newRootCmd(f *Factory) *cobra.Command {
	root := &cobra.Command{
		Use:     programName,
		Short:   "A message broker that speaks the NATS protocol",
		Long:    rootLong,
		Example: rootExample,
		Args:    refuseUnknownCommand,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },

		// Flags after an unknown command must not hide that the command is unknown.
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},
		SilenceErrors:      true,
		SilenceUsage:       true,

		SuggestionsMinimumDistance: maxTypos,
	}
	root.SetIn(f.Streams.In)
	root.SetOut(f.Streams.Out)
	root.SetErr(f.Streams.Err)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { showHelp(c, f.Build.Version) })
	root.SetFlagErrorFunc(explainFlagError)
	root.Flags().BoolP(versionFlag, "v", false, "Print the version")
	showVersion(root, f.Build.Version)

	root.AddGroup(&cobra.Group{ID: groupServer, Title: "Server Commands:"}, &cobra.Group{ID: groupOther, Title: "Other Commands:"})
	root.AddCommand(newServeCmd(f, nil), newConfigCmd(f), newAuthCmd(f), newMkpasswdCmd(f), newSignalCmd(f), newTopCmd(f), newHealthcheckCmd(f), newBenchCmd(f), newVersionCmd(f), newManCmd())
	addCompletions(root)
	root.SetHelpCommand(newHelpCmd())
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	setUpCompletion(root)
	return root
}

// setUpCompletion makes Cobra's own `completion` command print scripts that execute nothing, and complain about a shell it does
// not know, where it would print its help and report success.
func setUpCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Args = refuseUnknownCommand
			c.RunE = root.RunE
			c.SuggestionsMinimumDistance = 1 // the names of shells are short
			replaceCompletionScripts(c)
		}
	}
}

// shortName is the most letters of a word from which two wrong ones are too much to guess.
const shortName = 4

// isSuggestion reports whether the command called name says that it is meant by word.
func isSuggestion(c *cobra.Command, name, word string) bool {
	for _, known := range c.Commands() {
		if known.Name() == name && slices.Contains(known.SuggestFor, word) {
			return true
		}
	}
	return false
}

// refuseUnknownCommand is the argument check of a command that does nothing itself.
func refuseUnknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unknown command %q", args[0])
	near := c.SuggestionsFor(args[0])
	if len(args[0]) <= shortName { // Cobra guesses too freely from few letters
		near = slices.DeleteFunc(near, func(name string) bool {
			return nearest(args[0], []string{name}) == "" && !isSuggestion(c, name, args[0])
		})
	}
	if len(near) > 0 {
		text += fmt.Sprintf("; did you mean %q?", strings.Join(near, `" or "`))
	}
	return &usageError{
		err:  fmt.Errorf("%s", text),
		hint: fmt.Sprintf("Run %q for the list of commands.", helpCommandOf(c)),
	}
}

// refuseArguments is the argument check of a command that takes flags only.
func refuseArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("unexpected argument %q; %q takes no arguments", args[0], c.CommandPath())
	if _, isBool := parseBool(args[0]); isBool {
		text = fmt.Sprintf("unexpected argument %q; give a flag its value with \"=\", as in --debug=%s", args[0], args[0])
	}
	return asUsageError(fmt.Errorf("%s", text), c)
}

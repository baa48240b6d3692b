package cmd

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagGroupAnnotation is the annotation of a flag that holds the heading it is listed under.
const flagGroupAnnotation = "natsd_flag_group"

// defaultFlagGroup is the heading of flags without annotation.
const defaultFlagGroup = "Flags"

// newHelpCmd returns `natsd help [COMMAND]`.
func newHelpCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Explain a command",
		Example: "  natsd help serve",
		RunE: func(c *cobra.Command, args []string) error {
			target, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return &usageError{
					err:  fmt.Errorf("no help for %q: there is no such command", strings.Join(args, " ")),
					hint: fmt.Sprintf("Run %q for the list of commands.", helpCommandOf(c.Root())),
				}
			}
			target.InitDefaultHelpFlag()
			return target.Help()
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var names []cobra.Completion
			for _, sub := range c.Root().Commands() {
				if len(args) == 0 && sub.IsAvailableCommand() {
					names = append(names, cobra.CompletionWithDesc(sub.Name(), sub.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// showHelp prints the help text of c on its standard output. When the version was asked for too, that
// is printed instead (docs/spec/cli.md §4: version before help).
func showHelp(c *cobra.Command, version string) {
	text := helpText(c)
	if versionWanted(c) {
		text = versionLine(version)
	}
	// Cobra gives a help function no way to fail; a closed standard output has no reader anyway.
	_, _ = io.WriteString(c.OutOrStdout(), text)
}

// helpText renders what c is for, how to call it, examples, its commands and its flags.
func helpText(c *cobra.Command) string {
	var b strings.Builder
	description := c.Long
	if description == "" {
		description = c.Short
	}
	fmt.Fprintf(&b, "%s\n\nUsage:\n", strings.TrimSpace(description))
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND [flags]\n", c.CommandPath())
	} else {
		fmt.Fprintf(&b, "  %s\n", c.UseLine())
	}
	if c.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", c.Example)
	}
	writeCommands(&b, c)
	writeFlags(&b, c)
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\nRun \"%s COMMAND\" for more about a command.\n", helpCommandOf(c))
	}
	return b.String()
}

// writeCommands lists the commands below c, group by group, and those without a group at the end.
func writeCommands(w io.Writer, c *cobra.Command) {
	withoutGroup := &cobra.Group{Title: "Commands:"}
	for _, group := range slices.Concat(c.Groups(), []*cobra.Group{withoutGroup}) {
		title := "\n" + group.Title + "\n"
		for _, sub := range c.Commands() {
			if sub.GroupID == group.ID && (sub.IsAvailableCommand() || sub.Name() == "help") {
				_, _ = fmt.Fprintf(w, "%s  %-*s %s\n", title, sub.NamePadding(), sub.Name(), sub.Short)
				title = ""
			}
		}
	}
}

// switchValue shows a flag as a switch.
type switchValue struct{}

func (switchValue) String() string   { return "" }
func (switchValue) Set(string) error { return nil }
func (switchValue) Type() string     { return boolType }

// writeFlags lists the flags of c under their headings, both in the order they were declared.
func writeFlags(w io.Writer, c *cobra.Command) {
	var headings []string
	groups := make(map[string]*pflag.FlagSet)
	c.Flags().VisitAll(func(flag *pflag.Flag) {
		heading := defaultFlagGroup
		if annotation := flag.Annotations[flagGroupAnnotation]; len(annotation) == 1 {
			heading = annotation[0]
		}
		if groups[heading] == nil {
			groups[heading] = pflag.NewFlagSet(heading, pflag.ContinueOnError)
			groups[heading].SortFlags = false
			headings = append(headings, heading)
		}
		shown := *flag
		if flag.Value.Type() == boolType {
			shown.Value = switchValue{} // pflag would show its own kind with "[=true|false]" behind the name
		}
		groups[heading].AddFlag(&shown)
	})
	for _, heading := range headings {
		if !groups[heading].HasAvailableFlags() {
			continue
		}
		_, _ = fmt.Fprintf(w, "\n%s:\n%s", heading, groups[heading].FlagUsages())
	}
}

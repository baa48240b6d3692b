package cmd

import (
	"io"

	"github.com/spf13/cobra"
)

// versionLine is what `natsd version` and --version print.
func versionLine(version string) string { return programName + ": v" + version + "\n" }

// versionFlag is the name of the flag that asks for the version.
const versionFlag = "version"

// versionWanted reports whether the command line of c asks for the version.
func versionWanted(c *cobra.Command) bool {
	wanted, err := c.Flags().GetBool(versionFlag)
	return err == nil && wanted
}

// showVersion makes c, which has the flag, print the version instead of all else when it is given, whatever the arguments
// are. Cobra does the same with a template, which keeps every exported method of every type in the program: 3 MB of it,
// and 2 MB of its resident memory.
func showVersion(c *cobra.Command, version string) {
	check, run := c.Args, c.RunE
	c.Args = func(c *cobra.Command, args []string) error {
		if versionWanted(c) {
			return nil
		}
		return check(c, args)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if !versionWanted(c) {
			return run(c, args)
		}
		_, err := io.WriteString(c.OutOrStdout(), versionLine(version))
		return err
	}
}

// newVersionCmd returns `natsd version`, which prints the same line as `natsd --version`.
func newVersionCmd(f *Factory) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		GroupID: groupOther,
		Short:   "Print the version",
		Example: "  natsd version",
		Args:    refuseArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := io.WriteString(c.OutOrStdout(), versionLine(f.Build.Version))
			return err
		},
	}
}

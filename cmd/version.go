package cmd

import (
	"io"

	"github.com/spf13/cobra"
)

// versionLine is what `natsd version` and --version print.
func versionLine(version string) string { return programName + ": v" + version + "\n" }

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

package cmd

import "github.com/spf13/cobra"

// newConfigCmd returns `natsd config`, which groups the commands about configuration files.
func newConfigCmd(f *Factory) *cobra.Command {
	c := &cobra.Command{
		Use:     "config",
		GroupID: groupServer,
		Short:   "Check and explain configurations",
		Long:    "Check and explain configurations. No command below it opens a port or writes a file.",
		Args:    refuseUnknownCommand,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newConfigCheckCmd(f), newConfigEnvCmd(f), newConfigExplainCmd(f), newConfigShowCmd(f), newConfigDiffCmd(f))
	return c
}

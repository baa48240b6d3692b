package cmd

import "github.com/spf13/cobra"

// newAuthCmd returns `natsd auth`, which only has commands below it.
func newAuthCmd(f *Factory) *cobra.Command {
	c := &cobra.Command{
		Use:     "auth",
		GroupID: groupOther,
		Short:   "Explain who may do what",
		Args:    refuseUnknownCommand,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newAuthExplainCmd(f))
	return c
}

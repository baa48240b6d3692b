package cmd

import (
	"fmt"

	"github.com/natsd/natsd/internal/config"
	"github.com/spf13/cobra"
)

// newConfigDiffCmd returns `natsd config diff`.
func newConfigDiffCmd(f *Factory) *cobra.Command {
	return &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say what differs between two files, and whether a reload can apply it",
		Long: `Compare what two configuration files mean, not how they are written, and say for every key
that differs whether a reload applies it or the server must be restarted. The environment
is read as serve reads it.`,
		Example: "  natsd config diff /etc/natsd.conf new.conf",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			var configs [2]*config.Config
			for i, name := range args {
				var err error
				if configs[i], err = loadConfig(f, name, nil); err != nil {
					return err
				}
			}
			for _, change := range config.Diff(configs[0], configs[1]) {
				verdict := "reload"
				if change.Reload == config.Refused {
					verdict = "restart"
				}
				if _, err := fmt.Fprintf(f.Streams.Out, "%-8s %s: %s -> %s\n", verdict, change.Path, orNone(change.Old), orNone(change.New)); err != nil {
					return fmt.Errorf("cannot print the differences: %w", err)
				}
			}
			return nil
		},
	}
}

package cmd

import (
	"fmt"
	"text/tabwriter"

	"github.com/natsd/natsd/internal/config"
	"github.com/spf13/cobra"
)

// newConfigEnvCmd returns `natsd config env`.
func newConfigEnvCmd(f *Factory) *cobra.Command {
	return &cobra.Command{
		Use:   "env",
		Short: "List the environment variables that set options",
		Long: `List the environment variables that set options of this version. They beat the file and
are beaten by flags; an empty one counts as unset.`,
		Args: refuseArguments,
		RunE: func(*cobra.Command, []string) error {
			w := tabwriter.NewWriter(f.Streams.Out, 0, 0, 2, ' ', 0)
			built := config.Built()
			_, err := fmt.Fprintf(w, "VARIABLE\tKEY\tDEFAULT\tMEANING\n%s\t\t\tPath of the configuration file\n", config.EnvConfig)
			for _, e := range config.All() {
				if name := e.EnvVar(); name != "" && built[e.Feature] && err == nil {
					_, err = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, e.Path, e.Default, e.Doc)
				}
			}
			if err == nil {
				err = w.Flush()
			}
			if err != nil {
				return fmt.Errorf("cannot print the list: %w", err)
			}
			return nil
		},
	}
}

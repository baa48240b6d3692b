package cmd

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/natsd/natsd/internal/config"
	"github.com/natsd/natsd/pkg/confparse"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// newConfigShowCmd returns `natsd config show`.
func newConfigShowCmd(f *Factory) *cobra.Command {
	file, format, flags := "", "conf", []config.GivenFlag(nil)
	c := &cobra.Command{
		Use:   "show",
		Short: "Show the configuration that counts, defaults included",
		Long: `Show the configuration that counts: what flags, environment, file and defaults mean
together. Secrets are left out.`,
		Example: "  natsd config show -c natsd.conf\n  natsd config show -c natsd.conf --format json",
		Args:    refuseArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			loaded, err := loadConfig(f, file, flags)
			if err != nil {
				return err
			}
			text, err := render(loaded.Effective(config.Built()), format)
			if err != nil {
				return asUsageError(err, c)
			}
			if _, err := f.Streams.Out.Write(text); err != nil {
				return fmt.Errorf("cannot print the configuration: %w", err)
			}
			return nil
		},
	}
	c.Flags().SortFlags = false
	addConfigFlag(c, &file, "The file that serve would read")
	c.Flags().StringVar(&format, "format", format, "conf, json or yaml")
	bindOptionFlags(c.Flags(), &flags)
	return c
}

// errUnknownFormat says that there is no such format.
var errUnknownFormat = errors.New("unknown format; use conf, json or yaml")

// render returns a configuration as text.
func render(root *confparse.Value, format string) ([]byte, error) {
	switch format {
	case "conf":
		return confparse.Print(root), nil
	case "json":
		text, err := json.MarshalIndent(root.Interface(), "", "  ")
		return append(text, '\n'), err
	case "yaml":
		return yaml.Marshal(root.Interface())
	}
	return nil, errUnknownFormat
}

package cmd

import (
	"github.com/natsd/natsd/internal/config"
	"github.com/spf13/cobra"
)

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

// addConfigFlag declares -c on c: the file that serve would read.
func addConfigFlag(c *cobra.Command, file *string, usage string) {
	c.Flags().StringVarP(file, "config", "c", "", usage)
	flag := c.Flags().Lookup("config")
	flag.Value = fileValue{flag.Value}
}

// loadConfig returns the configuration that serve would start with, given a file and flags.
func loadConfig(f *Factory, file string, flags []config.GivenFlag) (*config.Config, error) {
	if file == "" {
		file, _ = f.LookupEnv(config.EnvConfig)
	}
	result := config.Load(config.Input{File: file, Stdin: f.Streams.In, Environ: f.Environ, Flags: flags})
	return result.Config, result.Err()
}

package cmd

import (
	"fmt"
	"strings"

	"github.com/natsd/natsd/internal/config"
	"github.com/spf13/cobra"
)

const configExplainLong = `Show the options of a server, or one of them: the value that counts, where it comes from,
what that overrode, the default, whether a reload can change it, and what it means.
The file and the environment are read as serve reads them, and its flags can be given.`

// newConfigExplainCmd returns `natsd config explain`.
func newConfigExplainCmd(f *Factory) *cobra.Command {
	file, flags := "", []config.GivenFlag(nil)
	c := &cobra.Command{
		Use:               "explain [KEY]",
		Short:             "Show where options come from, and what they mean",
		Long:              configExplainLong,
		Example:           "  natsd config explain -c natsd.conf\n  natsd config explain -c natsd.conf --port 5222 port",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeKey,
		RunE: func(c *cobra.Command, args []string) error {
			loaded, err := loadConfig(f, file, flags)
			if err != nil {
				return err
			}
			text := ""
			switch {
			case len(args) == 0:
				text = explainAll(loaded)
			default:
				e, known := config.Lookup(args[0])
				if !known {
					return asUsageError(unknownKey(args[0]), c)
				}
				text = explainOne(loaded, e)
			}
			if _, err := fmt.Fprint(f.Streams.Out, text); err != nil {
				return fmt.Errorf("cannot print the options: %w", err)
			}
			return nil
		},
	}
	c.Flags().SortFlags = false
	addConfigFlag(c, &file, "The file that serve would read")
	bindOptionFlags(c.Flags(), &flags)
	return c
}

// unknownKey returns the error for a key that is not in the schema.
func unknownKey(name string) error {
	var paths []string
	for _, e := range config.All() {
		paths = append(paths, e.Path)
	}
	if near := config.Nearest(name, paths); near != "" {
		return fmt.Errorf("unknown key %q; did you mean %q?", name, near)
	}
	return fmt.Errorf("unknown key %q", name)
}

// explainAll lists every option of this version with its value and origin.
func explainAll(c *config.Config) string {
	var b strings.Builder
	built := config.Built()
	for _, s := range c.Settings {
		if built[s.Feature] && !strings.Contains(s.Path, ".") {
			fmt.Fprintf(&b, "%s: %s  # %s\n", s.Path, orNone(s.Shown()), s.Origin)
		}
	}
	return b.String()
}

// orNone returns text, or a word for none.
func orNone(text string) string {
	if text == "" {
		return "(none)"
	}
	return text
}

// explainOne says everything about one key.
func explainOne(c *config.Config, e config.Entry) string {
	var b strings.Builder
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "  %-12s %s\n", name, text)
		}
	}
	fmt.Fprintf(&b, "%s: %s\n", e.Path, e.Doc)
	for _, s := range c.Settings {
		if s.Path != e.Path {
			continue
		}
		row("value", orNone(s.Shown()))
		row("from", s.Origin.String())
		for _, below := range s.Overrode {
			row("overrides", below.Text+" from "+below.String())
		}
	}
	for _, s := range c.Blocks {
		if s.Path == e.Path {
			row("from", s.Pos.String())
		}
	}
	row("type", strings.TrimPrefix(strings.TrimPrefix(e.Type.String(), "a "), "an "))
	row("unit", e.Unit)
	row("default", e.Default)
	row("aliases", strings.Join(e.Aliases, ", "))
	row("environment", e.EnvVar())
	row("reload", e.Reload.String())
	row("since", e.Since)
	if !config.Built()[e.Feature] {
		row("note", "not supported by this version")
	}
	return b.String()
}

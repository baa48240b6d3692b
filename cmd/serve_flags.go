package cmd

import (
	"strings"

	"github.com/natsd/natsd/internal/config"
	"github.com/spf13/pflag"
)

// headingCommon is the heading of the flags that every command has.
const headingCommon = "Common Options"

// givenValue is a flag of the configuration. It checks its text and notes it down, in the order of the command line.
type givenValue struct {
	config.Flag
	given   *[]config.GivenFlag
	checked bool // whether the text is checked here; a feature that is not built has an error of its own
}

// Set notes text down if it is a value of the flag.
func (v givenValue) Set(text string) error {
	if v.checked {
		if err := config.CheckFlag(v.Name, text); err != nil {
			return err
		}
	}
	*v.given = append(*v.given, config.GivenFlag{Name: v.Name, Text: text})
	return nil
}

// String returns nothing: help takes the default from the flag.
func (v givenValue) String() string { return "" }

// Type returns the word that stands for the value in help.
func (v givenValue) Type() string {
	if v.Bool {
		return boolType
	}
	return v.Kind
}

// boolType is the name pflag has for a flag that is shown without a value.
const boolType = "bool"

// bindServeFlags declares the flags of `natsd serve`. Source: docs/spec/cli.md §3.
func bindServeFlags(flags *pflag.FlagSet, o *serveOptions) {
	flags.SortFlags = false
	flags.StringVarP(&o.configFile, "config", "c", "", "Read this configuration file")
	flags.BoolVarP(&o.testOnly, "test", "t", false, "Check the configuration, and do not start")
	for _, name := range []string{"config", "test"} {
		underHeading(flags.Lookup(name), config.HeadingServer)
	}
	flags.Lookup("config").Value = fileValue{flags.Lookup("config").Value}
	bindOptionFlags(flags, &o.flags)
	flags.BoolVar(&o.helpTLS, "help_tls", false, "Show an example of a TLS configuration")
	flags.BoolP("help", "h", false, "Show this message")
	flags.BoolP(versionFlag, "v", false, "Show version")
	for _, name := range []string{"help_tls", "help", versionFlag} {
		underHeading(flags.Lookup(name), headingCommon)
	}
}

// underHeading has help list a flag under a heading.
func underHeading(flag *pflag.Flag, heading string) {
	flag.Annotations = map[string][]string{flagGroupAnnotation: {heading}}
}

// bindOptionFlags declares the flags that set options on flags; those given are appended to given. Flags of features that
// are not built are declared too, hidden, so that they are refused by name.
func bindOptionFlags(flags *pflag.FlagSet, given *[]config.GivenFlag) {
	names := make(map[string]string)
	built := config.Built()
	for _, spec := range config.Flags() {
		flag := flags.VarPF(givenValue{spec, given, built[spec.Feature]}, spec.Name, spec.Short, spec.Usage)
		flag.DefValue = spec.Preset
		flag.Hidden = !built[spec.Feature]
		underHeading(flag, spec.Heading)
		if spec.Bool {
			flag.NoOptDefVal = "true"
		}
		if spec.LoneBool {
			flag.Annotations[looseBoolAnnotation] = []string{"true"}
		}
		for _, alias := range spec.Aliases {
			names[alias] = spec.Name
		}
	}
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		name = strings.ReplaceAll(name, "-", "_")
		if canonical, isAlias := names[name]; isAlias {
			name = canonical
		}
		return pflag.NormalizedName(name)
	})
}

// fileValue is a flag that names a file.
type fileValue struct{ pflag.Value }

// Type returns the word that stands for the value in help.
func (fileValue) Type() string { return "file" }

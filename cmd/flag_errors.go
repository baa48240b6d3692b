package cmd

import (
	"errors"
	"fmt"
	"strings"

	"github.com/natsd/natsd/internal/config"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// explainFlagError turns an error of pflag into one that says what to do.
func explainFlagError(c *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		invalid *pflag.InvalidValueError
		missing *pflag.ValueRequiredError
		syntax  *pflag.InvalidSyntaxError
	)
	switch {
	case errors.As(err, &unknown):
		err = explainUnknownFlag(c, unknown)
	case errors.As(err, &invalid) && config.IsSecretFlag(invalid.GetFlag().Name):
		err = fmt.Errorf("invalid value for --%s: %w", invalid.GetFlag().Name, invalid.Unwrap())
	case errors.As(err, &invalid):
		err = fmt.Errorf("invalid value %q for --%s: %w", invalid.GetValue(), invalid.GetFlag().Name, invalid.Unwrap())
	case errors.As(err, &missing):
		err = fmt.Errorf("flag --%s needs a value", missing.GetFlag().Name)
	case errors.As(err, &syntax):
		err = fmt.Errorf("%q is not a flag; a flag reads --name or --name=value", syntax.GetSpecifiedFlag())
	}
	return asUsageError(err, c)
}

// explainUnknownFlag names the flag and, where one is near, the flag that was probably meant.
func explainUnknownFlag(c *cobra.Command, unknown *pflag.NotExistError) error {
	name := unknown.GetSpecifiedName()
	switch letters := unknown.GetSpecifiedShortnames(); {
	case letters == name:
		return fmt.Errorf("unknown flag -%s", name)
	case letters != "":
		return fmt.Errorf("unknown flag -%s in \"-%s\"", name, letters)
	}
	var names []string
	c.Flags().VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	if near := nearest(strings.ReplaceAll(name, "-", "_"), names); near != "" {
		return fmt.Errorf("unknown flag --%s; did you mean --%s?", name, near)
	}
	return fmt.Errorf("unknown flag --%s", name)
}

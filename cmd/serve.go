package cmd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/natsd/natsd/internal/config"
	"github.com/natsd/natsd/pkg/confparse"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
)

const serveLong = `Run the server in the foreground until a signal stops it.

Options come from flags, NATSD_* environment variables, a configuration file and
defaults; the first of these that gives an option counts.

Sizes are numbers of bytes; k, m and g count in thousands, kb, mb and gb in 1024s.
Durations are numbers with a unit (ms, s, m, h), such as 500ms or 1m30s.

Signals: INT and TERM stop the server, a second INT at once with exit code 1; HUP
reads the configuration again; USR1 re-opens the log file; USR2 enters lame duck mode,
which closes the clients little by little and then stops. In lame duck mode TERM is
ignored and INT stops the server.`

const serveExample = `  natsd serve                                 listen on port 4222 of all interfaces
  natsd serve -c natsd.conf                   do what a configuration file says
  natsd serve -a 127.0.0.1 -p -1 -DV          listen on a free local port, and show what happens
  natsd serve -l natsd.log -P natsd.pid       log to a file, store the process id in another
  natsd serve --max_payload 8mb --ping_interval 30s`

// serveOptions is everything `natsd serve` was told.
type serveOptions struct {
	factory    *Factory
	flags      []config.GivenFlag // in the order of the command line
	configFile string             // empty: none
	testOnly   bool
	helpTLS    bool

	certificateLog atomic.Pointer[zerolog.Logger] // told of certificates that change; nil before there is a log

	config   *config.Config     // what all of it means together
	warnings confparse.Findings // about it
}

// newServeCmd returns `natsd serve`, which calls run with what the command line, the environment and the file say. A
// nil run is runServe.
func newServeCmd(f *Factory, run func(context.Context, *serveOptions) error) *cobra.Command {
	if run == nil {
		run = runServe
	}
	o := &serveOptions{factory: f}
	c := &cobra.Command{
		Use:        "serve",
		GroupID:    groupServer,
		SuggestFor: []string{"run", "start", "server"},
		Short:      "Run the server",
		Long:       serveLong,
		Example:    serveExample,
		Args:       refuseArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.helpTLS {
				return writeHelpTLS(f.Streams.Out)
			}
			if signal := o.takeSignal(); signal != "" {
				return sendSignalFlag(c.Context(), f, signal)
			}
			if o.configFile == "" {
				o.configFile, _ = f.LookupEnv(config.EnvConfig)
			}
			if o.testOnly {
				return o.test(c)
			}
			if err := o.load(); err != nil {
				if fault := o.faultOfCommandLine(err); fault != nil {
					return asUsageError(fault, c)
				}
				return err
			}
			return run(c.Context(), o)
		},
	}
	bindServeFlags(c.Flags(), o)
	showVersion(c, f.Build.Version)
	return c
}

// test checks the file and starts nothing, like nats-server -t. Source: docs/spec/config.md B11.
func (o *serveOptions) test(c *cobra.Command) error {
	if o.configFile == "" {
		return asUsageError(fmt.Errorf("-t checks a configuration file; name it with -c"), c)
	}
	result := checkFile(o.factory, o.configFile, o.flags)
	if fault := o.faultOfCommandLine(result.Err()); fault != nil {
		return asUsageError(fault, c)
	}
	if err := printFindings(o.factory, o.configFile, result, false); err != nil {
		return err
	}
	if result.Err() != nil {
		return errInvalidConfig
	}
	return nil
}

// faultOfCommandLine returns which of the errors of a configuration the command line shows alone, nil if none. A flag that is
// wrong without the file may be right with it, so this is asked only when something is wrong, and of that only.
// Source: docs/spec/choices.md 2.
func (o *serveOptions) faultOfCommandLine(err error) error {
	var faults confparse.Findings
	found := confparse.FindingsOf(err)
	for _, fault := range config.Load(config.Input{Flags: o.flags}).Errors() {
		if slices.ContainsFunc(found, func(f *confparse.Finding) bool { return f.Text == fault.Text }) {
			faults = append(faults, fault)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	return joined(faults)
}

// input is what the configuration is made from, at the start and at every reload.
func (o *serveOptions) input() config.Input {
	return config.Input{
		File: o.configFile, Stdin: o.factory.Streams.In, Environ: o.factory.Environ, Flags: o.flags, Certificates: true, CertificateLog: o.logCertificate,
	}
}

// logCertificate logs that a certificate was read again, or could not be. Any goroutine.
func (o *serveOptions) logCertificate(text string, failed bool) {
	level := zerolog.InfoLevel
	if failed {
		level = zerolog.ErrorLevel
	}
	if logger := o.certificateLog.Load(); logger != nil {
		logger.WithLevel(level).Msg(text)
	}
}

// load makes the configuration.
func (o *serveOptions) load() error {
	result := config.Load(o.input())
	o.config, o.warnings = result.Config, result.Warnings()
	return result.Err()
}

// joined returns the findings in err in one line.
func joined(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s", strings.ReplaceAll(err.Error(), "\n", "; "))
}

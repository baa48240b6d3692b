package cmd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/natsd/natsd/internal/logsink"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/spf13/cobra"
)

// minLameDuckDuration is the shortest lame duck mode an operator may ask for (docs/spec/config.md B2). The
// library has no such bound.
const minLameDuckDuration = 30 * time.Second

// bigPayload is the size in bytes above which max_payload draws a warning (docs/spec/config.md B2).
const bigPayload = 8 << 20

const serveLong = `Run the server in the foreground until a signal stops it.

Sizes are numbers of bytes; k, m and g count in thousands, kb, mb and gb in 1024s.
Durations are numbers with a unit (ms, s, m, h), such as 500ms or 1m30s.

Signals: INT and TERM stop the server, a second INT at once with exit code 1; USR1
re-opens the log file; USR2 enters lame duck mode, which closes the clients little by
little and then stops. In lame duck mode TERM is ignored and INT stops the server.`

const serveExample = `  natsd serve                                 listen on port 4222 of all interfaces
  natsd serve -a 127.0.0.1 -p -1 -DV          listen on a free local port, and show what happens
  natsd serve -l natsd.log -P natsd.pid       log to a file, store the process id in another
  natsd serve --max_payload 8mb --ping_interval 30s`

// serveOptions is everything `natsd serve` was told.
type serveOptions struct {
	factory *Factory
	broker  broker.Options // zero fields were not given
	pidFile string         // empty: none
	logFile string         // empty: standard error
	logTime bool
	levels  logsink.Levels

	given       func(flag string) bool // whether the command line sets it
	bareSeconds map[string]bool        // by flag: whether a duration was given as a bare number
}

// newServeCmd returns `natsd serve`, which calls run with what the flags say. A nil run is runServe.
func newServeCmd(f *Factory, run func(context.Context, *serveOptions) error) *cobra.Command {
	if run == nil {
		run = runServe
	}
	o := &serveOptions{factory: f, logTime: true, bareSeconds: make(map[string]bool)}
	c := &cobra.Command{
		Use:        "serve",
		GroupID:    groupServer,
		SuggestFor: []string{"run", "start", "server"},
		Short:      "Run the server",
		Long:       serveLong,
		Example:    serveExample,
		Version:    f.Build.Version,
		Args:       refuseArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return asUsageError(err, c)
			}
			return run(c.Context(), o)
		},
	}
	bindServeFlags(c.Flags(), serveFlagTable(o))
	o.given = c.Flags().Changed
	return c
}

// duration returns the value of the duration flag name; o notes how it is written.
func (o *serveOptions) duration(name string, target *time.Duration) durationValue {
	return durationValue{target: target, name: name, bare: o.bareSeconds}
}

// validate reports what is wrong with the options taken together.
func (o *serveOptions) validate() error {
	if d := o.broker.LameDuckDuration; d != 0 && d < minLameDuckDuration {
		return fmt.Errorf("invalid lame_duck_duration of %s, minimum is 30 seconds", formatDuration(d))
	}
	if err := o.broker.Validate(); err != nil {
		text := strings.TrimPrefix(err.Error(), broker.ErrInvalidOptions.Error()+": ")
		return errors.New(strings.ReplaceAll(text, "\n", "; "))
	}
	return nil
}

// warnings returns what is allowed but probably not meant.
func (o *serveOptions) warnings() []string {
	var warnings []string
	for _, name := range slices.Sorted(maps.Keys(o.bareSeconds)) {
		if o.bareSeconds[name] {
			warnings = append(warnings, name+" should be converted to a duration")
		}
	}
	if n := o.broker.MaxConnections; n < 0 {
		warnings = append(warnings, fmt.Sprintf("max_connections of %d means no limit; nats-server refuses every client then", n))
	} else if n == 0 && o.given("max_connections") {
		warnings = append(warnings, fmt.Sprintf("max_connections of 0 means %d; nats-server refuses every client then", broker.DefaultMaxConnections))
	}
	if o.broker.MaxPayload > bigPayload {
		warnings = append(warnings, fmt.Sprintf("max_payload of %d bytes is more than 8 MiB; big messages delay all others on their way", o.broker.MaxPayload))
	}
	return warnings
}

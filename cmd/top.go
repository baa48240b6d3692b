package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const topLong = `Show what a server does, live, in the terminal: rates, and the connections sorted by one of
their columns. It reads the monitor port of natsd or of nats-server.

Keys: o sort, n number of rows, / filter, s subscriptions, space pause, ? help, q quit.

If the monitor port wants credentials, give the token in the environment variable
NATSD_MONITOR_TOKEN, or user and password in the URL. If it demands certificates
(monitor.tls.verify), give --tlscert and --tlskey.`

const topExample = `  natsd top
  natsd top http://10.0.0.5:8222 --sort pending
  natsd top --filter billing     those whose name, host, user or cid contains it
  natsd top --once --json | jq .rates`

// topSorts are what connections can be sorted by, as nats-top calls it.
var topSorts = []string{"cid", "start", "subs", "pending", "msgs_to", "msgs_from", "bytes_to", "bytes_from", "last", "idle", "uptime", "rtt"}

// topOptions is what `natsd top` was told.
type topOptions struct {
	topQuery
	delay      time.Duration
	once, json bool
	tls        clientTLS
}

// Bounds of the time between two looks.
const minTopDelay = 100 * time.Millisecond

// newTopCmd returns `natsd top`.
func newTopCmd(f *Factory) *cobra.Command {
	const rows = 1024
	o := topOptions{topQuery: topQuery{sort: "cid", limit: rows}, delay: time.Second}
	c := &cobra.Command{
		Use:     "top [URL]",
		GroupID: groupServer,
		Short:   "Watch a server live",
		Long:    topLong,
		Example: topExample,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			u, err := monitorURL(args)
			if err == nil {
				err = o.validate()
			}
			if err != nil {
				return asUsageError(err, c)
			}
			client, err := newMonitorClient(o.tls)
			if err != nil {
				return err
			}
			token, _ := f.LookupEnv(envMonitorToken)
			source := &topSource{client: client, base: u, token: token}
			if o.once {
				return o.printOnce(c.Context(), f, source)
			}
			return runTopScreen(c.Context(), source, &o)
		},
	}
	c.Flags().SortFlags = false
	c.Flags().StringVarP(&o.sort, "sort", "o", o.sort, "What to sort by: "+strings.Join(topSorts, ", "))
	_ = c.RegisterFlagCompletionFunc("sort", completeWords(topSorts...)) // it fails for an unknown flag only
	c.Flags().IntVarP(&o.limit, "conns", "n", o.limit, "Number of connections")
	c.Flags().StringVar(&o.filter, "filter", o.filter, "Only connections whose name, host, user or cid contains this `text`")
	c.Flags().DurationVarP(&o.delay, "delay", "d", o.delay, "Time between two looks")
	c.Flags().BoolVar(&o.subs, "subs", o.subs, "Show subscriptions")
	c.Flags().BoolVar(&o.once, "once", o.once, "Print one look and exit; the rates are those of one delay")
	c.Flags().BoolVar(&o.json, "json", o.json, "With --once: print JSON")
	o.tls.addFlags(c.Flags())
	return c
}

// validate checks what was given.
func (o *topOptions) validate() error {
	switch {
	case !slices.Contains(topSorts, o.sort):
		return fmt.Errorf("cannot sort by %q; use %s", o.sort, strings.Join(topSorts, ", "))
	case o.limit < 1:
		return fmt.Errorf("%d connections are too few; use 1 or more", o.limit)
	case o.delay < minTopDelay:
		return fmt.Errorf("a delay of %v is too short; use at least %v", o.delay, minTopDelay)
	case o.json && !o.once:
		return errors.New("--json goes with --once")
	}
	return nil
}

// printOnce prints one look, with the rates of one delay.
func (o *topOptions) printOnce(ctx context.Context, f *Factory, source *topSource) error {
	if _, err := source.sample(ctx, o.topQuery); err != nil {
		return err
	}
	select {
	case <-time.After(o.delay):
	case <-ctx.Done():
		return ctx.Err()
	}
	s, err := source.sample(ctx, o.topQuery)
	if err != nil {
		return err
	}
	s = s.shown(o.topQuery)
	text := ""
	if o.json {
		body, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			return fmt.Errorf("cannot print the answer: %w", err)
		}
		text = string(body) + "\n"
	} else {
		text = strings.Join(append(topHeader(s, o.topQuery), topTable(s, o.topQuery)...), "\n") + "\n"
	}
	if _, err := fmt.Fprint(f.Streams.Out, text); err != nil {
		return fmt.Errorf("cannot print the answer: %w", err)
	}
	return nil
}

package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/natsd/natsd/internal/config"
	"github.com/natsd/natsd/internal/control"
	"github.com/spf13/cobra"
)

const signalLong = `Tell a running server what to do. Without a process id there must be exactly one that
has the name of this program and belongs to you.

  stop     kill it at once: no goodbye, nothing is cleaned up
  quit     stop it; clients get what is queued for them
  term     the same, but ignored in lame duck mode
  reopen   re-open the log file, after it was renamed
  reload   read the configuration again
  ldm      lame duck mode: close the clients little by little, then stop
  upgrade  hand over to a new process of the program as it is on the disk now (Linux)

A process is a number, the path of a pid file, digits and "*" for all ids that begin with
them, or "*" for all servers. "reload=123" is "reload 123", as it is with gnatsd.`

const signalExample = `  natsd signal reload
  natsd signal reload --wait            wait until the new configuration counts
  natsd signal ldm /run/natsd.pid --wait
  natsd signal reopen 1234 1235`

// serviceName is what natsd is called as a service of Windows, whatever its program is called. Source: docs/spec/cli.md §11.
const serviceName = "natsd"

// signalUpgrade is the name of what is no signal but a command.
const signalUpgrade = "upgrade"

// signalNames are what a server can be told, in the order of the help text.
var signalNames = []string{"stop", "quit", "term", "reopen", "reload", "ldm", signalUpgrade}

// How long --wait waits unless told otherwise.
const (
	defaultSignalWait = 30 * time.Second
	lameDuckWait      = 5 * time.Minute // lame duck mode takes two minutes unless the configuration says otherwise
	signalPoll        = 20 * time.Millisecond
)

// signalOptions is what `natsd signal` was told.
type signalOptions struct {
	factory *Factory
	wait    bool
	timeout time.Duration // 0: the default of the signal
}

// newSignalCmd returns `natsd signal`.
func newSignalCmd(f *Factory) *cobra.Command {
	o := &signalOptions{factory: f}
	c := &cobra.Command{
		Use:               "signal NAME [PROCESS...]",
		GroupID:           groupServer,
		Short:             "Tell a running server what to do",
		Long:              signalLong,
		Example:           signalExample,
		ValidArgsFunction: f.completeSignal,
		Args:              cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name, targets, err := splitSignal(args)
			if err != nil {
				return err
			}
			if o.timeout <= 0 && c.Flags().Changed("timeout") && (o.wait || name == signalUpgrade) {
				return asUsageError(fmt.Errorf("--timeout of %v leaves no time to wait; it must be more than 0", o.timeout), c)
			}
			return o.run(c.Context(), name, targets)
		},
	}
	c.Flags().SortFlags = false
	c.Flags().BoolVarP(&o.wait, "wait", "w", o.wait, "Wait until it has happened")
	c.Flags().DurationVar(&o.timeout, "timeout", o.timeout, "With --wait, and for an upgrade: time it may take (default 30s, with ldm and upgrade 5m)")
	return c
}

// splitSignal splits NAME=PROCESS, and returns what is told to whom.
func splitSignal(args []string) (name string, targets []string, err error) {
	parts := strings.Split(args[0], "=")
	if len(parts) > 2 {
		return "", nil, fmt.Errorf("invalid signal parameters: %v", parts[2:]) // docs/spec/cli.md §5
	}
	targets = append(targets, parts[1:]...)
	return parts[0], append(targets, args[1:]...), nil
}

// run tells every target, and reports all that went wrong.
func (o *signalOptions) run(ctx context.Context, name string, targets []string) error {
	if tellsServices {
		if len(targets) == 0 {
			targets = []string{serviceName}
		}
		var errs []error
		for _, service := range targets {
			errs = append(errs, tellService(name, service))
		}
		return errors.Join(errs...)
	}
	pids, err := resolveProcesses(o.factory, targets)
	if err != nil {
		return err
	}
	if !slices.Contains(signalNames, name) {
		return fmt.Errorf("unknown signal %q", name)
	}
	var errs []error
	for _, pid := range pids {
		if err := o.tell(ctx, name, pid); err != nil {
			errs = append(errs, fmt.Errorf("signal %q %d: %w", name, pid, err))
		}
	}
	return errors.Join(errs...)
}

// tell tells one process, and waits if it has to.
func (o *signalOptions) tell(ctx context.Context, name string, pid int) error {
	if name == signalUpgrade {
		return o.upgrade(ctx, pid)
	}
	if !o.wait {
		return sendSignal(name, pid)
	}
	done, limit := goneCheck(pid), defaultSignalWait
	switch name {
	case "ldm":
		limit = lameDuckWait
	case "reload", "reopen":
		before, err := control.Ask(pid)
		if err != nil {
			return fmt.Errorf("cannot wait for it: %w", err)
		}
		done = effectCheck(name, pid, before)
	}
	if err := sendSignal(name, pid); err != nil {
		return err
	}
	return o.await(ctx, limit, done)
}

// upgrade has a process hand over to a new one, prints the id of that, and waits for the end of the old one if it has to. The time that
// it may take is for all of it. Source: docs/spec/cli.md §5.
func (o *signalOptions) upgrade(ctx context.Context, pid int) error {
	limit := lameDuckWait
	if o.timeout > 0 {
		limit = o.timeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	gone := goneCheck(pid)
	fresh, err := control.Upgrade(pid, limit)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && limit < handoverPatience:
		return fmt.Errorf("the new process does not serve within %v; the server still waits for it, up to %v", limit, handoverPatience)
	case err != nil:
		return err
	}
	if _, err := fmt.Fprintf(o.factory.Streams.Out, "%d\n", fresh); err != nil {
		return fmt.Errorf("cannot print the process id: %w", err)
	}
	if !o.wait {
		return nil
	}
	return o.await(ctx, limit, gone)
}

// await waits until done says so, or says that it has failed.
func (o *signalOptions) await(ctx context.Context, limit time.Duration, done func() (bool, error)) error {
	if o.timeout > 0 {
		limit = o.timeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(signalPoll)
	defer ticker.Stop()
	for {
		if over, err := done(); over || err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("the signal was sent, but nothing has come of it within %v", limit)
		}
	}
}

// effectCheck returns what reports whether a server has done what the signal asks for since before.
func effectCheck(name string, pid int, before control.Status) func() (bool, error) {
	return func() (bool, error) {
		now, err := control.Ask(pid)
		switch {
		case err != nil:
			return false, err
		case name == "reload" && now.FailedReloads > before.FailedReloads:
			return false, errors.New("the configuration was refused, the one before still counts: " + now.ReloadError)
		case name == "reload":
			return now.Reloads > before.Reloads, nil
		case now.ReopenError != "" && now.Reopens == before.Reopens && now.ReopenError != before.ReopenError:
			return false, errors.New(now.ReopenError)
		}
		return now.Reopens > before.Reopens, nil
	}
}

// takeSignal takes --signal out of the flags and returns its value, empty if there is none: it acts before the file is read, and no
// server is started. Source: docs/spec/cli.md §4.
func (o *serveOptions) takeSignal() string {
	signal := ""
	o.flags = slices.DeleteFunc(o.flags, func(g config.GivenFlag) bool {
		if g.Name == "signal" {
			signal = g.Text
		}
		return g.Name == "signal"
	})
	return signal
}

// sendSignalFlag does what --signal asks for: NAME or NAME=PROCESS.
func sendSignalFlag(ctx context.Context, f *Factory, text string) error {
	name, targets, err := splitSignal([]string{text})
	if err != nil {
		return err
	}
	o := &signalOptions{factory: f}
	return o.run(ctx, name, targets)
}

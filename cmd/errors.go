package cmd

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes of the process (docs/spec/cli.md §10).
const (
	exitOK      = 0
	exitFailure = 1 // the command line was fine, the work failed
	exitUsage   = 2 // the command line alone shows the fault
	exitConfig  = 3 // `config check`: a file is not valid
)

// usageError is a fault in the command line, with a sentence on where to read on.
type usageError struct {
	err  error
	hint string
}

// Error returns the text of the fault, without the hint.
func (e *usageError) Error() string { return e.err.Error() }

// Unwrap returns the fault.
func (e *usageError) Unwrap() error { return e.err }

// asUsageError returns err as a fault in the command line of c, unless it is one already.
func asUsageError(err error, c *cobra.Command) error {
	var usage *usageError
	if errors.As(err, &usage) {
		return err
	}
	return &usageError{err: err, hint: fmt.Sprintf("Run %q for usage.", helpCommandOf(c))}
}

// helpCommandOf returns the command line that explains c.
func helpCommandOf(c *cobra.Command) string {
	if !c.HasParent() {
		return c.Name() + " help"
	}
	return c.Root().Name() + " help " + strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" ")
}

// loggedError is a failure the log already shows on standard error: printing it again helps nobody.
type loggedError struct{ err error }

// Error returns the text of the failure.
func (e *loggedError) Error() string { return e.err.Error() }

// Unwrap returns the failure.
func (e *loggedError) Unwrap() error { return e.err }

// quietError is a failure about which everything was printed, with an exit code of its own.
type quietError struct {
	err  error
	code int
}

// Error returns the text of the failure.
func (e *quietError) Error() string { return e.err.Error() }

// Unwrap returns the failure.
func (e *quietError) Unwrap() error { return e.err }

// listError is an error followed by a list, whose lines are for programs to read.
type listError struct {
	text string
	list []string
}

// Error returns the text and the list, each on a line.
func (e *listError) Error() string { return e.text + "\n" + strings.Join(e.list, "\n") }

// exitCode returns the exit code for the outcome of a command.
func exitCode(err error) int {
	var usage *usageError
	var quiet *quietError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &quiet):
		return quiet.code
	case errors.As(err, &usage):
		return exitUsage
	default:
		return exitFailure
	}
}

// printError writes err to w, with the name of the program in front and its hint, if any, on a line below.
func printError(w io.Writer, err error) {
	var logged *loggedError
	var quiet *quietError
	if err == nil || errors.As(err, &logged) || errors.As(err, &quiet) {
		return
	}
	var list *listError
	if errors.As(err, &list) {
		_, _ = fmt.Fprintf(w, "%s: %s\n", programName, list.Error())
		return
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		// Failing to write to standard error leaves nowhere to complain; the exit code still tells.
		_, _ = fmt.Fprintf(w, "%s: %s\n", programName, line)
	}
	var usage *usageError
	if errors.As(err, &usage) && usage.hint != "" {
		_, _ = fmt.Fprintln(w, usage.hint)
	}
}

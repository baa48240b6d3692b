// Package cmd is the command line of natsd: commands, flags, help, signals and exit codes. It is the
// only place that knows Cobra, and the only one that turns an error into an exit code.
//
// A command is an options struct, a constructor that fills it from flags, and a run function that uses
// it. The constructor takes the run function as an argument, so that parsing is tested without running
// and running without parsing. Everything outside the process (streams, environment, clock, signals, the
// broker) is reached through Factory.
//
// A command line runs in one goroutine. `serve` adds one for each orderly stop and each lame duck
// mode; both end before the command returns, unless a second interrupt forces the exit.
//
// Spec: docs/spec/cli.md. How to add a command or a flag: CONTRIBUTING.md.
package cmd

package cmd

import (
	"context"

	"github.com/natsd/natsd/internal/iostreams"
	"github.com/spf13/cobra"
)

// Main runs the command line args, program name included, in the environment env, and returns the exit
// code of the process. Errors are printed on streams.Err, never on streams.Out.
func Main(args, env []string, streams *iostreams.Streams) int {
	f := newFactory(args, env, streams)
	run := func(ctx context.Context, f *Factory) int { return execute(ctx, f, f.Args) }
	if code, isService := runAsService(f, run); isService {
		return code
	}
	return run(context.Background(), f)
}

// execute runs args, program name not included, and returns the exit code. When ctx ends, a running
// server stops in an orderly way.
func execute(ctx context.Context, f *Factory, args []string) int {
	root := newRootCmd(f)
	root.SetArgs(rewriteArgs(root, args))

	// Cobra's own errors come before any command runs, and they are all about the command line.
	running := false
	root.PersistentPreRun = func(*cobra.Command, []string) { running = true }
	err := root.ExecuteContext(ctx)
	if err != nil && !running {
		err = asUsageError(err, root)
	}
	printError(f.Streams.Err, err)
	return exitCode(err)
}

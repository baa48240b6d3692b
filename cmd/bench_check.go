package cmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/natsd/natsd/internal/bench"
	"github.com/spf13/pflag"
)

// benchCounts are the flags with numbers of what a workload has at least one of.
var benchCounts = []string{"pubs", "subs", "subjects", "in-flight", "conns"}

// checkBenchFlags returns what is wrong with a flag that was given, and that its type allows. Source: docs/spec/cli.md §13.
func checkBenchFlags(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(flag *pflag.Flag) {
		value, want := flag.Value.String(), ""
		switch {
		case flag.Value.Type() == "duration" && strings.HasPrefix(value, "-"):
			want = "a duration that is not negative"
		case slices.Contains(benchCounts, flag.Name) && value == "0":
			want = "a number from 1 on"
		}
		if want != "" && err == nil {
			err = fmt.Errorf("invalid value %q for --%s: expected %s", value, flag.Name, want)
		}
	})
	return err
}

// endless returns which of the workloads, if any, would never end. The workloads are complete.
func (o *benchOptions) endless(workloads []bench.Workload) error {
	for i := range workloads {
		if w := &workloads[i]; o.duration == 0 && w.Msgs == 0 {
			return fmt.Errorf("workload %s has no end: expected a --duration longer than 0, or a number of messages", w.Name)
		}
	}
	return nil
}

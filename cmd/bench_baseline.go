package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/natsd/natsd/internal/bench"
)

// defaultTolerance is how many percent worse than a baseline is still good: runs on a busy machine are 10 % apart.
const defaultTolerance = 15

// reportFile returns where the report with this name is kept: a path stands for itself, anything else for a file in the
// folder for the state of the user's programs.
func (o *benchOptions) reportFile(name string) (string, error) {
	if strings.ContainsRune(name, filepath.Separator) || strings.Contains(name, "/") || strings.HasSuffix(name, ".json") {
		return name, nil
	}
	folder, _ := o.factory.LookupEnv("XDG_STATE_HOME")
	if folder == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("there is no folder to keep reports in; give a path to a file: %w", err)
		}
		folder = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(folder, programName, "bench", name+".json"), nil
}

// keep writes a report where load finds it.
func (o *benchOptions) keep(name string, report *bench.Report) error {
	path, err := o.reportFile(name)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot render the report: %w", err)
	}
	const folderMode = 0o755
	if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return fmt.Errorf("cannot keep the report: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), reportMode); err != nil {
		return fmt.Errorf("cannot keep the report: %w", err)
	}
	return nil
}

// load reads a report that was kept.
func (o *benchOptions) load(name string) (*bench.Report, error) {
	path, err := o.reportFile(name)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the baseline: %w", err)
	}
	report := &bench.Report{}
	if err := json.Unmarshal(text, report); err != nil {
		return nil, fmt.Errorf("baseline %s is no report of this program: %w", path, err)
	}
	return report, nil
}

// benchFigure is one figure that runs are compared by.
type benchFigure struct {
	name  string
	kind  figureKind
	value func(report *bench.Report, r *bench.Result) float64
	text  func(value float64) string
}

// figureKind says when a figure is worse than before, and what it means that it is 0.
type figureKind int

const (
	lessIfKnown  figureKind = iota // less is better; 0: not known, which depends on how the server was run
	lessIsBetter                   // 0: there is nothing that it could be of, such as messages that have a latency
	moreIsBetter
	noneIsBest // and less is better
)

// isWorse reports whether is, the figure now, is worse than was, the one before, by more than tolerance percent.
func (k figureKind) isWorse(was, is, tolerance float64) bool {
	change := 100 * (is/was - 1)
	switch {
	case k == noneIsBest:
		return is > was && (was <= 0 || change > tolerance)
	case was <= 0: // then nothing is known to be worse
		return false
	case is <= 0:
		return k != lessIfKnown // a load of which nothing comes through any more is worse, however tolerant one is
	case k == moreIsBetter:
		return -change > tolerance
	}
	return change > tolerance
}

// benchFigures are those figures.
var benchFigures = []benchFigure{
	{"publish rate", moreIsBetter, func(_ *bench.Report, r *bench.Result) float64 { return r.PublishRate }, number},
	{"deliver rate", moreIsBetter, func(_ *bench.Report, r *bench.Result) float64 { return r.DeliverRate }, number},
	{"p50", lessIsBetter, func(_ *bench.Report, r *bench.Result) float64 { return latencyFigure(r, false) }, nanoseconds},
	{"p99", lessIsBetter, func(_ *bench.Report, r *bench.Result) float64 { return latencyFigure(r, true) }, nanoseconds},
	{"lost", noneIsBest, func(_ *bench.Report, r *bench.Result) float64 { return float64(r.Lost) }, number},
	{"CPU per message", lessIfKnown, func(report *bench.Report, _ *bench.Result) float64 {
		if report.Usage == nil || len(report.Results) > 1 {
			return 0
		}
		return float64(report.Usage.CPUPerMessage)
	}, nanoseconds},
	{"memory", lessIfKnown, func(report *bench.Report, _ *bench.Result) float64 {
		if report.Usage == nil || len(report.Results) > 1 {
			return 0
		}
		return float64(report.Usage.MemoryMax)
	}, size},
}

func latencyFigure(r *bench.Result, p99 bool) float64 {
	switch {
	case r.Latency == nil:
		return 0
	case p99:
		return float64(r.Latency.P99)
	}
	return float64(r.Latency.P50)
}

// compareWith prints how a report differs from one before, nil: none, and returns an error if it is worse.
func (o *benchOptions) compareWith(before, now *bench.Report) error {
	if before == nil {
		return nil
	}
	out := o.factory.Streams.Out
	if o.json || o.csv {
		out = o.factory.Streams.Err // the other is for programs
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(t, "\nworkload\tfigure\tbaseline\tnow\tratio\n") // tabwriter keeps the error for Flush
	var worse []string
	common := 0
	for i := range now.Results {
		r := &now.Results[i]
		old := findResult(before, r.Name)
		if old == nil {
			continue
		}
		common++
		for _, f := range benchFigures {
			was, is := f.value(before, old), f.value(now, r)
			isWorse := f.kind.isWorse(was, is, o.tolerance)
			if !isWorse && (was <= 0 || is <= 0) {
				continue // not known of both
			}
			ratio := "-"
			if was > 0 {
				ratio = fmt.Sprintf("%.2f", is/was)
			}
			_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", clean(r.Name), f.name, f.text(was), f.text(is), ratio)
			if isWorse {
				worse = append(worse, fmt.Sprintf("%s: %s is %s, %s before: worse by more than %g %%", r.Name, f.name, f.text(is), f.text(was), o.tolerance))
			}
		}
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("cannot print the comparison: %w", err)
	}
	if common == 0 {
		return errors.New("the baseline has none of these workloads; compare runs of the same kind")
	}
	if len(worse) > 0 {
		return errors.New(strings.Join(worse, "\n"))
	}
	return nil
}

func findResult(report *bench.Report, name string) *bench.Result {
	for i := range report.Results {
		if report.Results[i].Name == name {
			return &report.Results[i]
		}
	}
	return nil
}

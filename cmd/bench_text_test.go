package cmd

import (
	"strings"
	"testing"

	"github.com/natsd/natsd/internal/bench"
)

// TestBenchTableForeign: messages that are not of the run are shown, also if nothing else has come.
func TestBenchTableForeign(t *testing.T) {
	var out strings.Builder
	report := &bench.Report{Results: []bench.Result{{Workload: bench.Workload{Name: "sub", Kind: bench.Sub}, Foreign: 3}}}
	if err := writeBenchTable(&out, report); err != nil || !strings.Contains(out.String(), "3 messages of somebody else") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

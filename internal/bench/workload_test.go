package bench

import (
	"strings"
	"testing"
)

// TestScenarioZeros: what there is at least one of is refused when a scenario says 0, and has its default when it says nothing. Source:
// docs/spec/cli.md §13.
func TestScenarioZeros(t *testing.T) {
	for _, key := range []string{"pubs", "subs", "subjects", "in_flight", "connections"} {
		text := "workloads:\n- {workload: pubsub}\n- {workload: request, " + key + ": 0}\n"
		if _, err := ReadScenario("day.yml", strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), "line 3: "+key+" of workload 2 is 0") {
			t.Errorf("%s: %v", key, err)
		}
	}
	list, err := ReadScenario("day.yml", strings.NewReader("workloads:\n- &a {workload: request, headers: 0, msgs: 0, rate: 0}\n- *a\n"))
	if err != nil || len(list) != 2 || list[1].Pubs != 1 || list[1].InFlight != 1 {
		t.Errorf("%+v, %v", list, err)
	}
}

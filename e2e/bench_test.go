//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// benchRun runs `natsd bench` with args and returns what it printed.
func benchRun(t *testing.T, args ...string) string {
	t.Helper()
	program, err := binary()
	must(t, err)
	c := exec.Command(program, append([]string{"bench"}, args...)...)
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("natsd bench %v: %v\n%s", args, err, errs.String())
	}
	return string(out)
}

// TestBenchReport looks at the page of a run with a browser: js/report.mjs. SCREENSHOTS names a folder to keep pictures of it in.
func TestBenchReport(t *testing.T) {
	if isPeer() {
		t.Skip("the command is the same")
	}
	folder := t.TempDir()
	scenario, page, data := filepath.Join(folder, "day.yml"), filepath.Join(folder, "report.html"), filepath.Join(folder, "report.json")
	must(t, os.WriteFile(scenario, []byte(`workloads:
- {name: "orders <b>&amp;</b> 'more'", workload: pubsub, pubs: 4, subs: 2, rate: 8000, size: 100-2000, arrival: poisson}
- {name: api, workload: request, pubs: 4, subs: 2, queue: workers, rate: 500}
`), 0o600))
	benchRun(t, "mixed", scenario, "--duration", "4s", "--warmup", "500ms", "--html", page, "--save", data, "-q")
	pictures := folder
	if f := os.Getenv("SCREENSHOTS"); f != "" {
		pictures = f
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "node", "report.mjs", page, data, chromium(t), pictures)
	command.Dir = "js"
	output, err := command.CombinedOutput()
	t.Logf("%s", output)
	must(t, err)
}

// TestBenchServers: the command measures natsd and nats-server alike, and asks the monitor port of either what it uses.
func TestBenchServers(t *testing.T) {
	for _, peer := range []bool{false, true} {
		monitor := strconv.Itoa(freePort(t))
		var s *server
		if peer {
			s = startCommand(t, "nats-server -a 127.0.0.1 -p {port}", "-m", monitor)
		} else {
			s = startServer(t, "-m", monitor)
		}
		for _, line := range []string{
			"pubsub --msgs 20000 --pubs 2 --subs 3", "pubsub --msgs 20000 --rate 40000", "request --msgs 500 --queue q --subs 3",
			"fanout --msgs 500", "pub --msgs 20000", "connections --conns 200 --duration 100ms", "pubsub --msgs 10000 --headers 30 --queue q --subs 4",
		} {
			var report struct {
				Server struct{ Version string }
				Usage  *struct {
					MemoryMax int64 `json:"memory_max"`
				}
				Results []struct{ Published, Expected, Delivered, Lost, Duplicates, Reordered, Disconnects int64 }
			}
			text := benchRun(t, append(strings.Fields(line), "--server", s.url(), "--monitor", "127.0.0.1:"+monitor, "--json", "-q")...)
			must(t, json.Unmarshal([]byte(text), &report))
			r := report.Results[0]
			if r.Published == 0 || r.Delivered != r.Expected || r.Lost+r.Duplicates+r.Reordered+r.Disconnects != 0 {
				t.Errorf("%s on version %s: %+v", line, report.Server.Version, r)
			}
			if report.Usage == nil || report.Usage.MemoryMax < 1<<20 {
				t.Errorf("%s on version %s: usage %+v", line, report.Server.Version, report.Usage)
			}
		}
	}
}

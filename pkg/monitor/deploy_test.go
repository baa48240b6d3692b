package monitor_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/natsd/natsd/internal/testutil"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/monitor"
)

// TestDeploy: the dashboard and the alerts ask for metrics that there are, and the dashboard is what Grafana takes.
func TestDeploy(t *testing.T) {
	r := launch(t, func(_ *broker.Options, m *monitor.Options) {
		m.About = func() monitor.About { return monitor.About{Certificates: []monitor.Certificate{{Name: "clients"}}} }
	})
	testutil.Dial(t, r.broker.ClientAddr().String()).Close()
	eventually(t, "one has closed", func() bool { return len(r.broker.Closed()) == 1 })
	metrics := r.get("/metrics").body
	name := regexp.MustCompile(`\b(natsd|process|go)_[a-z_]+\b`)
	for _, file := range []string{"../../deploy/grafana/natsd.json", "../../deploy/prometheus/natsd-alerts.yml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		asked := name.FindAllString(string(text), -1)
		slices.Sort(asked)
		asked = slices.Compact(asked)
		if len(asked) < 10 {
			t.Errorf("%s asks for %v only", file, asked)
		}
		for _, metric := range asked {
			if !strings.Contains(metrics, "\n"+metric+" ") && !strings.Contains(metrics, "\n"+metric+"{") {
				t.Errorf("%s asks for %s, which there is not", file, metric)
			}
		}
	}
	text, err := os.ReadFile("../../deploy/grafana/natsd.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Title  string `json:"title"`
		Panels []struct {
			ID      int    `json:"id"`
			Title   string `json:"title"`
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		} `json:"panels"`
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	ids := make(map[int]bool)
	for _, p := range dashboard.Panels {
		if p.Title == "" || len(p.Targets) == 0 || ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %+v", p)
		}
		ids[p.ID] = true
	}
}

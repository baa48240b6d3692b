//go:build e2e

package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// monitorURL returns where monitoring listens, taken from the log.
func (s *server) monitorURL() string {
	s.t.Helper()
	m := regexp.MustCompile(`Starting (https?) monitor on (\S+)`).FindStringSubmatch(s.log.String())
	if m == nil {
		s.t.Fatalf("no monitor in the log:\n%s", s.log.String())
	}
	return m[1] + "://" + m[2]
}

// chromium returns the path of the browser.
func chromium(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v; ./run installs it", err)
	}
	return path
}

// TestPage looks at the monitoring page with a browser: js/page.mjs. It takes pictures of what it sees; SCREENSHOTS names a folder to
// keep them, with half a minute of charts in them: SCREENSHOTS=$PWD/docs/images renews those of the documents.
func TestPage(t *testing.T) {
	if isPeer() {
		t.Skip("the peer has no such page")
	}
	file := filepath.Join(t.TempDir(), "natsd.conf")
	conf := "http: '127.0.0.1:-1'\nserver_name: lisbon-1\nmax_pending: 4mb\ncluster { listen: '127.0.0.1:-1', routes: ['nats://127.0.0.1:1'] }\n"
	must(t, os.WriteFile(file, []byte(conf), 0o600))
	s := startServer(t, "-c", file)
	program, err := binary()
	must(t, err)
	s.eventually("the server takes clients without the one that is missing", func() bool {
		return exec.Command(program, "healthcheck", s.monitorURL()+"/readyz").Run() == nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	pictures, seconds := t.TempDir(), "0"
	if folder := os.Getenv("SCREENSHOTS"); folder != "" {
		pictures, seconds = folder, "30"
	}
	command := exec.CommandContext(ctx, "node", "page.mjs", strconv.Itoa(s.port), s.monitorURL(), chromium(t), pictures, seconds)
	command.Dir = "js"
	output, err := command.CombinedOutput()
	t.Logf("%s", output)
	must(t, err)
	taken, err := filepath.Glob(filepath.Join(pictures, "*.png"))
	must(t, err)
	if len(taken) < 5 {
		t.Errorf("pictures: %v", taken)
	}
}

//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/bench"
)

// runBench runs `natsd bench` with args, and returns what it printed and its exit code.
func runBench(t *testing.T, env []string, args ...string) (out, errs string, code int) {
	t.Helper()
	c := exec.Command(program, append([]string{"bench"}, args...)...)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr, c.Env = &stdout, &stderr, append(os.Environ(), env...)
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), c.ProcessState.ExitCode()
}

// TestProgramBench: every kind of traffic runs against a server that the command runs for itself.
func TestProgramBench(t *testing.T) {
	for _, line := range []string{
		"--msgs 5000", "pub --msgs 5000", "pubsub --msgs 5000 --subs 2 --headers 10", "fanout --msgs 200 --subs 10",
		"request --msgs 200 --pubs 2 --queue q --subs 2", "pubsub --rate 20000 --msgs 1000 --arrival poisson --size 16:1,200:2",
		"connections --conns 50 --duration 50ms",
	} {
		out, errs, code := runBench(t, nil, append(strings.Fields(line), "--json", "--quiet")...)
		if code != 0 || errs != "" {
			t.Fatalf("%s: exit code %d: %s", line, code, errs)
		}
		var report bench.Report
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			t.Fatalf("%s: %v in %.300s", line, err, out)
		}
		r := report.Results[0]
		if r.Published == 0 || r.Delivered != r.Expected || r.Lost+r.Duplicates+r.Reordered+r.Disconnects != 0 {
			t.Errorf("%s: %+v", line, r)
		}
		if report.Usage != nil && report.Usage.MemoryMax == 0 {
			t.Errorf("%s: usage %+v", line, report.Usage)
		}
	}
}

// TestProgramBenchOutput: the table, the CSV, the page and the file are of one run, and bars decide about the exit code.
func TestProgramBenchOutput(t *testing.T) {
	folder := t.TempDir()
	env := []string{"XDG_STATE_HOME=" + folder}
	page := filepath.Join(folder, "report.html")
	out, errs, code := runBench(t, env, "pubsub", "--msgs", "3000", "--csv", "--save", "before", "--html", page)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	if !strings.Contains(errs, "connecting\n") {
		t.Errorf("no progress in %q", errs)
	}
	lines, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(lines) != 2 || lines[0][0] != "name" || lines[1][0] != "pubsub" {
		t.Errorf("CSV %q, %v", out, err)
	}
	kept, err := os.ReadFile(filepath.Join(folder, "natsd", "bench", "before.json"))
	if err != nil {
		t.Fatal(err)
	}
	var report bench.Report
	if err := json.Unmarshal(kept, &report); err != nil {
		t.Fatal(err)
	}
	html, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(html), `id="data">`)
	data, _, _ := strings.Cut(rest, "</script>")
	var compact bytes.Buffer
	if err := json.Compact(&compact, kept); err != nil || compact.String() != data {
		t.Errorf("the page has other data than the file: %v\n%s\n%s", err, data, compact.String())
	}
	if out, errs, code := runBench(t, env, "pubsub", "--msgs", "3000", "-q", "--baseline", "before", "--tolerance", "1e9"); code != 0 || !strings.Contains(out, "baseline") || !strings.Contains(out, "lost") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	report.Results[0].PublishRate *= 1e6 // nobody is so fast
	better, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "better.json")
	if err := os.WriteFile(file, better, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"--baseline " + file, "--max-p99 1ns", "--min-rate 1e12"} {
		if _, errs, code := runBench(t, env, append(strings.Fields("pubsub --msgs 3000 -q"), strings.Fields(line)...)...); code != 1 || !strings.Contains(errs, "natsd: pubsub: ") {
			t.Errorf("%s: exit code %d: %s", line, code, errs)
		}
	}
}

// TestProgramBenchMixed: workloads of a file run side by side, on a server that runs already.
func TestProgramBenchMixed(t *testing.T) {
	server := serve(t)
	file := filepath.Join(t.TempDir(), "day.yml")
	if err := os.WriteFile(file, []byte("workloads:\n- {workload: pubsub, msgs: 2000}\n- {name: api, workload: request, msgs: 100}\n- {workload: pubsub, msgs: 10, subs: 3}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, code := runBench(t, nil, "mixed", file, "--duration", "0", "--warmup", "0", "-s", "nats://"+server.addr, "--json", "-q")
	var report bench.Report
	if err := json.Unmarshal([]byte(out), &report); code != 0 || err != nil {
		t.Fatalf("exit code %d, %v: %s", code, err, errs)
	}
	names := ""
	for _, r := range report.Results {
		names += r.Name + ","
		if r.Lost != 0 || r.Delivered != r.Expected || r.Expected == 0 {
			t.Errorf("%+v", r)
		}
	}
	if names != "pubsub,api,pubsub 2," || report.Usage != nil {
		t.Errorf("workloads %s, usage %+v", names, report.Usage)
	}
}

// TestProgramBenchMixedMessages: workloads with a number of messages need no time, and are measured from the first of them unless a
// time to warm up is asked for. Source: docs/spec/cli.md §13.
func TestProgramBenchMixedMessages(t *testing.T) {
	url := "nats://" + serve(t).addr
	file := filepath.Join(t.TempDir(), "day.yml")
	const counted = "{workload: pubsub, msgs: 2000}"
	for _, c := range []struct{ other, flags, duration, warmup string }{
		{"{name: api, workload: request, msgs: 100}", "", "0s", "0s"},
		{"{name: idle, workload: connections, connections: 10}", "-d 100ms", "100ms", "1s"},
		{"{name: api, workload: request, rate: 100}", "-d 100ms", "100ms", "1s"},
	} {
		if err := os.WriteFile(file, []byte("workloads:\n- "+counted+"\n- "+c.other+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, errs, code := runBench(t, nil, append([]string{"mixed", file, "-s", url, "--json", "-q", "--min-rate", "1"}, strings.Fields(c.flags)...)...)
		var report bench.Report
		if err := json.Unmarshal([]byte(out), &report); err != nil || code != 0 {
			t.Errorf("%s: exit code %d, %v: %s", c.other, code, err, errs)
			continue
		}
		if report.Duration.String() != c.duration || report.Warmup.String() != c.warmup {
			t.Errorf("%s: %v after %v, want %s after %s", c.other, report.Duration, report.Warmup, c.duration, c.warmup)
		}
		if r := report.Results[0]; r.Latency == nil || r.Latency.Count != 2000 || r.Delivered != 2000 {
			t.Errorf("%s: %+v", c.other, r)
		}
	}
}

// TestProgramBenchSub: what one process publishes, another counts.
func TestProgramBenchSub(t *testing.T) {
	server := serve(t, "-m", "-1")
	url := "nats://" + server.addr
	sub := exec.Command(program, "bench", "sub", "-s", url, "--subject", "day", "--msgs", "1000", "--subs", "2", "--json", "-q")
	var out bytes.Buffer
	sub.Stdout = &out
	if err := sub.Start(); err != nil {
		t.Fatal(err)
	}
	monitor := server.monitor()
	for end := time.Now().Add(patience); monitor.field("subscriptions") != 2.0; {
		if time.Now().After(end) {
			t.Fatal("the subscribers do not come")
		}
	}
	if _, errs, code := runBench(t, nil, "pub", "-s", url, "--subject", "day", "--msgs", "1000", "-q"); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	if err := sub.Wait(); err != nil {
		t.Fatal(err)
	}
	var report bench.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if r := report.Results[0]; r.Delivered != 2000 || r.Lost != 0 || r.Latency == nil {
		t.Errorf("%+v", r)
	}
}

// TestProgramBenchCompareAndPlan: two servers are compared, and the rate that one holds is found.
func TestProgramBenchCompareAndPlan(t *testing.T) {
	out, errs, code := runBench(t, nil, "compare", "own", "own", "--msgs", "2000", "--rounds", "3")
	if code != 0 || !strings.Contains(out, "publish rate") || !strings.Contains(out, "95 % confidence") || strings.Count(errs, "round ") != 3 {
		t.Errorf("compare: exit code %d: %s%s", code, out, errs)
	}
	// A machine that does something else for some milliseconds does not hold even the first rate: then it is asked again.
	for range 20 {
		out, errs, code = runBench(t, nil, "plan", "--each", "100ms", "--p99", "10m", "--json", "-q")
		if code != 1 || !strings.Contains(errs, "not even 1000 messages a second hold") {
			break
		}
	}
	var plan struct {
		PublishRate float64 `json:"publish_rate"`
		Steps       []struct {
			Rate  float64
			Holds bool
		}
		Connections int64
	}
	if err := json.Unmarshal([]byte(out), &plan); code != 0 || err != nil {
		t.Fatalf("plan: exit code %d, %v: %s", code, err, errs)
	}
	if len(plan.Steps) == 0 || plan.PublishRate <= 0 {
		t.Errorf("plan: %+v", plan)
	}
}

// TestProgramBenchErrors: what is wrong with the command line is said, secrets are not.
func TestProgramBenchErrors(t *testing.T) {
	for _, c := range []struct {
		line, want string
		code       int
	}{
		{"nonsense", `unknown command "nonsense"`, 2},
		{"pubsub extra", "unexpected argument", 2},
		{"pubsub --size 10-5", "the range is empty", 2},
		{"pubsub --spread wide", `spread "wide" does not exist`, 2},
		{"request --size 4", "at least 8 bytes", 2},
		{"pubsub --subject a.*", "wildcards", 2},
		{"pubsub -s http://u:geheim@h", "not the URL of a server", 2},
		{"pubsub -s nats://u:geheim@127.0.0.1:1", "cannot connect to 127.0.0.1:1", 1},
		{"mixed /nowhere.yml", "no such file", 1},
		{"pubsub --baseline /nowhere.json", "cannot read the baseline", 1},
		{"pubsub --pid 1", "--server names", 2},
		{"pubsub -s nats://127.0.0.1:1 --pid 999999999", "999999999", 1},
		{"compare own own -w sub", "nobody publishes", 2},
		{"plan --p99 0s", "longer than 0", 2},
		{"pubsub --json --csv", "exclude each other", 2},
		{"pubsub --warmup -1s", `invalid value "-1s" for --warmup: expected a duration that is not negative`, 2},
		{"pubsub --drain -1s", "--drain: expected a duration that is not negative", 2},
		{"connections -d -1s", "--duration: expected a duration that is not negative", 2},
		{"pubsub --msgs 10 --max-p99 -1s", "--max-p99: expected a duration that is not negative", 2},
		{"compare own own -d -1s", "--duration: expected a duration that is not negative", 2},
		{"mixed /nowhere.yml -d -1s", "--duration: expected a duration that is not negative", 2},
		{"pubsub -d 0", "workload pubsub has no end", 2},
		{"compare own own -d 0", "workload pubsub has no end", 2},
		{"pub --pubs 0 --msgs 10", `invalid value "0" for --pubs: expected a number from 1 on`, 2},
		{"fanout --subs 0 --msgs 10", "--subs: expected a number from 1 on", 2},
		{"pubsub --subjects 0 --msgs 10", "--subjects: expected a number from 1 on", 2},
		{"request --in-flight 0 --msgs 10", "--in-flight: expected a number from 1 on", 2},
		{"connections --conns 0 -d 10ms", "--conns: expected a number from 1 on", 2},
		{"plan --subs 0", "--subs: expected a number from 1 on", 2},
		{"pub --msgs 1000 --max-p99 1ms", "no latency is measured", 2},
		{"pub --msgs 1000 --max-loss 0", "no loss is measured", 2},
		{"sub -d 10ms --max-loss 0", "no loss was measured", 1},
		{"sub -d 10ms --max-p99 1s", "no latency was measured", 1},
	} {
		_, errs, code := runBench(t, nil, append(strings.Fields(c.line), "-q")...)
		if code != c.code || !strings.Contains(errs, c.want) || strings.Contains(errs, "geheim") {
			t.Errorf("%s: exit code %d: %s", c.line, code, errs)
		}
	}
}

// benchRun is a `natsd bench` that has begun.
type benchRun struct {
	*exec.Cmd
	t     *testing.T
	lines *bufio.Scanner // of standard error
	out   bytes.Buffer
	errs  string
}

// startBench starts `natsd bench` with args, and waits until it has begun.
func startBench(t *testing.T, args ...string) *benchRun {
	t.Helper()
	m := &benchRun{Cmd: exec.Command(program, append([]string{"bench"}, args...)...), t: t}
	m.Stdout = &m.out
	pipe, err := m.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	guard := time.AfterFunc(patience, func() { _ = m.Process.Kill() }) // if it does not end
	t.Cleanup(func() { guard.Stop() })
	m.lines = bufio.NewScanner(pipe)
	for !strings.Contains(m.errs, "msgs/s") && m.lines.Scan() {
		m.errs += m.lines.Text() + "\n"
	}
	return m
}

// report waits for the end, which is to be a failure, and returns the report.
func (m *benchRun) report() *bench.Report {
	m.t.Helper()
	for m.lines.Scan() {
		m.errs += m.lines.Text() + "\n"
	}
	_ = m.Wait() // the exit code is looked at
	report := &bench.Report{}
	if err := json.Unmarshal(m.out.Bytes(), report); err != nil || m.ProcessState.ExitCode() != 1 {
		m.t.Fatalf("exit code %d, %v: %.300s%s", m.ProcessState.ExitCode(), err, m.out.String(), m.errs)
	}
	return report
}

// TestProgramBenchInterrupted: a run that is interrupted waits for what is on its way, tells what it has, and leaves no server behind.
func TestProgramBenchInterrupted(t *testing.T) {
	c := startBench(t, "pubsub", "--duration", "1h", "--warmup", "0", "--json")
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	report := c.report()
	if r := report.Results[0]; r.Lost != 0 || r.Delivered != r.Expected || !strings.Contains(c.errs, "stopped early: interrupted") {
		t.Errorf("%d lost, %d of %d delivered\n%s", r.Lost, r.Delivered, r.Expected, c.errs)
	}
	if report.Usage == nil {
		return // this system does not tell what a process uses, nor its id
	}
	pid, err := strconv.Atoi(strings.TrimPrefix(report.Usage.Source, "process "))
	if err != nil || syscall.Kill(pid, 0) == nil {
		t.Errorf("the server, %s, still runs", report.Usage.Source)
	}
}

// TestProgramBenchSubInterrupted: a run that only listens ends with a signal too. Source: docs/spec/cli.md §13.
func TestProgramBenchSubInterrupted(t *testing.T) {
	url := "nats://" + serve(t).addr
	for _, c := range []struct {
		line   string
		signal syscall.Signal
	}{
		{"sub -d 1h --json", syscall.SIGINT},
		{"sub -d 1h --warmup 1h --json", syscall.SIGINT},
		{"sub --msgs 10 --json", syscall.SIGTERM},
	} {
		run := startBench(t, append(strings.Fields(c.line), "-s", url)...)
		if err := run.Process.Signal(c.signal); err != nil {
			t.Fatal(err)
		}
		if r := run.report().Results[0]; r.Delivered != 0 || r.Measured < 0 {
			t.Errorf("%s: %+v", c.line, r)
		}
	}
}

//go:build e2e

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

// randomness is the one library that Go's programs want and wine 8 does not have.
const randomness = `#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size) { return SystemFunction036(data, (ULONG)size); }
`

// wine is a Windows of its own, in a folder.
type wine struct {
	t       *testing.T
	folder  string
	program string // natsd.exe
	events  string // file with what the event log is given
}

// newWine returns a fresh one, with natsd.exe built from this tree.
func newWine(t *testing.T) *wine {
	t.Helper()
	folder := t.TempDir()
	w := &wine{t: t, folder: folder, program: filepath.Join(folder, "natsd.exe"), events: filepath.Join(folder, "events")}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", w.program, "..")
	build.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	t.Cleanup(func() {
		stop := exec.Command("/usr/lib/wine/wineserver64", "-k")
		stop.Env = w.env()
		_ = stop.Run() // it may have ended by itself
	})
	// The first command starts the services, whose standard error is that of the services it starts.
	w.run("cmd", "/c", "exit")
	source := filepath.Join(folder, "prng.c")
	must(t, os.WriteFile(source, []byte(randomness), 0o600))
	library := filepath.Join(folder, "wine/drive_c/windows/system32/bcryptprimitives.dll")
	output, err = exec.CommandContext(t.Context(), "x86_64-w64-mingw32-gcc", "-shared", "-o", library, source, "-ladvapi32").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return w
}

func (w *wine) env() []string {
	return append(os.Environ(), "WINEPREFIX="+filepath.Join(w.folder, "wine"), "WINEDEBUG=-all,+eventlog")
}

// run runs a program and returns what it printed and its exit code.
func (w *wine) run(args ...string) (output string, code int) {
	w.t.Helper()
	command := exec.CommandContext(w.t.Context(), "/usr/lib/wine/wine64", args...)
	command.Env, command.Dir = w.env(), w.folder
	events, err := os.OpenFile(w.events, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(w.t, err)
	defer events.Close()
	var printed bytes.Buffer
	command.Stdout, command.Stderr = &printed, events // a file: services keep it open
	if err := command.Run(); command.ProcessState == nil {
		w.t.Fatal(err)
	}
	return strings.ReplaceAll(printed.String(), "\r\n", "\n"), command.ProcessState.ExitCode()
}

// path returns what a file of the folder is called in there.
func (w *wine) path(name string) string {
	return `Z:` + strings.ReplaceAll(filepath.Join(w.folder, name), "/", `\`)
}

// state returns the state of the service.
func (w *wine) state() string {
	output, _ := w.run("sc", "query", "natsd")
	_, after, _ := strings.Cut(output, "STATE")
	line, _, _ := strings.Cut(after, "\n")
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return output
	}
	return fields[len(fields)-1]
}

// awaitIn waits for a text in a file.
func awaitIn(t *testing.T, file, text string) {
	t.Helper()
	eventually(t, text+" in "+filepath.Base(file), func() bool {
		have, _ := os.ReadFile(file)
		return strings.Contains(string(have), text)
	})
}

// rotates runs the service with a log file that is soon too large, and looks for every line. Source: docs/spec/cli.md §8.2.
func (w *wine) rotates(conf string) {
	w.t.Helper()
	must(w.t, os.WriteFile(conf, []byte("log_file: '"+w.path("small.log")+"'\nlogfile_size_limit: 200\n"), 0o600))
	w.run("net", "start", "natsd")
	eventually(w.t, "the service", func() bool { return w.state() == "RUNNING" })
	if output, code := w.run(w.program, "signal", "quit=natsd"); code != 0 {
		w.t.Errorf("signal quit: %d %q", code, output)
	}
	names, err := filepath.Glob(filepath.Join(w.folder, "small.log*"))
	must(w.t, err)
	var log strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		must(w.t, err)
		log.Write(text)
	}
	for _, line := range []string{"Starting natsd version", "Server is ready", "Initiating Shutdown...", "Server Exiting.."} {
		if strings.Count(log.String(), line) != 1 {
			w.t.Errorf("%q is not there once", line)
		}
	}
	if n := strings.Count(log.String(), "Rotated log, backup saved as"); n < 2 || n != len(names)-1 {
		w.t.Errorf("%d rotations and %v", n, names)
	}
	if w.t.Failed() {
		w.t.Log(log.String())
	}
}

// TestWindows runs natsd.exe in the console and as a service. Source: docs/spec/cli.md §11.
func TestWindows(t *testing.T) {
	if isPeer() {
		t.Skip("this is about natsd's own program")
	}
	w := newWine(t)
	if output, code := w.run(w.program, "version"); code != 0 || !strings.HasPrefix(output, "natsd: v") {
		t.Errorf("version: %d %q", code, output)
	}
	log, conf, port := filepath.Join(w.folder, "natsd.log"), filepath.Join(w.folder, "natsd.conf"), freePort(t)
	url := "nats://127.0.0.1:" + strconv.Itoa(port)
	must(t, os.WriteFile(conf, []byte("max_payload: nonsense\n"), 0o600))
	if _, code := w.run(w.program, "config", "check", w.path("natsd.conf")); code == 0 {
		t.Error("nonsense is accepted")
	}

	line := w.program + " serve -a 127.0.0.1 -p " + strconv.Itoa(port) + " -c " + w.path("natsd.conf")
	if output, code := w.run("sc", "create", "natsd", "binPath=", `Z:`+strings.ReplaceAll(line, "/", `\`)); code != 0 {
		t.Fatal(output)
	}
	w.run("net", "start", "natsd") // says that it has started whatever comes of it
	awaitIn(t, w.events, "max_payload")
	eventually(t, "a service that could not start", func() bool { return w.state() == "STOPPED" })
	if events, err := os.ReadFile(w.events); err != nil || !strings.Contains(string(events), "[FATAL]: natsd: ") {
		t.Errorf("no fatal event: %v\n%s", err, events)
	}

	must(t, os.WriteFile(conf, []byte("max_payload: 1mb\n"), 0o600))
	w.run("net", "start", "natsd")
	awaitIn(t, w.events, "[NOTICE]: Server is ready") // without a log file

	if output, code := w.run(w.program, "signal", "quit"); code != 0 || w.state() != "STOPPED" { // natsd.exe, and the service is natsd
		t.Errorf("signal quit: %d %q", code, output)
	}
	w.rotates(conf)
	must(t, os.WriteFile(conf, []byte("max_payload: 1mb\nlog_file: '"+w.path("natsd.log")+"'\n"), 0o600))
	w.run("net", "start", "natsd")
	awaitIn(t, log, "Server is ready")

	nc, err := nats.Connect(url)
	must(t, err)
	defer nc.Close()
	sub := subscribe(t, nc, "greet", "")
	must(t, nc.Publish("greet", []byte("hello")))
	if m := next(t, sub); string(m.Data) != "hello" {
		t.Errorf("received %q", m.Data)
	}
	must(t, os.WriteFile(conf, []byte("max_payload: 2mb\nlog_file: '"+w.path("natsd.log")+"'\n"), 0o600))
	for command, effect := range map[string]string{"reload": "Reloaded server configuration", "reopen": "File log re-opened"} {
		if output, code := w.run(w.program, "signal", command+"=natsd"); code != 0 || w.state() != "RUNNING" {
			t.Errorf("signal %s: %d %q", command, code, output)
		}
		awaitIn(t, log, effect)
	}
	eventually(t, "the new limit", func() bool { return nc.MaxPayload() == 2<<20 })
	nc.Close()
	if output, code := w.run(w.program, "signal", "ldm=natsd"); code != 0 {
		t.Errorf("signal ldm: %d %q", code, output)
	}
	awaitIn(t, log, "Server Exiting")
	eventually(t, "the end of the service", func() bool { return w.state() == "STOPPED" })
	if output, code := w.run(w.program, "signal", "stop=nobody"); code != 1 {
		t.Errorf("a service that is not there: %d %q", code, output)
	}
}

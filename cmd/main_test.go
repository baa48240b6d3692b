package cmd

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/iostreams"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// testPID is the process id of every server in these tests.
const testPID = 7499

// testBuild is the program of these tests.
var testBuild = buildInfo{Version: "1.2.3", Commit: "abcdef0", Go: "go1.99"}

// testFactory returns a factory without a process around it: memory streams, a fixed time in UTC, no
// environment, no signals. NewBroker is left for the test to set.
func testFactory() (f *Factory, out, err *iostreams.Buffer) {
	streams, out, err := iostreams.Test("")
	return &Factory{
		Streams:   streams,
		LookupEnv: envLookup(nil),
		Now:       func() time.Time { return time.Date(2018, 3, 23, 11, 46, 15, 239889_000, time.UTC) },
		PID:       testPID,
		Signals:   func() (<-chan os.Signal, func()) { return nil, func() {} },
		Build:     testBuild,
	}, out, err
}

// runCommand runs a command line that does not start a server.
func runCommand(t *testing.T, args ...string) (code int, out, err string) {
	t.Helper()
	f, outBuffer, errBuffer := testFactory()
	code = execute(t.Context(), f, args)
	return code, outBuffer.String(), errBuffer.String()
}

func TestUsageErrors(t *testing.T) {
	const serveHint = "Run \"natsd help serve\" for usage.\n"
	for _, c := range []struct {
		name string
		args string
		want string // on standard error
	}{
		{name: "unknown command", args: "foo",
			want: "natsd: unknown command \"foo\"\nRun \"natsd help\" for the list of commands.\n"},
		{name: "mistyped command", args: "sevre -p 4222",
			want: "natsd: unknown command \"sevre\"; did you mean \"serve\"?\nRun \"natsd help\" for the list of commands.\n"},
		{name: "another word for a command", args: "start",
			want: "natsd: unknown command \"start\"; did you mean \"serve\"?\nRun \"natsd help\" for the list of commands.\n"},
		{name: "unknown command with a flag", args: "foo --bar",
			want: "natsd: unknown command \"foo\"\nRun \"natsd help\" for the list of commands.\n"},
		{name: "unknown flag", args: "serve --bogus", want: "natsd: unknown flag --bogus\n" + serveHint},
		{name: "mistyped flag", args: "serve --prot 4222", want: "natsd: unknown flag --prot; did you mean --port?\n" + serveHint},
		{name: "flag cut short", args: "serve --max_pay 1", want: "natsd: unknown flag --max_pay; did you mean --max_payload?\n" + serveHint},
		{name: "unknown letter", args: "serve -x", want: "natsd: unknown flag -x\n" + serveHint},
		{name: "unknown letter in a bundle", args: "serve -Dxy", want: "natsd: unknown flag -x in \"-xy\"\n" + serveHint},
		{name: "unknown flag of the implied serve", args: "--bogus", want: "natsd: unknown flag --bogus\n" + serveHint},
		{name: "flag without its value", args: "serve --port", want: "natsd: flag --port needs a value\n" + serveHint},
		{name: "no flag at all", args: "serve ---", want: "natsd: \"---\" is not a flag; a flag reads --name or --name=value\n" + serveHint},
		{name: "bad port", args: "serve -p http",
			want: "natsd: invalid value \"http\" for --port: expected an integer from -1 to 65535\n" + serveHint},
		{name: "port out of range", args: "serve -p 65536",
			want: "natsd: invalid value \"65536\" for --port: expected a number from -1 to 65535\n" + serveHint},
		{name: "an alias is reported by its main name", args: "serve --max-payload x",
			want: "natsd: invalid value \"x\" for --max_payload: expected a size such as 65536, 64kb or 1mb\n" + serveHint},
		{name: "bad switch", args: "serve --debug=maybe",
			want: "natsd: invalid value \"maybe\" for --debug: expected a boolean (true, yes, on, false, no, off)\n" + serveHint},
		{name: "argument", args: "serve foo", want: "natsd: unexpected argument \"foo\"; \"natsd serve\" takes no arguments\n" + serveHint},
		{name: "boolean word behind a switch", args: "serve -D false",
			want: "natsd: unexpected argument \"false\"; give a flag its value with \"=\", as in --debug=false\n" + serveHint},
		{name: "lame duck mode too short", args: "serve --lame_duck_duration 5s",
			want: "natsd: invalid lame_duck_duration of 5s, minimum is 30 seconds\n" + serveHint},
		{name: "lame duck grace too long", args: "serve --lame_duck_grace_period 2m",
			want: "natsd: lame duck grace period (2m) should be strictly lower than lame duck duration (2m)\n" + serveHint},
		{name: "payload above pending", args: "serve --max_payload 2kb --max_pending 1kb",
			want: "natsd: max_payload (2048) cannot be higher than max_pending (1024)\n" + serveHint},
		{name: "two faults at once", args: "serve --max_payload 100kb --max_pending 1kb --lame_duck_duration 5s",
			want: "natsd: max_payload (102400) cannot be higher than max_pending (1024); invalid lame_duck_duration of 5s, minimum is 30 seconds\n" + serveHint},
		{name: "a feature of the peer", args: "-js",
			want: "natsd: --jetstream is known to nats-server, not supported by natsd\n" + serveHint},
		{name: "version takes no arguments", args: "version foo",
			want: "natsd: unexpected argument \"foo\"; \"natsd version\" takes no arguments\nRun \"natsd help version\" for usage.\n"},
		{name: "help for nothing", args: "help foo",
			want: "natsd: no help for \"foo\": there is no such command\nRun \"natsd help\" for the list of commands.\n"},
		{name: "completion for an unknown shell", args: "completion csh",
			want: "natsd: unknown command \"csh\"; did you mean \"zsh\"?\nRun \"natsd help completion\" for the list of commands.\n"},
		{name: "completion takes no arguments", args: "completion bash foo",
			want: "natsd: unknown command \"foo\" for \"natsd completion bash\"\nRun \"natsd help\" for usage.\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out, err := runCommand(t, strings.Fields(c.args)...)
			if code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			if out != "" {
				t.Errorf("standard output has %q, want nothing", out)
			}
			if err != c.want {
				t.Errorf("standard error has\n%swant\n%s", err, c.want)
			}
		})
	}
}

func TestVersionSpellings(t *testing.T) {
	for _, args := range []string{"version", "VERSION", "Version", "--version", "-v", "-v -D --bogus", "serve -v", "serve --version",
		"-p 4222 -v", "-p 4222 -h -v"} {
		code, out, err := runCommand(t, strings.Fields(args)...)
		if code != exitOK || out != "natsd: v1.2.3\n" || err != "" {
			t.Errorf("natsd %s: exit code %d, output %q, errors %q, want 0 and the version line", args, code, out, err)
		}
	}
}

// checkGolden compares got with the golden file name in testdata, or rewrites it with -update.
func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("output differs from %s; run the test with -update and look at the difference\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}

func TestHelpText(t *testing.T) {
	for _, c := range []struct {
		golden   string
		commands []string // all print the same
	}{
		{golden: "help.txt", commands: []string{"help", "HELP", "-h", "--help"}},
		{golden: "help_serve.txt", commands: []string{"help serve", "serve -h", "serve --help", "-p 4222 -h"}},
		{golden: "help_version.txt", commands: []string{"help version", "version --help"}},
		{golden: "help_help.txt", commands: []string{"help help", "help -h"}},
		{golden: "help_completion.txt", commands: []string{"help completion", "completion", "completion -h"}},
	} {
		t.Run(c.golden, func(t *testing.T) {
			for _, args := range c.commands {
				code, out, err := runCommand(t, strings.Fields(args)...)
				if code != exitOK || err != "" {
					t.Errorf("natsd %s: exit code %d, errors %q, want success", args, code, err)
				}
				checkGolden(t, c.golden, out)
			}
		})
	}
}

func TestCompletion(t *testing.T) {
	for _, c := range []struct{ name, args, want string }{
		{name: "bash script", args: "completion bash", want: "# bash completion V2 for natsd"},
		{name: "commands", args: "__complete s", want: "serve\tRun the server\n"},
		{name: "flags", args: "__complete serve --max_pay", want: "--max_payload\tLargest message, headers included; a negative number is no limit\n"},
		{name: "help topics", args: "__complete help ser", want: "serve\tRun the server\n"},
	} {
		code, out, _ := runCommand(t, strings.Fields(c.args)...)
		if code != exitOK || !strings.Contains(out, c.want) {
			t.Errorf("%s: exit code %d, output %.200q, want it to contain %q", c.name, code, out, c.want)
		}
	}
}

func TestMainRunsTheRealFactory(t *testing.T) {
	streams, out, err := iostreams.Test("")
	if code := Main([]string{"natsd", "version"}, nil, streams); code != exitOK || !strings.HasPrefix(out.String(), "natsd: v") {
		t.Errorf("exit code %d, output %q, errors %q, want the version", code, out, err)
	}
}

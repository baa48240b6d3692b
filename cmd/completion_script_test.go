package cmd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// evaluating is what makes a shell execute a text. The first is in zsh's script for flags of its own: see the edit there.
var evaluating = strings.NewReplacer("eval _describe $keepOrder", "", "source-ed or eval-ed", "")

// TestCompletionScriptsEvaluateNothing: no script hands the command line to its shell to be executed. Spec: docs/spec/cli.md §1.
func TestCompletionScriptsEvaluateNothing(t *testing.T) {
	for shell, committed := range map[string]string{"bash": "natsd.bash", "zsh": "_natsd", "fish": "natsd.fish", "powershell": "natsd.ps1"} {
		for _, args := range [][]string{{"completion", shell}, {"completion", shell, "--no-descriptions"}} {
			code, out, errs := runCommand(t, args...)
			if code != exitOK || out == "" || errs != "" {
				t.Fatalf("%v: exit code %d, errors %q", args, code, errs)
			}
			for line := range strings.Lines(evaluating.Replace(out)) {
				if code, _, _ := strings.Cut(line, "# "); strings.Contains(code, "eval") || strings.Contains(code, "Invoke-Expression") || strings.Contains(code, "equestComp") {
					t.Errorf("%v evaluates: %s", args, line)
				}
			}
			if text, err := os.ReadFile(filepath.Join("..", "completions", committed)); len(args) == 2 && (err != nil || string(text) != out) {
				t.Errorf("completions/%s is not what natsd prints (%v); run make generate", committed, err)
			}
		}
	}
}

// TestEditScript: an edit that does not fit exactly once is an error, and no script.
func TestEditScript(t *testing.T) {
	for _, c := range []struct{ name, text, want, err string }{
		{name: "once", text: "a eval b", want: "a call b"},
		{name: "missing", text: "a b", err: `"eval" is in it 0 times, and not once; mend the edits for this version of Cobra`},
		{name: "twice", text: "eval eval", err: `"eval" is in it 2 times, and not once; mend the edits for this version of Cobra`},
	} {
		got, err := editScript(c.text, []scriptEdit{{"eval", "call"}}, "__complete")
		if text := errorText(err); got != c.want || text != c.err {
			t.Errorf("%s: %q and %q, want %q and %q", c.name, got, text, c.want, c.err)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestBashCompletionWords runs the script with the words that bash would hand to it. Spec: docs/spec/cli.md §1.
func TestBashCompletionWords(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		return // the end-to-end tests have it
	}
	_, script, _ := runCommand(t, "completion", "bash")
	for _, c := range []struct{ name, words, want string }{
		{name: "plain", words: "serve --co", want: "__complete|serve|--co|"},
		{name: "a space at the end", words: "serve ''", want: "__complete|serve||"},
		{name: "quotes and backslashes", words: `'"a b"' "'c d'" 'e\ f' 'g"h'\''"i'`, want: "__complete|a b|c d|e f|gh'i|"},
		{name: "unfinished", words: `'"a b'`, want: "__complete|a b|"},
		{name: "unfinished backslash", words: `'a\'`, want: "__complete|a|"},
		{name: "a path", words: `'~/a.conf' '$HOME/b'`, want: "__complete|/home/x y/a.conf|$HOME/b|"},
		{name: "commands", words: "'$(touch ran)' '`touch ran`' '<(touch ran)' ';touch' ran", want: "__complete|$(touch ran)|`touch ran`|<(touch ran)|;touch|ran|"},
	} {
		folder := t.TempDir()
		program := "natsd() { printf '%s|' \"$@\" > got; }\n"
		words := "words=(natsd " + c.words + "); cur=${words[$((${#words[@]}-1))]}\n"
		command := exec.CommandContext(t.Context(), bash, "--norc", "--noprofile", "-c", script+program+words+"__natsd_get_completion_results")
		command.Dir, command.Env = folder, append(os.Environ(), "HOME=/home/x y")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", c.name, err, out)
		}
		if got, err := os.ReadFile(filepath.Join(folder, "got")); err != nil || string(got) != c.want {
			t.Errorf("%s: natsd gets %s (%v), want %s", c.name, got, err, c.want)
		}
		if _, err := os.Stat(filepath.Join(folder, "ran")); err == nil {
			t.Errorf("%s: was executed", c.name)
		}
	}
}

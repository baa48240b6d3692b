//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestCompletion types into real shells and presses Tab.
func TestCompletion(t *testing.T) {
	if isPeer() {
		t.Skip("this is about natsd's own commands")
	}
	program, err := binary()
	must(t, err)
	completions, err := filepath.Abs("../completions")
	must(t, err)
	for shell, setup := range map[string]string{
		"bash": "source /usr/share/bash-completion/bash_completion; source " + completions + "/natsd.bash; PS1='$ '; bind 'set show-all-if-ambiguous on'; bind 'set completion-query-items 0'; bind 'set page-completions off'",
		"zsh":  "fpath=(" + completions + " $fpath); autoload -Uz compinit; compinit -u -D; PS1='$ '; LISTMAX=0",
		"fish": "source " + completions + "/natsd.fish; set -g fish_autosuggestion_enabled 0; function fish_prompt; echo '$ '; end",
	} {
		t.Run(shell, func(t *testing.T) {
			folder := t.TempDir()
			must(t, os.WriteFile(filepath.Join(folder, "server.conf"), []byte("authorization { users: [{user: wilma, password: x}] }\n"), 0o600))
			must(t, os.WriteFile(filepath.Join(folder, "notes.txt"), nil, 0o600))
			s := startServer(t)
			args := map[string]string{"bash": "bash --norc --noprofile", "zsh": "zsh -f", "fish": "fish --no-config"}[shell]
			term := startTerminal(t, "cd "+folder+" && env HOME="+folder+" PATH="+filepath.Dir(program)+":$PATH "+args)
			term.keys(setup, "Enter", "clear", "Enter")
			term.until("a prompt alone", func(screen string) bool { return strings.TrimSpace(screen) == "$" })
			// Keys that shells take in the order typed, and that do no harm twice. An interrupt would do: it may
			// come late, out of what was typed after it.
			clean := func() {
				term.until("a prompt alone", func(screen string) bool {
					if strings.TrimSpace(screen) == "$" {
						return true
					}
					term.keys("C-u", "C-l")
					return false
				})
			}
			for _, c := range []struct{ typed, want string }{
				{"natsd heal", "natsd healthcheck"},
				{"natsd signal rel", "natsd signal reload"},
				{"natsd serve -c ser", "server.conf"},
				{"natsd config check ser", "server.conf"},
				{"natsd config explain max_pend", "max_pending"},
				{"natsd auth explain -c server.conf --user wil", "wilma"},
				{"natsd top --sort bytes_fr", "bytes_from"},
				{"natsd serve --log_format js", "json"},
				{"natsd bench fan", "natsd bench fanout"},
				{"natsd bench mix", "natsd bench mixed"},
			} {
				term.keys("-l", c.typed)
				term.keys("Tab")
				term.await(c.want)
				clean()
			}
			// What is on the line is not executed (docs/spec/cli.md §1), and the word after it is completed.
			ran := filepath.Join(folder, "ran")
			commands := []string{"$(touch ran)", "\"$(touch ran)\"", "--name=$(touch ran)=", "\"';touch ran;'\""}
			switch shell {
			case "fish":
				commands = append(commands, "(touch ran)") // backquotes mean nothing there
			case "zsh":
				term.keys("-l", "bindkey '^I' complete-word") // by default Tab expands the word at the cursor, whatever the command
				term.keys("Enter")
				clean()
				fallthrough
			default:
				commands = append(commands, "`touch ran`", "<(touch ran)")
			}
			for _, command := range commands {
				for _, line := range []struct{ typed, want string }{
					{"natsd config explain -c " + command + " max_pend", "max_pending"},
					{"natsd config explain -c " + command, ""},
					{"natsd config explain -c " + command + " ", ""},
				} {
					term.keys("-l", line.typed)
					term.await(strings.TrimSpace(line.typed)) // or clean would find the prompt before it, and run the line
					term.keys("Tab")
					if line.want != "" && strings.Contains(command, "$(") { // others are more than one word to some shells
						term.await(line.want)
					}
					clean()
					if _, err := os.Stat(ran); err == nil {
						t.Fatalf("%s: what is on the line was executed", line.typed)
					}
				}
			}
			term.keys("-l", "natsd signal reload "+strconv.Itoa(s.command.Process.Pid)[:1])
			term.keys("Tab", "Tab")
			term.await(strconv.Itoa(s.command.Process.Pid))
			clean()
			term.keys("-l", "natsd signal ")
			term.keys("Tab", "Tab")
			term.await("quit", "upgrade", "ldm")
		})
	}
}

// TestManPages renders every manual page without a warning.
func TestManPages(t *testing.T) {
	pages, err := filepath.Glob("../docs/man/*.[15]")
	must(t, err)
	if len(pages) < 10 {
		t.Errorf("pages: %v", pages)
	}
	for _, page := range pages {
		path, err := filepath.Abs(page)
		must(t, err)
		command := exec.CommandContext(t.Context(), "man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", path)
		command.Env = append(os.Environ(), "MANWIDTH=100", "LC_ALL=C.UTF-8")
		var complaints strings.Builder
		command.Stderr = &complaints
		output, err := command.Output()
		must(t, err)
		if complaints.Len() > 0 || len(output) < 300 {
			t.Errorf("%s: %s", page, complaints.String())
		}
	}
}

// TestUnits checks the systemd units with systemd's own tool.
func TestUnits(t *testing.T) {
	root := t.TempDir()
	program, err := binary()
	must(t, err)
	for path, from := range map[string]string{
		"usr/lib/systemd/system/natsd.service": "../deploy/systemd/natsd.service", "usr/lib/systemd/system/natsd.socket": "../deploy/systemd/natsd.socket",
		"usr/bin/natsd": program,
	} {
		text, err := os.ReadFile(from)
		must(t, err)
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755))
		mode := os.FileMode(0o755)
		if strings.HasPrefix(path, "usr/lib/systemd") {
			mode = 0o644
		}
		must(t, os.WriteFile(filepath.Join(root, path), text, mode))
	}
	verify := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", "--root="+root, "natsd.service")
	output, _ := verify.CombinedOutput() // it fails for want of a whole system; what it says of natsd counts
	for line := range strings.Lines(string(output)) {
		// A systemd before 253 does not know notify-reload, and falls back to the line before.
		if strings.Contains(line, "natsd") && !strings.Contains(line, "notify-reload") && !strings.Contains(line, "sysinit.target") { // there is no system in that root
			t.Errorf("systemd-analyze verify: %s", line)
		}
	}
}

//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestJavaScript runs the scenarios of js/suite.mjs with @nats-io/transport-node.
func TestJavaScript(t *testing.T) {
	if _, err := os.Stat("js/node_modules/@nats-io/transport-node"); err != nil {
		t.Fatalf("the client is not installed: %v; run ./e2e/run, which does that", err)
	}
	runSuite(t, func(url string) *exec.Cmd {
		command := exec.Command("node", "suite.mjs", url)
		command.Dir = "js"
		return command
	})
}

// TestC runs the scenarios of c/suite.c with libnats.
func TestC(t *testing.T) {
	suite := filepath.Join(t.TempDir(), "suite")
	build := exec.Command("gcc", "-Wall", "-Werror", "-O1", "-o", suite, "c/suite.c", "-lnats", "-lpthread")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build c/suite.c: %v\n%s; run ./e2e/run, which installs libnats-dev", err, out)
	}
	runSuite(t, func(url string) *exec.Cmd { return exec.Command(suite, url) })
}

// suite is a program with scenarios, which tells what it does on standard output and asks for what it cannot do itself.
type suite struct {
	t      *testing.T
	server *server
	answer io.Writer
	stuck  *raw
	done   int
}

// runSuite runs the program that start returns against a fresh server.
func runSuite(t *testing.T, start func(url string) *exec.Cmd) {
	t.Helper()
	var flags []string
	if !isPeer() {
		flags = []string{"--max_pending", "16mb"} // more than a client sends itself before it reads
	}
	u := &suite{t: t, server: startServer(t, flags...)}
	command := start(u.server.url())
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := command.StdinPipe()
	must(t, err)
	out, err := command.StdoutPipe()
	must(t, err)
	u.answer = in
	must(t, command.Start())
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	end := u.follow(lines)
	if !end {
		_ = command.Process.Kill()
	}
	if err := command.Wait(); err != nil || !end {
		t.Fatalf("the suite ended with %v after %d scenarios", err, u.done)
	}
}

// follow handles the lines of the suite and reports whether it came to its end.
func (u *suite) follow(lines <-chan string) bool {
	u.t.Helper()
	for {
		select {
		case line, open := <-lines:
			if !open {
				return false
			}
			kind, words, _ := strings.Cut(line, ": ")
			switch kind {
			case "ok":
				u.t.Log(line)
				u.done++
			case "do":
				if err := u.do(words); err != nil {
					u.t.Errorf("%s: %v", words, err)
					return false
				}
				fmt.Fprintln(u.answer, "done")
			case "end":
				if want, err := strconv.Atoi(words); err != nil || want != u.done || u.done < 11 {
					u.t.Errorf("%d scenarios done, the suite says %s", u.done, words)
				}
				return true
			}
		case <-time.After(6 * patience):
			u.t.Error("the suite is silent")
			return false
		}
	}
}

// do does what the suite asks for.
func (u *suite) do(words string) error {
	verb, subject, _ := strings.Cut(words, " ")
	switch verb {
	case "restart":
		u.server.restart()
		return nil
	case "stuck": // a client that subscribes and never reads
		u.stuck = dialRaw(u.t, u.server.addr())
		return u.stuck.do("SUB " + subject + " 1\r\n")
	case "cut": // it must have been cut
		if isPeer() {
			return nil // its limit is too high for so few messages
		}
		eventually(u.t, "the log tells of the slow consumer", func() bool {
			return strings.Contains(u.server.log.String(), "Slow Consumer Detected")
		})
		_ = u.stuck.SetReadDeadline(time.Now().Add(patience))
		_, err := io.Copy(io.Discard, u.stuck)
		if os.IsTimeout(err) {
			return err
		}
		return nil
	}
	return fmt.Errorf("unknown request")
}

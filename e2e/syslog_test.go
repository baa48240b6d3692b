//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestSyslog logs to a real rsyslog: over UDP, TCP and a socket in the file system.
func TestSyslog(t *testing.T) {
	if isPeer() {
		t.Skip("this is about natsd's own options")
	}
	folder := t.TempDir()
	port, lines, socket := freePort(t), filepath.Join(folder, "lines"), filepath.Join(folder, "socket")
	conf := fmt.Sprintf(`
global(workDirectory=%q)
module(load="imudp") input(type="imudp" address="127.0.0.1" port="%d")
module(load="imtcp") input(type="imtcp" address="127.0.0.1" port="%d")
module(load="imuxsock" SysSock.Use="off") input(type="imuxsock" Socket=%q)
template(name="short" type="string" string="%%syslogfacility-text%%.%%syslogseverity-text%% %%syslogtag%%%%msg%%\n")
action(type="omfile" file=%q template="short")
`, folder, port, port, socket, lines)
	file := filepath.Join(folder, "rsyslog.conf")
	must(t, os.WriteFile(file, []byte(conf), 0o600))
	daemon := exec.CommandContext(t.Context(), "rsyslogd", "-n", "-f", file, "-i", filepath.Join(folder, "pid"))
	log := new(lineLog)
	daemon.Stdout, daemon.Stderr = log, log
	daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, daemon.Start())
	defer func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
		if t.Failed() {
			t.Log(log)
		}
	}()
	eventually(t, "rsyslog listens", func() bool {
		_, err := os.Stat(socket)
		return err == nil
	})
	for _, address := range []string{"udp://127.0.0.1:" + strconv.Itoa(port), "tcp://127.0.0.1:" + strconv.Itoa(port), "unix://" + socket} {
		must(t, os.WriteFile(lines, nil, 0o600))
		s := startServer(t, "-r", address, "-D")
		eventually(t, "the lines of a start have arrived by "+address, func() bool {
			text, err := os.ReadFile(lines)
			return err == nil && strings.Contains(string(text), "daemon.notice natsd["+strconv.Itoa(s.command.Process.Pid)+"]: Server is ready") &&
				strings.Contains(string(text), "daemon.debug natsd[")
		})
		s.stop(syscall.SIGINT)
		eventually(t, "the last line has arrived by "+address, func() bool {
			text, err := os.ReadFile(lines)
			return err == nil && strings.Contains(string(text), "Server Exiting..")
		})
	}
}

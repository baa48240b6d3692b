//go:build unix

package config

import (
	"strings"
	"testing"
)

// TestRemoteSyslog: an address of a system log that no server would take is refused where it is given. Nobody connects to it.
// Source: docs/spec/cli.md §8.3.
func TestRemoteSyslog(t *testing.T) {
	load := func(address string) map[string]*Result {
		return map[string]*Result{
			"<stdin>:1:16: remote_syslog: ":              Load(Input{File: "-", Stdin: strings.NewReader("remote_syslog: \"" + address + "\"\nlog_file: x\n"), Features: AllFeatures()}),
			"environment variable NATSD_REMOTE_SYSLOG: ": Load(Input{Environ: []string{"NATSD_REMOTE_SYSLOG=" + address}, Features: AllFeatures()}),
			"--remote_syslog: ":                          Load(Input{Flags: []GivenFlag{{"remote_syslog", address}}, Features: AllFeatures()}),
		}
	}
	for address, want := range map[string]string{
		"http://x": `error invalid network type: "http"; write udp://host:port, tcp://host:port or unix:///path`, "foo": `error invalid network type: ""`,
		"udp://": `missing port in address ""`, "udp://127.0.0.1": `missing port in address "127.0.0.1"`, "unix://": "missing path of the system log",
	} {
		for place, r := range load(address) {
			if r.Err() == nil || !strings.Contains(r.Err().Error(), place+want) {
				t.Errorf("%s: %v, want %s%s", address, r.Err(), place, want)
			}
		}
		if err := CheckFlag("remote_syslog", address); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("--remote_syslog %s: %v, want %s", address, err, want)
		}
	}
	for _, address := range []string{"udp://127.0.0.1:514", "tcp://absent.invalid:514", "unix:///nonexistent/log", ""} {
		for place, r := range load(address) {
			if r.Err() != nil || r.Config.Log.RemoteSyslog != address {
				t.Errorf("%s%s: %v", place, address, r.Err())
			}
		}
	}
}

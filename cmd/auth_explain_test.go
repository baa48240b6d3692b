package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const explainedConfig = `authorization {
  default_permissions: { publish: "a.>", subscribe: "_INBOX.>" }
  users = [
    {user: al, password: a, permissions: {publish: {allow: "x.>", deny: "x.no"}, subscribe: {allow: [">"], deny: ["x.secret", "y q"]}}}
    {user: bob, password: b, permissions: {allow_responses: {max: 3}, subscribe: ["in", "w.* g"]}}
    {user: carl, password: c}
  ]
}
accounts { ACME { users: [{user: dora, password: d}] } }
`

func TestAuthExplain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f.conf")
	if err := os.WriteFile(file, []byte(explainedConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"--user al --pub x.no", exitFailure, "not allowed: \"al\", account $G, publish to \"x.no\"\n  rule  publish deny \"x.no\" at FILE:4:73\n"},
		{"--user al --pub x.a", exitOK, "allowed: \"al\", account $G, publish to \"x.a\"\n  rule  publish allow \"x.>\" at FILE:4:60\n"},
		{"--user al --sub x.*", exitOK, "allowed: \"al\", account $G, subscribe to \"x.*\"\n  rule  subscribe allow \">\" at FILE:4:102\n" +
			"  note  messages that match deny \"x.secret\" at FILE:4:115 are left out\n"},
		{"--user al --sub y --queue q", exitFailure, "not allowed: \"al\", account $G, subscribe to \"y\" in queue \"q\"\n  rule  subscribe deny \"y q\" at FILE:4:127\n"},
		{"--user bob --pub a", exitFailure, "not allowed: \"bob\", account $G, publish to \"a\"\n  rule  nothing in publish allows that\n" +
			"  note  allow_responses: if it is the reply subject of a message the user got, 3 messages within 2m\n"},
		{"--user bob --sub w.1", exitFailure, "not allowed: \"bob\", account $G, subscribe to \"w.1\"\n  rule  nothing in subscribe allows that\n"},
		{"--user bob --sub w.1 --queue g", exitOK, "allowed: \"bob\", account $G, subscribe to \"w.1\" in queue \"g\"\n  rule  subscribe allow \"w.* g\" at FILE:5:89\n"},
		{"--user carl --pub b", exitFailure, "not allowed: \"carl\", account $G, publish to \"b\"\n  rule  nothing in publish allows that\n" +
			"  note  the user has no permissions of its own, so the default ones at FILE:2:3 count\n"},
		{"--user dora --pub b", exitOK, "allowed: \"dora\", account ACME, publish to \"b\"\n  rule  the user has no permissions, so it may do everything\n"},
		{"--user dora --pub _SYS.b", exitFailure, "not allowed: \"dora\", account ACME, publish to \"_SYS.b\"\n  rule  nobody may publish to _SYS.\n"},
		{"--user al --pub x.a --json", exitOK,
			`{"allowed":true,"user":"al","account":"$G","action":"publish to","subject":"x.a","rule":"publish allow \"x.>\"","place":"FILE:4:60"}` + "\n"},
	} {
		code, out, err := runCommand(t, append([]string{"auth", "explain", "-c", file}, strings.Fields(test.args)...)...)
		if out = strings.ReplaceAll(out, file, "FILE"); code != test.code || out != test.want {
			t.Errorf("%s: exit code %d\ngot  %swant %s%s", test.args, code, out, test.want, err)
		}
	}
	for args, want := range map[string]string{
		"--user al": "one of --pub and --sub", "--user al --pub a --sub b": "one of --pub and --sub", "--user al --pub a..b": "no subject",
		"--user al --pub a.*": "no subject", "--user al --sub a.>.b": "no subject", "--user al --pub a --queue q": "belongs to --sub",
		"--user bbo --pub a": `did you mean "bob"?`, "--pub a": "name the user",
	} {
		code, _, err := runCommand(t, append([]string{"auth", "explain", "-c", file}, strings.Fields(args)...)...)
		if code == exitOK || !strings.Contains(err, want) {
			t.Errorf("%s: exit code %d, %q", args, code, err)
		}
	}
	if code, _, err := runCommand(t, "auth", "explain", "--user", "al", "--pub", "a"); code != exitUsage || !strings.Contains(err, "-c") {
		t.Errorf("without a file: exit code %d, %q", code, err)
	}
}

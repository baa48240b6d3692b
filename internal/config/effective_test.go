package config

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/natsd/natsd/internal/testutil/certs"
	"github.com/natsd/natsd/pkg/confparse"
	"go.yaml.in/yaml/v3"
)

// TestEffectiveHidesSecrets: whatever blocks, accounts and variables are called, what is shown of a configuration has no secret,
// and still all that is none.
func TestEffectiveHidesSecrets(t *testing.T) {
	for name, file := range map[string]string{
		"variable":            `accounts { PW: "s3cret", A { users: [{user: alice, password: $PW}] } }`,
		"variable in account": `accounts { A { PW: "s3cret", users: [{user: alice, password: $PW}] } }`,
		"variable in user":    `accounts { A { users: [{PW: "s3cret", user: alice, password: $PW}] } }`,
		"list of users":       `accounts { U: [{user: alice, password: s3cret}], A { users: $U } }`,
		"list in account":     `accounts { A { U: [{user: alice, password: s3cret}], users: $U } }`,
		"users":               `authorization { users: [{PW: "s3cret", user: alice, pass: $PW}] }`,
		"empty block":         `authorization { PW: "s3cret" }, server_metadata { x: alice }`,
		"account USERS":       `accounts { USERS { users: [{user: alice, password: s3cret}] } }`,
		"account imports":     `accounts { imports { users: [{user: alice, password: s3cret}] } }`,
		"account Exports":     `accounts { Exports { users: [{user: alice, password: s3cret}] } }`,
		"account LIMITS":      `accounts { LIMITS { users: [{user: alice, password: s3cret}] } }`,
		"account MAPS":        `accounts { MAPS { users: [{user: alice, password: s3cret}] } }`,
		"account nkey":        `accounts { nkey { users: [{user: alice, password: s3cret}] } }`,
	} {
		root := mustLoad(t, file, nil).Effective(Built())
		text, err := json.Marshal(root.Interface())
		if err != nil {
			t.Fatal(err)
		}
		yamlText, err := yaml.Marshal(root.Interface())
		if err != nil {
			t.Fatal(err)
		}
		for format, shown := range map[string]string{"conf": string(confparse.Print(root)), "json": string(text), "yaml": string(yamlText)} {
			if strings.Contains(shown, "s3cret") {
				t.Errorf("%s: s3cret is in %s:\n%s", name, format, shown)
			}
			if !strings.Contains(shown, "alice") {
				t.Errorf("%s: there is no alice in %s:\n%s", name, format, shown)
			}
		}
	}
}

// TestEffectiveIsAFile: what is shown of a configuration is one, and means the same where it holds no secrets.
func TestEffectiveIsAFile(t *testing.T) {
	certificate, key := certs.NewAuthority(t).RSAServer().Write(t, t.TempDir(), "server")
	pair := "{ cert_file: '" + certificate + "', key_file: '" + key + "'"
	for name, file := range map[string]string{
		"nothing":      "",
		"cluster":      "cluster { name: c, listen: '127.0.0.1:6222' }, http: 8222",
		"TLS":          "tls " + pair + ", timeout: 3, min_version: '1.3' }",
		"cluster TLS":  "cluster { listen: '127.0.0.1:6222', tls " + pair + ", ca_file: '" + certificate + "' } }",
		"monitor TLS":  "https: 8443, monitor { tls " + pair + " } }",
		"accounts":     "accounts { A { exports: [{stream: s}], limits { max_connections: 0 } }, B { imports: [{stream: {account: A, subject: s}}] } }",
		"server texts": "server_name: n, server_tags: [a, b], server_metadata { x: y }, max_payload: 2mb, ping_interval: 90",
	} {
		first := mustLoad(t, file, nil)
		text := string(confparse.Print(first.Effective(Built())))
		second := mustLoad(t, text, nil)
		if again := string(confparse.Print(second.Effective(Built()))); again != text {
			t.Errorf("%s: shown as\n%s, which is shown as\n%s", name, text, again)
		}
		for what, same := range map[string]bool{
			"TLS": (first.TLS == nil) == (second.TLS == nil), "monitor TLS": (first.Monitor.TLS == nil) == (second.Monitor.TLS == nil),
			"cluster":     (first.Cluster == nil) == (second.Cluster == nil),
			"cluster TLS": first.Cluster == nil || second.Cluster != nil && (first.Cluster.TLS == nil) == (second.Cluster.TLS == nil),
		} {
			if !same {
				t.Errorf("%s: %s is not the same after\n%s", name, what, text)
			}
		}
	}
}

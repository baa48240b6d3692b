package config

import (
	"encoding/json"
	"strings"
	"testing"

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

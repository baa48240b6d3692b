package config

import (
	"bytes"
	"slices"
	"testing"

	"github.com/natsd/natsd/pkg/confparse"
	"github.com/spf13/viper"
)

// TestViperCodec uses the codec with a real Viper: what users name keeps its case and its dots.
func TestViperCodec(t *testing.T) {
	registry := viper.NewCodecRegistry()
	if err := registry.RegisterCodec("conf", confparse.Codec{Name: "x.conf"}); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(viper.SupportedExts, "conf") {
		viper.SupportedExts = append(viper.SupportedExts, "conf") // Viper asks this list before the registry
	}
	v := viper.NewWithOptions(viper.WithCodecRegistry(registry), viper.KeyDelimiter(pathDelimiter))
	v.SetConfigType("conf")
	if err := v.ReadConfig(bytes.NewBufferString("Port: 4333\ntrace: yes\naccounts { ACME.x { users [{user: Bob}] } }")); err != nil {
		t.Fatal(err)
	}
	if v.GetInt("port") != 4333 || !v.GetBool("trace") {
		t.Errorf("got %v", v.AllSettings())
	}
	accounts, ok := v.Get("accounts").(*confparse.Value)
	if !ok || accounts.Get("ACME.x") == nil {
		t.Fatalf("got %T", v.Get("accounts"))
	}
	text, err := confparse.Codec{}.Encode(map[string]any{"port": 4333, "accounts": accounts})
	if want := "accounts {\n  ACME.x {\n    users [\n      {\n        user: Bob\n      }\n    ]\n  }\n}\nport: 4333\n"; err != nil || string(text) != want {
		t.Errorf("got %q, %v", text, err)
	}
}

package broker

import (
	"encoding/json"
	"testing"
)

// FuzzScanConnect: whatever scanConnect takes, encoding/json reads the same; what it does not take leaves no trace.
func FuzzScanConnect(f *testing.F) {
	for _, seed := range []string{
		`{"verbose":false,"pedantic":false,"lang":"go","version":"1.55.0","protocol":1,"echo":true,"headers":true,"no_responders":true}`,
		`{ "user" : "a" , "pass":"b","auth_token":"c","nkey":"d","sig":"e","jwt":"f","name":"g","tls_required":true,"account":"h","new_account":true } `,
		`{}`, `{"verbose":true}x`, `{"Verbose":true}`, `{"protocol":10}`, `{"protocol":1.0}`, `{"verbose":"true"}`, `{"name":"\u0041"}`, `{"name":"é"}`,
		`{"name":"a","name":"b"}`, `{"verbose":true,}`, `{,}`, `{"unknown":1}`, `{"verbose":truer}`, `{"protocol":0 }`, "{\"name\":\"a\x00\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := connectOptions{Echo: true, Name: "kept", Protocol: 1}
		got, want := before, before
		taken := scanConnect(text, &got)
		if !taken {
			want = before
		} else if err := json.Unmarshal(text, &want); err != nil {
			t.Fatalf("%q is taken: %v", text, err)
		}
		if got != want {
			t.Fatalf("%q: got %+v, want %+v", text, got, want)
		}
	})
}

// TestScanConnect: what client libraries send goes the fast way.
func TestScanConnect(t *testing.T) {
	for _, text := range []string{
		`{"verbose":false,"pedantic":false,"tls_required":false,"name":"","lang":"go","version":"1.55.0","protocol":1,"echo":true,"headers":true,"no_responders":true}`,
		`{"protocol":1,"version":"3.4.0","lang":"nats.js","verbose":false,"pedantic":false,"user":"a","pass":"b","headers":true,"no_responders":true}`,
		`{}`,
	} {
		if !scanConnect([]byte(text), &connectOptions{}) {
			t.Errorf("%s is left to encoding/json", text)
		}
	}
}

func BenchmarkParseConnect(b *testing.B) {
	text := []byte(`{"verbose":false,"pedantic":false,"tls_required":false,"name":"","lang":"go","version":"1.55.0","protocol":1,"echo":true,"headers":true,"no_responders":true}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		var o connectOptions
		if err := parseConnect(text, &o); err != nil {
			b.Fatal(err)
		}
	}
}

package config

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/natsd/natsd/internal/testutil/certs"
)

// loadTLS loads a file with flags and environment, certificates included.
func loadTLS(t *testing.T, file string, environ []string, flags ...GivenFlag) *Result {
	t.Helper()
	in := Input{Environ: environ, Flags: flags, Certificates: true}
	if file != "" {
		in.File = filepath.Join(t.TempDir(), "f.conf")
		if err := os.WriteFile(in.File, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load(in)
}

// TestSameTLSEverywhere: an option of TLS means the same in the file, as a flag and as a variable, and what is not given has
// the same safe default everywhere (CVE-2021-32026 was a default that flags forgot).
func TestSameTLSEverywhere(t *testing.T) {
	ca, folder := certs.NewAuthority(t), t.TempDir()
	certFile, keyFile := ca.Server(nil).Write(t, folder, "server")
	caFile := ca.Write(t, folder)
	for name, test := range map[string]struct {
		file    string
		environ []string
		flags   []GivenFlag
	}{
		"certificate": {
			fmt.Sprintf("tls { cert_file: %q, key_file: %q }", certFile, keyFile),
			[]string{"NATSD_TLS_CERT_FILE=" + certFile, "NATSD_TLS_KEY_FILE=" + keyFile},
			[]GivenFlag{{"tlscert", certFile}, {"tlskey", keyFile}},
		},
		"switched on": {
			fmt.Sprintf("tls { cert_file: %q, key_file: %q }", certFile, keyFile),
			[]string{"NATSD_TLS=true", "NATSD_TLS_CERT_FILE=" + certFile, "NATSD_TLS_KEY_FILE=" + keyFile},
			[]GivenFlag{{"tls", "true"}, {"tlscert", certFile}, {"tlskey", keyFile}},
		},
		"verify": {
			fmt.Sprintf("tls { cert_file: %q, key_file: %q, ca_file: %q, verify: true }", certFile, keyFile, caFile),
			[]string{"NATSD_TLS_CERT_FILE=" + certFile, "NATSD_TLS_KEY_FILE=" + keyFile, "NATSD_TLS_CA_FILE=" + caFile, "NATSD_TLS_VERIFY=true"},
			[]GivenFlag{{"tlscert", certFile}, {"tlskey", keyFile}, {"tlscacert", caFile}, {"tlsverify", "true"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			fromFile := loadTLS(t, test.file, nil)
			if err := fromFile.Err(); err != nil {
				t.Fatal(err)
			}
			want := fromFile.Config
			for layer, r := range map[string]*Result{
				"environment": loadTLS(t, "", test.environ), "flags": loadTLS(t, "", nil, test.flags...),
				"flags over another block": loadTLS(t, "tls { cert_file: none, key_file: none, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA], insecure: true }", nil, test.flags...),
			} {
				if err := r.Err(); err != nil {
					t.Errorf("%s: %v", layer, err)
					continue
				}
				compareTLS(t, layer, r.Config, want)
			}
		})
	}
}

// TestTLSVariables: every key of TLS that is one word means the same as a variable and in the file, in every block, and a variable
// switches TLS on where the file has no block. Source: docs/spec/cli.md §3, last paragraph.
func TestTLSVariables(t *testing.T) {
	values := map[Type]string{Text: "x.pem", Boolean: "true", Seconds: "7", Integer: "9"}
	const base = "authorization { users: [{user: u, password: x}] }\nhttps_port: -1\n"
	for path, of := range map[string]func(*Config) *TLS{
		"tls":         func(c *Config) *TLS { return c.TLS },
		"cluster.tls": func(c *Config) *TLS { return c.Cluster.TLS },
		"monitor.tls": func(c *Config) *TLS { return c.Monitor.TLS },
	} {
		around, clients := "%s", "tls { cert_file: c, key_file: k }\n"
		switch path {
		case "tls":
			clients = ""
		case "cluster.tls":
			around = "cluster { port: -1\n%s }"
		case "monitor.tls":
			around = "monitor { %s }"
		}
		for _, k := range tlsKeys(TLSFeature) {
			e := Entry{Key: &k, Path: path + "." + k.Name}
			if e.EnvVar() == "" {
				continue
			}
			given := map[string]string{"cert_file": "c.pem", "key_file": "k.pem"}
			if given[k.Name] = values[k.Type]; k.Name == "min_version" {
				given[k.Name] = "1.3"
			}
			block, environ := "", []string{}
			for name, value := range given {
				block += fmt.Sprintf("%s: %q\n", name, value)
				environ = append(environ, EnvPrefix+strings.ToUpper(strings.ReplaceAll(path, ".", "_")+"_"+name)+"="+value)
			}
			want := of(mustLoad(t, base+clients+fmt.Sprintf(around, "tls {"+block+"}"), nil))
			for what, file := range map[string]string{
				"without a block":   fmt.Sprintf(around, ""),
				"over a block":      fmt.Sprintf(around, "tls { cert_file: c, key_file: k, min_version: '1.2' }"),
				"with half a block": fmt.Sprintf(around, "tls { verify: false }"),
			} {
				if got := of(mustLoad(t, base+clients+file, environ)); !reflect.DeepEqual(got, want) {
					t.Errorf("%s %s: got %+v\nwant %+v", e.Path, what, got, want)
				}
			}
		}
	}
}

// TestTLSVariablesRefused: variables of TLS that cannot be obeyed are refused.
func TestTLSVariablesRefused(t *testing.T) {
	for _, test := range []struct{ file, variable, want string }{
		{"leafnodes { tls {} }", "NATSD_LEAFNODES_TLS_CERT_FILE=c", "environment variable NATSD_LEAFNODES_TLS_CERT_FILE is not supported by this version"},
		{"", "NATSD_WEBSOCKET_TLS_VERIFY=true", "environment variable NATSD_WEBSOCKET_TLS_VERIFY is not supported by this version"},
		{"", "NATSD_TLS_VERIFY=true", "missing 'cert_file' in TLS configuration; set NATSD_TLS_CERT_FILE"},
		{"cluster { port: -1 }", "NATSD_CLUSTER_TLS_CERT_FILE=c", "missing 'key_file' in TLS configuration; set NATSD_CLUSTER_TLS_KEY_FILE"},
		{"", "NATSD_MONITOR_TLS_CERT_FILE=c", "TLS for monitoring without https; use https_port"},
		{"tls { certs: [{cert_file: c, key_file: k}] }", "NATSD_TLS_CERT_FILE=c", "'cert_file' and 'certs' exclude each other"},
	} {
		r := Load(Input{File: "-", Stdin: strings.NewReader(test.file), Environ: []string{test.variable}})
		if err := r.Err(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %s: got %v, want %s", test.file, test.variable, err, test.want)
		}
	}
}

// compareTLS compares what two configurations come to.
func compareTLS(t *testing.T, layer string, got, want *Config) {
	t.Helper()
	a, b := got.Broker().TLS, want.Broker().TLS
	if a.Timeout != b.Timeout || a.VerifyAndMap != b.VerifyAndMap || a.HandshakeFirst != b.HandshakeFirst || a.HandshakeDelay != b.HandshakeDelay ||
		a.AllowNonTLS != b.AllowNonTLS || a.MaxPerSecond != b.MaxPerSecond || !slices.Equal(a.PinnedKeys, b.PinnedKeys) {
		t.Errorf("%s: options %+v, want %+v", layer, a, b)
	}
	c, d := a.Config, b.Config
	if c.MinVersion != d.MinVersion || c.MaxVersion != d.MaxVersion || c.ClientAuth != d.ClientAuth || c.InsecureSkipVerify != d.InsecureSkipVerify ||
		!slices.Equal(c.CipherSuites, d.CipherSuites) || !slices.Equal(c.CurvePreferences, d.CurvePreferences) || !c.ClientCAs.Equal(d.ClientCAs) {
		t.Errorf("%s: TLS %+v, want %+v", layer, c, d)
	}
	if c.MinVersion != tls.VersionTLS12 || len(c.CipherSuites) != 6 || c.InsecureSkipVerify {
		t.Errorf("%s: weak defaults: %+v", layer, c)
	}
	certificate, err := c.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil || certificate == nil {
		t.Errorf("%s: no certificate: %v", layer, err)
	}
}

// TestTLSFindings: what is wrong with certificates is found when the configuration is loaded.
func TestTLSFindings(t *testing.T) {
	folder := t.TempDir()
	ca := certs.NewAuthority(t)
	certFile, keyFile := ca.Server(nil).Write(t, folder, "server")
	_, otherKey := ca.Server(nil).Write(t, folder, "other")
	pin := strings.Repeat("ab", sha256.Size)
	for _, test := range []struct {
		file  string
		flags []GivenFlag
		want  string
	}{
		{fmt.Sprintf("tls {\n cert_file: %q\n key_file: \"/none\"\n}", certFile), nil, ":2:13: error parsing X509 certificate/key pair"},
		{fmt.Sprintf("tls { cert_file: %q, key_file: %q }", certFile, otherKey), nil, "private key does not match"},
		{fmt.Sprintf("tls { cert_file: %q, key_file: %q\n ca_file: \"/none\" }", certFile, keyFile), nil, ":2:11: failed to parse root ca certificate"},
		{fmt.Sprintf("tls { cert_file: %q, key_file: %q, cipher_suites: [TLS_RSA_WITH_X] }", certFile, keyFile), nil, "unrecognized cipher TLS_RSA_WITH_X"},
		{fmt.Sprintf("tls { cert_file: %q, key_file: %q, curve_preferences: [CurveP25] }", certFile, keyFile), nil, `unrecognized curve preference CurveP25; use CurveP256, `},
		{fmt.Sprintf("tls { cert_file: %q, key_file: %q, pinned_certs: [abc] }", certFile, keyFile), nil, "pinned_certs"},
		{fmt.Sprintf("tls { cert_file: %q, key_file: %q, handshake_first: maybe }", certFile, keyFile), nil, "handshake_first"},
		{fmt.Sprintf("tls { certs: [{cert_file: %q}] }", certFile), nil, "both 'cert_file' and 'key_file' options are required"},
		{fmt.Sprintf("tls { cert_file: %q, key_file: %q\n pinned_certs: [%q] }", certFile, keyFile, pin), nil,
			":2:2: pinned_certs needs verify: true, since clients show no certificate without it"},
		{fmt.Sprintf("https: -1, monitor { tls { cert_file: %q, key_file: %q\n pinned_certs: [%q] } }", certFile, keyFile, pin), nil,
			":2:2: pinned_certs needs verify: true, since clients show no certificate without it"},
		{fmt.Sprintf("cluster { port: -1\n tls { cert_file: %q } }", certFile), nil, ":2:2: missing 'key_file' in TLS configuration"},
		{"", []GivenFlag{{"tls", "true"}}, "TLS Server certificate must be present and valid"},
		{"", []GivenFlag{{"tlscert", certFile}}, "TLS Server private key must be present and valid"},
	} {
		err := loadTLS(t, test.file, nil, test.flags...).Err()
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %v: got %v, want %s", test.file, test.flags, err, test.want)
		}
	}
}

// TestTLSWithoutEffect: a key that means nothing in its block is warned about, unless it says what counts anyway.
func TestTLSWithoutEffect(t *testing.T) {
	const pair = "cert_file: c, key_file: k"
	const idle = `, insecure: true, timeout: 3, verify_and_map: true, handshake_first: auto, connection_rate_limit: 9`
	for _, test := range []struct {
		file    string
		environ []string
		want    []string
	}{
		{file: "tls { " + pair + ", insecure: true, timeout: 3, handshake_first: auto, connection_rate_limit: 9 }", want: []string{`"insecure" has no effect in tls`}},
		{file: "cluster { port: -1, tls { " + pair + idle + " } }", want: []string{
			`"verify_and_map" has no effect in cluster.tls`, `"handshake_first" has no effect in cluster.tls`, `"connection_rate_limit" has no effect in cluster.tls`,
		}},
		{file: "https_port: -1, monitor { tls { " + pair + idle + " } }", want: []string{
			`"insecure" has no effect in monitor.tls`, `"timeout" has no effect in monitor.tls`,
			`"verify_and_map" means verify in monitor.tls, where certificates name no users`, `"handshake_first" has no effect in monitor.tls`,
			`"connection_rate_limit" has no effect in monitor.tls`,
		}},
		{file: "https_port: -1, monitor { tls { " + pair + " } }", environ: []string{"NATSD_MONITOR_TLS_TIMEOUT=3"}, want: []string{`"timeout" has no effect in monitor.tls`}},
		{file: "cluster { port: -1, tls { " + pair + ", insecure: true, timeout: 3, verify_and_map: false, handshake_first: false, connection_rate_limit: 0 } }"},
	} {
		r := loadText(t, test.file, test.environ)
		var got []string
		for _, f := range r.Warnings() {
			got = append(got, f.Text)
		}
		if err := r.Err(); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, %v, want %q", test.file, got, err, test.want)
		}
	}
}

// TestWeakSuites: a weak suite that is asked for is served, with a warning.
func TestWeakSuites(t *testing.T) {
	folder := t.TempDir()
	certFile, keyFile := certs.NewAuthority(t).RSAServer().Write(t, folder, "server")
	file := fmt.Sprintf("tls { cert_file: %q, key_file: %q, cipher_suites: [TLS_RSA_WITH_3DES_EDE_CBC_SHA] SURE }", certFile, keyFile)
	r := loadTLS(t, strings.Replace(file, "SURE", "", 1), nil)
	if r.Err() != nil || !strings.Contains(fmt.Sprint(r.Warnings()), "TLS_RSA_WITH_3DES_EDE_CBC_SHA is weak") {
		t.Errorf("%v, %v", r.Err(), r.Warnings())
	}
	r = loadTLS(t, strings.Replace(file, "SURE", ", allow_insecure_cipher_suites: true", 1), nil)
	if r.Err() != nil || len(r.Warnings()) > 0 {
		t.Errorf("%v, %v", r.Err(), r.Warnings())
	}
}

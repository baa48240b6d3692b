package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/password"
	"github.com/natsd/natsd/internal/tlsconfig"
	"github.com/natsd/natsd/pkg/broker"
)

// loadText loads a text as the file of a server that has every feature.
func loadText(t *testing.T, text string, environ []string, flags ...GivenFlag) *Result {
	t.Helper()
	return Load(Input{File: "-", Stdin: strings.NewReader(text), Environ: environ, Flags: flags, Features: AllFeatures()})
}

// mustLoad loads a text that is valid.
func mustLoad(t *testing.T, text string, environ []string, flags ...GivenFlag) *Config {
	t.Helper()
	r := loadText(t, text, environ, flags...)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return r.Config
}

// TestPrecedence has the rows of docs/spec/cli.md §4 that are about values.
func TestPrecedence(t *testing.T) {
	given := func(pairs ...string) []GivenFlag {
		var flags []GivenFlag
		for i := 0; i < len(pairs); i += 2 {
			flags = append(flags, GivenFlag{pairs[i], pairs[i+1]})
		}
		return flags
	}
	clusterFile := "cluster { listen: 10.0.0.1:4248, authorization { user: a, password: b }, routes: [nats://h:1] }"
	for _, c := range []struct {
		name, file string
		env        []string
		flags      []GivenFlag
		ok         func(*Config) bool
	}{
		{name: "a flag beats the environment and the file", file: "port: 1", env: []string{"NATSD_PORT=2"}, flags: given("port", "3"), ok: func(c *Config) bool { return c.Port == 3 }},
		{name: "the environment beats the file", file: "port: 1", env: []string{"NATSD_PORT=2"}, ok: func(c *Config) bool { return c.Port == 2 }},
		{name: "an empty variable counts as unset", file: "port: 1", env: []string{"NATSD_PORT="}, ok: func(c *Config) bool { return c.Port == 1 }},
		{name: "false beats true", file: "trace: true", flags: given("trace", "false"), ok: func(c *Config) bool { return !c.Log.Trace }},
		{name: "the default port", file: "port: 5222", flags: given("port", "0"), ok: func(c *Config) bool { return c.Port == 4222 }},
		{name: "a random port", file: "port: 5222", flags: given("port", "-1"), ok: func(c *Config) bool { return c.Port == -1 }},
		{name: "listen and a port", file: "listen: 10.0.0.1:4333", flags: given("port", "5222"), ok: func(c *Config) bool { return c.Host == "10.0.0.1" && c.Port == 5222 }},
		{name: "listen and an address", file: "listen: 10.0.0.1:4333", flags: given("addr", "0.0.0.0"), ok: func(c *Config) bool { return c.Host == "0.0.0.0" && c.Port == 4333 }},
		{name: "listen is a port alone", file: "listen: 4333", ok: func(c *Config) bool { return c.Host == "0.0.0.0" && c.Port == 4333 }},
		{name: "file order of listen and port", file: "listen: 4333\nport: 1", ok: func(c *Config) bool { return c.Port == 1 }},
		{name: "file order of port and listen", file: "port: 1\nlisten: 4333", ok: func(c *Config) bool { return c.Port == 4333 }},
		{name: "aliases count as the same key", file: "max_conn: 1\nmax_connections: 2", ok: func(c *Config) bool { return c.Limits.MaxConnections == 2 }},
		{name: "monitor off", file: "http_port: 8222", flags: given("http_port", "0"), ok: func(c *Config) bool { return c.Monitor.HTTPPort == 0 }},
		{name: "monitor keeps the host of the file", file: "http: 10.0.0.2:8222", flags: given("http_port", "8333"), ok: func(c *Config) bool { return c.Monitor.Host == "10.0.0.2" && c.Monitor.HTTPPort == 8333 }},
		{name: "monitor on the host of clients", file: "host: 10.0.0.3\nhttp: 8222", ok: func(c *Config) bool { return c.Monitor.Host == "10.0.0.3" }},
		{name: "routes replace the list", file: clusterFile, flags: given("routes", "nats://x:1, nats://[::1]:2"), ok: func(c *Config) bool {
			return len(c.Cluster.Routes) == 2 && c.Cluster.Routes[0].Host == "x:1" && c.Cluster.Routes[1].Host == "[::1]:2"
		}},
		{name: "no routes", file: clusterFile, flags: given("routes", ""), ok: func(c *Config) bool { return len(c.Cluster.Routes) == 0 }},
		{name: "the cluster flag drops credentials", file: clusterFile, flags: given("cluster", "nats://h:4249"), ok: func(c *Config) bool {
			return c.Cluster.Host == "h" && c.Cluster.Port == 4249 && c.Cluster.User == "" && c.Cluster.Password == "" && len(c.Cluster.Routes) == 1
		}},
		{name: "the cluster flag with credentials", file: clusterFile, flags: given("cluster", "nats://u:p@h:-1"), ok: func(c *Config) bool {
			return c.Cluster.Port == -1 && c.Cluster.User == "u" && c.Cluster.Password == "p"
		}},
		{name: "the cluster flag without scheme", flags: given("cluster", "h:1"), ok: func(c *Config) bool { return c.Cluster.Host == "h" && c.Cluster.Port == 1 }},
		{name: "the cluster flag, a port", flags: given("cluster", "4248"), ok: func(c *Config) bool { return c.Cluster.Host == "0.0.0.0" && c.Cluster.Port == 4248 }},
		{name: "no cluster", file: clusterFile, flags: given("cluster", ""), ok: func(c *Config) bool { return c.Cluster == nil }},
		{name: "a user without a password", flags: given("user", "u"), ok: func(c *Config) bool { return c.Authorization.User == "u" && c.Authorization.Required() }},
		{name: "the token decides", flags: given("user", "u", "auth", "t"), ok: func(c *Config) bool { return c.Authorization.User == "" && c.Authorization.Token == "t" }},
		{name: "the list decides", file: "authorization { users [{user: a, password: b}] }", flags: given("user", "u"), ok: func(c *Config) bool {
			return c.Authorization.User == "" && len(c.Authorization.Users) == 1
		}},
		{name: "TLS flags drop the block", file: "tls { cert_file: a, key_file: b, ca_file: c, verify: true }", flags: given("tlscert", "x", "tlskey", "y"), ok: func(c *Config) bool {
			return c.TLS.CertFile == "x" && c.TLS.CAFile == "" && !c.TLS.Verify
		}},
		{name: "no TLS", file: "tls { cert_file: a, key_file: b }", flags: given("tls", "false", "tlscert", "x"), ok: func(c *Config) bool { return c.TLS == nil }},
		{name: "strings of the environment are taken as they are", env: []string{"NATSD_USER=0123", "NATSD_PASSWORD=$x y"}, ok: func(c *Config) bool {
			return c.Authorization.User == "0123" && c.Authorization.Password == "$x y"
		}},
		{name: "an endpoint of the environment", env: []string{"NATSD_LISTEN=10.0.0.1:1", "NATSD_PORT=2"}, ok: func(c *Config) bool { return c.Host == "10.0.0.1" && c.Port == 2 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if config := mustLoad(t, c.file, c.env, c.flags...); !c.ok(config) {
				t.Errorf("got %+v\ncluster %+v\nTLS %+v", config, config.Cluster, config.TLS)
			}
		})
	}
}

// TestSecretsOfTheEnvironment: a secret that a file takes from the environment is all of it, whatever it looks like, while numbers,
// durations and the like may have a comment. Spec: docs/spec/config.md A1, A13.
func TestSecretsOfTheEnvironment(t *testing.T) {
	for _, secret := range []string{"4711#secret", "abc #def", "bar'", "1e3 // x", "0123", "yes#", "$2a$11$x #y"} {
		c := mustLoad(t, "authorization { user: a, password: $PASS }", []string{"PASS=" + secret})
		if got := c.Authorization.Password; got != secret {
			t.Errorf("the password %q is %q", secret, got)
		}
		c = mustLoad(t, "pw: $PASS\nauthorization { users [{user: a, password: $pw}] }\npid_file: $PASS", []string{"PASS=" + secret})
		if got := c.Broker().Auth.Users[0].Password; got != secret {
			t.Errorf("the password %q of a user is %q", secret, got)
		}
		if c.PIDFile != secret {
			t.Errorf("the path %q is %q", secret, c.PIDFile)
		}
	}
	c := mustLoad(t, "listen: $LISTEN\nmax_payload: $SIZE\nwrite_deadline: $TIME\ndebug: $YES\nhttp: $HTTP\nauthorization { user: a, password: b, timeout: $SECONDS }", []string{
		"LISTEN=10.0.0.1:4333 # here", "SIZE=2kb # small", "TIME=10s # ten", "YES=true // loud", "HTTP=8222#web", "SECONDS=1.5 # more",
	})
	if o := c.Broker(); o.Host != "10.0.0.1" || o.Port != 4333 || o.MaxPayload != 2048 || o.WriteDeadline != 10*time.Second || o.Auth.Timeout != 1500*time.Millisecond {
		t.Errorf("got %+v", o)
	}
	if !c.Log.Debug || c.Monitor.HTTPPort != 8222 {
		t.Errorf("log %+v, monitor %+v", c.Log, c.Monitor)
	}
	for _, s := range c.Settings {
		if shown := s.Shown(); strings.Contains(shown, "# ") || strings.Contains(shown, "//") {
			t.Errorf("%s is shown as %q", s.Path, shown)
		}
	}
}

// TestRefused has the rows of docs/spec/cli.md §4 and of docs/spec/config.md part B that are errors.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name, file string
		env        []string
		flags      []GivenFlag
		want       string
	}{
		{name: "two monitors", flags: []GivenFlag{{"http_port", "8222"}, {"https_port", "8443"}}, want: "Can't start monitoring: can't specify both HTTP (8222) and HTTPs (8443) ports; switch one of them off with 0"},
		{name: "HTTPS without TLS", file: "https_port: 8443", want: "<stdin>:1:13: Can't start monitoring: TLS cert and key required for HTTPS; add a tls block with cert_file and key_file"},
		{name: "routes without a cluster", flags: []GivenFlag{{"routes", "nats://h:1"}}, want: "solicited routes require cluster capabilities, e.g. --cluster"},
		{name: "a password without a user", flags: []GivenFlag{{"pass", "p"}}, want: "password given without user; add --user"},
		{name: "a password with an empty user", flags: []GivenFlag{{"user", ""}, {"pass", "p"}}, want: "password given without user; add --user"},
		{name: "a password with the user of an empty variable", file: "authorization { user: $NOBODY, password: $SECRET }", env: []string{"NOBODY=", "SECRET=p"},
			want: "<stdin>:1:42: password given without user; add --user"},
		{name: "a password of routes with the user of an empty variable", file: "cluster { port: 1, authorization { user: $NOBODY, password: $SECRET } }", env: []string{"NOBODY=", "SECRET=p"},
			want: "<stdin>:1:61: password given without user; add user"},
		{name: "TLS without a certificate", flags: []GivenFlag{{"tls", "true"}}, want: "TLS Server certificate must be present and valid; add --tlscert"},
		{name: "TLS without a key", flags: []GivenFlag{{"tlscert", "c"}}, want: "TLS Server private key must be present and valid; add --tlskey"},
		{name: "a cluster without a port", flags: []GivenFlag{{"cluster", "nats://h"}}, want: "--cluster: missing port in address: write nats://host:port"},
		{name: "a cluster with a bad port", flags: []GivenFlag{{"cluster", "nats://h:x"}}, want: `--cluster: port "x" is not an integer from -1 to 65535`},
		{name: "a cluster without a password", flags: []GivenFlag{{"cluster", "nats://u@h:1"}}, want: "--cluster: expected cluster password to be set"},
		{name: "a user and a token", file: "authorization { user: a, password: b, token: c }", want: "<stdin>:1:46: Cannot have a user/pass and token"},
		{name: "a user and users", file: "authorization { user: a, password: b, users [] }", want: "<stdin>:1:23: Can not have a single user/pass and a users array"},
		{name: "a token and users", file: "authorization { token: a, users [] }", want: "<stdin>:1:24: Can not have a token and a users array"},
		{name: "users that are no list", file: "authorization { users: 1 }", want: `<stdin>:1:24: users: expected a list of maps, got "1"`},
		{name: "a user without a name", file: "authorization { users [{password: x}] }", want: "<stdin>:1:24: User entry requires a user"},
		{name: "a permission that does not exist", file: "authorization { users [{user: a, password: x, permissions: {pubs: a}}] }", want: `<stdin>:1:61: Unknown field "pubs" parsing permissions; did you mean "pub"?`},
		{name: "a subject that is none", file: "authorization { users [{user: a, password: x, permissions: {publish: foo..bar}}] }", want: `<stdin>:1:70: subject "foo..bar" is not a valid subject`},
		{name: "a cluster with users", file: "cluster { port: 1, authorization { users [] } }", want: "<stdin>:1:36: Cluster authorization does not allow multiple users; use user and password"},
		{name: "a key of TLS that does not exist", file: "tls { cert_file: a, key_file: b, foo: c }", want: `<stdin>:1:34: unknown field "foo"`},
		{name: "a certificate without a key", file: "tls { cert_file: a }", want: "<stdin>:1:1: missing 'key_file' in TLS configuration"},
		{name: "a short lame duck", file: "lame_duck_duration: 5s", want: "<stdin>:1:21: invalid lame_duck_duration of 5s, minimum is 30 seconds"},
		{name: "a long grace period", file: "lame_duck_grace_period: 2m", want: "<stdin>:1:25: lame duck grace period (2m) should be strictly lower than lame duck duration (2m)"},
		{name: "payload over pending", file: "max_payload: 2mb, max_pending: 1mb", want: "<stdin>:1:14: max_payload (2097152) cannot be higher than max_pending (1048576)"},
		{name: "a huge payload", file: "max_payload: 3gb", want: "<stdin>:1:14: max_payload: max_payload value is too big"},
		{name: "a wrong type", file: "port: abc", want: `<stdin>:1:7: port: expected an integer from -1 to 65535, got "abc"`},
		{name: "a map for a number", file: "port {}", want: "<stdin>:1:6: port: expected an integer from -1 to 65535, got a map"},
		{name: "a secret of a wrong type", file: "authorization { token: [s3cret] }", want: "<stdin>:1:24: token: expected a string"},
		{name: "an address without a port", file: "listen: localhost", want: `<stdin>:1:9: listen: could not parse address string "localhost"`},
		{name: "an address with a bad port", file: "listen: localhost:foo", want: `<stdin>:1:9: listen: could not parse port "foo"`},
		{name: "a name with blanks", file: "server_name: 'a b'", want: "<stdin>:1:14: server name cannot contain spaces; use one word"},
		{name: "a user that does not exist", file: "no_auth_user: x", want: `<stdin>:1:15: no_auth_user: "x" present, but users/nkeys are not defined`},
		{name: "a key of the peer that protects", file: "operator: x", want: `<stdin>:1:1: "operator" is known to nats-server, not supported by natsd`},
		{name: "Kubernetes", env: []string{"NATSD_PORT=tcp://10.0.0.1:4222"}, want: "environment variable NATSD_PORT holds a tcp:// address, not a port; " + kubernetesHint},
		{name: "a bad variable", env: []string{"NATSD_MAX_PAYLOAD=lots"}, want: `environment variable NATSD_MAX_PAYLOAD: expected a size such as 65536, 64kb or 1mb, got "lots"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := loadText(t, c.file, c.env, c.flags...).Err()
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestWarned has what is accepted with a warning.
func TestWarned(t *testing.T) {
	for _, c := range []struct {
		file  string
		env   []string
		flags []GivenFlag
		want  string
	}{
		{file: "authorization { user: $NOBODY, password: $NOBODY }", env: []string{"NOBODY="},
			want: "<stdin>:1:23: authorization.user is empty: everybody who reaches the port gets in; give it a value, or leave it out"},
		{file: "authorization { token: '' }", want: "<stdin>:1:24: authorization.token is empty: everybody who reaches the port gets in; give it a value, or leave it out"},
		{file: "authorization { token: '$2a$11$W2zko751KUvVy59mUTWmpOdWjpEm5qhcCZRd05GjI/sSOT.xtiHyG' }", flags: []GivenFlag{{"auth", ""}},
			want: "authorization.token is empty: everybody who reaches the port gets in; give it a value, or leave it out"},
		{flags: []GivenFlag{{"user", ""}}, want: "authorization.user is empty: everybody who reaches the port gets in; give it a value, or leave it out"},
		{file: "authorization { user: '' }, accounts { A { users: [{user: a, password: '$2a$11$W2zko751KUvVy59mUTWmpOdWjpEm5qhcCZRd05GjI/sSOT.xtiHyG'}] } }"},
		{file: "monitor { authorization { token: '' } }",
			want: "<stdin>:1:34: monitor.authorization.token is empty: everybody who reaches the port gets in; give it a value, or leave it out"},
		{file: "cluster { port: 1, authorization { user: '' } }",
			want: "<stdin>:1:42: cluster.authorization.user is empty: everybody who reaches the port gets in; give it a value, or leave it out"},
		{flags: []GivenFlag{{"cluster", "nats://h:1"}}},
		{file: "foo: 1", want: `<stdin>:1:1: unknown field "foo"`},
		{file: "prot: 1", want: `<stdin>:1:1: unknown field "prot"; did you mean "port"?`},
		{file: "foo: 1\nport: $foo"},
		{file: "jetstream: true", want: `<stdin>:1:1: "jetstream" is known to nats-server, not supported by natsd`},
		{file: "write_deadline: 2", want: "<stdin>:1:17: write_deadline should be converted to a duration"},
		{file: "write_deadline: 2m", want: "<stdin>:1:17: write_deadline should be in quotes: nats-server reads 2m as 2000000 seconds"},
		{file: "write_deadline: 1m30s"},
		{file: "max_connections: 0", want: "<stdin>:1:18: max_connections of 0 means 65536; nats-server refuses every client then"},
		{file: "max_payload: 9mb", want: "<stdin>:1:14: max_payload of 9437184 bytes is more than 8 MiB; big messages delay all others on their way"},
		{file: "authorization { timeout: 1m }", want: "<stdin>:1:26: timeout is 277h46m40s, which is long; a number counts seconds"},
		{env: []string{"NATSD_MAX_PAYLAOD=1"}, want: "environment variable NATSD_MAX_PAYLAOD is not known; did you mean NATSD_MAX_PAYLOAD?"},
		{env: []string{"NATSD_SERVICE_HOST=10.0.0.1", "NATSD_PORT_4222_TCP=tcp://10.0.0.1:4222"}},
	} {
		r := loadText(t, c.file, c.env, c.flags...)
		if err := r.Err(); err != nil {
			t.Errorf("%q %q %q: %v", c.file, c.env, c.flags, err)
		}
		got := ""
		if warnings := r.Warnings(); len(warnings) > 0 {
			got = warnings.Error()
		}
		if got != c.want {
			t.Errorf("%q %q %q:\ngot  %s\nwant %s", c.file, c.env, c.flags, got, c.want)
		}
	}
}

// TestNotBuilt: a key, a variable and a flag of a feature that is not built are refused, never ignored.
func TestNotBuilt(t *testing.T) {
	r := Load(Input{File: "-", Stdin: strings.NewReader("cluster { port: 1 }\nsyslog: true"), Environ: []string{"NATSD_HTTP_PORT=1"}, Features: Features{}, Flags: []GivenFlag{{"tlsverify", "true"}, {"user", "x"}}})
	want := strings.Join([]string{
		`environment variable NATSD_HTTP_PORT is not supported by this version`,
		`--tlsverify is not supported by this version`, `--user is not supported by this version`,
		`<stdin>:1:1: "cluster" is not supported by this version`, `<stdin>:2:1: "syslog" is not supported by this version`,
	}, "\n")
	got := []string{}
	for _, f := range r.Errors() {
		if !strings.Contains(f.Error(), "TLS Server") {
			got = append(got, f.Error())
		}
	}
	for _, line := range strings.Split(want, "\n") {
		if !strings.Contains(strings.Join(got, "\n"), line) {
			t.Errorf("lacks %s in\n%s", line, strings.Join(got, "\n"))
		}
	}
}

// TestSameValueEverywhere: a value means the same in a file, in the environment and as a flag.
func TestSameValueEverywhere(t *testing.T) {
	for _, f := range Flags() {
		e, known := Lookup(f.Path)
		if !known || e.EnvVar() == "" || f.Path == clusterListenPath || f.Path == routesPath || strings.HasPrefix(f.Path, "tls") || strings.Contains(f.Path, "authorization") {
			continue
		}
		value := map[Type]string{Text: "abc", Integer: "7", Size: "64mb", Boolean: "true", Duration: "45s", Seconds: "3"}[e.Type]
		if len(e.Words) > 0 {
			value = e.Words[len(e.Words)-1]
		}
		if e.Path == "remote_syslog" {
			value = "udp://127.0.0.1:514"
		}
		nested := e.Path + ": " + value
		if block, name, found := strings.Cut(e.Path, "."); found {
			nested = block + " { port: 1, " + name + ": " + value + " }"
		}
		environ, base := []string{e.EnvVar() + "=" + value}, ""
		flags := []GivenFlag{{f.Name, value}}
		if strings.Contains(e.Path, "cluster.") {
			base = "cluster { port: 1 }"
		}
		if e.Path == "https_port" {
			base, nested = "tls { cert_file: a, key_file: b }", "tls { cert_file: a, key_file: b }\n"+nested
		}
		file, env, flag := mustLoad(t, nested, nil), mustLoad(t, base, environ), mustLoad(t, base, nil, flags...)
		for _, other := range []*Config{env, flag} {
			if changes := diffScalars(file, other); len(changes) > 0 {
				t.Errorf("%s: %v", e.Path, changes)
			}
		}
	}
}

// diffScalars returns the differences of options that are one word.
func diffScalars(a, b *Config) []string {
	var paths []string
	for i, s := range a.Settings {
		if s.canonical() != b.Settings[i].canonical() {
			paths = append(paths, s.Path)
		}
	}
	return paths
}

// TestNamesSurvive: names that users choose keep their case and their dots (docs/spec/config.md A2, B12).
func TestNamesSurvive(t *testing.T) {
	c := mustLoad(t, "authorization { users [{user: 'Alice.B', password: 'P.W', permissions: {publish: {allow: ['Foo.Bar.>']}}}] }\naccounts { ACME.x { users [] } }", nil)
	u := c.Authorization.Users[0]
	if u.Name != "Alice.B" || u.Password != "P.W" || u.Permissions.Publish.Allow[0] != "Foo.Bar.>" {
		t.Errorf("got %+v", u)
	}
	found := false
	for _, b := range c.Blocks {
		if b.Path == "accounts" {
			found = b.Value.Get("ACME.x") != nil
		}
	}
	if !found {
		t.Error("the name of the account is lost")
	}
}

// TestTypos: one wrong letter in a key gets the right suggestion in at least 98 of 100 cases.
func TestTypos(t *testing.T) {
	total, right := 0, 0
	check := func(keys []Key) {
		var names []string
		for i := range keys {
			names = append(names, keys[i].names()...)
		}
		for _, name := range names {
			if len(name) < 4 {
				continue // half of a short word is not enough to guess from
			}
			for _, typo := range typos(name) {
				if find(keys, typo) != nil {
					continue
				}
				total++
				if near := Nearest(typo, names); near == name || find(keys, near) != nil && find(keys, near) == find(keys, name) {
					right++
				}
			}
		}
	}
	check(Schema())
	for _, e := range All() {
		if len(e.Keys) > 0 {
			check(e.Keys)
		}
	}
	if right*100 < total*98 {
		t.Errorf("%d of %d typos get the right suggestion", right, total)
	}
}

// typos returns name with one letter left out, doubled, replaced, or swapped with the next.
func typos(name string) []string {
	var all []string
	for i := range name {
		all = append(all, name[:i]+name[i+1:], name[:i]+name[i:i+1]+name[i:], name[:i]+"x"+name[i+1:])
		if i+1 < len(name) && name[i] != name[i+1] {
			all = append(all, name[:i]+name[i+1:i+2]+name[i:i+1]+name[i+2:])
		}
	}
	return all
}

// TestSchema checks the table itself.
func TestSchema(t *testing.T) {
	seen := make(map[string]string)
	for _, e := range All() {
		if e.Doc == "" || e.Type == 0 {
			t.Errorf("%s lacks a text or a type", e.Path)
		}
		if name := e.EnvVar(); name != "" {
			if other := seen[name]; other != "" {
				t.Errorf("%s sets %s and %s", name, other, e.Path)
			}
			seen[name] = e.Path
		}
		if e.Default != "" && e.Type.scalar() {
			if _, err := e.checkValue(e.valueFromText(e.Default)); err != nil {
				t.Errorf("%s: its default: %v", e.Path, err)
			}
		}
		if found, known := Lookup(e.Path); !known || found.Path != e.Path {
			t.Errorf("%s is found as %q", e.Path, found.Path)
		}
	}
	o := Load(Input{}).Config.Broker()
	if o.Port != broker.DefaultPort || o.MaxPayload != broker.DefaultMaxPayload || o.MaxControlLine != broker.DefaultMaxControlLine ||
		o.MaxConnections != broker.DefaultMaxConnections || o.MaxPending != broker.DefaultMaxPending || o.WriteDeadline != broker.DefaultWriteDeadline ||
		o.PingInterval != broker.DefaultPingInterval || o.PingMax != broker.DefaultPingMax || o.LameDuckDuration != broker.DefaultLameDuckDuration ||
		o.LameDuckGracePeriod != broker.DefaultLameDuckGracePeriod || o.Host != broker.DefaultHost {
		t.Errorf("the defaults of the schema differ from those of the library: %+v", o)
	}
}

// TestExamples loads every example of the reference and asserts what it means.
func TestExamples(t *testing.T) {
	const derek = "$2a$11$W2zko751KUvVy59mUTWmpOdWjpEm5qhcCZRd05GjI/sSOT.xtiHyG"
	type check struct {
		what string
		ok   bool
	}
	environ := []string{"EXAMPLE_PORT=4333", "EXAMPLE_PASS=0123"}
	for name, checks := range map[string]func(*Config) []check{
		"simple.conf": func(c *Config) []check {
			a := c.Authorization
			return []check{{"listen", c.Host == "localhost" && c.Port == 4242}, {"user", a.User == "derek" && a.Password == "T0pS3cr3t" && a.Timeout == time.Second}}
		},
		"bcrypt.conf": func(c *Config) []check { return []check{{"hash", password.IsHash(c.Authorization.Password)}} },
		"token.conf": func(c *Config) []check {
			return []check{{"token", password.IsHash(c.Authorization.Token) && c.Authorization.User == ""}}
		},
		"cluster.conf": func(c *Config) []check {
			l := c.Cluster
			return []check{
				{"monitor", c.Monitor.Host == "localhost" && c.Monitor.HTTPPort == 8222}, {"user", c.Authorization.Password == derek},
				{"cluster", l.Host == "localhost" && l.Port == 4244 && l.User == "route_user" && password.IsHash(l.Password) && l.AuthTimeout == 500*time.Millisecond},
				{"routes", len(l.Routes) == 2 && l.Routes[0].Host == "127.0.0.1:4245" && l.Routes[1].User.Username() == "user2"},
				{"log", c.Log.Trace && !c.Log.Debug && !c.Log.Time && c.Log.File == "/tmp/nats-server.log" && c.PIDFile == "/tmp/nats-server.pid"},
				{"limits", c.Limits.MaxConnections == 100 && c.Limits.MaxControlLine == 512 && c.Limits.MaxPayload == 65536 && c.Limits.WriteDeadline == 2*time.Second},
			}
		},
		"cluster_host_port.conf": func(c *Config) []check {
			return []check{{"cluster", c.Cluster.Host == "127.0.0.1" && c.Cluster.Port == 4248 && c.Cluster.User == ""}}
		},
		"cluster_tls.conf": func(c *Config) []check {
			return []check{{"tls", c.Cluster.TLS.Verify && c.Cluster.TLS.CAFile == "./configs/certs/ca.pem" && c.TLS == nil}}
		},
		"seed.conf": func(c *Config) []check {
			return []check{{"monitor", c.Monitor.Host == "127.0.0.1" && c.Monitor.HTTPPort == 8222}, {"cluster", c.Cluster.Port == 4248 && c.Cluster.Routes == nil}}
		},
		"includes.conf": func(c *Config) []check {
			a := c.Authorization
			return []check{{"users", len(a.Users) > 0 && a.Timeout == 500*time.Millisecond}, {"listen", c.Host == "127.0.0.1" && c.Port == 4222}}
		},
		"json.conf": func(c *Config) []check {
			return []check{{"values", c.Monitor.HTTPPort == 8227 && c.Port == 4227 && c.Limits.WriteDeadline == time.Hour}, {"cluster", c.Cluster.Port == 6222 && len(c.Cluster.Routes) == 3}}
		},
		"multi_user.conf": func(c *Config) []check {
			u := c.Authorization.Users
			return []check{
				{"users", len(u) == 3 && u[2].Password == "abcdefghijklmnopqrstuvwxwz0123456789" && u[2].Permissions == nil},
				{"permissions", u[0].Permissions.Publish.Allow[0] == ">" && u[1].Permissions.Publish.Allow[1] == "req.bar" && !u[1].Permissions.Publish.Open},
			}
		},
		"permissions.conf": func(c *Config) []check {
			d := c.Authorization.Default
			return []check{{"default", d != nil && d.Publish.Allow[0] == "SANDBOX.*" && len(d.Subscribe.Allow) == 2}}
		},
		"tls.conf": func(c *Config) []check {
			return []check{{"tls", c.TLS.CertFile == "./configs/certs/server-cert.pem" && c.TLS.Timeout == 2*time.Second && !c.TLS.Verify}, {"user", c.Authorization.Timeout == time.Second}}
		},
		"tls_verify.conf": func(c *Config) []check {
			return []check{{"tls", c.TLS.Verify && c.TLS.CAFile == "./configs/certs/ca.pem"}}
		},
		"variables.conf": func(c *Config) []check {
			u := c.Authorization.Users
			return []check{
				{"ports", c.Port == 4222 && c.Monitor.HTTPPort == 8222 && c.Cluster.Port == 4248},
				{"limits", c.Limits.MaxPayload == 65536 && c.Limits.PingInterval == time.Minute},
				{"users", u[0].Password == "$not_a_variable" && password.IsHash(u[1].Password) && c.Authorization.Timeout == 500*time.Millisecond},
			}
		},
		"variables_env.conf": func(c *Config) []check {
			return []check{{"values", c.Port == 4333 && c.Authorization.Password == "0123"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := Load(Input{File: filepath.Join("testdata", "examples", name), Environ: environ, Features: AllFeatures(), Strict: true})
			if err := r.Err(); err != nil {
				t.Fatal(err)
			}
			for _, c := range checks(r.Config) {
				if !c.ok {
					t.Errorf("%s: got %+v\ncluster %+v", c.what, r.Config, r.Config.Cluster)
				}
			}
		})
	}
	entries, err := os.ReadDir(filepath.Join("testdata", "examples"))
	if err != nil || len(entries) < 16 {
		t.Errorf("%d examples, error %v", len(entries), err)
	}
}

// TestDigest: docs/spec/config.md B11.
func TestDigest(t *testing.T) {
	r := loadText(t, "# comment\nfoo  =  bar\n", nil)
	if want := "226e49e13d16e5e8aa0d62e58cd63361bf097d3e2b2444aa3044334628a2e8de"; r.Digest != want {
		t.Errorf("got %s, want %s", r.Digest, want)
	}
}

// TestDiff: what means the same does not differ.
func TestDiff(t *testing.T) {
	a := mustLoad(t, "max_payload: 1mb\nping_interval: 60\ntrace: yes\nport: 1\nauthorization { user: a, password: secret1 }", nil)
	b := mustLoad(t, "max_payload: 1048576\nping_interval: '1m'\ntrace: true\nport: 2\nauthorization { user: a, password: secret2 }\nserver_tags: [x]", nil)
	got := ""
	for _, c := range Diff(a, b) {
		got += c.Path + " " + c.Old + " " + c.New + " " + c.Reload.String() + "\n"
	}
	if want := "port 1 2 restart\nauthorization.password [REDACTED] [REDACTED] live\nserver_tags  {...} live\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestDuplicateMappings: of mappings of one subject the last one counts, also where an include comes before it, and a strict check
// warns. Spec: docs/spec/config.md A14, A15.
func TestDuplicateMappings(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("shared.conf", "foo: bar\nkept: here\n")
	for name, text := range map[string]string{
		"global":     "mappings { foo: bar, kept: here, foo: baz }",
		"an include": "mappings { include 'shared.conf', foo: baz }",
		"an account": "accounts { A { mappings { foo: [{dest: bar, weight: 10}], kept: here, foo: baz } } }",
	} {
		t.Run(name, func(t *testing.T) {
			file := write("natsd.conf", text)
			for _, strict := range []bool{false, true} {
				r := Load(Input{File: file, Features: AllFeatures(), Strict: strict})
				if err := r.Err(); err != nil {
					t.Fatal(err)
				}
				got := r.Config.Mappings
				if len(r.Config.Accounts) > 0 {
					got = r.Config.Accounts[0].Mappings
				}
				to := func(subject string) []broker.Destination {
					return []broker.Destination{{Subject: subject, Weight: 100}}
				}
				if want := []broker.Mapping{{Source: "foo", Destinations: to("baz")}, {Source: "kept", Destinations: to("here")}}; !reflect.DeepEqual(got, want) {
					t.Errorf("strict %v: got %+v, want %+v", strict, got, want)
				}
				if warned := strings.Contains(fmt.Sprint(r.Warnings()), `duplicate key "foo" (first at `); warned != strict {
					t.Errorf("strict %v: warnings %v", strict, r.Warnings())
				}
			}
		})
	}
}

// TestAccounts: accounts, what they export, import and map, field by field. Spec: docs/spec/config.md B6.
func TestAccounts(t *testing.T) {
	c := mustLoad(t, `
mappings { g.*: "h.$1" }
accounts {
  A {
    users: [{user: a, password: x}, {user: a2, password: x, permissions: {publish: p}}]
    default_permissions: { subscribe: "d.>" }
    limits: { max_conn: 5, max_subs: 6, max_pay: 1kb, max_leafs: 7 }
    exports: [
      {stream: "s.>"}, {service: svc, accounts: [B], response: chunk, threshold: "5s"}, {service: "tok.*.x", account_token_position: 2}
    ]
    mappings: { m: n, w: [{destination: w1, weight: "30%"}, {dest: w2, weight: 20}], one: {destination: o, weight: 50} }
  }
  B {
    users: [{user: b, password: x}]
    imports: [
      {stream: {account: A, subject: "s.x.>"}, prefix: pre}, {stream: {account: A, subject: "s.y.*"}, to: "mine.*"}
      {service: {account: A, subject: svc}, to: local, share: false}
    ]
  }
}`, nil)
	o := c.Broker()
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	want := []broker.Account{
		{Name: "A", Limits: broker.AccountLimits{MaxConnections: 5, MaxSubscriptions: 6, MaxPayload: 1024},
			Exports: []broker.Export{
				{Subject: "s.>"}, {Subject: "svc", Service: true, Accounts: []string{"B"}, Responses: broker.ResponseChunked, ResponseTime: 5 * time.Second},
				{Subject: "tok.*.x", Service: true, AccountToken: 2},
			},
			Mappings: []broker.Mapping{
				{Source: "m", Destinations: []broker.Destination{{Subject: "n", Weight: 100}}},
				{Source: "w", Destinations: []broker.Destination{{Subject: "w1", Weight: 30}, {Subject: "w2", Weight: 20}}},
				{Source: "one", Destinations: []broker.Destination{{Subject: "o", Weight: 50}}},
			}},
		{Name: "B", Imports: []broker.Import{
			{Account: "A", Subject: "s.x.>", Local: "pre.s.x.>"}, {Account: "A", Subject: "s.y.*", Local: "mine.*"}, {Account: "A", Subject: "svc", Service: true, Local: "local"},
		}},
	}
	if !reflect.DeepEqual(o.Accounts, want) {
		t.Errorf("accounts\n%+v\nwant\n%+v", o.Accounts, want)
	}
	if !reflect.DeepEqual(o.Mappings, []broker.Mapping{{Source: "g.*", Destinations: []broker.Destination{{Subject: "h.$1", Weight: 100}}}}) {
		t.Errorf("mappings %+v", o.Mappings)
	}
	users := o.Auth.Users
	if len(users) != 3 || users[0].Account != "A" || users[2].Account != "B" || users[2].Permissions != nil {
		t.Fatalf("users %+v", users)
	}
	if p := users[0].Permissions; p == nil || !p.Publish.Open || p.Subscribe.Open || p.Subscribe.Allow[0] != "d.>" {
		t.Errorf("default permissions %+v", p)
	}
	if p := users[1].Permissions; p.Publish.Open || !p.Subscribe.Open {
		t.Errorf("permissions in an account are of the new style: %+v", p)
	}
}

// TestAccountLimitsOfZero: a limit of 0 is one, which not given and -1 are not. Spec: docs/spec/config.md B6.
func TestAccountLimitsOfZero(t *testing.T) {
	for key, limits := range map[string]broker.AccountLimits{
		"max_connections": {MaxConnections: broker.Nothing}, "max_subs": {MaxSubscriptions: broker.Nothing}, "max_payload": {MaxPayload: broker.Nothing},
		"max_leafnodes": {},
	} {
		c := mustLoad(t, "accounts { A { limits: { "+key+": 0 } } }", nil)
		if got := c.Broker().Accounts[0].Limits; got != limits {
			t.Errorf("%s: got %+v, want %+v", key, got, limits)
		}
	}
	c := mustLoad(t, "accounts { A { limits: { max_conn: -1, max_subs: -1, max_pay: -1 } } }", nil)
	if got, want := c.Broker().Accounts[0].Limits, (broker.AccountLimits{MaxConnections: broker.Unlimited, MaxSubscriptions: broker.Unlimited, MaxPayload: broker.Unlimited}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestTLSFields: a whole tls block, field by field. Spec: docs/spec/config.md B4.
func TestTLSFields(t *testing.T) {
	sum := strings.Repeat("aB", 32)
	c := mustLoad(t, `
authorization { users: [{user: u, password: x}] }
allow_non_tls: true
tls {
  certs: [{cert_file: c1, key_file: k1}, {cert_file: c2, key_file: k2}]
  ca_file: ca, verify_and_map: true, timeout: 1.5, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256], curve_preferences: [X25519, CurveP384]
  pinned_certs: ["`+sum+`"], min_version: "1.3", handshake_first: "300ms", connection_rate_limit: 9
}`, nil)
	want := &TLS{
		Certificates: []tlsconfig.Pair{{CertFile: "c1", KeyFile: "k1"}, {CertFile: "c2", KeyFile: "k2"}}, AllowNonTLS: true, CAFile: "ca", Verify: true, VerifyAndMap: true,
		Timeout: 1500 * time.Millisecond, CipherSuites: []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}, CurvePreferences: []string{"X25519", "CurveP384"},
		PinnedCerts: []string{strings.ToLower(sum)}, MinVersion: "1.3", HandshakeDelay: 300 * time.Millisecond, ConnectionRateLimit: 9,
	}
	if !reflect.DeepEqual(c.TLS, want) {
		t.Errorf("got %+v\nwant %+v", c.TLS, want)
	}
}

// TestStrictWarnings has what only `config check` warns about.
func TestStrictWarnings(t *testing.T) {
	const users = `authorization { users: [{user: a, password: "$2a$11$W2zko751KUvVy59mUTWmpOdWjpEm5qhcCZRd05GjI/sSOT.xtiHyG", permissions: %s}] }`
	for permissions, want := range map[string]string{
		"{publish: {allow: []}, subscribe: a}": "an empty allow list allows nothing; nats-server takes it as absent; leave it out to allow everything",
		"{subscribe: a}":                       "permissions without publish: the user may publish to nothing, as in gnatsd 1.1.0, since it has plain subjects only; write publish to be sure",
		"{publish: {deny: a}}":                 "permissions without subscribe: the user may subscribe to everything, as in today's nats-server, since it has a newer form; write subscribe to be sure",
		"{publish: a, subscribe: b}":           "",
	} {
		file := fmt.Sprintf(users, permissions)
		r := Load(Input{File: "-", Stdin: strings.NewReader(file), Features: AllFeatures(), Strict: true})
		if err := r.Err(); err != nil {
			t.Error(err)
		}
		got := ""
		for _, f := range r.Warnings() {
			got += f.Text + "; " + f.Hint
		}
		if got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", permissions, got, want)
		}
	}
}

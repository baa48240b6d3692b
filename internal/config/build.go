package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/confparse"
)

const (
	defaultHost = broker.DefaultHost
	// bigPayload is the size in bytes above which max_payload draws a warning (docs/spec/config.md B2).
	bigPayload = 8 << 20
	// minLameDuckDuration is the shortest lame duck mode an operator may ask for (docs/spec/config.md B2). The library has
	// no such bound.
	minLameDuckDuration = 30 * time.Second
)

// layers are the places that values come from.
type layers struct{ file, env, flags layer }

// builder makes a Config from what was merged.
type builder struct {
	*checker
	tree     *tree // of the file
	layers   layers
	settings settings
}

// build returns the configuration. Whether it is usable depends on the findings.
func (b *builder) build(from layers) *Config {
	b.layers = from
	b.settings = merge(from.file, from.env, from.flags)
	c := &Config{
		Host: b.text("host"), Port: b.int("port"), ServerName: b.text("server_name"), ClientAdvertise: b.text("client_advertise"),
		ServerTags: b.serverTags(), ServerMetadata: b.textMap("server_metadata"), MaxClosedClients: b.maxClosed(),
		ProfBlockRate: b.int("prof_block_rate"), SystemAccount: b.systemAccount(),
		PIDFile: b.text("pid_file"), PortsFileDir: b.text("ports_file_dir"), ProfPort: b.int("prof_port"), NoAuthUser: b.text("no_auth_user"),
		Log: b.log(), Limits: b.limits(), Monitor: b.monitor(),
	}
	if c.Host == "" {
		c.Host = defaultHost
	}
	if c.Port == 0 {
		c.Port = broker.DefaultPort
	}
	if c.Monitor.Host == "" {
		c.Monitor.Host = c.Host
	}
	c.TLS = b.clientTLS()
	c.Authorization = b.authorization(c.TLS)
	c.Accounts = b.accounts()
	c.Mappings = b.mappings(b.tree.get("mappings"))
	if c.plaintext() {
		b.warn(confparse.Pos{}, 0, "", "Plaintext passwords detected, use nkeys or bcrypt")
	}
	c.Cluster = b.cluster()
	for _, e := range mergedPaths() {
		c.Settings = append(c.Settings, b.settings[e.Path])
	}
	c.Blocks = blocksOf(b.tree)
	b.checkTogether(c)
	return c
}

// blocksOf returns the keys of t that are no single word, and those inside its plain blocks.
func blocksOf(t *tree) []BlockSetting {
	var blocks []BlockSetting
	for _, f := range t.fields {
		switch {
		case f.Type == Block && f.block != nil:
			blocks = append(blocks, blocksOf(f.block)...)
			if len(f.block.fields) == 0 || f.Path == tlsPath || strings.HasSuffix(f.Path, "permissions") {
				blocks = append(blocks, BlockSetting{f.Entry, f.value, f.entry.Pos})
			}
		case !f.Type.scalar() && f.Path != routesPath:
			blocks = append(blocks, BlockSetting{f.Entry, f.value, f.entry.Pos})
		}
	}
	return blocks
}

// value returns the value of an option, that of its default if nothing else is given, nil if there is neither.
func (b *builder) value(path string) *confparse.Value {
	s := b.settings[path]
	switch {
	case s == nil:
		return nil
	case s.Value != nil:
		return s.Value
	case s.Default != "":
		return s.valueFromText(s.Default)
	}
	return nil
}

// The getters below return the zero value for options that nobody gives. Values were checked before they got into a
// layer, so errors cannot occur.

func (b *builder) text(path string) string {
	v := b.value(path)
	if v == nil {
		return ""
	}
	text, _ := textOf(v)
	return text
}

func (b *builder) int64(path string) int64 {
	v := b.value(path)
	if v == nil {
		return 0
	}
	n, _ := integerOf(v, "")
	return n
}

func (b *builder) int(path string) int { return int(b.int64(path)) }

func (b *builder) bool(path string) bool {
	v := b.value(path)
	if v == nil {
		return false
	}
	yes, _ := boolOf(v)
	return yes
}

func (b *builder) duration(path string) time.Duration {
	v := b.value(path)
	if v == nil {
		return 0
	}
	if b.settings[path].Type == Seconds {
		d, _ := secondsOf(v)
		return d
	}
	d, _, _ := durationOf(v)
	return d
}

// given reports whether anything but the default gives an option.
func (b *builder) given(path string) bool {
	s := b.settings[path]
	return s != nil && s.Value != nil
}

// about returns the place of an option for a finding, and how to call it there.
func (b *builder) about(path string) (pos confparse.Pos, width int, name string) {
	s := b.settings[path]
	name = path
	if s == nil || s.Value == nil {
		return pos, 0, name
	}
	switch s.Origin.Layer {
	case FromFile:
		return s.Origin.Pos, len(s.Value.Raw), s.Origin.Name
	case FromEnv, FromFlag:
		return pos, 0, name
	case FromDefault:
	}
	return pos, 0, name
}

// errorAbout reports an error about an option.
func (b *builder) errorAbout(path, hint, format string, args ...any) {
	pos, width, _ := b.about(path)
	b.report(pos, width, hint, "%s", fmt.Sprintf(format, args...))
}

// warnAbout warns about an option.
func (b *builder) warnAbout(path, hint, format string, args ...any) {
	pos, width, _ := b.about(path)
	b.warn(pos, width, hint, "%s", fmt.Sprintf(format, args...))
}

func (b *builder) log() Log {
	return Log{
		Debug: b.bool("debug"), Trace: b.bool("trace"), TraceVerbose: b.bool("trace_verbose"), TraceHeaders: b.bool("trace_headers"),
		MaxTracedLen: b.int("max_traced_msg_len"), Time: b.bool("logtime"), UTC: b.bool("logtime_utc"), File: b.text("log_file"),
		SizeLimit: b.int64("logfile_size_limit"), MaxFiles: b.int("logfile_max_num"), Syslog: b.bool("syslog"), RemoteSyslog: b.text("remote_syslog"),
		JSON: b.text("log_format") == "json", MaxAge: b.duration("logfile_max_age"), Compress: b.bool("logfile_compress"),
	}
}

func (b *builder) limits() Limits {
	l := Limits{
		MaxConnections: b.int("max_connections"), MaxSubscriptions: b.int("max_subscriptions"), MaxControlLine: b.int("max_control_line"),
		MaxPayload: b.int64("max_payload"), MaxPending: b.int64("max_pending"), PingInterval: b.duration("ping_interval"),
		WriteDeadline: b.duration("write_deadline"), PingMax: b.int("ping_max"),
		LameDuckDuration: b.duration("lame_duck_duration"), LameDuckGraceTime: b.duration("lame_duck_grace_period"),
	}
	// A zero is the default: gnatsd takes it as "not given".
	orDefault(&l.MaxControlLine, broker.DefaultMaxControlLine)
	orDefault(&l.MaxPayload, broker.DefaultMaxPayload)
	orDefault(&l.MaxPending, broker.DefaultMaxPending)
	orDefault(&l.PingInterval, broker.DefaultPingInterval)
	orDefault(&l.WriteDeadline, broker.DefaultWriteDeadline)
	orDefault(&l.PingMax, broker.DefaultPingMax)
	orDefault(&l.LameDuckDuration, broker.DefaultLameDuckDuration)
	orDefault(&l.LameDuckGraceTime, broker.DefaultLameDuckGracePeriod)
	if n := l.MaxConnections; n < 0 {
		b.warnAbout("max_connections", "", "max_connections of %d means no limit; nats-server refuses every client then", n)
	} else if n == 0 {
		l.MaxConnections = broker.DefaultMaxConnections
		b.warnAbout("max_connections", "", "max_connections of 0 means %d; nats-server refuses every client then", l.MaxConnections)
	}
	if l.MaxPayload > bigPayload {
		b.warnAbout("max_payload", "", "max_payload of %d bytes is more than 8 MiB; big messages delay all others on their way", l.MaxPayload)
	}
	if !b.given("max_pending") {
		l.MaxPending = max(l.MaxPending, l.MaxPayload) // gnatsd had no such bound, so its files need not know it
	}
	if l.MaxPayload > l.MaxPending {
		b.errorAbout(b.later("max_payload", "max_pending"), "", "max_payload (%d) cannot be higher than max_pending (%d)", l.MaxPayload, l.MaxPending)
	}
	if l.LameDuckDuration < minLameDuckDuration {
		b.errorAbout("lame_duck_duration", "", "invalid lame_duck_duration of %s, minimum is 30 seconds", FormatDuration(l.LameDuckDuration))
	} else if l.LameDuckGraceTime >= l.LameDuckDuration {
		b.errorAbout(b.later("lame_duck_grace_period", "lame_duck_duration"), "", "lame duck grace period (%s) should be strictly lower than lame duck duration (%s)",
			FormatDuration(l.LameDuckGraceTime), FormatDuration(l.LameDuckDuration))
	}
	return l
}

// later returns the one of two options to point at when they do not fit: the first, unless only the other is given.
func (b *builder) later(first, second string) string {
	if !b.given(first) && b.given(second) {
		return second
	}
	return first
}

// orDefault sets *v to def if it is the zero value.
func orDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// maxClosed returns the number of closed connections that are remembered; negative for none.
func (b *builder) maxClosed() int {
	if n := b.int("max_closed_clients"); n > 0 {
		return n
	}
	return broker.Unlimited
}

// systemAccount returns the name of the system account, empty if there is none.
func (b *builder) systemAccount() string {
	if b.bool("no_system_account") {
		return ""
	}
	return b.text("system_account")
}

// textMap returns the texts of a map in the file by their names. Values were checked.
func (b *builder) textMap(name string) map[string]string {
	f := b.tree.get(name)
	if f == nil || f.value == nil {
		return nil
	}
	texts := make(map[string]string, len(f.value.Entries))
	for _, e := range f.value.Entries {
		if text, err := textOf(e.Value); err == nil {
			texts[e.Key] = text
		}
	}
	return texts
}

func (b *builder) monitor() Monitor {
	m := Monitor{Host: b.text(httpHost), HTTPPort: b.int("http_port"), HTTPSPort: b.int("https_port"), BasePath: b.text("http_base_path")}
	if !strings.HasPrefix(m.BasePath, "/") {
		m.BasePath = "/" + m.BasePath
	}
	m.User, m.Password, m.Token = b.text("monitor.authorization.user"), b.text("monitor.authorization.password"), b.text("monitor.authorization.token")
	if (m.User == "") != (m.Password == "") {
		path := "monitor.authorization." + map[bool]string{true: "password", false: "user"}[m.User == ""]
		b.errorAbout(path, "give both", "user and password for monitoring go together")
	}
	m.TLS = b.tlsAt(monitorTLSPath)
	if m.TLS != nil && m.HTTPSPort == 0 {
		pos, width := confparse.Pos{}, 0
		if f := b.blockAt(monitorTLSPath); f != nil {
			pos, width = f.entry.Pos, len(f.entry.Key)
		}
		b.report(pos, width, "use https_port", "TLS for monitoring without https")
	}
	return m
}

// checkTogether checks rules that span keys. Source: docs/spec/config.md B9, docs/spec/cli.md §4.
func (b *builder) checkTogether(c *Config) {
	if strings.ContainsAny(c.ServerName, " \t\r\n") {
		b.errorAbout("server_name", "use one word", "server name cannot contain spaces")
	}
	if err := checkAdvertise(c.ClientAdvertise); err != nil {
		b.errorAbout("client_advertise", "write host or host:port", "invalid ClientAdvertise value of %s, err=%v", c.ClientAdvertise, err)
	}
	if c.Monitor.HTTPPort != 0 && c.Monitor.HTTPSPort != 0 {
		b.errorAbout(b.later("https_port", "http_port"), "switch one of them off with 0",
			"Can't start monitoring: can't specify both HTTP (%d) and HTTPs (%d) ports", c.Monitor.HTTPPort, c.Monitor.HTTPSPort)
	} else if c.Monitor.HTTPSPort != 0 && c.TLS == nil && c.Monitor.TLS == nil {
		b.errorAbout("https_port", "add a tls block with cert_file and key_file", "Can't start monitoring: TLS cert and key required for HTTPS")
	}
	b.checkUsers(c)
	b.warnEmpty(c)
	if c.TLS != nil && c.TLS.VerifyAndMap && len(c.AllUsers()) == 0 {
		b.errorAbout("tls.cert_file", "add users", "verify_and_map without users: certificates would name nobody")
	}
	b.checkLinks(c)
	b.checkSystemAccount(c)
	b.checkNoAuthUser(c)
}

// checkAdvertise checks a host with or without a port.
func checkAdvertise(text string) error {
	if text == "" {
		return nil
	}
	_, _, err := SplitAdvertise(text)
	return err
}

// SplitAdvertise splits host[:port]. A port that is missing, 0 or -1 is returned as 0: that of the listener is meant.
// Source: docs/spec/config.md B2 (`client_advertise`).
func SplitAdvertise(text string) (host string, port int, err error) {
	return broker.SplitAdvertise(text)
}

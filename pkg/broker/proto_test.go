package broker_test

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil"
	"github.com/natsd/natsd/pkg/broker"
)

// TestProtocolTranscripts plays the conversations in testdata/proto, each against a broker of its own. They are the
// sentences of docs/spec/client-protocol.md that a client sees without TLS, authentication and permissions.
func TestProtocolTranscripts(t *testing.T) {
	testutil.CheckLeaks(t)
	testutil.PlayFiles(t, "testdata/proto/*.txt", 0, startForTranscript)
}

// TestProtocolTranscriptsByteByByte does the same with one write for each byte.
func TestProtocolTranscriptsByteByByte(t *testing.T) {
	testutil.CheckLeaks(t)
	testutil.PlayFiles(t, "testdata/proto/*.txt", 1, startForTranscript)
}

// startForTranscript runs a broker with the options of a transcript until the test ends and returns its address.
func startForTranscript(t *testing.T, options []testutil.Option) string {
	t.Helper()
	o := broker.Options{Host: "127.0.0.1", Port: broker.RandomPort}
	for _, opt := range options {
		setOption(t, &o, opt)
	}
	return run(t, o).ClientAddr().String()
}

// setOption sets the option that an "opt:" line names as in the configuration file.
func setOption(t *testing.T, o *broker.Options, opt testutil.Option) {
	t.Helper()
	number := func() int {
		n, err := strconv.Atoi(opt.Value)
		if err != nil {
			t.Fatalf("option %s: %v", opt.Key, err)
		}
		return n
	}
	switch opt.Key {
	case "server_name":
		o.ServerName = opt.Value
	case "max_payload":
		o.MaxPayload = int64(number())
	case "max_control_line":
		o.MaxControlLine = number()
	case "max_connections":
		o.MaxConnections = number()
	case "max_subscriptions":
		o.MaxSubscriptions = number()
	case "ping_interval":
		interval, err := time.ParseDuration(opt.Value)
		if err != nil {
			t.Fatalf("option %s: %v", opt.Key, err)
		}
		o.PingInterval = interval
	case "ping_max":
		o.PingMax = number()
	default:
		t.Fatalf("option %q is not known here", opt.Key)
	}
}

// elsewhere are the sections that need more than a client's connection, and what they need.
var elsewhere = map[string]string{
	"10.1": "authentication", "10.4": "a client that does not read", "11": "TLS", "12": "permissions", "12.1": "permissions",
	"12.2": "permissions", "12.3": "permissions", "14": "a summary of the other sections",
}

// TestTranscriptsCoverTheSpecification checks that every section of the specification is cited by a transcript, its parts
// standing for a section that has any.
func TestTranscriptsCoverTheSpecification(t *testing.T) {
	spec, err := os.ReadFile("../../docs/spec/client-protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	cited, err := testutil.CitedSections("testdata/proto/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	sections := regexp.MustCompile(`(?m)^###? (\d+(?:\.\d+)?)[. ]`).FindAllStringSubmatch(string(spec), -1)
	if len(sections) < 30 {
		t.Fatalf("found only %d sections in the specification", len(sections))
	}
	for _, m := range sections {
		isCited := slices.ContainsFunc(cited, func(c string) bool { return c == m[1] || strings.HasPrefix(c, m[1]+".") })
		if reason := elsewhere[m[1]]; isCited == (reason != "") {
			t.Errorf("section %s: cited by a transcript: %v, left to other tests: %q", m[1], isCited, reason)
		}
	}
}

//go:build e2e

package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// script is input for a server, and how natsd differs from nats-server 2.9 in what it answers.
type script struct {
	name string
	send string // after INFO
	ours string // what natsd answers instead; empty: the same as the peer
	why  string // the section of the specification that says so
}

// quiet is a CONNECT that leaves out what only distracts. Protocol 0 and no headers: no INFO comes unasked.
const quiet = `CONNECT {"verbose":false,"pedantic":false}` + "\r\n"

// modern is a CONNECT of a current client.
const modern = `CONNECT {"verbose":false,"pedantic":false,"protocol":1,"headers":true,"no_responders":true}` + "\r\n"

const (
	parserError = "-ERR 'Parser Error'\r\n"
	unknownOp   = "-ERR 'Unknown Protocol Operation'\r\n"
	firstPong   = "docs/spec/client-protocol.md §2.3: INFO after the first PONG"
	parserText  = "docs/spec/client-protocol.md §14: `Parser Error` line"
	titleCase   = "docs/spec/client-protocol.md §14: error casing"
	pedanticPub = "docs/spec/client-protocol.md §14: pedantic PUB"
	newer503    = "docs/spec/client-protocol.md §8.3: the form of 2.12"
	reservedSys = "docs/spec/client-protocol.md §14: `_SYS.` publish"
	hugeSize    = "docs/spec/client-protocol.md §4.2: sizes saturate"
)

var scripts = []script{
	{name: "defaults", send: "CONNECT {}\r\nSUB foo 1\r\nPUB foo 2\r\nok\r\nPING\r\n"},
	{name: "nothing said", send: "SUB foo 1\r\nPUB foo 2\r\nok\r\nPING\r\n"},
	{name: "quiet", send: quiet + "SUB foo 1\r\nPUB foo r 2\r\nok\r\nPING\r\n"},
	{name: "lower case, tabs, bare LF", send: "connect {\"verbose\":false}\nsub\tfoo\t \t1\npub foo\t 2\nok\r\nping\n"},
	{name: "mixed case", send: "CoNNecT {\"verbose\":false}\r\nsUb foo 1\r\nPuB foo 2\r\nok\r\npInG\r\n"},
	{name: "blanks around arguments", send: quiet + "SUB   foo   1  \r\nPUB  foo  2 \r\nok\r\nPING\r\n"},
	{name: "reply and blanks", send: quiet + "SUB foo 1\r\nPUB   foo \t bar   2\t\r\nok\r\nPING\r\n"},
	{name: "ping with more", send: quiet + "PING  \r  \nPINGxyz\nPONGxyz\r\n+OK what\r\nPING\r\n"},
	{name: "pong unasked", send: quiet + "PONG\r\nPONG\r\nPING\r\n"},
	{name: "connect without blank", send: "CONNECT{}\r\nPING\r\n"},
	{name: "second connect", send: quiet + "SUB foo 1\r\nCONNECT {\"verbose\":true}\r\nPUB foo 1\r\nx\r\nPING\r\n"},
	{name: "connect keys in any case", send: "CONNECT {\"VERBOSE\":false}\r\nSUB a 1\r\nPING\r\n"},
	{name: "repeated key", send: "CONNECT {\"verbose\":true,\"verbose\":false}\r\nSUB a 1\r\nPING\r\n"},
	{name: "unknown keys", send: "CONNECT {\"verbose\":false,\"x\":{\"y\":[1]}}\r\nPING\r\n"},
	{name: "empty message", send: quiet + "SUB foo 1\r\nPUB foo 0\r\n\r\nPING\r\n"},
	{name: "payload of line ends", send: quiet + "SUB foo 1\r\nPUB foo 4\r\n\r\n\r\n\r\nPING\r\n"},
	{name: "payload of commands", send: quiet + "SUB foo 1\r\nPUB foo 6\r\nPING\r\n\r\nPING\r\n"},
	{name: "binary payload", send: quiet + "SUB foo 1\r\nPUB foo 4\r\n\x00\xff\x80\x01\r\nPING\r\n"},
	{name: "high bytes in a subject", send: quiet + "SUB f\xff\xfe.* 1\r\nPUB f\xff\xfe.ä 2\r\nok\r\nPING\r\n"},
	{name: "leading zeros", send: quiet + "SUB foo 1\r\nPUB foo 005\r\nhello\r\nPING\r\n"},
	{name: "star", send: quiet + "SUB foo.* 1\r\nPUB foo.a 1\r\nx\r\nPUB foo 1\r\nx\r\nPUB foo.a.b 1\r\nx\r\nPING\r\n"},
	{name: "rest", send: quiet + "SUB foo.> 1\r\nPUB foo.a 1\r\nx\r\nPUB foo 1\r\nx\r\nPUB foo.a.b 1\r\nx\r\nPING\r\n"},
	{name: "everything", send: quiet + "SUB > 1\r\nPUB a 1\r\nx\r\nPUB a.b 1\r\nx\r\nPING\r\n"},
	{name: "wildcards inside tokens", send: quiet + "SUB foo* 1\r\nSUB >x 2\r\nPUB foo* 1\r\na\r\nPUB foox 1\r\nb\r\nPUB >x 1\r\nc\r\nPING\r\n"},
	{name: "case matters", send: quiet + "SUB Foo 1\r\nPUB foo 1\r\nx\r\nPUB Foo 1\r\ny\r\nPING\r\n"},
	{name: "wildcard publish", send: quiet + "SUB foo.* 1\r\nSUB foo.bar 2\r\nPUB foo.* 1\r\nx\r\nPING\r\n"},
	{name: "empty tokens published", send: quiet + "SUB > 1\r\nPUB foo. 1\r\nx\r\nPUB .foo 1\r\nx\r\nPUB a..b 1\r\nx\r\nPING\r\n"},
	{name: "bad subscriptions", send: quiet + "SUB foo. 1\r\nSUB .foo 2\r\nSUB foo..bar 3\r\nSUB foo.>.bar 4\r\nPING\r\n"},
	{name: "bad subscription, verbose", send: "CONNECT {\"verbose\":true}\r\nSUB foo..bar 3\r\nSUB ok 4\r\nPING\r\n"},
	{name: "pedantic wildcard publish", send: "CONNECT {\"verbose\":false,\"pedantic\":true}\r\nSUB foo.* 1\r\nPUB foo.* 1\r\nx\r\nPING\r\n",
		ours: "-ERR 'Invalid Subject'\r\nPONG\r\n", why: pedanticPub},
	{name: "reserved subject", send: quiet + "SUB > 1\r\nPUB _SYS.x 1\r\nx\r\nPUB _SYS 1\r\ny\r\nPING\r\n",
		ours: "-ERR 'Permissions Violation for Publish to \"_SYS.x\"'\r\nMSG _SYS 1 1\r\ny\r\nPONG\r\n", why: reservedSys},
	{name: "duplicate sid", send: quiet + "SUB foo 1\r\nSUB bar 1\r\nPUB bar 1\r\nx\r\nPUB foo 1\r\ny\r\nPING\r\n"},
	{name: "odd sids", send: quiet + "SUB foo sid-ä.>\r\nPUB foo 1\r\nx\r\nUNSUB sid-ä.>\r\nPUB foo 1\r\nx\r\nPING\r\n"},
	{name: "unsubscribe", send: quiet + "SUB foo 1\r\nUNSUB 1\r\nPUB foo 1\r\nx\r\nPING\r\n"},
	{name: "unsubscribe what is not there", send: "CONNECT {\"verbose\":true}\r\nUNSUB 77\r\nPING\r\n"},
	{name: "auto-unsubscribe", send: quiet + "SUB foo 1\r\nPUB foo 1\r\na\r\nPUB foo 1\r\nb\r\nUNSUB 1 2\r\nPUB foo 1\r\nc\r\nPING\r\n"},
	{name: "limit ahead", send: quiet + "SUB foo 1\r\nUNSUB 1 1\r\nPUB foo 1\r\na\r\nPUB foo 1\r\nb\r\nPING\r\n"},
	{name: "limit replaced", send: quiet + "SUB foo 1\r\nUNSUB 1 1\r\nUNSUB 1 2\r\nPUB foo 1\r\na\r\nPUB foo 1\r\nb\r\nPUB foo 1\r\nc\r\nPING\r\n"},
	{name: "limit cancelled", send: quiet + "SUB foo 1\r\nUNSUB 1 5\r\nUNSUB 1\r\nPUB foo 1\r\na\r\nPING\r\n"},
	{name: "limit of zero", send: quiet + "SUB foo 1\r\nUNSUB 1 0\r\nPUB foo 1\r\na\r\nPING\r\n"},
	{name: "sid free after the limit", send: quiet + "SUB foo 1\r\nUNSUB 1 1\r\nPUB foo 1\r\na\r\nSUB bar 1\r\nPUB bar 1\r\nb\r\nPING\r\n"},
	{name: "queue group of one", send: quiet + "SUB foo q 1\r\nPUB foo 1\r\nx\r\nPING\r\n"},
	{name: "two groups", send: quiet + "SUB foo q1 1\r\nUNSUB 9\r\nSUB bar 2\r\nPUB foo 1\r\nx\r\nPUB bar 1\r\ny\r\nPING\r\n"},
	{name: "no echo", send: "CONNECT {\"verbose\":false,\"protocol\":1,\"echo\":false}\r\nSUB foo 1\r\nSUB foo q 2\r\nPUB foo 1\r\nx\r\nPING\r\n"},
	{name: "order of +OK", send: "CONNECT {\"verbose\":true}\r\nSUB foo 1\r\nPUB foo 1\r\na\r\nPUB foo 1\r\nb\r\nPING\r\n"},
	{name: "info from a client", send: quiet + "INFO {\"x\":1}\r\nPING\r\n"},
	{name: "headers", send: modern + "SUB foo 1\r\nHPUB foo rep 22 33\r\nNATS/1.0\r\nBar: Baz\r\n\r\nHello NATS!\r\nUNSUB 1\r\n",
		ours: "HMSG foo 1 rep 22 33\r\nNATS/1.0\r\nBar: Baz\r\n\r\nHello NATS!\r\n"},
	{name: "headers are not looked into", send: modern + "SUB foo 1\r\nHPUB foo 5 7\r\nxxxxxyy\r\n"},
	{name: "header size of zero", send: modern + "SUB foo 1\r\nHPUB foo 0 2\r\nok\r\n"},
	{name: "no responders", send: modern + "SUB _INBOX.a.* 9\r\nPUB svc.x _INBOX.a.1 2\r\nhi\r\n",
		ours: "HMSG _INBOX.a.1 9 37 37\r\nNATS/1.0 503\r\nNats-Subject: svc.x\r\n\r\n\r\n", why: newer503},
	{name: "no responders, nobody to tell", send: modern + "PUB svc.x _INBOX.a.1 2\r\nhi\r\nSUB b 1\r\nPUB b 1\r\nx\r\n"},
	{name: "info after the first pong", send: modern + "PING\r\n", ours: "PONG\r\nINFO\r\n", why: firstPong},

	{name: "unknown verb", send: "ZZZ", ours: unknownOp + parserError, why: parserText},
	{name: "verb cut short", send: "SUB\r\n", ours: unknownOp + parserError, why: parserText},
	{name: "verb too long", send: "PUBS foo 2\r\nok\r\n", ours: unknownOp + parserError, why: parserText},
	{name: "leading blank", send: " PING\r\n", ours: unknownOp + parserError, why: parserText},
	{name: "empty line", send: "\r\nPING\r\n", ours: unknownOp + parserError, why: parserText},
	{name: "verb of the server", send: quiet + "MSG foo 1 2\r\nok\r\n", ours: unknownOp + parserError, why: parserText},
	{name: "verb of a route", send: quiet + "RS+ foo\r\n", ours: unknownOp + parserError, why: parserText},
	{name: "terminator missing", send: quiet + "PUB foo 2\r\nokXX\r\n", ours: unknownOp + parserError, why: parserText},
	{name: "terminator of LF only", send: quiet + "PUB foo 2\r\nok\nPING\r\n", ours: unknownOp + parserError, why: parserText},
	{name: "pub without size", send: quiet + "PUB foo\r\n", ours: parserError, why: parserText},
	{name: "pub with a word as size", send: quiet + "PUB foo bar\r\n", ours: parserError, why: parserText},
	{name: "pub with too much", send: quiet + "PUB foo bar baz 2\r\nok\r\n", ours: parserError, why: parserText},
	{name: "size with a sign", send: quiet + "PUB foo -1\r\n", ours: parserError, why: parserText},
	{name: "size with a plus", send: quiet + "PUB foo +2\r\nok\r\n", ours: parserError, why: parserText},
	{name: "size as a float", send: quiet + "PUB foo 1e3\r\n", ours: parserError, why: parserText},
	{name: "size beyond 64 bits", send: quiet + "PUB foo 18446744073709551617\r\n",
		ours: "-ERR 'Maximum Payload Violation'\r\n", why: hugeSize},
	{name: "sub with too much", send: quiet + "SUB foo q q2 1\r\n", ours: parserError, why: parserText},
	{name: "sub without sid", send: quiet + "SUB foo\r\n", ours: parserError, why: parserText},
	{name: "unsub without sid", send: quiet + "UNSUB \r\n", ours: parserError, why: parserText},
	{name: "hpub without headers", send: quiet + "HPUB foo 2 2\r\nok\r\n", ours: parserError, why: parserText},
	{name: "hpub header larger than all", send: modern + "HPUB foo 5 2\r\nok\r\n", ours: parserError, why: parserText},
	{name: "connect that is no JSON", send: "CONNECT {\"verbose\":\r\n", ours: parserError, why: parserText},
	{name: "connect of the wrong type", send: "CONNECT {\"verbose\":\"no\"}\r\n", ours: parserError, why: parserText},
	{name: "oversize", send: quiet + "PUB foo 1048577\r\n"},
	{name: "bad protocol number", send: "CONNECT {\"verbose\":false,\"protocol\":22}\r\n",
		ours: "-ERR 'Invalid Client Protocol'\r\n", why: titleCase},
	{name: "no responders without headers", send: "CONNECT {\"verbose\":false,\"no_responders\":true}\r\n"},
	{name: "control line too long", send: quiet + "SUB " + strings.Repeat("x", 4100) + " 1\r\n",
		ours: "-ERR 'Maximum Control Line Exceeded'\r\n", why: titleCase},
	{name: "error from a client", send: quiet + "-ERR 'whatever'\r\n"},
}

// TestCompare sends each script to natsd and to nats-server, whole and byte by byte, and explains every difference.
func TestCompare(t *testing.T) {
	if isPeer() {
		t.Log("the server under test is a peer: only what both do alike is compared")
	}
	peer, err := exec.LookPath("nats-server")
	if err != nil {
		t.Fatalf("cannot find nats-server: %v; run ./e2e/run, which installs it", err)
	}
	ours := startServer(t)
	theirs := startCommand(t, peer+" -a 127.0.0.1 -p {port}")
	for _, c := range scripts {
		t.Run(c.name, func(t *testing.T) {
			got := converse(t, ours.addr(), c.send, len(c.send))
			cut := converse(t, ours.addr(), c.send, 1)
			want := converse(t, theirs.addr(), c.send, len(c.send))
			if got != cut {
				t.Errorf("natsd answers %q, and byte by byte %q", got, cut)
			}
			if c.ours == "" || isPeer() {
				if got != want {
					t.Errorf("natsd answers %q, the peer %q", got, want)
				}
				return
			}
			if got != c.ours {
				t.Errorf("natsd answers %q, want %q (%s); the peer %q", got, c.ours, c.why, want)
			}
			if want == c.ours && c.why != "" {
				t.Errorf("the peer answers the same, %q: nothing to explain by %s", want, c.why)
			}
		})
	}
}

var infoLine = regexp.MustCompile(`INFO \{[^\n]*\}\s*\r\n`)

// converse sends text in pieces of at most step bytes and returns what the server answers until it closes, or until it
// has answered everything: a last PING in verbose-free input, or the silence after what it has to say.
func converse(t *testing.T, addr, text string, step int) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := bufio.NewReader(c)
	if _, err := in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if step == 1 {
		_ = c.(*net.TCPConn).SetNoDelay(true)
	}
	for rest := text; rest != ""; {
		piece := rest[:min(step, len(rest))]
		rest = rest[len(piece):]
		if _, err := io.WriteString(c, piece); err != nil {
			break // closed on us: what it has said decides
		}
	}
	// The server has said everything when it has answered the end of our half with the end of its own.
	_ = c.(*net.TCPConn).CloseWrite()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	all, err := io.ReadAll(in)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Fatalf("the server does not end; so far it said %q", all)
	}
	return infoLine.ReplaceAllString(string(all), "INFO\r\n")
}

func TestEveryDifferenceIsExplained(t *testing.T) {
	for _, c := range scripts {
		if c.ours != "" && c.why == "" && !strings.Contains(c.send, "HPUB") {
			t.Error(fmt.Errorf("script %q differs without a reason", c.name))
		}
	}
}

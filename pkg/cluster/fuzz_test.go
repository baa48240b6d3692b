package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/wire"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/rs/zerolog"
)

// FuzzInfo: whatever INFO another server sends, it is refused, or what is passed on of it is one line with the same keys.
func FuzzInfo(f *testing.F) {
	for _, seed := range []string{
		`{"server_id":"X"}`, `{"server_id":"X","ip":"nats-route://10.0.0.1:6222/","port":6222,"proto":2,"connect_urls":["1.2.3.4:4222","\r\n","a:b"]}`,
		`{"server_id":"X\r\nPUB a 0\r\n"}`, `{"server_id":"X","ip":"nats-route://a\r\nb:1/","extra":{"a":[1,2,"\u0000"]},"nonce":"n"}`, `{"server_id":"X","port":-1}`, `[]`, `{"server_id":1}`,
	} {
		f.Add([]byte(seed), "10.0.0.9")
	}
	f.Fuzz(func(t *testing.T, text []byte, ip string) {
		i, err := parseInfo(text)
		if err != nil {
			return
		}
		for _, u := range i.ConnectURLs {
			if _, _, err := net.SplitHostPort(u); err != nil || strings.ContainsAny(u, " \r\n\t\"\\") {
				t.Fatalf("clients would be told %q", u)
			}
		}
		if line := i.forwarded(ip, 0); len(line) > maxForwarded || i.old() && len(line) > maxForwardedOld {
			t.Fatalf("%q is passed on in %d bytes", text, len(line))
		}
		for _, line := range []string{i.condensed().passedOn(ip, 0), i.forwarded(ip, 0)} {
			if again, err := parseInfo(bytes.TrimSpace([]byte(strings.TrimPrefix(line, "INFO ")))); line != "" && (err != nil || again.ServerID != i.ServerID) {
				t.Fatalf("%q is passed on as %q: %v", text, line, err)
			}
		}
		line := i.passedOn(ip, 0)
		var p wire.Parser
		if op, n, err := p.NextRoute([]byte(line)); len(line) < wire.MaxRouteLine && (op != wire.OpInfo || n != len(line) || err != nil) {
			t.Fatalf("%q is passed on as %q: %v %d %v", text, line, op, n, err)
		}
		again, err := parseInfo(bytes.TrimSpace([]byte(line[len("INFO "):])))
		if err != nil || again.ServerID != i.ServerID || again.Proto != i.Proto {
			t.Fatalf("%q is passed on as %q: %v", text, line, err)
		}
		for key, value := range i.raw {
			if key == "nonce" || key == "gossip_mode" || key == "ip" {
				continue
			}
			var want, got any
			if json.Unmarshal(value, &want) == nil && json.Unmarshal(again.raw[key], &got) != nil {
				t.Fatalf("%q lost %q: %q", text, key, line)
			}
		}
	})
}

// startFuzzNode runs a server for a fuzz target.
func startFuzzNode(f *testing.F) *node {
	f.Helper()
	b, err := broker.New(broker.Options{Host: "127.0.0.1", Port: broker.RandomPort, Clustered: true})
	if err == nil {
		err = b.Start()
	}
	if err != nil {
		f.Fatal(err)
	}
	c, err := New(b, Options{Host: "127.0.0.1", Port: RandomPort, Logger: zerolog.Nop()})
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		c.Shutdown()
		if err := b.Shutdown(context.Background()); err != nil {
			f.Error(err)
		}
	})
	return &node{broker: b, cluster: c}
}

// FuzzHostileRoute: whatever comes to the route port, the server goes on, and a good route works beside it.
func FuzzHostileRoute(f *testing.F) {
	for _, seed := range []string{
		"CONNECT {}\r\nINFO {\"server_id\":\"X\",\"proto\":2}\r\nRS+ $G foo\r\nRMSG $G probe 2\r\nok\r\nRS- $G foo\r\n", "SUB foo  RSID:1:1\r\nMSG w QRSID:1:1 1\r\nx\r\nUNSUB RSID:1:1\r\n",
		"INFO {\"server_id\":\"Y\"}\r\nSUB a q QRSID:1:1\r\nMSG a QRSID:0:9 1\r\nx\r\n", "HMSG $G a | q 2 4\r\nhhok\r\n", "PING\r\nPONG\r\nLS+ a b\r\nLMSG a b c 2\r\nok\r\n",
		"INFO {\"server_id\":\"X\",\"proto\":2}\r\nINFO {\"server_id\":\"X\",\"proto\":1,\"ldm\":true}\r\nINFO {\"server_id\":\"Z\",\"proto\":2,\"gossip_mode\":1}\r\n",
	} {
		f.Add([]byte(seed))
	}
	n := startFuzzNode(f)
	f.Fuzz(func(t *testing.T, input []byte) {
		c, err := net.Dial("tcp", n.cluster.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = c.Write(input) // it may be closed by now
		_ = c.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Fatalf("the server does not close after %q: %v", input, err)
		}
		select {
		case <-n.broker.Done():
			t.Fatal("the server has stopped")
		default:
		}
	})
}

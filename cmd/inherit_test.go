package cmd

import (
	"net"
	"testing"
)

// TestListensOn: all ways to write the address that a socket has, and others.
func TestListensOn(t *testing.T) {
	for _, c := range []struct {
		address, host string
		port          int // in place of the real one; 0: that
		want          bool
	}{
		{address: "0.0.0.0:0", host: "0.0.0.0", want: true},
		{address: "0.0.0.0:0", host: "::", want: true},
		{address: "0.0.0.0:0", host: "", want: true},
		{address: "0.0.0.0:0", host: "127.0.0.1", want: false},
		{address: "127.0.0.1:0", host: "127.0.0.1", want: true},
		{address: "127.0.0.1:0", host: "::ffff:127.0.0.1", want: true},
		{address: "127.0.0.1:0", host: "localhost", want: true},
		{address: "127.0.0.1:0", host: "127.0.0.1", port: -1, want: true},
		{address: "127.0.0.1:0", host: "127.0.0.1", port: 1, want: false},
		{address: "127.0.0.1:0", host: "127.0.0.2", want: false},
		{address: "127.0.0.1:0", host: "0.0.0.0", want: false},
	} {
		l, err := net.Listen("tcp", c.address)
		if err != nil {
			t.Fatal(err)
		}
		if c.port == 0 {
			c.port = l.Addr().(*net.TCPAddr).Port
		}
		if got := listensOn(l, c.host, c.port); got != c.want {
			t.Errorf("%s on %q, port %d: %v, want %v", l.Addr(), c.host, c.port, got, c.want)
		}
		_ = l.Close()
	}
}

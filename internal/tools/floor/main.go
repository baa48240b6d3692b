// Command floor does the least that a server can do between two clients: it knows one subscriber per subject and copies.
// It does not parse what it need not, has no limits and no options, and is right only for a client that sends one line at a
// time, as a load generator does in a closed loop. What a real server takes longer than floor is its own doing; the rest is
// the system's, the generator's and Go's.
//
//	go run ./internal/tools/floor 4222
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: floor PORT")
		os.Exit(2)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", os.Args[1]))
	if err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
	var subscribers sync.Map // of net.Conn by subject
	for {
		c, err := listener.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, "floor:", err)
			os.Exit(1)
		}
		go serve(c, &subscribers)
	}
}

// serve answers one client until it leaves.
func serve(c net.Conn, subscribers *sync.Map) {
	defer c.Close()
	fmt.Fprint(c, "INFO {}\r\n")
	input, output := make([]byte, 64<<10), make([]byte, 0, 64<<10)
	for {
		n, err := c.Read(input)
		if err != nil {
			return
		}
		line, payload, _ := bytes.Cut(input[:n], []byte("\r\n"))
		words := bytes.Fields(line)
		switch {
		case bytes.HasPrefix(line, []byte("PUB ")):
			to, known := subscribers.Load(string(words[1]))
			if !known {
				continue
			}
			output = append(append(append(output[:0], "MSG "...), words[1]...), " 1 "...)
			output = append(append(append(output, words[len(words)-1]...), "\r\n"...), payload...)
			if _, err := to.(net.Conn).Write(output); err != nil {
				return
			}
		case bytes.HasPrefix(line, []byte("SUB ")):
			subscribers.Store(string(words[1]), c)
			fallthrough
		default:
			if _, err := io.WriteString(c, "PONG\r\n"); err != nil {
				return
			}
		}
	}
}

package broker_test

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net"

	"github.com/natsd/natsd/pkg/broker"
)

// A broker on a free port, and a client that publishes to itself.
func Example() {
	b, err := broker.New(broker.Options{Host: "127.0.0.1", Port: broker.RandomPort})
	if err != nil {
		log.Fatal(err)
	}
	if err := b.Start(); err != nil {
		log.Fatal(err)
	}

	client, err := net.Dial("tcp", b.ClientAddr().String())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprint(client, "CONNECT {\"verbose\":false}\r\nSUB greet.* 1\r\nPUB greet.joe 5\r\nhello\r\n")
	lines := bufio.NewScanner(client)
	lines.Scan() // INFO {...}
	for range 2 {
		lines.Scan()
		fmt.Println(lines.Text())
	}

	if err := b.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// MSG greet.joe 1 5
	// hello
}

// A connection inside the process needs no port. With nats.go it is
// nats.Connect("", nats.InProcessServer(b)).
func ExampleBroker_InProcessConn() {
	b, err := broker.New(broker.Options{DontListen: true})
	if err != nil {
		log.Fatal(err)
	}
	if err := b.Start(); err != nil {
		log.Fatal(err)
	}
	client, err := b.InProcessConn()
	if err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(client)
	lines.Scan() // INFO {...}
	fmt.Fprint(client, "PING\r\n")
	lines.Scan()
	fmt.Println(lines.Text())

	if err := b.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: PONG
}

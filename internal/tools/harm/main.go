// Command harm measures what a server's bad clients cost its good ones. It starts the server anew for each figure,
// runs the same load without and with trouble in turn, and prints the medians and their ratio.
//
//	go run ./internal/tools/harm -server './natsd serve -a 127.0.0.1 -p {port}' slow     one stuck reader, one of 1 Mbit/s: p99 at a fixed rate
//	go run ./internal/tools/harm -server 'nats-server -a 127.0.0.1 -p {port}' flood      the same: rate of a publisher at full speed
//	go run ./internal/tools/harm -server './natsd serve -a 127.0.0.1 -p {port}' churn    20 000 SUB and UNSUB a second: rate of 1 000 subjects
//	go run ./internal/tools/harm -server './natsd serve -a 127.0.0.1 -p {port} -c f.conf' logins   1 000 wrong logins a second as user "hash": p99 at a fixed rate
//
// For logins, the configuration has to have a user "hash" with a bcrypt hash, and a no_auth_user.
// With -max it exits with 1 when the ratio is worse than that (above it for latency, below it for a rate).
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const payloadSize = 128

func main() {
	server := flag.String("server", "./natsd serve -a 127.0.0.1 -p {port}", "command line of the server; {port} is replaced")
	rounds := flag.Int("rounds", 5, "runs without and with trouble")
	limit := flag.Float64("max", 0, "exit with 1 when the median ratio is worse than this")
	flag.Parse()
	if err := run(*server, flag.Arg(0), *rounds, *limit); err != nil {
		fmt.Fprintln(os.Stderr, "harm:", err)
		os.Exit(1)
	}
}

// scenario is one way to measure: good runs the good clients against addr and returns a figure, bad starts the bad
// ones and returns how to stop them.
type scenario struct {
	unit        string
	lowerIsGood bool
	good        func(addr string) (float64, error)
	bad         func(addr string) (stop func(), err error)
}

var scenarios = map[string]scenario{
	"slow":   {unit: "p99 us", lowerIsGood: true, good: steady, bad: slowReaders},
	"flood":  {unit: "messages/s", good: func(addr string) (float64, error) { return flood(addr, 1, 15_000_000) }, bad: slowReaders},
	"logins": {unit: "p99 us", lowerIsGood: true, good: steady, bad: logins},
	"churn":  {unit: "messages/s", good: func(addr string) (float64, error) { return flood(addr, 1000, 3_000_000) }, bad: churn},
}

func run(server, name string, rounds int, limit float64) error {
	s, ok := scenarios[name]
	if !ok {
		return fmt.Errorf("unknown scenario %q; use slow, flood, churn or logins", name)
	}
	var calm, trouble, ratios []float64
	for range rounds {
		a, err := measure(server, s, false)
		if err != nil {
			return err
		}
		b, err := measure(server, s, true)
		if err != nil {
			return err
		}
		calm, trouble, ratios = append(calm, a), append(trouble, b), append(ratios, b/a)
	}
	ratio := median(ratios)
	fmt.Printf("%s, %s: calm %.0f, with trouble %.0f, ratio %.3f (%.3f to %.3f)\n",
		name, s.unit, median(calm), median(trouble), ratio, slices.Min(ratios), slices.Max(ratios))
	if limit > 0 && (s.lowerIsGood && ratio > limit || !s.lowerIsGood && ratio < limit) {
		return fmt.Errorf("ratio %.3f is worse than %.3f", ratio, limit)
	}
	return nil
}

func median(v []float64) float64 {
	sorted := slices.Sorted(slices.Values(v))
	return sorted[len(sorted)/2]
}

// measure starts the server, with the bad clients if asked to, and returns the figure of the good ones.
func measure(server string, s scenario, trouble bool) (float64, error) {
	addr, stop, err := start(server)
	if err != nil {
		return 0, err
	}
	defer stop()
	if trouble {
		stopBad, err := s.bad(addr)
		if err != nil {
			return 0, err
		}
		defer stopBad()
	}
	return s.good(addr)
}

// start runs the server on a free port and waits for its INFO.
func start(server string) (addr string, stop func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	addr = listener.Addr().String()
	_ = listener.Close()
	_, port, _ := net.SplitHostPort(addr)
	words := strings.Fields(strings.ReplaceAll(server, "{port}", port))
	command := exec.Command(words[0], words[1:]...)
	if err := command.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	}
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if c, err := dial(addr); err == nil {
			_ = c.Close()
			return addr, stop, nil
		}
	}
	stop()
	return "", nil, fmt.Errorf("no INFO from %q after 5 s", server)
}

// client is a raw connection that has said CONNECT.
type client struct {
	net.Conn
	in *bufio.Reader
}

func dial(addr string) (*client, error) {
	nc, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return nil, err
	}
	c := &client{nc, bufio.NewReaderSize(nc, 64<<10)}
	if _, err = c.in.ReadString('\n'); err == nil {
		err = c.do(`CONNECT {"verbose":false,"pedantic":false}` + "\r\n")
	}
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	return c, nil
}

// do sends lines and waits until the server has handled them.
func (c *client) do(lines string) error {
	if _, err := io.WriteString(c, lines+"PING\r\n"); err != nil {
		return err
	}
	return c.pong()
}

func (c *client) pong() error {
	for {
		line, err := c.in.ReadString('\n')
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(line, "PONG"):
			return nil
		case strings.HasPrefix(line, "-ERR"):
			return errors.New("server says " + strings.TrimSpace(line))
		}
	}
}

// message returns a PUB of payloadSize bytes that begin with at.
func message(dst []byte, subject string, at time.Duration) []byte {
	dst = fmt.Appendf(dst, "PUB %s %d\r\n%016d", subject, payloadSize, at)
	dst = append(dst, bytes.Repeat([]byte("x"), payloadSize-16)...)
	return append(dst, "\r\n"...)
}

// steady publishes 20 000 messages a second for 5 s to one subscriber and returns the 99th percentile of the latency in
// microseconds, counted from when each message was due.
func steady(addr string) (float64, error) {
	const rate, count = 20_000, 100_000
	subscriber, err := dial(addr)
	if err != nil {
		return 0, err
	}
	defer subscriber.Close()
	publisher, err := dial(addr)
	if err != nil {
		return 0, err
	}
	defer publisher.Close()
	if err := subscriber.do("SUB harm.x 1\r\n"); err != nil {
		return 0, err
	}
	begin := time.Now()
	done := make(chan error, 1)
	late := make([]float64, 0, count)
	go func() {
		payload := make([]byte, payloadSize+2)
		for len(late) < count {
			line, err := subscriber.in.ReadSlice('\n')
			if err != nil {
				done <- err
				return
			}
			if !bytes.HasPrefix(line, []byte("MSG ")) {
				continue
			}
			if _, err := io.ReadFull(subscriber.in, payload); err != nil {
				done <- err
				return
			}
			due, _ := strconv.ParseInt(string(payload[:16]), 10, 64)
			late = append(late, float64(time.Since(begin)-time.Duration(due))/1e3)
		}
		done <- nil
	}()
	var batch []byte
	for sent := 0; sent < count; {
		batch = batch[:0]
		for now := int(time.Since(begin) * rate / time.Second); sent < min(now, count); sent++ {
			batch = message(batch, "harm.x", time.Duration(sent+1)*time.Second/rate)
		}
		if len(batch) > 0 {
			if _, err := publisher.Write(batch); err != nil {
				return 0, err
			}
		}
		time.Sleep(50 * time.Microsecond)
	}
	if err := <-done; err != nil {
		return 0, err
	}
	slices.Sort(late)
	return late[len(late)*99/100], nil
}

// flood publishes count messages over as many subjects as fast as it can to one subscriber and returns how many a second the
// publisher got rid of.
func flood(addr string, subjects, count int) (float64, error) {
	subscriber, err := dial(addr)
	if err != nil {
		return 0, err
	}
	defer subscriber.Close()
	publisher, err := dial(addr)
	if err != nil {
		return 0, err
	}
	defer publisher.Close()
	if err := subscriber.do("SUB harm.> 1\r\n"); err != nil {
		return 0, err
	}
	go func() { _, _ = io.Copy(io.Discard, subscriber.Conn) }()
	name := func(i int) string {
		if subjects == 1 {
			return "harm.x"
		}
		return fmt.Sprintf("harm.%06d", i%subjects)
	}
	var batch []byte
	per := max(subjects, 200)
	for i := range per {
		batch = message(batch, name(i), 0)
	}
	begin := time.Now()
	for sent := 0; sent < count; sent += per {
		if _, err := publisher.Write(batch); err != nil {
			return 0, err
		}
	}
	if err := publisher.do(""); err != nil {
		return 0, err
	}
	return float64(count) / time.Since(begin).Seconds(), nil
}

// slowReaders subscribes one client that never reads and one that reads 1 Mbit/s to what the good ones publish.
func slowReaders(addr string) (stop func(), err error) {
	stuck, err := dial(addr)
	if err != nil {
		return nil, err
	}
	slow, err := dial(addr)
	if err != nil {
		return nil, err
	}
	for _, c := range []*client{stuck, slow} {
		if err := c.do("SUB harm.> 1\r\n"); err != nil {
			return nil, err
		}
	}
	var quit atomic.Bool
	var readers sync.WaitGroup
	readers.Go(func() {
		const step = 20 * time.Millisecond
		buffer := make([]byte, 1_000_000/8/int(time.Second/step))
		for !quit.Load() {
			if _, err := io.ReadFull(slow.Conn, buffer); err != nil {
				return
			}
			time.Sleep(step)
		}
	})
	return func() {
		quit.Store(true)
		_ = stuck.Close()
		_ = slow.Close()
		readers.Wait()
	}, nil
}

// logins connects 1 000 times a second with a wrong password. Nobody waits for an answer for long: what counts is what the
// server has to do.
func logins(addr string) (stop func(), err error) {
	const perSecond, most = 1000, 2000
	var quit atomic.Bool
	var clients sync.WaitGroup
	slots := make(chan struct{}, most) // connections at a time
	clients.Go(func() {
		begin, made := time.Now(), 0
		for !quit.Load() {
			for due := int(time.Since(begin) * perSecond / time.Second); made < due; made++ {
				select {
				case slots <- struct{}{}:
				default:
					continue // so many wait already
				}
				clients.Go(func() {
					defer func() { <-slots }()
					login(addr)
				})
			}
			time.Sleep(time.Millisecond)
		}
	})
	return func() {
		quit.Store(true)
		clients.Wait()
	}, nil
}

// login shows a wrong password and waits for the answer.
func login(addr string) {
	nc, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := io.WriteString(nc, "CONNECT {\"verbose\":false,\"user\":\"hash\",\"pass\":\"wrong\"}\r\nPING\r\n"); err == nil {
		_, _ = io.Copy(io.Discard, nc)
	}
}

// churn makes 20 000 SUB and UNSUB a second on 8 connections, wildcards among them.
func churn(addr string) (stop func(), err error) {
	const conns, perSecond, step = 8, 20_000, 5 * time.Millisecond
	var quit atomic.Bool
	var clients sync.WaitGroup
	for i := range conns {
		c, err := dial(addr)
		if err != nil {
			return nil, err
		}
		clients.Go(func() {
			defer c.Close()
			begin, made := time.Now(), 0
			for !quit.Load() {
				var lines []byte
				for due := int(time.Since(begin) * perSecond / conns / time.Second); made < due; made++ {
					pattern := "churn.%d.%d"
					if made%4 == 0 {
						pattern = "churn.%d.*.%d.>"
					}
					lines = fmt.Appendf(lines, "SUB "+pattern+" %d\r\nUNSUB %d\r\n", i, made, made, made)
				}
				if c.do(string(lines)) != nil {
					return
				}
				time.Sleep(step)
			}
		})
	}
	return func() {
		quit.Store(true)
		clients.Wait()
	}, nil
}

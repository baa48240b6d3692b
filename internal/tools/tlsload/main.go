// Command tlsload measures the processor time that servers take for a message between two clients with TLS. It makes a
// certificate, starts each server in turn, and prints the medians and their ratio:
//
//	tlsload -size 128 -msgs 1000000 natsd='natsd serve -a 127.0.0.1 -p {port} -c {conf}' peer='nats-server -a 127.0.0.1 -p {port} -c {conf}'
//
// It runs on Linux only, where /proc tells the processor time of a process.
package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	size   = flag.Int("size", 128, "bytes of a payload")
	msgs   = flag.Int("msgs", 1_000_000, "messages of a round")
	rounds = flag.Int("rounds", 5, "rounds")
	subs   = flag.Int("subs", 1, "subscribers")
	most   = flag.Float64("max", 0, "largest ratio that is accepted; 0: any")
)

func main() {
	flag.Parse()
	if err := run(flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "tlsload:", err)
		os.Exit(1)
	}
}

// run measures the servers NAME=COMMAND.
func run(servers []string) error {
	folder, err := os.MkdirTemp("", "tlsload")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	conf, err := writeFiles(folder)
	if err != nil {
		return err
	}
	results := make([][]float64, len(servers))
	for range *rounds {
		for i, server := range servers {
			_, command, _ := strings.Cut(server, "=")
			cpu, err := measure(command, conf)
			if err != nil {
				return fmt.Errorf("%s: %w", server, err)
			}
			results[i] = append(results[i], cpu)
		}
	}
	for i, server := range servers {
		name, _, _ := strings.Cut(server, "=")
		slices.Sort(results[i])
		fmt.Printf("%s %.3f us CPU a message (%.3f to %.3f)\n", name, median(results[i]), results[i][0], results[i][len(results[i])-1])
	}
	if len(servers) != 2 {
		return nil
	}
	ratio := median(results[0]) / median(results[1])
	fmt.Printf("ratio %.2f\n", ratio)
	if *most > 0 && ratio > *most {
		return fmt.Errorf("ratio %.2f is above %.2f", ratio, *most)
	}
	return nil
}

func median(sorted []float64) float64 { return sorted[len(sorted)/2] }

// writeFiles writes a certificate and a configuration with it, and returns the path of the latter.
func writeFiles(folder string) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return "", err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", err
	}
	cert, keyFile, conf := filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem"), filepath.Join(folder, "tls.conf")
	return conf, errors.Join(
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600),
		os.WriteFile(conf, fmt.Appendf(nil, "tls { cert_file: %q, key_file: %q }\n", cert, keyFile), 0o600),
	)
}

// measure starts a server, sends the messages through it and returns its microseconds of processor time for each.
func measure(command, conf string) (float64, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	address := listener.Addr().String()
	_ = listener.Close()
	_, port, _ := net.SplitHostPort(address)
	words := strings.Fields(strings.NewReplacer("{port}", port, "{conf}", conf).Replace(command))
	server := exec.Command(words[0], words[1:]...) //nolint:gosec // the caller says what to run
	if err := server.Start(); err != nil {
		return 0, err
	}
	defer func() { _, _ = server.Process.Kill(), server.Wait() }()
	received := make(chan error, *subs)
	for range *subs {
		c, input, err := dial(address)
		if err != nil {
			return 0, err
		}
		if _, err := io.WriteString(c, "SUB a 1\r\nPING\r\n"); err != nil {
			return 0, err
		}
		if _, err := input.ReadString('\n'); err != nil {
			return 0, err
		}
		go func() { received <- receive(input) }()
	}
	publisher, _, err := dial(address)
	if err != nil {
		return 0, err
	}
	before, err := cpuOf(server.Process.Pid)
	if err != nil {
		return 0, err
	}
	if err := publish(publisher); err != nil {
		return 0, err
	}
	for range *subs {
		if err := <-received; err != nil {
			return 0, err
		}
	}
	after, err := cpuOf(server.Process.Pid)
	return (after - before).Seconds() * 1e6 / float64(*msgs), err
}

// dial connects, waiting for the server to come up, and is through with the first PONG.
func dial(address string) (*tls.Conn, *bufio.Reader, error) {
	var nc net.Conn
	var err error
	for range 100 {
		if nc, err = net.Dial("tcp", address); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		return nil, nil, err
	}
	one := make([]byte, 1) // INFO, not a byte more
	for one[0] != '\n' {
		if _, err := nc.Read(one); err != nil {
			return nil, nil, err
		}
	}
	c := tls.Client(nc, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it is our own server
	input := bufio.NewReaderSize(c, 256<<10)
	if _, err := io.WriteString(c, "CONNECT {\"verbose\":false,\"pedantic\":false}\r\nPING\r\n"); err != nil {
		return nil, nil, err
	}
	_, err = input.ReadString('\n')
	return c, input, err
}

// publish sends all messages, some 32 KB at a time.
func publish(c net.Conn) error {
	one := fmt.Sprintf("PUB a %d\r\n%s\r\n", *size, strings.Repeat("x", *size))
	per := max(1, (32<<10)/len(one))
	batch := []byte(strings.Repeat(one, per))
	for left := *msgs; left > 0; left -= per {
		if left < per {
			batch = batch[:left*len(one)]
		}
		if _, err := c.Write(batch); err != nil {
			return err
		}
	}
	return nil
}

// receive reads all messages.
func receive(input *bufio.Reader) error {
	one := len(fmt.Sprintf("MSG a 1 %d\r\n", *size)) + *size + 2
	_, err := io.CopyN(io.Discard, input, int64(one)*int64(*msgs))
	return err
}

// cpuOf returns the processor time that a process has taken.
func cpuOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	const user, system, perSecond = 11, 12, 100 // counted from behind the name; ticks
	total := 0
	for _, i := range []int{user, system} {
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			return 0, err
		}
		total += n
	}
	return time.Duration(total) * time.Second / perSecond, nil
}

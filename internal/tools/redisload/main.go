// Command redisload puts the load of `natsd bench` on a redis-server: PUBLISH and SUBSCRIBE with pipelining, payloads with the
// time they were sent at. It prints a line of CSV with the columns of natsd bench that tools/bench-peers looks at.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/natsd/natsd/internal/bench"
)

// Sizes in bytes.
const (
	batchSize = 32 << 10
	stampSize = 8
	window    = 1 << 20 // of messages whose replies have not come
)

var (
	addr     = flag.String("addr", "127.0.0.1:6379", "server")
	pid      = flag.Int("pid", 0, "its process, for its processor time")
	subs     = flag.Int("subs", 1, "subscribers")
	size     = flag.Int("size", 128, "bytes of a payload")
	subjects = flag.Int("subjects", 1, "channels")
	rate     = flag.Float64("rate", 0, "messages a second; 0: as fast as it goes")
	duration = flag.Duration("duration", 5*time.Second, "time")
)

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "redisload:", err)
		os.Exit(1)
	}
}

// load is one run.
type load struct {
	base      time.Time
	delivered atomic.Int64
	mu        sync.Mutex
	latency   *hdrhistogram.Histogram // guarded by mu
}

func run() error {
	const longest, digits = int64(time.Minute), 3
	l := &load{base: time.Now(), latency: hdrhistogram.New(1, longest, digits)}
	var conns []net.Conn
	var readers sync.WaitGroup
	defer readers.Wait()
	defer func() {
		for _, c := range conns {
			_ = c.Close() // its reader is to end
		}
	}()
	for range *subs {
		c, in, err := l.subscribe()
		if err != nil {
			return err
		}
		conns = append(conns, c)
		readers.Go(func() { l.take(in) })
	}
	usage, err := bench.ProcessUsage(*pid)
	if err != nil {
		return err
	}
	before, err := usage.Sample()
	if err != nil {
		return err
	}
	begin := time.Now()
	sent, err := l.publish()
	if err != nil {
		return err
	}
	took := time.Since(begin)
	for last := int64(-1); l.delivered.Load() < sent*int64(*subs) && l.delivered.Load() != last; {
		last = l.delivered.Load()
		time.Sleep(200 * time.Millisecond)
	}
	after, err := usage.Sample()
	if err != nil {
		return err
	}
	if lost := sent*int64(*subs) - l.delivered.Load(); lost != 0 {
		return fmt.Errorf("%d messages were lost", lost)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p99 := ""
	if l.latency.TotalCount() > 0 {
		p99 = strconv.FormatInt(l.latency.ValueAtQuantile(99), 10)
	}
	fmt.Printf("publish_rate,deliver_rate,p99,cpu_per_message\n%.0f,%.0f,%s,%d\n", float64(sent)/took.Seconds(),
		float64(l.delivered.Load())/took.Seconds(), p99, int64(after.CPU-before.CPU)/max(1, sent))
	return nil
}

// subscribe connects, and subscribes to all channels.
func (l *load) subscribe() (net.Conn, *bufio.Reader, error) {
	c, err := net.Dial("tcp", *addr)
	if err != nil {
		return nil, nil, err
	}
	in := bufio.NewReaderSize(c, 256<<10)
	if _, err := io.WriteString(c, "*2\r\n$10\r\nPSUBSCRIBE\r\n$6\r\nbench*\r\n"); err != nil {
		return nil, nil, err
	}
	for range 6 { // *3, psubscribe, the pattern, :1
		if _, err := in.ReadSlice('\n'); err != nil {
			return nil, nil, err
		}
	}
	return c, in, nil
}

// take reads messages until the connection ends.
func (l *load) take(in *bufio.Reader) {
	payload := make([]byte, *size+2)
	var waits []int64
	for n := int64(0); ; {
		for range 7 { // *4, pmessage, the pattern and the channel, each with its length
			if _, err := in.ReadSlice('\n'); err != nil {
				return
			}
		}
		if _, err := in.ReadSlice('\n'); err != nil { // the length of the payload
			return
		}
		if _, err := io.ReadFull(in, payload); err != nil {
			return
		}
		n++
		if *size >= stampSize {
			waits = append(waits, int64(time.Since(l.base))-int64(binary.BigEndian.Uint64(payload)))
		}
		if in.Buffered() == 0 || len(waits) > 1000 {
			l.mu.Lock()
			for _, w := range waits {
				_ = l.latency.RecordValue(max(1, w)) // longer than a minute: not likely
			}
			l.mu.Unlock()
			l.delivered.Add(n)
			n, waits = 0, waits[:0]
		}
	}
}

// publish publishes for the time, and returns how many messages.
func (l *load) publish() (sent int64, err error) {
	c, err := net.Dial("tcp", *addr)
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }() // all is published
	replies := make(chan error, 1)
	var answered, asked atomic.Int64
	go func() {
		in := bufio.NewReaderSize(c, batchSize)
		for {
			if _, err := in.ReadSlice('\n'); err != nil {
				replies <- err
				return
			}
			answered.Add(1)
		}
	}()
	begin, body := time.Now(), bytes.Repeat([]byte("x"), *size)
	var out []byte
	for time.Since(begin) < *duration {
		now := time.Since(l.base)
		most := int64(1 << 40)
		if *rate > 0 {
			most = int64(time.Since(begin).Seconds() * *rate)
		}
		for out = out[:0]; len(out) < batchSize && sent < most; sent++ {
			if *size >= stampSize {
				binary.BigEndian.PutUint64(body, uint64(now))
			}
			channel := "bench." + strconv.Itoa(int(sent)%*subjects)
			out = fmt.Appendf(out, "*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(channel), channel, *size, body)
		}
		if _, err := c.Write(out); err != nil {
			return sent, err
		}
		asked.Store(sent)
		for (asked.Load()-answered.Load())*int64(*size+50) > window || *rate > 0 && len(out) == 0 {
			time.Sleep(20 * time.Microsecond)
			if *rate > 0 {
				break
			}
		}
	}
	for answered.Load() < sent {
		select {
		case err := <-replies:
			return sent, err
		case <-time.After(time.Millisecond):
		}
	}
	return sent, nil
}

//go:build e2e

package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	soakPublishers = 6
	soakCheckers   = 4
	soakWorkers    = 3
	soakChurners   = 8
)

// soak is one run of TestSoak. Publishers number their messages, on subjects soak.P.N. Checkers, which stay, must see every
// message once and in the order of its publisher: one on each kind of subscription. A queue group, which stays too, must see
// each message once among its members. Churners come and go, subscribe to everything in every way, leave without a
// word, and never read now and then.
type soak struct {
	t         *testing.T
	server    *server
	quit      chan struct{}
	sent      [soakPublishers]atomic.Int64
	checked   [soakCheckers][soakPublishers]int64 // last number seen; the subscription's goroutine's
	checks    [soakCheckers]atomic.Int64          // messages seen
	worked    atomic.Int64
	workSum   [soakPublishers]atomic.Int64 // of the numbers that the queue group saw
	faults    atomic.Int64
	lastFault atomic.Pointer[string]
}

// TestSoak runs for SOAK, 15 s unless told otherwise.
func TestSoak(t *testing.T) {
	duration := 15 * time.Second
	if text := os.Getenv("SOAK"); text != "" {
		var err error
		duration, err = time.ParseDuration(text)
		must(t, err)
	}
	var flags []string
	if !isPeer() {
		flags = []string{"--max_pending", "8mb"}
	}
	u := &soak{t: t, server: startServer(t, flags...), quit: make(chan struct{})}
	before := u.openFiles()
	stay := u.subscribers()
	var group sync.WaitGroup
	for p := range soakPublishers {
		group.Go(func() { u.publish(p) })
	}
	for i := range soakChurners {
		group.Go(func() { u.churn(uint64(i)) })
	}
	timer := time.NewTimer(duration)
	<-timer.C
	close(u.quit)
	group.Wait()
	u.verify()
	for _, nc := range stay {
		nc.Close()
	}
	u.server.eventually("the server has closed every connection", func() bool { return u.openFiles() <= before })
	t.Logf("%v: %d messages published, each seen %d times by checkers and once by the queue group; resident %d kB",
		duration, u.total(), soakCheckers, residentKB(u.t, u.server))
}

// subscribers starts the checkers and the queue group.
func (u *soak) subscribers() (conns []*nats.Conn) {
	open := func(subject, queue string, handle nats.MsgHandler) {
		nc := connect(u.t, u.server)
		sub, err := nc.QueueSubscribe(subject, queue, handle)
		must(u.t, err)
		must(u.t, sub.SetPendingLimits(-1, -1))
		must(u.t, nc.Flush())
		conns = append(conns, nc)
	}
	for i, subject := range [soakCheckers]string{"soak.>", "soak.*.*", "soak.>", ">"} {
		queue := ""
		if i == 2 {
			queue = "alone"
		}
		open(subject, queue, func(m *nats.Msg) { u.check(i, m) })
	}
	for range soakWorkers {
		open("soak.*.>", "workers", func(m *nats.Msg) {
			if p, n, ok := numbers(m); ok {
				u.workSum[p].Add(n)
				u.worked.Add(1)
			}
		})
	}
	return conns
}

// numbers returns publisher and number of a message, which begins its payload.
func numbers(m *nats.Msg) (p int, n int64, ok bool) {
	if !strings.HasPrefix(m.Subject, "soak.") {
		return 0, 0, false
	}
	fields := strings.SplitN(string(m.Data[:min(len(m.Data), 40)]), " ", 3)
	if len(fields) < 3 {
		return 0, 0, false
	}
	p, err := strconv.Atoi(fields[0])
	n, err2 := strconv.ParseInt(fields[1], 10, 64)
	return p, n, err == nil && err2 == nil
}

// check is what checker i does with each message.
func (u *soak) check(i int, m *nats.Msg) {
	p, n, ok := numbers(m)
	if !ok {
		return
	}
	if want := u.checked[i][p] + 1; n != want {
		u.fault(fmt.Sprintf("checker %d: message %d of publisher %d, want %d", i, n, p, want))
	}
	u.checked[i][p] = n
	u.checks[i].Add(1)
}

func (u *soak) fault(text string) {
	u.faults.Add(1)
	u.lastFault.Store(&text)
}

func (u *soak) stopped() bool {
	select {
	case <-u.quit:
		return true
	default:
		return false
	}
}

// publish sends numbered messages of all sizes, in bursts, and keeps within reach of the checkers so that their clients hold
// what is under way.
func (u *soak) publish(p int) {
	nc := connect(u.t, u.server)
	defer nc.Close()
	random := rand.New(rand.NewPCG(uint64(p), 1))
	padding := strings.Repeat("x", 200_000)
	for !u.stopped() {
		for range random.IntN(300) + 1 {
			size := random.IntN(200)
			switch random.IntN(50) {
			case 0:
				size = random.IntN(20_000)
			case 1:
				if random.IntN(20) == 0 {
					size = len(padding)
				}
			}
			n := u.sent[p].Add(1)
			m := nats.NewMsg(fmt.Sprintf("soak.%d.%d", p, random.IntN(500)))
			m.Data = fmt.Appendf(nil, "%d %d %s", p, n, padding[:size])
			if random.IntN(10) == 0 {
				m.Header.Set("Number", strconv.FormatInt(n, 10))
			}
			if err := nc.PublishMsg(m); err != nil {
				u.fault(err.Error())
				return
			}
		}
		if err := nc.FlushTimeout(patience); err != nil {
			u.fault("publisher cannot flush: " + err.Error())
			return
		}
	}
}

// churn is a client that comes and goes.
func (u *soak) churn(seed uint64) {
	random := rand.New(rand.NewPCG(seed, 2))
	for !u.stopped() {
		c, err := dialQuietly(u.server.addr())
		if err != nil {
			u.fault("cannot connect: " + err.Error())
			return
		}
		reads := random.IntN(4) != 0
		answered := make(chan struct{}) // its PING, or it is cut
		if reads {
			go func() {
				defer close(answered)
				lines := bufio.NewReaderSize(c, 32<<10)
				for {
					line, err := lines.ReadSlice('\n')
					if err != nil && !errors.Is(err, bufio.ErrBufferFull) || string(line) == "PONG\r\n" {
						return
					}
				}
			}()
		}
		for sid := range random.IntN(40) {
			subject := []string{"soak.>", "soak.*.7", "soak.1.*", ">", "soak.2.5", "*.*.*", "other.>"}[random.IntN(7)]
			line := fmt.Sprintf("SUB %s %d\r\n", subject, sid)
			switch random.IntN(4) {
			case 0:
				line = fmt.Sprintf("SUB %s gone%d %d\r\n", subject, random.IntN(3), sid)
			case 1:
				line += fmt.Sprintf("UNSUB %d %d\r\n", sid, random.IntN(50))
			case 2:
				line += fmt.Sprintf("PUB other.%d 5\r\nhello\r\n", sid)
			}
			if random.IntN(3) == 0 {
				line += fmt.Sprintf("UNSUB %d\r\n", random.IntN(sid+1))
			}
			if _, err := c.Write([]byte(line)); err != nil {
				break // cut as a slow consumer
			}
		}
		if reads {
			// Most leave when they have been served. If nobody waited, connections would be made as fast as the system can, and
			// on a fast machine that is faster than messages for all of them can be delivered.
			_, _ = io.WriteString(c, "PING\r\n")
			select {
			case <-answered:
			case <-time.After(patience):
				u.fault("a client that comes and goes gets no PONG")
			}
		}
		if random.IntN(3) == 0 {
			_, _ = c.Write([]byte("PUB other.half 100\r\nonly a part of it"))
		}
		_ = c.Close()
	}
}

// dialQuietly connects and says CONNECT, without waiting for an answer.
func dialQuietly(addr string) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err == nil {
		_, err = io.WriteString(c, quiet)
	}
	return c, err
}

func (u *soak) total() (n int64) {
	for p := range u.sent {
		n += u.sent[p].Load()
	}
	return n
}

// verify waits until everything has come and checks that nothing came twice.
func (u *soak) verify() {
	total := u.total()
	for i := range soakCheckers {
		u.server.eventually(fmt.Sprintf("checker %d has seen all", i), func() bool { return u.checks[i].Load() >= total || u.faults.Load() > 0 })
		if got := u.checks[i].Load(); got != total {
			u.t.Errorf("checker %d saw %d messages, want %d", i, got, total)
		}
	}
	u.server.eventually("the queue group has seen all", func() bool { return u.worked.Load() >= total })
	if got := u.worked.Load(); got != total {
		u.t.Errorf("the queue group saw %d messages, want %d", got, total)
	}
	for p := range soakPublishers {
		n := u.sent[p].Load()
		if got, want := u.workSum[p].Load(), n*(n+1)/2; got != want {
			u.t.Errorf("the queue group saw others than the %d messages of publisher %d", n, p)
		}
	}
	if n := u.faults.Load(); n > 0 {
		u.t.Errorf("%d faults, the last: %s", n, *u.lastFault.Load())
	}
}

// openFiles returns the number of files that the server process has open.
func (u *soak) openFiles() int {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", u.server.command.Process.Pid))
	must(u.t, err)
	return len(entries)
}

package broker_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil"
	"github.com/natsd/natsd/pkg/broker"
)

// model is a slow and plain idea of what the broker does with a script of several clients. After each step it knows what
// every client must have been sent; where the broker may choose, which is only the member of a queue group, it learns the
// choice from what came.
type model struct {
	t       testing.TB
	clients []*modelClient
	script  []byte // what is left of the choices
}

// modelClient is one client, what it is known to have said, and its connection.
type modelClient struct {
	net.Conn
	in *bufio.Reader

	verbose, pedantic, echo, headers, noResponders bool
	subs                                           []*modelSub
	sent                                           []string // lines that are not messages, in order
	due                                            []string // messages that must come, in any order
	open                                           []*modelGroup
}

// modelGroup is a message for one member of a queue group.
type modelGroup struct {
	members []*modelSub
	message modelMessage
	done    bool
}

// modelSub is a subscription.
type modelSub struct {
	client              *modelClient
	subject, queue, sid string
	max, delivered      int
}

// newModel connects n clients to addr.
func newModel(t testing.TB, addr string, script []byte, n int) *model {
	m := &model{t: t, script: script}
	for range n {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		c := &modelClient{Conn: conn, in: bufio.NewReader(conn), verbose: true, pedantic: true, echo: true}
		if _, err := c.in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		m.clients = append(m.clients, c)
	}
	return m
}

// choose returns a number below n, from the script; 0 when that is used up.
func (m *model) choose(n int) int {
	if len(m.script) == 0 {
		return 0
	}
	b := m.script[0]
	m.script = m.script[1:]
	return int(b) % n
}

var (
	modelPatterns = []string{"a", "b", "a.b", "a.*", "*.b", "a.>", ">", "*", "a.b.c", "a.*.c", "r", "r.*", "_", "a..b", "a.>.b", ".", "a."}
	modelSubjects = []string{"a", "b", "a.b", "a.c", "a.b.c", "r", "r.1", "a.*", "a.>", "*", "a..b", ".a", "_SYS.x", "_SYS"}
	modelQueues   = []string{"", "", "", "q", "q2"}
)

// run plays the whole script.
func (m *model) run() {
	for len(m.script) > 0 {
		m.step()
	}
	for _, c := range m.clients {
		_ = c.Close()
	}
}

// step lets one client say something, waits until the broker has dealt with it, and checks what everybody got.
func (m *model) step() {
	c := m.clients[m.choose(len(m.clients))]
	var line string
	switch m.choose(8) {
	case 0:
		line = m.connect(c)
	case 1, 2:
		line = m.subscribe(c)
	case 3:
		line = m.unsubscribe(c)
	default:
		line = m.publish(c)
	}
	m.send(c, line+"PING\r\n")
	m.receive(c, line)
	for _, other := range m.clients {
		if other != c {
			m.send(other, "PING\r\n")
			m.receive(other, line)
		}
	}
	for _, other := range m.clients {
		for _, group := range other.open {
			if !group.done {
				m.t.Fatalf("after %.200q: nobody in queue group %q got the message", line, group.members[0].queue)
			}
		}
		other.open = nil
	}
}

// send writes text in pieces.
func (m *model) send(c *modelClient, text string) {
	for text != "" {
		n := len(text)
		if m.choose(4) == 1 {
			n = 1 + m.choose(n)
		}
		if _, err := io.WriteString(c, text[:n]); err != nil {
			m.t.Fatal(err)
		}
		text = text[n:]
	}
}

func (c *modelClient) ok() {
	if c.verbose {
		c.sent = append(c.sent, "+OK\r\n")
	}
}

func (m *model) connect(c *modelClient) string {
	bits := m.choose(32)
	c.verbose, c.pedantic, c.echo, c.headers = bits&1 != 0, bits&2 != 0, bits&4 != 0, bits&8 != 0
	c.noResponders = bits&16 != 0 && c.headers
	c.ok()
	return fmt.Sprintf(`CONNECT {"verbose":%t,"pedantic":%t,"echo":%t,"headers":%t,"no_responders":%t}`+"\r\n",
		c.verbose, c.pedantic, c.echo, c.headers, c.noResponders)
}

func (m *model) subscribe(c *modelClient) string {
	s := &modelSub{client: c, subject: modelPatterns[m.choose(len(modelPatterns))], queue: modelQueues[m.choose(len(modelQueues))], sid: strconv.Itoa(m.choose(6))}
	line := strings.ReplaceAll("SUB "+s.subject+" "+s.queue+" "+s.sid+"\r\n", "  ", " ")
	tokens := strings.Split(s.subject, ".")
	if i := slices.Index(tokens, ">"); slices.Contains(tokens, "") || i >= 0 && i < len(tokens)-1 {
		c.sent = append(c.sent, "-ERR 'Invalid Subject'\r\n")
		return line
	}
	if c.find(s.sid) == nil {
		c.subs = append(c.subs, s)
	}
	c.ok()
	return line
}

func (c *modelClient) find(sid string) *modelSub {
	for _, s := range c.subs {
		if s.sid == sid {
			return s
		}
	}
	return nil
}

func (c *modelClient) drop(s *modelSub) {
	c.subs = slices.DeleteFunc(c.subs, func(x *modelSub) bool { return x == s })
}

func (m *model) unsubscribe(c *modelClient) string {
	sid, limit := strconv.Itoa(m.choose(6)), m.choose(5)
	if s := c.find(sid); s != nil {
		s.max = limit
		if limit <= s.delivered {
			c.drop(s)
		}
	}
	c.ok()
	if limit == 0 {
		return "UNSUB " + sid + "\r\n"
	}
	return fmt.Sprintf("UNSUB %s %d\r\n", sid, limit)
}

// matchTokens is matching as the specification has it, token by token (docs/spec/client-protocol.md §6.1).
func matchTokens(pattern, subject string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(subject, ".")
	if slices.Contains(s, "") {
		return false
	}
	for i, token := range p {
		switch {
		case token == ">" && i == len(p)-1:
			return len(s) > i
		case i >= len(s), token != "*" && token != s[i]:
			return false
		}
	}
	return len(p) == len(s)
}

// modelMessage is what is published in one step.
type modelMessage struct{ subject, reply, header, body string }

// frame is how s gets the message.
func (p modelMessage) frame(s *modelSub) string {
	reply := p.reply
	if reply != "" {
		reply += " "
	}
	if p.header != "" && s.client.headers {
		return fmt.Sprintf("HMSG %s %s %s%d %d\r\n%s%s\r\n", p.subject, s.sid, reply, len(p.header), len(p.header)+len(p.body), p.header, p.body)
	}
	return fmt.Sprintf("MSG %s %s %s%d\r\n%s\r\n", p.subject, s.sid, reply, len(p.body), p.body)
}

func (m *model) publish(c *modelClient) string {
	p := modelMessage{subject: modelSubjects[m.choose(len(modelSubjects))], body: strings.Repeat("x", m.choose(40))}
	if m.choose(2) == 1 {
		p.reply = "r.1"
	}
	if m.choose(20) == 1 {
		p.body = strings.Repeat("y", 5000+100*m.choose(200)) // goes the way without a copy
	}
	line := strings.ReplaceAll(fmt.Sprintf("PUB %s %s %d\r\n", p.subject, p.reply, len(p.body)), "  ", " ")
	if c.headers && m.choose(2) == 1 {
		p.header = "NATS/1.0\r\nA: b\r\n\r\n"
		line = strings.ReplaceAll(fmt.Sprintf("HPUB %s %s %d %d\r\n", p.subject, p.reply, len(p.header), len(p.header)+len(p.body)), "  ", " ")
	}
	text, row := "", 1
	if !c.verbose && !c.pedantic && !m.limited() { // lines to c itself would come between messages to it
		row += m.choose(2) * m.choose(8)
	}
	for i := range row { // they differ in their payloads alone
		p.body = strings.Repeat(string(rune('a'+i)), len(p.body))
		text += m.say(c, line, p)
	}
	return text
}

// limited reports whether some member of a queue group ends by itself: who gets the last of several messages is not known then
// before they have come.
func (m *model) limited() bool {
	for _, c := range m.clients {
		if slices.ContainsFunc(c.subs, func(s *modelSub) bool { return s.queue != "" && s.max > 0 }) {
			return true
		}
	}
	return false
}

// say publishes p, whose control line is line, as c.
func (m *model) say(c *modelClient, line string, p modelMessage) string {
	line += p.header + p.body + "\r\n"
	if strings.HasPrefix(p.subject, "_SYS.") {
		c.sent = append(c.sent, fmt.Sprintf("-ERR 'Permissions Violation for Publish to %q'\r\n", p.subject))
		return line
	}
	tokens := strings.Split(p.subject, ".")
	if c.pedantic && (slices.Contains(tokens, "") || slices.Contains(tokens, "*") || slices.Contains(tokens, ">")) {
		c.sent = append(c.sent, "-ERR 'Invalid Subject'\r\n")
		c.ok()
		return line
	}
	c.ok()
	m.deliver(c, p)
	return line
}

// deliver says who must get p, published by c.
func (m *model) deliver(c *modelClient, p modelMessage) {
	groups := map[string][]*modelSub{}
	taken := false
	for _, other := range m.clients {
		for _, s := range slices.Clone(other.subs) {
			switch {
			case !matchTokens(s.subject, p.subject), other == c && !c.echo:
			case s.queue != "":
				groups[s.queue] = append(groups[s.queue], s)
			default:
				taken = true
				other.due = append(other.due, p.frame(s))
				s.count()
			}
		}
	}
	for _, members := range groups {
		taken = true
		m.await(members, p)
	}
	if taken || !c.noResponders || p.reply == "" {
		return
	}
	for _, s := range c.subs {
		if s.queue == "" && matchTokens(s.subject, p.reply) {
			status := "NATS/1.0 503\r\nNats-Subject: " + p.subject + "\r\n\r\n"
			c.due = append(c.due, fmt.Sprintf("HMSG %s * %d %d\r\n%s\r\n", p.reply, len(status), len(status), status))
			return
		}
	}
}

// count counts a message for s, which ends at its limit.
func (s *modelSub) count() {
	if s.delivered++; s.max > 0 && s.delivered >= s.max {
		s.client.drop(s)
	}
}

// await notes that one of members gets p.
func (m *model) await(members []*modelSub, p modelMessage) {
	group := &modelGroup{members: members, message: p}
	for _, s := range members {
		if !slices.Contains(s.client.open, group) {
			s.client.open = append(s.client.open, group)
		}
	}
}

// receive reads what c was sent, up to PONG, and checks it against what is due. The lines that are not messages come in
// order, and those of a step before the messages of that step.
func (m *model) receive(c *modelClient, after string) {
	_ = c.SetReadDeadline(time.Now().Add(testutil.Patience))
	for {
		frame, err := c.frame()
		if err != nil {
			m.t.Fatalf("after %.200q: %v", after, err)
		}
		if frame == "PONG\r\n" {
			break
		}
		if !c.take(frame) {
			m.t.Fatalf("after %.200q: client got %.300q; due were lines %q, messages %.500q", after, frame, c.sent, c.due)
		}
	}
	if len(c.sent) > 0 || len(c.due) > 0 {
		m.t.Fatalf("after %.200q: client did not get lines %q, messages %.500q", after, c.sent, c.due)
	}
}

// frame reads a line, and the payload that belongs to it.
func (c *modelClient) frame() (string, error) {
	line, err := c.in.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "MSG ") && !strings.HasPrefix(line, "HMSG ") {
		return line, err
	}
	words := strings.Fields(line)
	size, err := strconv.Atoi(words[len(words)-1])
	if err != nil {
		return line, err
	}
	payload := make([]byte, size+2)
	_, err = io.ReadFull(c.in, payload)
	return line + string(payload), err
}

// take strikes frame off what is due and reports whether it was there.
func (c *modelClient) take(frame string) bool {
	if len(c.sent) > 0 && c.sent[0] == frame {
		c.sent = c.sent[1:]
		return true
	}
	if len(c.sent) > 0 {
		return false
	}
	if i := slices.Index(c.due, frame); i >= 0 {
		c.due = slices.Delete(c.due, i, i+1)
		return true
	}
	for i, due := range c.due { // a status for whichever subscription matches the reply
		words := strings.Fields(frame)
		if strings.Contains(due, " * ") && len(words) > 2 && c.find(words[2]) != nil && strings.Replace(due, " * ", " "+words[2]+" ", 1) == frame {
			c.due = slices.Delete(c.due, i, i+1)
			return true
		}
	}
	for _, group := range c.open {
		for _, s := range group.members {
			if !group.done && s.client == c && group.message.frame(s) == frame {
				group.done = true
				s.count()
				return true
			}
		}
	}
	return false
}

// startForModel runs a broker that ends with the test.
func startForModel(t testing.TB) *broker.Broker {
	t.Helper()
	return run(t, broker.Options{Host: "127.0.0.1", Port: broker.RandomPort})
}

// TestModel plays random scripts.
func TestModel(t *testing.T) {
	testutil.CheckLeaks(t)
	for seed := range uint64(60) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			script := make([]byte, 1500)
			for i := range script {
				script[i] = byte(random.UintN(256))
			}
			newModel(t, startForModel(t).ClientAddr().String(), script, 1+int(seed%4)).run()
		})
	}
}

// FuzzModel plays scripts that a fuzzer thinks of.
func FuzzModel(f *testing.F) {
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 2))
		script := make([]byte, 200)
		for i := range script {
			script[i] = byte(random.UintN(256))
		}
		f.Add(script)
	}
	b := startForModel(f)
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) == 0 {
			return
		}
		newModel(t, b.ClientAddr().String(), script, 1+int(script[0])%3).run()
		// Members of the next script's queue groups must not be clients of this one.
		eventually(t, "the clients have gone", func() bool { return b.Stats().Connections == 0 })
	})
}

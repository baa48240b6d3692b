package cluster

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/interest"
	"github.com/natsd/natsd/internal/wire"
	"github.com/natsd/natsd/pkg/broker"
)

var (
	simSeeds = flag.Int("seeds", 200, "number of simulated clusters")
	simFirst = flag.Uint64("first", 1, "first seed")
)

// kept are seeds that found a fault once.
var kept = []uint64{
	1233, // a route that was removed before it was reached, and others had told of
}

// TestSimulation runs thousands of clusters through dial races, partitions, half-open links, restarts, reused addresses and
// reloads. Each must become a full mesh within a bounded time after the last fault, agree on who is interested in what, and
// bring each message to each interested client once, over one hop, and in order.
func TestSimulation(t *testing.T) {
	for _, seed := range kept {
		runSimulation(t, seed)
	}
	for i := range uint64(*simSeeds) {
		runSimulation(t, *simFirst+i)
	}
}

// healTime is the bound within which a cluster must be whole after the last fault: the time that pings take to find a
// link that is dead at one end, and some attempts.
const healTime = (DefaultPingMax+2)*DefaultPingInterval + 30*time.Second

func runSimulation(t *testing.T, seed uint64) {
	t.Helper()
	s := newSimulation(seed)
	if err := s.run(); err != nil {
		t.Fatalf("seed %d: %v\nlast events:\n%s", seed, err, strings.Join(s.trail, "\n"))
	}
}

// simulation is a network of servers, and a clock.
type simulation struct {
	random  *rand.Rand
	now     time.Time
	order   int // of events, for those at the same time
	queue   []*occurrence
	servers []*simServer // by number; a restart replaces one
	cut     map[[2]int]bool
	wires   []*simWire
	trail   []string
	started int  // servers so far
	simple  bool // servers settle duplicates like those of others: the first link stays
	named   int  // of 4 servers, how many have the name of the cluster configured
	checked bool
	fault   error
}

// occurrence is something that happens at a time.
type occurrence struct {
	at    time.Time
	order int
	do    func()
}

func newSimulation(seed uint64) *simulation {
	s := &simulation{random: rand.New(rand.NewPCG(seed, 99)), now: time.Unix(1_800_000_000, 0), cut: make(map[[2]int]bool)}
	s.simple, s.named = s.random.IntN(3) == 0, s.random.IntN(5)
	n := 3 + s.random.IntN(10)
	for i := range n {
		s.servers = append(s.servers, nil)
		s.after(time.Duration(s.random.IntN(1500))*time.Millisecond, func() { s.start(i) })
	}
	return s
}

// after lets something happen.
func (s *simulation) after(d time.Duration, do func()) {
	s.order++
	o := &occurrence{s.now.Add(d), s.order, do}
	at, _ := slices.BinarySearchFunc(s.queue, o, func(a, b *occurrence) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return a.order - b.order
	})
	s.queue = slices.Insert(s.queue, at, o)
}

// until lets time pass.
func (s *simulation) until(end time.Time) {
	for len(s.queue) > 0 && !s.queue[0].at.After(end) && s.fault == nil {
		o := s.queue[0]
		s.queue = s.queue[1:]
		s.now = o.at
		o.do()
	}
	s.now = end
}

func (s *simulation) note(format string, args ...any) {
	s.trail = append(s.trail, s.now.Format("04:05.000 ")+fmt.Sprintf(format, args...))
	if len(s.trail) > 60 {
		s.trail = s.trail[1:]
	}
}

func (s *simulation) fail(format string, args ...any) {
	if s.fault == nil {
		s.fault = fmt.Errorf(format, args...)
	}
}

// delay is how long something takes over the network.
func (s *simulation) delay() time.Duration {
	if s.random.IntN(20) == 0 {
		return time.Duration(s.random.IntN(400)) * time.Millisecond
	}
	return time.Duration(200+s.random.IntN(3000)) * time.Microsecond
}

// run is one whole simulation.
func (s *simulation) run() error {
	s.until(s.now.Add(2 * time.Second))
	for range s.random.IntN(8) {
		s.harm()
		s.until(s.now.Add(time.Duration(s.random.IntN(40_000)) * time.Millisecond))
		s.traffic(3)
	}
	s.note("all is healed")
	clear(s.cut)
	s.until(s.now.Add(healTime))
	if s.fault != nil {
		return s.fault
	}
	if err := s.checkMesh(); err != nil {
		return err
	}
	s.checked = true // from now on, every message counts
	s.traffic(20)
	s.until(s.now.Add(5 * time.Second))
	if s.fault == nil {
		s.checkDelivery()
	}
	return s.fault
}

// harm does one of the things that happen to clusters.
func (s *simulation) harm() {
	i, j := s.random.IntN(len(s.servers)), s.random.IntN(len(s.servers))
	switch s.random.IntN(7) {
	case 0, 1:
		s.note("partition of %d and %d", i, j)
		s.cut[pairOf(i, j)] = true
	case 2:
		s.note("%d is cut off", i)
		for k := range s.servers {
			s.cut[pairOf(i, k)] = true
		}
	case 3:
		clear(s.cut)
		s.note("no partition any more")
	case 4:
		if server := s.servers[i]; server != nil {
			s.note("%d restarts", i)
			server.stop()
			s.servers[i] = nil
			s.after(time.Duration(s.random.IntN(3000))*time.Millisecond, func() { s.start(i) })
		}
	case 5:
		if len(s.wires) > 0 {
			w := s.wires[s.random.IntN(len(s.wires))]
			s.note("half-open: %v", w)
			w.stuck[s.random.IntN(2)] = true
		}
	case 6:
		if server := s.servers[i]; server != nil {
			s.note("%d loads its configuration again", i)
			o := *server.mesh.options
			o.Routes = s.routes()
			server.step(configured{&o})
		}
	}
}

func pairOf(i, j int) [2]int { return [2]int{min(i, j), max(i, j)} }

// routes are those of a server: always the seed, 0, also for the seed itself, and perhaps others.
func (s *simulation) routes() []*url.URL {
	routes := []*url.URL{{Scheme: "nats-route", Host: addrOf(0)}}
	for range s.random.IntN(3) {
		if j := s.random.IntN(len(s.servers)); j != 0 {
			routes = append(routes, &url.URL{Scheme: "nats-route", Host: addrOf(j)})
		}
	}
	return routes
}

func ipOfServer(i int) string { return fmt.Sprintf("10.0.0.%d", i+1) }
func addrOf(i int) string     { return ipOfServer(i) + ":6222" }

// numberAt returns which server listens at an address.
func numberAt(addr string) int {
	var i int
	if _, err := fmt.Sscanf(addr, "10.0.0.%d:6222", &i); err != nil {
		return -1
	}
	return i - 1
}

// simServer is a server: the mesh that is tested, the table of interest that is tested, and a model of the rest.
type simServer struct {
	s       *simulation
	i       int
	id      string
	mesh    *mesh
	table   interest.Table[string]
	ends    map[linkID]*simEnd
	told    []*simEnd // that interest is announced to
	last    linkID
	wakeAt  time.Time
	stopped bool

	local    map[string]bool // subjects that clients here are subscribed to
	got      map[string]int  // messages that they have got, by "subject publisher number"
	latest   map[string]int  // number of the last one, by "subject publisher"
	sequence int
}

// simEnd is one end of a link.
type simEnd struct {
	server *simServer
	id     linkID
	wire   *simWire
	side   int
	remote map[string]bool // interest of the other server
	closed bool
}

// simWire is a connection.
type simWire struct {
	ends  [2]*simEnd
	clock [2]time.Time // when the last line sent by an end arrives
	stuck [2]bool      // what an end sends gets lost
	held  [2][]func(other *simEnd)
}

func (w *simWire) String() string {
	name := func(e *simEnd) string {
		if e == nil {
			return "?"
		}
		return fmt.Sprint(e.server.i)
	}
	return name(w.ends[0]) + "-" + name(w.ends[1])
}

// start starts server i, with an id that it has not had before.
func (s *simulation) start(i int) {
	s.started++
	v := &simServer{s: s, i: i, id: fmt.Sprintf("S%08x%d", s.random.Uint32(), s.started), ends: make(map[linkID]*simEnd),
		local: make(map[string]bool), got: make(map[string]int), latest: make(map[string]int)}
	s.servers[i] = v
	o := (&Options{Host: ipOfServer(i), Port: 6222, Routes: s.routes()}).withDefaults()
	if s.random.IntN(4) < s.named {
		o.Name = "C1"
	}
	v.mesh = newMesh(self{id: v.id, name: v.id, port: 6222, urls: []string{ipOfServer(i) + ":4222"}}, o, s.random.Uint64(), s.now)
	for _, subject := range simSubjects {
		if s.random.IntN(2) == 0 {
			v.subscribe(subject)
		}
	}
	v.step(tick{})
}

// stop ends a server. Others notice unless they cannot.
func (v *simServer) stop() {
	v.stopped = true
	for _, e := range v.sortedEnds() {
		v.close(e)
	}
}

func (v *simServer) sortedEnds() []*simEnd {
	var ends []*simEnd
	for _, e := range v.ends {
		ends = append(ends, e)
	}
	slices.SortFunc(ends, func(a, b *simEnd) int { return int(a.id) - int(b.id) })
	return ends
}

// step hands the mesh an event and does what it asks for.
func (v *simServer) step(e event) {
	if v.stopped {
		return
	}
	for _, a := range v.mesh.step(v.s.now, e) {
		v.perform(a)
	}
	next := v.mesh.next()
	if !next.IsZero() && (v.wakeAt.IsZero() || next.Before(v.wakeAt) || !v.wakeAt.After(v.s.now)) {
		v.wakeAt = next
		v.s.after(max(0, next.Sub(v.s.now)), func() {
			if !v.stopped && v.wakeAt.Equal(next) {
				v.wakeAt = time.Time{}
				v.step(tick{})
			}
		})
	}
}

func (v *simServer) perform(a action) {
	switch a := a.(type) {
	case dial:
		v.dial(a)
	case resolve:
		v.s.fail("a literal address was resolved: %v", a)
	case send:
		v.send(a.link, a.line)
	case ping:
		v.send(a.link, wire.Ping)
	case announce:
		v.announce(a.link)
	case drop:
		if e := v.ends[a.link]; e != nil {
			v.close(e)
			v.s.after(0, func() { v.step(closed{link: a.link}) })
		}
	case tellClients, say:
	}
}

// dial connects to another server, if it can be reached.
func (v *simServer) dial(a dial) {
	s, j := v.s, numberAt(a.addr)
	if j < 0 || j >= len(s.servers) {
		s.fail("server %d dials %s, which nobody has told it", v.i, a.addr)
		return
	}
	if s.cut[pairOf(v.i, j)] {
		s.after(dialTime, func() { v.step(undialled{a.dial, "i/o timeout"}) })
		return
	}
	s.after(s.delay(), func() {
		other := s.servers[j]
		if other == nil || v.stopped {
			v.step(undialled{a.dial, "connection refused"})
			return
		}
		w := &simWire{clock: [2]time.Time{s.now, s.now}}
		s.wires = append(s.wires, w)
		theirs := other.attach(w, 1)
		mine := v.attach(w, 0)
		s.note("%d dials %d", v.i, j)
		other.step(accepted{link: theirs.id, ip: ipOfServer(v.i)})
		v.step(dialled{dial: a.dial, link: mine.id, ip: ipOfServer(j)})
	})
}

func (v *simServer) attach(w *simWire, side int) *simEnd {
	v.last++
	e := &simEnd{server: v, id: v.last, wire: w, side: side, remote: make(map[string]bool)}
	v.ends[e.id], w.ends[side] = e, e
	return e
}

// close ends a link at one end. The other one hears of it, unless there is a partition.
func (v *simServer) close(e *simEnd) {
	if e.closed {
		return
	}
	e.closed = true
	delete(v.ends, e.id)
	v.told = slices.DeleteFunc(v.told, func(other *simEnd) bool { return other == e })
	v.transmit(e, func(other *simEnd) {
		other.server.close(other)
		other.server.step(closed{link: other.id})
	})
}

// transmit lets something happen at the other end, behind what was sent before. What is sent into a partition arrives when it
// is over, as TCP sends it again; what is sent on a half-open link is lost, and so is all that follows.
func (v *simServer) transmit(e *simEnd, do func(other *simEnd)) {
	w := e.wire
	if other := w.ends[1-e.side]; other == nil || w.stuck[e.side] {
		return
	}
	w.held[e.side] = append(w.held[e.side], do)
	if len(w.held[e.side]) == 1 {
		v.pass(e)
	}
}

// resendTime is how long it takes until TCP tries again.
const resendTime = 300 * time.Millisecond

// pass sends on what is held.
func (v *simServer) pass(e *simEnd) {
	w, s := e.wire, v.s
	other := w.ends[1-e.side]
	if s.cut[pairOf(v.i, other.server.i)] {
		s.after(resendTime, func() { v.pass(e) })
		return
	}
	for _, do := range w.held[e.side] {
		at := s.now.Add(s.delay())
		if at.Before(w.clock[e.side]) {
			at = w.clock[e.side]
		}
		w.clock[e.side] = at
		s.after(at.Sub(s.now), func() {
			if !other.closed {
				do(other)
			}
		})
	}
	w.held[e.side] = nil
}

// send sends a line.
func (v *simServer) send(id linkID, line string) {
	if e := v.ends[id]; e != nil && !e.closed {
		v.transmit(e, func(other *simEnd) { other.server.receive(other, line) })
	}
}

// receive handles a line of another server.
func (v *simServer) receive(e *simEnd, line string) {
	var p wire.Parser
	op, n, err := p.NextRoute([]byte(line))
	if err != nil || n != len(line) {
		v.s.fail("server %d gets %q: %v", v.i, line, err)
		return
	}
	switch op {
	case wire.OpInfo:
		i, err := parseInfo(bytes.Clone(p.Arg))
		if err != nil {
			v.s.fail("server %d gets %q: %v", v.i, line, err)
			return
		}
		i.TieBreak = i.TieBreak && !v.s.simple
		v.step(informed{e.id, i})
	case wire.OpConnect:
		var c connect
		if err := json.Unmarshal(p.Arg, &c); err != nil {
			v.s.fail("server %d gets %q: %v", v.i, line, err)
		}
		v.step(greeted{link: e.id, connect: &c})
	case wire.OpPing:
		v.send(e.id, wire.Pong)
	case wire.OpPong:
		v.step(ponged{e.id})
	case wire.OpRSub:
		e.remote[string(p.Subject)] = true
	case wire.OpRUnsub:
		delete(e.remote, string(p.Subject))
	case wire.OpRMsg:
		v.deliver(e, string(p.Subject), string(p.Payload))
	default:
		v.s.fail("server %d gets %q", v.i, line)
	}
}

// announce tells a link of the interest here, and from then on of its changes.
func (v *simServer) announce(id linkID) {
	if e := v.ends[id]; e != nil {
		v.table.Join(func() { v.told = append(v.told, e) }, func(k interest.Key[string], weight int) { v.send(id, interestLine(k, weight)) })
	}
}

func interestLine(k interest.Key[string], weight int) string {
	return string(wire.AppendInterest(nil, k.Account, k.Subject, k.Queue, weight))
}

var simSubjects = []string{"a", "b", "c"}

// subscribe and unsubscribe are what a client does.
func (v *simServer) subscribe(subject string) {
	if !v.local[subject] {
		v.local[subject] = true
		v.change(subject, 1)
	}
}

func (v *simServer) unsubscribe(subject string) {
	if v.local[subject] {
		delete(v.local, subject)
		v.change(subject, -1)
	}
}

func (v *simServer) change(subject string, by int) {
	v.table.Change(interest.Key[string]{Account: "$G", Subject: subject}, by, func(k interest.Key[string], weight int) {
		for _, e := range v.told {
			v.send(e.id, interestLine(k, weight))
		}
	})
}

// publish is what a client does.
func (v *simServer) publish(subject string) {
	v.sequence++
	v.deliver(nil, subject, fmt.Sprintf("%s %d", v.id, v.sequence))
}

// deliver brings a message, which came over from (nil: from a client), to clients here and to other servers.
func (v *simServer) deliver(from *simEnd, subject, payload string) {
	if from != nil {
		if sender := from.wire.ends[1-from.side].server; !strings.HasPrefix(payload, sender.id+" ") {
			v.s.fail("server %d gets %s %s from %d: a second hop", v.i, subject, payload, sender.i)
			return
		}
	}
	if v.local[subject] {
		v.got[subject+" "+payload]++
		if v.got[subject+" "+payload] > 1 && v.s.checked {
			v.s.fail("server %d gets %s %s twice", v.i, subject, payload)
		}
		publisher, number, _ := strings.Cut(payload, " ")
		var n int
		_, _ = fmt.Sscan(number, &n) // it is a number
		if last := v.latest[subject+" "+publisher]; n <= last && v.s.checked {
			v.s.fail("server %d gets %s %s after %d", v.i, subject, payload, last)
		}
		v.latest[subject+" "+publisher] = n
	}
	if !broker.MayForward(from != nil, true) {
		return
	}
	for _, e := range v.sortedEnds() {
		if e.remote[subject] && !e.closed {
			v.send(e.id, fmt.Sprintf("RMSG $G %s %d\r\n%s\r\n", subject, len(payload), payload))
		}
	}
}

// traffic lets clients subscribe, unsubscribe and publish. Once everything is checked, they only publish.
func (s *simulation) traffic(n int) {
	for _, v := range s.servers {
		if v == nil {
			continue
		}
		for range n {
			subject := simSubjects[s.random.IntN(len(simSubjects))]
			switch choice := s.random.IntN(4); {
			case s.checked || choice < 2:
				v.publish(subject)
			case choice == 2:
				v.subscribe(subject)
			default:
				v.unsubscribe(subject)
			}
		}
	}
}

// checkMesh: each server has one link to each other, both ends agree on it, and know what the other is interested in.
func (s *simulation) checkMesh() error {
	for i, v := range s.servers {
		if v == nil {
			return fmt.Errorf("server %d has not come back", i)
		}
		if len(v.mesh.peers) != len(s.servers)-1 || len(v.ends) != len(s.servers)-1 {
			return fmt.Errorf("server %d has %d peers and %d links, want %d of each; missing: %+v", i, len(v.mesh.peers), len(v.ends), len(s.servers)-1, v.mesh.missing())
		}
		for _, e := range v.ends {
			other := e.wire.ends[1-e.side]
			if other.closed || other.server.stopped {
				return fmt.Errorf("server %d keeps a dead link to %d", i, other.server.i)
			}
			for _, subject := range simSubjects {
				if e.remote[subject] != other.server.local[subject] {
					return fmt.Errorf("server %d believes that %d is interested in %s: %v", i, other.server.i, subject, e.remote[subject])
				}
			}
		}
		if urls := v.mesh.told.urls; len(urls) != len(s.servers)-1 {
			return fmt.Errorf("clients of server %d are told of %v", i, urls)
		}
	}
	return nil
}

// checkDelivery: every message published since checkMesh came to every interested server. That none came twice or out of
// order was checked as it came.
func (s *simulation) checkDelivery() {
	for _, v := range s.servers {
		for _, other := range s.servers {
			for key := range v.got {
				subject, message, _ := strings.Cut(key, " ")
				if s.published(message) && other.local[subject] && other.got[key] != 1 {
					s.fail("server %d got %s, server %d has it %d times", v.i, key, other.i, other.got[key])
				}
			}
		}
	}
}

// published reports whether a message is from the last part of the simulation, when all of them count.
func (s *simulation) published(message string) bool {
	publisher, number, _ := strings.Cut(message, " ")
	for _, v := range s.servers {
		if v.id == publisher {
			var n int
			_, _ = fmt.Sscan(number, &n) // it is a number
			return n > v.sequence-20
		}
	}
	return false
}

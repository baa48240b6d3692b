package broker

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"sync"
	"sync/atomic"
	"time"

	"github.com/natsd/natsd/internal/wire"
)

// maxHops is the most accounts that a message gets to one after the other.
const maxHops = 8

// anyResponse begins the reply subjects that services of other accounts see, of any server. Then comes what tells the servers apart.
const anyResponse = "_R_."

// crossing is the memory of a worker for messages that go to other accounts, one for each hop.
type crossing struct {
	mapped []byte
	hops   [maxHops]struct {
		event          wire.Event
		subject, reply []byte
	}
}

// mapSubject replaces the subject of the message that is published, if the account says so.
func (w *worker) mapSubject(l *links, e *wire.Event) {
	for _, m := range l.mappings {
		if len(m.destinations) == 0 || !m.destinations[0].Matches(e.Subject) {
			continue
		}
		at := 0
		if last := m.destinations[len(m.destinations)-1].upTo; len(m.destinations) > 1 || last < 100 {
			at = w.pick(100)
		}
		for i := range m.destinations {
			if at < m.destinations[i].upTo {
				w.cross().mapped = m.destinations[i].Append(w.cross().mapped[:0], e.Subject)
				e.Subject = w.crossing.mapped
				break
			}
		}
		w.parser.Repeated = false // of what was published, not of what became of it
		return
	}
}

// cross returns the memory for crossings.
func (w *worker) cross() *crossing {
	if w.crossing == nil {
		w.crossing = &crossing{}
	}
	return w.crossing
}

// deliverAcross queues m, published by c in from, for other accounts, and reports whether anybody took it. A stream crosses
// on every server for the clients there, a request to a service where it is published. What has come from another account is
// a request at most: whoever exports a stream decides which accounts get it, and not those who do.
func (w *worker) deliverAcross(c *conn, m message, from *account, hop int) bool {
	taken, text := false, m.matched()
	if from.responses.waiting.Load() > 0 && bytes.HasPrefix(text, w.b.responsePrefix) {
		taken = w.deliverResponse(c, m, from, hop)
	}
	l := from.links.Load()
	if l == nil || hop == maxHops {
		return taken
	}
	if hop == 0 && !m.crossedAbroad(c) { // what has crossed goes on as a request only: docs/spec/config.md B6
		for _, s := range l.streams {
			if s.name.Matches(text) {
				memory := &w.cross().hops[hop]
				memory.subject = s.name.Append(memory.subject[:0], text)
				taken = w.deliverIn(c, m, s.to, memory.subject, m.Reply, hop, false) || taken
			}
		}
	}
	if c.route != nil {
		return taken // requests have crossed where they were published
	}
	for _, s := range l.services {
		if s.name.Matches(m.Subject) {
			taken = w.deliverRequest(c, m, from, s, hop) || taken
		}
	}
	return taken
}

// crossedAbroad reports whether m, of c, is seen to have come from another account on the server that sent it: as a request to a
// service, whose answer is expected there. Of what needs no answer it cannot be seen: docs/spec/config.md B6.
func (m message) crossedAbroad(c *conn) bool {
	return c.route != nil && len(m.Reply) > len(anyResponse) && string(m.Reply[:len(anyResponse)]) == anyResponse
}

// deliverIn queues m under another subject and reply in an account, and in those that import from that. Other servers get it if
// abroad is true.
func (w *worker) deliverIn(c *conn, m message, to *account, subject, reply []byte, hop int, abroad bool) bool {
	w.seal() // what was published before comes before
	memory := &w.cross().hops[hop]
	memory.event = *m.Event
	if m.Matched == nil {
		memory.event.Subject = subject
	} else {
		memory.event.Matched = subject // what is shown stays
	}
	if !bytes.Equal(reply, m.Reply) {
		memory.event.Reply, memory.event.Tail = reply, nil
	}
	crossed := message{&memory.event, m.headers}
	taken := w.deliverEach(c, crossed, w.reader.Match(to.index, subject), to, abroad)
	return w.deliverAcross(c, crossed, to, hop+1) || taken
}

// deliverRequest queues a request in the account that exports the service. Its reply subject is not that of the client but
// one that the answer finds its way back from.
func (w *worker) deliverRequest(c *conn, m message, from *account, s *serviceLink, hop int) bool {
	memory := &w.cross().hops[hop]
	memory.subject = s.name.Append(memory.subject[:0], m.Subject)
	if len(m.Reply) == 0 {
		return w.deliverIn(c, m, s.from, memory.subject, nil, hop, true)
	}
	token := newResponseToken()
	s.from.responses.expect(token, &response{to: from, reply: string(m.Reply), single: s.single, time: s.responseTime})
	memory.reply = append(append(memory.reply[:0], w.b.responsePrefix...), token...)
	if w.deliverIn(c, m, s.from, memory.subject, memory.reply, hop, true) {
		return true
	}
	s.from.responses.forget(token)
	return false
}

// deliverResponse queues an answer in the account of who asked. Answers that are not expected are dropped.
func (w *worker) deliverResponse(c *conn, m message, from *account, hop int) bool {
	r := from.responses.take(string(m.matched()[len(w.b.responsePrefix):]))
	if r == nil || hop == maxHops {
		return false
	}
	memory := &w.cross().hops[hop]
	memory.subject = append(memory.subject[:0], r.reply...)
	return w.deliverIn(c, m, r.to, memory.subject, m.Reply, hop, true)
}

// newResponseToken returns a token that nobody guesses.
func newResponseToken() string {
	var random [12]byte
	_, _ = rand.Read(random[:]) // it never fails, as documented
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// maxResponses is the most requests to the services of one account that may wait for answers. One more replaces others.
const maxResponses = 64 << 10

// responses are the answers that an account owes others.
type responses struct {
	waiting atomic.Int64 // len(mu.open)
	mu      struct {     // guards everything inside it
		sync.Mutex
		open map[string]*response // by token
	}
}

// response is an answer that is expected.
type response struct {
	to      *account // of who asked
	reply   string
	single  bool
	time    time.Duration // that it may take, from the request, or from the answer before
	expires time.Time
}

// expect opens a reply subject. Locks: takes r.mu.
func (r *responses) expect(token string, answer *response) {
	now := time.Now()
	answer.expires = now.Add(answer.time)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mu.open == nil {
		r.mu.open = make(map[string]*response)
	}
	if len(r.mu.open) >= maxResponses {
		r.makeRoomLocked(now)
	}
	r.mu.open[token] = answer
	r.waiting.Store(int64(len(r.mu.open)))
}

// makeRoomLocked drops what has expired, and others if little has. Locks: needs r.mu.
func (r *responses) makeRoomLocked(now time.Time) {
	for token, answer := range r.mu.open {
		if now.After(answer.expires) {
			delete(r.mu.open, token)
		}
	}
	for token := range r.mu.open {
		if len(r.mu.open) < maxResponses-maxResponses/8 {
			return // for a while: looking through all of them takes time
		}
		delete(r.mu.open, token)
	}
}

// forget closes a reply subject. Locks: takes r.mu.
func (r *responses) forget(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.mu.open, token)
	r.waiting.Store(int64(len(r.mu.open)))
}

// take returns what is expected on a reply subject, nil if nothing is. Locks: takes r.mu.
func (r *responses) take(token string) *response {
	r.mu.Lock()
	defer r.mu.Unlock()
	answer := r.mu.open[token]
	if answer == nil {
		return nil
	}
	now := time.Now()
	late := now.After(answer.expires)
	if late || answer.single {
		delete(r.mu.open, token)
		r.waiting.Store(int64(len(r.mu.open)))
	}
	if late {
		return nil
	}
	answer.expires = now.Add(answer.time)
	return answer
}

package broker

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxSlow is the number of slow consumers that are remembered.
const maxSlow = 100

// Bounds of what is looked at in the backlog of a slow consumer.
const (
	maxBacklogLook = 1 << 20 // bytes
	topSubjects    = 5
)

// SlowConsumer is a connection that was cut because it was too slow.
type SlowConsumer struct {
	Time        time.Time // of the cut
	Conn        ConnState // as it was then
	Link        bool      // it was another server
	Limit       string    // that was hit: max_pending or write_deadline
	LimitValue  int64     // bytes, or nanoseconds
	BehindSince time.Time // since when it had a backlog; zero: not known
	Subjects    []BacklogSubject
}

// BacklogSubject is a subject with many messages in a backlog.
type BacklogSubject struct {
	Subject  string
	Messages int64
	Bytes    int64 // with what is around the payload
}

// slowLog remembers the slow consumers that were cut last.
type slowLog struct {
	mu struct { // guards everything inside it
		sync.Mutex
		last           ring[SlowConsumer]
		clients, links int64 // cut so far
	}
}

func (l *slowLog) add(s SlowConsumer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.Link {
		l.mu.links++
	} else {
		l.mu.clients++
	}
	l.mu.last.add(s, maxSlow)
}

// noteSlow remembers a connection that was cut.
func (b *Broker) noteSlow(s SlowConsumer) {
	s.Conn.conn = nil
	if a := b.live.Load().authority.accounts[s.Conn.Account]; a != nil && !s.Link {
		a.slow.Add(1)
	}
	b.slow.add(s)
}

// SlowConsumers returns the last 100 connections that were cut because they were too slow, the latest first.
func (b *Broker) SlowConsumers() []SlowConsumer {
	b.slow.mu.Lock()
	defer b.slow.mu.Unlock()
	list := b.slow.mu.last.all()
	slices.Reverse(list)
	return list
}

// describeSlow returns what there is to know of c, which is about to be cut. Locks: takes c.out.mu and c.subs.mu, one after the
// other.
func (c *conn) describeSlow(limit string, value int64) SlowConsumer {
	s := SlowConsumer{Time: time.Now(), Conn: c.state(), Link: c.route != nil, Limit: limit, LimitValue: value}
	var count backlogCount
	c.out.mu.Lock()
	if c.out.mu.behindSince != 0 {
		s.BehindSince = c.b.timeOf(c.out.mu.behindSince)
	}
	count.read(c.out.mu.spans)
	c.out.mu.Unlock()
	s.Subjects = count.top()
	return s
}

// backlogCount counts messages in a queue by subject. It reads what was encoded for a client, or for a link.
type backlogCount struct {
	subjects map[string]*BacklogSubject
	looked   int
	skip     int    // bytes of a payload that are still to come
	line     []byte // the beginning of a line that went on in the next span
}

// read counts what is in spans, which begin where a message begins.
func (k *backlogCount) read(spans []span) {
	k.subjects = make(map[string]*BacklogSubject)
	for _, s := range spans {
		if k.looked > maxBacklogLook || len(k.subjects) > 10*topSubjects*topSubjects {
			return
		}
		text := s.bytes()
		k.looked += len(text)
		for len(text) > 0 {
			if k.skip > 0 {
				n := min(k.skip, len(text))
				k.skip -= n
				text = text[n:]
				continue
			}
			end := bytes.IndexByte(text, '\n')
			if end < 0 {
				k.line = append(k.line, text...)
				break
			}
			k.line = append(k.line, text[:end+1]...)
			text = text[end+1:]
			k.count(string(k.line))
			k.line = k.line[:0]
		}
	}
}

// count notes the message whose control line is given.
func (k *backlogCount) count(line string) {
	words := strings.Fields(line)
	at := 1
	switch {
	case len(words) < 4 || !strings.HasSuffix(words[0], "MSG"):
		return
	case strings.HasPrefix(words[0], "R"), words[0] == "HMSG" && words[1] == globalAccount:
		at = 2 // the account comes first
	}
	size, err := strconv.Atoi(words[len(words)-1])
	if err != nil || size < 0 {
		return
	}
	k.skip = size + len("\r\n")
	s := k.subjects[words[at]]
	if s == nil {
		s = &BacklogSubject{Subject: words[at]}
		k.subjects[words[at]] = s
	}
	s.Messages++
	s.Bytes += int64(len(line) + k.skip)
}

// top returns the subjects with the most bytes.
func (k *backlogCount) top() []BacklogSubject {
	list := make([]BacklogSubject, 0, len(k.subjects))
	for _, s := range k.subjects {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b BacklogSubject) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), strings.Compare(a.Subject, b.Subject))
	})
	return list[:min(len(list), topSubjects)]
}

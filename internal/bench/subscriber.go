package bench

import (
	"context"
	"strconv"
	"sync/atomic"
)

// subscriber is a connection that gets messages, and answers them if it is a responder.
//
// Goroutine: run, until link.stop.
type subscriber struct {
	play     *play
	index    int
	group    *group
	line     string // its subscription
	answers  bool
	counters *counters
	samples  *samples
	link     link

	last    []uint64 // by publisher: number of its last message, plus one
	silence int64    // the longest time between two messages, in nanoseconds
	first   int64    // when the first message came, see clock; 0: none has
	before  int64    // when the last message came
	reply   []byte

	behindFence atomic.Bool // see fence.go
}

// connect makes the first connection.
func (s *subscriber) connect(ctx context.Context) error {
	c, err := s.open(ctx)
	if err == nil {
		s.link.set(c)
	}
	return err
}

// open connects and subscribes.
func (s *subscriber) open(ctx context.Context) (*client, error) {
	c, err := s.play.run.target.dial(ctx, s.index, nil)
	if err != nil {
		return nil, err
	}
	if err := c.subscribe(s.line); err != nil {
		_ = c.Close() // it is of no use
		return nil, err
	}
	c.widen()
	return c, nil
}

// run takes what comes until the run is over.
func (s *subscriber) run() {
	defer s.samples.flush()
	for {
		c := s.link.current()
		if c == nil {
			return
		}
		if err := s.take(c); !s.play.restore(&s.link, err, s.open) {
			return
		}
	}
}

// take takes what comes on c, one read after the other.
func (s *subscriber) take(c *client) error {
	for {
		if err := c.fill(); err != nil {
			return err
		}
		if err := s.batch(c, s.play.run.clock.now()); err != nil {
			return err
		}
	}
}

// batch takes what one read has brought, at the time now.
//
// Hot path: once per message.
func (s *subscriber) batch(c *client, now int64) error {
	var m message
	messages, bytes, pong := int64(0), int64(0), false
	s.group.mu.Lock() // nobody else wants it, but the other members of a queue group
	for {
		e, err := c.parse(&m)
		if err != nil || e == eventMore {
			s.group.mu.Unlock()
			s.count(messages, bytes, now)
			s.samples.settle(now)
			if pong { // the only one since it has subscribed
				s.behindFence.Store(true)
			}
			if err == nil {
				err = s.flushReplies(c)
			}
			return err
		}
		if e != eventMessage {
			pong = pong || e == eventPong
			continue
		}
		if s.answers {
			s.answer(&m)
			continue
		}
		if s.note(&m, now) {
			messages++
			bytes += int64(len(m.payload))
		}
	}
}

// count counts what one read has brought.
func (s *subscriber) count(messages, bytes, now int64) {
	if messages == 0 {
		return
	}
	if s.before != 0 {
		s.silence = max(s.silence, now-s.before)
	} else {
		s.first = now
	}
	s.before = now
	s.counters.add(messages, bytes, now)
}

// note puts m down in the ledger, and reports whether it is one of this run. Locks: needs s.group.mu.
func (s *subscriber) note(m *message, now int64) bool {
	p := s.play
	mark, numbered := readStamp(m.payload)
	if !numbered {
		s.group.bare++
		return true
	}
	if s.isForeign(mark, now) {
		p.foreign.Add(1)
		return false
	}
	for mark.publisher >= len(s.group.ledgers) {
		s.group.ledgers = append(s.group.ledgers, ledger{})
	}
	for mark.publisher >= len(s.last) {
		s.last = append(s.last, 0)
	}
	book := &s.group.ledgers[mark.publisher]
	if p.Kind == Sub && book.isEmpty() {
		book.beginAt(mark.number)
	}
	isNew := book.add(mark.number)
	if last := &s.last[mark.publisher]; mark.number+1 > *last {
		*last = mark.number + 1
	} else if isNew && p.Kind != Request { // replies come as they are ready
		p.reordered.Add(1)
	}
	if isNew && (p.Cold || mark.at >= p.run.measureFrom.Load()) {
		s.samples.add(now - mark.at)
	}
	return isNew
}

// maxMissing is how many messages of a publisher in another process may be missing in a row before a number is not believed any more:
// books are kept up to it.
const maxMissing = 1 << 24

// isForeign reports whether a message is not of this run: nobody here has sent it, or not at such a time. Locks: needs s.group.mu.
func (s *subscriber) isForeign(mark stamp, now int64) bool {
	p := s.play
	switch {
	case mark.at != 0 && (mark.at > now+maxLatency || mark.at < now-maxLatency):
		return true
	case p.Kind == Sub: // the first message of a publisher may have any number
		if mark.publisher >= len(s.group.ledgers) || s.group.ledgers[mark.publisher].isEmpty() {
			return false
		}
		book := &s.group.ledgers[mark.publisher]
		return mark.number < book.base || mark.number > book.end+maxMissing
	}
	return mark.publisher >= len(p.publishers) || mark.number >= uint64(p.publishers[mark.publisher].counters.messages.Load())
}

// answer queues a reply with the payload of m.
func (s *subscriber) answer(m *message) {
	if len(m.reply) == 0 {
		return
	}
	s.reply = append(s.reply, "PUB "...)
	s.reply = append(s.reply, m.reply...)
	s.reply = append(s.reply, ' ')
	s.reply = strconv.AppendInt(s.reply, int64(len(m.payload)), 10)
	s.reply = append(s.reply, "\r\n"...)
	s.reply = append(s.reply, m.payload...)
	s.reply = append(s.reply, "\r\n"...)
}

// flushReplies sends the replies.
func (s *subscriber) flushReplies(c *client) error {
	if len(s.reply) == 0 {
		return nil
	}
	err := c.write(s.reply)
	s.reply = s.reply[:0]
	return err
}

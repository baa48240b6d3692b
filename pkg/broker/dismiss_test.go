package broker

import (
	"strings"
	"testing"
)

// TestUnsubscribedAtOnce: what follows an UNSUB, or the last message of an UNSUB with a number, in the same packet finds the subscription
// gone, though subscriptions are dismissed together. Spec: docs/spec/client-protocol.md §6.2, §7, §8.3.
func TestUnsubscribedAtOnce(t *testing.T) {
	b := launch(t, Options{MaxSubscriptions: 3})
	p := join(t, b, `{"verbose":false,"headers":true,"no_responders":true}`)
	const noResponders = "HMSG _INBOX 9 33 33\r\nNATS/1.0 503\r\nNats-Subject: a\r\n\r\n\r\n"
	for _, step := range []struct{ send, want string }{
		{"SUB _INBOX 9\r\nSUB a 1\r\nSUB a 2\r\nPUB a 1\r\nx\r\nUNSUB 1\r\nUNSUB 2\r\nPUB a 1\r\ny\r\n", "MSG a 1 1\r\nx\r\nMSG a 2 1\r\nx\r\n"},
		{"SUB a 1\r\nUNSUB 1\r\nPUB a _INBOX 0\r\n\r\n", noResponders},
		{"SUB a 1\r\nUNSUB 1 1\r\nPUB a 1\r\nx\r\nPUB a _INBOX 0\r\n\r\n", "MSG a 1 1\r\nx\r\n" + noResponders},
		{"SUB a 1\r\nUNSUB 1 1\r\nPUB a 1\r\nx\r\nSUB a 1\r\nPUB a 1\r\ny\r\nPUB a 1\r\nz\r\nUNSUB 1\r\n", "MSG a 1 1\r\nx\r\nMSG a 1 1\r\ny\r\nMSG a 1 1\r\nz\r\n"},
		{"SUB a 1\r\nPUB a 1\r\nx\r\nUNSUB 1 2\r\nPUB a 1\r\ny\r\nSUB a 1\r\nPUB a 1\r\nz\r\nUNSUB 1\r\n", "MSG a 1 1\r\nx\r\nMSG a 1 1\r\ny\r\nMSG a 1 1\r\nz\r\n"},
		{"SUB c 3\r\nSUB a 1\r\nPUB a 1\r\nx\r\nUNSUB 1 2\r\nPUB a 1\r\ny\r\nSUB b 2\r\nUNSUB 2\r\nUNSUB 3\r\n", "MSG a 1 1\r\nx\r\nMSG a 1 1\r\ny\r\n"},
		{"SUB a q 1\r\nSUB a q 2\r\nUNSUB 1\r\n" + strings.Repeat("PUB a 1\r\nx\r\n", 3) + "UNSUB 2\r\nUNSUB 2\r\nUNSUB 7\r\n", strings.Repeat("MSG a 2 1\r\nx\r\n", 3)},
	} {
		p.send(step.send + "PING\r\n")
		p.expect(strings.Split(step.want+"PONG", "\r\n")...)
	}
	if n := b.live.Load().authority.global.index.Count(); n != 1 {
		t.Errorf("%d subscriptions are left, want the inbox", n)
	}
}

// TestSIDIsFreeAfterTheLastMessage: a client that has got the last message of a subscription may use its sid again, even if whoever
// sent that message has not taken the subscription out yet. Spec: docs/spec/client-protocol.md §6.2, §7.
func TestSIDIsFreeAfterTheLastMessage(t *testing.T) {
	x := newBench(t, Options{})
	c, publisher := x.connect("CONNECT "+plainConnect+"\r\nSUB a 1\r\nUNSUB 1 1\r\n"), x.connect("CONNECT "+plainConnect+"\r\n")
	index := x.b.live.Load().authority.global.index
	x.b.tell(func(w *worker) {
		if _, _, err := w.parser.Next([]byte(pub("a", 5))); err != nil {
			t.Fatal(err)
		}
		w.deliver(publisher, message{&w.parser.Event, false}, w.reader.Match(index, []byte("a")), x.b.live.Load().authority.global)
		w.seal()
		if len(w.leaving) != 1 {
			t.Fatalf("%d subscriptions have got their last message, want 1", len(w.leaving))
		}
		c.feed([]byte("SUB a 1\r\n"))
	})
	if n := index.Count(); n != 1 {
		t.Errorf("%d subscriptions, want the new one", n)
	}
	publisher.feed([]byte(pub("a", 5)))
	if n := sentTo(c); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
}

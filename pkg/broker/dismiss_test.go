package broker

import (
	"strings"
	"testing"
)

// TestUnsubscribedAtOnce: what follows an UNSUB, or the last message of an UNSUB with a number, in the same packet finds the subscription
// gone, though subscriptions are dismissed together. Spec: docs/spec/client-protocol.md §6.2, §7, §8.3.
func TestUnsubscribedAtOnce(t *testing.T) {
	b := launch(t, Options{})
	p := join(t, b, `{"verbose":false,"headers":true,"no_responders":true}`)
	const noResponders = "HMSG _INBOX 9 33 33\r\nNATS/1.0 503\r\nNats-Subject: a\r\n\r\n\r\n"
	for _, step := range []struct{ send, want string }{
		{"SUB _INBOX 9\r\nSUB a 1\r\nSUB a 2\r\nPUB a 1\r\nx\r\nUNSUB 1\r\nUNSUB 2\r\nPUB a 1\r\ny\r\n", "MSG a 1 1\r\nx\r\nMSG a 2 1\r\nx\r\n"},
		{"SUB a 1\r\nUNSUB 1\r\nPUB a _INBOX 0\r\n\r\n", noResponders},
		{"SUB a 1\r\nUNSUB 1 1\r\nPUB a 1\r\nx\r\nPUB a _INBOX 0\r\n\r\n", "MSG a 1 1\r\nx\r\n" + noResponders},
		{"SUB a 1\r\nUNSUB 1 1\r\nPUB a 1\r\nx\r\nSUB a 1\r\nPUB a 1\r\ny\r\nPUB a 1\r\nz\r\nUNSUB 1\r\n", "MSG a 1 1\r\nx\r\nMSG a 1 1\r\ny\r\nMSG a 1 1\r\nz\r\n"},
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
	b := launch(t, Options{})
	p := joinQuiet(t, b)
	p.send("SUB a 1\r\nUNSUB 1 1\r\n")
	p.roundTrip()
	c := p.serverSide(b)
	b.tell(func(publisher *worker) {
		c.subs.mu.Lock()
		s := c.subs.findLocked([]byte("1"))
		c.subs.mu.Unlock()
		c.closeSubscription(s) // it has got its last message
		publisher.dismissLater(s)
		p.send("SUB a 1\r\nPUB a 1\r\nx\r\n")
		p.expect("MSG a 1 1", "x")
	})
	p.send("PUB a 1\r\ny\r\n") // the other was dismissed
	p.expect("MSG a 1 1", "y")
}

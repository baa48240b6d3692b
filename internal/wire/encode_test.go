package wire

import "testing"

func TestEncoders(t *testing.T) { // docs/spec/client-protocol.md §8
	b := func(s string) []byte { return []byte(s) }
	for _, c := range []struct{ name, got, want string }{
		{"MSG", string(AppendMsgTail(AppendMsgHead(nil, b("foo"), b("1"), false), nil, nil, b("2"), b("ok"))), "MSG foo 1 2\r\nok\r\n"},
		{"MSG with reply", string(AppendMsgTail(AppendMsgHead(nil, b("foo"), b("1"), false), b("r"), nil, b("2"), b("ok"))), "MSG foo 1 r 2\r\nok\r\n"},
		{"MSG echoes the digits", string(AppendMsgTail(AppendMsgHead(nil, b("foo"), b("1"), false), nil, nil, b("005"), b("hello"))), "MSG foo 1 005\r\nhello\r\n"},
		{"MSG without payload", string(AppendMsgTail(AppendMsgHead(nil, b("foo"), b("1"), false), nil, nil, b("0"), nil)), "MSG foo 1 0\r\n\r\n"},
		{"HMSG", string(AppendMsgTail(AppendMsgHead(nil, b("foo"), b("1"), true), nil, b("12"), b("14"), b("NATS/1.0\r\n\r\nok"))), "HMSG foo 1 12 14\r\nNATS/1.0\r\n\r\nok\r\n"},
		{"HMSG with reply", string(AppendMsgTail(AppendMsgHead(nil, b("foo"), b("1"), true), b("r"), b("12"), b("14"), b("NATS/1.0\r\n\r\nok"))), "HMSG foo 1 r 12 14\r\nNATS/1.0\r\n\r\nok\r\n"},
		{"-ERR", string(AppendErr(nil, "Invalid Subject")), "-ERR 'Invalid Subject'\r\n"},
		{"-ERR does not escape quotes", string(AppendErr(nil, `Violation "a'b"`)), "-ERR 'Violation \"a'b\"'\r\n"},
		{"INFO ends with a blank", string(AppendInfo(nil, b("{}"))), "INFO {} \r\n"},
		{"head goes behind what is there", string(AppendMsgHead(b("x"), b("foo"), b("1"), false)), "xMSG foo 1 "},
		{"tail goes behind what is there", string(AppendMsgTail(b("x"), nil, nil, b("0"), nil)), "x0\r\n\r\n"},
		{"-ERR goes behind what is there", string(AppendErr(b("x"), "t")), "x-ERR 't'\r\n"},
		{"INFO goes behind what is there", string(AppendInfo(b("x"), b("{}"))), "xINFO {} \r\n"},
		{"fixed lines", OK + Ping + Pong + CRLF, "+OK\r\nPING\r\nPONG\r\n\r\n"},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, c.want)
		}
	}
}

func TestMessages(t *testing.T) {
	b := func(s string) []byte { return []byte(s) }
	var all []byte
	length, payloads := []int{0}, []int{0}
	for _, m := range []struct{ reply, header, size, payload string }{
		{"", "", "2", "ok"}, {"r", "", "0", ""}, {"9", "12", "14", "NATS/1.0\r\n\r\nok"}, {"", "", "005", "\r\n\r\n5"}, {"", "0", "1", "\n"}, {"", "", "1", "x"},
	} {
		all = AppendMsgTail(AppendMsgHead(all, b("foo.bar"), b("17"), m.header != ""), b(m.reply), b(m.header), b(m.size), b(m.payload))
		length, payloads = append(length, len(all)), append(payloads, payloads[len(payloads)-1]+len(m.payload))
	}
	for n := range length {
		gotLength, gotPayloads := Messages(all, n)
		if gotLength != length[n] || gotPayloads != payloads[n] {
			t.Errorf("%d messages: got %d bytes with %d of payload, want %d and %d", n, gotLength, gotPayloads, length[n], payloads[n])
		}
	}
}

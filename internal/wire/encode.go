package wire

import "bytes"

// Fixed lines a server sends.
const (
	OK   = "+OK\r\n"
	Ping = "PING\r\n"
	Pong = "PONG\r\n"
	CRLF = "\r\n"
)

// AppendMsgHead appends "MSG subject sid " or, with headers, "HMSG subject sid ". What follows is Event.Tail of
// a canonical publish, or the work of AppendMsgTail.
func AppendMsgHead[S ~string | ~[]byte](dst, subject []byte, sid S, headers bool) []byte {
	if headers {
		dst = append(dst, 'H')
	}
	dst = append(dst, "MSG "...)
	dst = append(dst, subject...)
	dst = append(dst, ' ')
	dst = append(dst, sid...)
	return append(dst, ' ')
}

// AppendMsgTail appends "[reply ][header size ]size\r\npayload\r\n". An empty headerText means a MSG.
func AppendMsgTail(dst, reply, headerText, sizeText, payload []byte) []byte {
	if len(reply) > 0 {
		dst = append(dst, reply...)
		dst = append(dst, ' ')
	}
	if len(headerText) > 0 {
		dst = append(dst, headerText...)
		dst = append(dst, ' ')
	}
	dst = append(dst, sizeText...)
	dst = append(dst, CRLF...)
	dst = append(dst, payload...)
	return append(dst, CRLF...)
}

// AppendErr appends "-ERR 'text'\r\n". text is sent as it is: the texts are part of the protocol
// (docs/spec/client-protocol.md §13) and must hold neither CR nor LF.
func AppendErr(dst []byte, text string) []byte {
	dst = append(dst, "-ERR '"...)
	dst = append(dst, text...)
	return append(dst, "'\r\n"...)
}

// AppendInfo appends an INFO line. The blank between the JSON and the line end is part of the framing
// (docs/spec/client-protocol.md §2.1).
func AppendInfo(dst, json []byte) []byte {
	dst = append(dst, "INFO "...)
	dst = append(dst, json...)
	return append(dst, " \r\n"...)
}

// Messages returns the length of the first n messages in b, which holds nothing but complete MSG and HMSG lines with
// their payloads as this package encodes them, and the bytes of those payloads. n is at most the number there are.
func Messages(b []byte, n int) (length, payloads int) {
	for range n {
		line := bytes.IndexByte(b[length:], '\n')
		control := b[length : length+line-1]
		size, _ := parseSize(control[bytes.LastIndexByte(control, ' ')+1:])
		length += line + 1 + int(size) + len(CRLF)
		payloads += int(size)
	}
	return length, payloads
}

package broker

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/natsd/natsd/internal/wire"
	"github.com/rs/zerolog"
)

// secretKeys are the keys of CONNECT whose values never reach the log (docs/spec/cli.md §8.4).
var secretKeys = []string{"pass", "auth_token", "sig", "jwt", "natsd_handover"}

const redacted = "[REDACTED]"

// traceIn logs a line that c has sent, and its payload. Source: docs/spec/cli.md §8.4.
func (c *conn) traceIn(op wire.Op, e *wire.Event) {
	words := [][]byte{[]byte(op.String())}
	switch op {
	case wire.OpPub, wire.OpHPub:
		words = append(words, e.Subject, e.Reply)
		if op == wire.OpHPub {
			words = append(words, e.HeaderText)
		}
		words = append(words, e.SizeText)
	case wire.OpSub:
		words = append(words, e.Subject, e.Queue, e.SID)
	case wire.OpRMsg, wire.OpRHMsg, wire.OpMsg:
		words = append(words, traceRouted(op, e)...)
	case wire.OpRSub, wire.OpRUnsub:
		words = append(words, e.Account, e.Subject, e.Queue)
		if op == wire.OpRSub && e.Weight > 0 {
			words = append(words, []byte(jsonText(e.Weight)))
		}
	case wire.OpUnsub:
		words = append(words, e.SID)
		if e.Max > 0 {
			words = append(words, []byte(jsonText(e.Max)))
		}
	case wire.OpConnect:
		words = append(words, []byte(redactConnect(e.Arg)))
	case wire.OpInfo, wire.OpErr:
		words = append(words, e.Arg)
	}
	words = deleteEmpty(words)
	c.log(zerolog.TraceLevel).Msgf("<<- [%s]", bytes.Join(words, []byte(" ")))
	switch op {
	case wire.OpPub, wire.OpHPub, wire.OpRMsg, wire.OpRHMsg, wire.OpMsg:
		c.tracePayload(e.Payload)
	}
}

// traceRouted returns the arguments of a message from another server.
func traceRouted(op wire.Op, e *wire.Event) [][]byte {
	if op == wire.OpMsg {
		return [][]byte{e.Subject, e.SID, e.Reply, e.SizeText}
	}
	words := [][]byte{e.Account, e.Subject}
	if e.Listed {
		words = append(words, []byte("|"))
	}
	return append(words, e.Reply, e.Queues, e.HeaderText, e.SizeText)
}

// tracePayload logs a payload, cut after Options.MaxTracedPayload bytes. Source: docs/spec/cli.md §8.4.
func (c *conn) tracePayload(payload []byte) {
	if most := c.b.live.Load().MaxTracedPayload; most > 0 && len(payload) > most {
		c.log(zerolog.TraceLevel).Msgf("<<- MSG_PAYLOAD: [%q...]", payload[:most])
		return
	}
	c.log(zerolog.TraceLevel).Msgf("<<- MSG_PAYLOAD: [%q]", payload)
}

func deleteEmpty(words [][]byte) [][]byte {
	kept := words[:0]
	for _, word := range words {
		if len(word) > 0 {
			kept = append(kept, word)
		}
	}
	return kept
}

// traceOut logs a line that is queued for c, without its payload.
func (c *conn) traceOut(line []byte) {
	text, _, _ := bytes.Cut(line, []byte(wire.CRLF))
	text = bytes.TrimSuffix(text, []byte(" ")) // of INFO
	c.log(zerolog.TraceLevel).Msgf("->> [%s]", bytes.TrimPrefix(text, []byte("+")))
}

// redactConnect returns the JSON of CONNECT without its secrets. What is not JSON is not shown at all, since
// nobody can tell where a secret begins in it.
func redactConnect(text []byte) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil {
		return redacted
	}
	for key := range fields {
		for _, secret := range secretKeys {
			if strings.EqualFold(key, secret) {
				fields[key] = json.RawMessage(`"` + redacted + `"`)
			}
		}
	}
	return jsonText(fields)
}

// jsonText renders v, which can always be rendered.
func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return redacted
	}
	return string(text)
}

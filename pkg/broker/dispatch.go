package broker

import (
	"bytes"
	"errors"

	"github.com/natsd/natsd/internal/wire"
	"github.com/rs/zerolog"
)

// dispatch does what the event op in w.parser asks for and reports whether c stays open. When it does not, c.ending is
// set and the last words are queued.
func (c *conn) dispatch(w *worker, op wire.Op) bool {
	if c.b.live.Load().traceOn {
		c.traceIn(op, &w.parser.Event)
	}
	w.active = w.active || op != wire.OpPing && op != wire.OpPong
	if op != wire.OpUnsub { // those in a row are dismissed together
		w.dismiss()
	}
	switch op {
	case wire.OpPub, wire.OpHPub:
		open := c.publish(w, op)
		w.dismiss()
		return open
	case wire.OpPing:
		w.say(c, pongLine)
		c.firstPong(w)
	case wire.OpPong:
		c.ponged(w) // nothing else resets the count: docs/spec/client-protocol.md §10.2
	case wire.OpSub:
		c.subscribe(w)
	case wire.OpUnsub:
		c.unsubscribeSID(w)
	case wire.OpConnect:
		return c.connect(w)
	case wire.OpInfo:
		return c.ignoreInfo(w)
	case wire.OpErr:
		c.errorf("Client Error %s", w.parser.Arg)
		c.end(reasonClientClosed)
		return false
	case wire.OpOK, wire.OpNone:
	}
	return true
}

// acknowledge queues +OK for a verbose client (docs/spec/client-protocol.md §3).
func (c *conn) acknowledge(w *worker) {
	if c.verbose {
		w.say(c, okLine)
	}
}

// end says that c is to close for the given reason, after what is queued was written.
func (c *conn) end(reason closeReason) { c.ending.CompareAndSwap(nil, &reason) }

// fail queues -ERR with text and ends c. It returns false, for the verb to return.
func (c *conn) fail(w *worker, text string, reason closeReason) bool {
	w.sayErr(c, text)
	c.end(reason)
	return false
}

// refuse answers input that the parser did not accept. Source: docs/spec/client-protocol.md §4.3, §9.
func (c *conn) refuse(w *worker, err error) {
	switch {
	case errors.Is(err, wire.ErrMaxPayload):
		c.tooLarge(w, c.b.live.Load().MaxPayload)
		return
	case errors.Is(err, wire.ErrControlLine):
		c.logBadInput(w, err)
		c.fail(w, errTextControlLine, reasonMaxControlLine)
		return
	case errors.Is(err, wire.ErrUnknownOp):
		w.sayErr(c, errTextUnknownOp)
	}
	c.logBadInput(w, err)
	c.fail(w, errTextParser, reasonParseError)
}

// logBadInput logs a fault in the input and the beginning of it.
func (c *conn) logBadInput(w *worker, err error) {
	if c.muted() {
		return
	}
	const shown = 32 // bytes, docs/spec/client-protocol.md §4.3
	input := withoutSecrets(w.in[w.start:min(w.end, w.start+shown)])
	c.log(zerolog.ErrorLevel).Msgf("Error reading from client: %v: %q", err, input)
}

// withoutSecrets returns the beginning of input, up to where a CONNECT, perhaps a garbled one, could have a password.
func withoutSecrets(input []byte) []byte {
	const verb = len("CONNECT")
	if len(input) > verb && bytes.EqualFold(input[:verb], []byte("CONNECT")) {
		return input[:verb]
	}
	before, _, _ := bytes.Cut(input, []byte("{"))
	return before
}

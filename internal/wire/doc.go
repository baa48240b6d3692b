// Package wire is the NATS client protocol as bytes: a parser that turns input into events and encoders that
// append output. It has no sockets, no clock, no logger and no state beyond one line:
// what a call of [Parser.Next] knows of the calls before it is [Parser.Skipping] alone.
//
// The parser is pulled: [Parser.Next] looks at the bytes at hand and returns the next complete event and how many
// bytes it used, or [OpNone] when it needs more. The caller keeps what was not used and offers it again in
// front of what the next read brings, so the parser never copies a byte. How the input is cut never changes the
// events; a fuzz target holds it to that.
//
// Grammar and limits: docs/spec/client-protocol.md §4 and §5. What the server does with an event is not decided here.
package wire

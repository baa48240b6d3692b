// Package subject holds the rules for NATS subjects: what a token is, which subjects are valid where, and what a
// wildcard pattern matches. Rules: docs/spec/client-protocol.md §6.1 to §6.3.
//
// A subject is one or more tokens separated by '.'; a token is one or more bytes. In a pattern, the token "*" stands
// for exactly one token, and the token ">" in last place stands for one or more. Inside a longer token ("foo*", ">x")
// both are ordinary bytes. A subject that is published is always literal: its own "*" and ">" tokens are ordinary
// bytes as well, so that "foo.*" can be published and reaches "foo.*", "foo.>", "*.*" and ">", but not "foo.bar".
//
// Every function is pure, works on strings and byte slices alike, allocates nothing, keeps no reference to its
// arguments and takes time linear in their length. It is not the package that finds subscribers: that is sublist.
package subject

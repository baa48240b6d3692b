// Package permission decides what a user may publish, subscribe to and receive.
//
// Rules are what a configuration says: per direction a list of what is allowed, or everything, and a list of what is
// denied. Compile turns them into a Set, which answers. A nil *Set may do everything.
//
// A list is kept as a trie of tokens, so that an answer takes as long as the subject is deep and not as the list is long.
// Answers about literal subjects, which are asked for on the hot path, are cached (cache.go); everything else is asked
// when somebody subscribes.
//
// The rules are those of docs/spec/client-protocol.md §12. What a denial names is never published, subscribed to or
// received, whatever else is allowed; only Responses, which the caller applies, go over it, as in nats-server.
package permission

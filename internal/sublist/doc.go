// Package sublist finds the subscriptions that match a subject. An [Index] holds those of one account: exact
// subjects, patterns with "*" and ">", and queue groups on either; a [Reader] matches for one goroutine. It knows
// nothing of connections and of what a subscription is: values of any comparable type are stored and returned.
// Rules: docs/spec/client-protocol.md §6.1, §6.3 and §6.4.
//
// # Structure
//
// Literal subjects are in one hash table, patterns in a trie of tokens. Each subject or pattern has a set, which is
// an immutable [Result]: a change makes a new one and publishes it with an atomic store. If just one set matches, a
// match returns the set itself, so that its pointer identifies the subscribers; if several do, they are merged.
//
// # Concurrency
//
// Matching takes no lock. Insert and Remove take Index.mu, one writer at a time, and store what readers load. A match
// sees every change that returned before it began.
//
// # Cache
//
// What matches a subject is cached in the leaf of the subject in the hash table. A change of a literal subject touches
// that leaf only. A change of a pattern is announced in a ring of recent changes; a cached result that is older
// than the last change is compared with the patterns in between and kept if none of them can match. So a cache
// survives whatever others subscribe to, and nobody empties it.
//
// A subject without subscriptions of its own gets a leaf, for its cached result only, when it was seen before not
// long ago (doorkeeper): inboxes, used once, leave nothing behind. The number of such leaves is bounded, by less while there
// are few patterns: then a walk through the trie costs less than a lookup that misses the processor's cache.
// What else a cache keeps alive is bounded as well (cacheState.debt).
//
// # Cost
//
// A match of the reader's last subject takes about 10 ns, of a cached one 25 to 35, of one that is not cached
// some 15 ns for each token; none allocates. Insert is amortised O(1), Remove O(subscriptions on the pattern), RemoveAll
// O(what goes + subscriptions on its patterns). A literal subscription takes about 200 bytes.
package sublist

// Package testutil is what tests of several packages share: a raw client of the client protocol, a player for
// transcripts of that protocol, golden files and a check for leaked goroutines. Only _test files import it.
//
// It starts no goroutines and knows no server: tests pass it an address or a function that starts one. Everything that
// waits has a deadline of [Patience] and fails the test with what was read so far.
package testutil

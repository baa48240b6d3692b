// Package password compares passwords and tokens with what a configuration holds, which may be bcrypt hashes.
//
// A bcrypt comparison costs tens of milliseconds of processor time, and anybody who can connect can ask for one. So a
// Verifier makes them a few at a time, in turn for each place that asks, and for no longer than the asker waits; and it
// remembers which passwords were right, not as such but as a keyed digest.
package password

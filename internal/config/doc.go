// Package config turns files, the environment and the command line into one Config.
//
// One table, Schema, knows every key: its path, aliases, type, unit, default, environment variable, flag, whether it can
// be reloaded, whether it is secret. Everything that deals with keys reads it: the check of a file and its suggestions,
// the flags of `natsd serve`, `natsd config`, the reference in docs/, the man page and the JSON schema.
//
// The way of a configuration:
//
//	text ─ confparse ─> Document ─ check ─> tree ─┐
//	environment ──────────────────> layer ────────┼─ merge (Viper) ─> Settings ─ build ─> Config
//	flags ────────────────────────> layer ────────┘
//
// check compares the document with the Schema and gathers what is wrong, merge decides per key which layer counts (flag,
// then environment, then file, then default) and remembers where each value came from, build makes typed values and
// checks rules that span keys. Maps in which names are chosen by users never pass through Viper, which would change
// them (docs/adr/0006).
//
// Spec: docs/spec/config.md part B (keys) and C (reload), docs/spec/cli.md §3 and §4 (flags and precedence).
package config

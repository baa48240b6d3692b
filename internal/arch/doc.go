// Package arch holds no code but a test: the import table of docs/architecture.md, and the house rules that a compiler
// does not check.
package arch

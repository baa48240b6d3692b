// Package iostreams bundles the three standard streams of a program, so that code which talks to the
// outside never names os.Stdin, os.Stdout or os.Stderr, and tests can hand it memory instead.
//
// It is not a logger and knows no formats. It starts no goroutines. A Streams value is immutable
// after it is made; a Buffer locks itself.
package iostreams

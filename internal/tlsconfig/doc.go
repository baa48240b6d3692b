// Package tlsconfig makes TLS configurations from what a configuration file or the command line says, and keeps their
// certificates fresh: a certificate whose files have changed is read again, without a restart and without a signal.
//
// It is one way for both, so that an option cannot be safe in one place and forgotten in the other. Source:
// docs/spec/config.md B4.
package tlsconfig

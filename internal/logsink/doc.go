// Package logsink turns log events into the lines of the classic NATS log and puts them where they
// belong.
//
// The program logs through zerolog, which hands each event as one JSON object to a writer. Text is
// such a writer: it renders `[PID] DATE TIME [LABEL] text` and writes every line with one call. File is
// the log file below it, which can be re-opened after somebody renamed it. NewLogger builds the
// logger above it, where debug and trace are two independent switches.
//
// The package decides nothing about where to log; the command line does. A Queue has one goroutine, which its Close ends, and a File
// one for each backup that is compressed, which its Close waits for. A Text and a File lock themselves; a Text may hold its lock while it writes, because a log line
// must not be torn apart by another.
//
// Spec: docs/spec/cli.md §8.1 (lines), §8.2 (file), §8.3 (system log), §8.4 (connection prefix).
package logsink

package cmd

import (
	"fmt"

	"github.com/natsd/natsd/internal/logsink"
	"github.com/natsd/natsd/pkg/broker"
)

// openLog opens the log that o asks for: the log file, or else standard error. close gives the file
// back; lines logged after it are lost.
// Source: docs/spec/cli.md §4 (log sinks), §8.1, §8.2.
func (o *serveOptions) openLog() (sink *logsink.Text, close func() error, err error) {
	format := logsink.Format{PID: o.factory.PID, PrefixField: broker.FieldConn}
	if o.logTime {
		format.Now = o.factory.Now
	}
	if o.logFile == "" {
		format.Color = o.factory.Streams.ErrIsDevice() && !o.factory.noColor()
		return logsink.NewText(o.factory.Streams.Err, format), func() error { return nil }, nil
	}
	file, err := logsink.OpenFile(o.logFile)
	if err != nil {
		return nil, nil, fmt.Errorf("error opening file: %w", err)
	}
	return logsink.NewText(file, format), file.Close, nil
}

// noColor reports whether the environment asks for output without colours, as https://no-color.org says.
func (f *Factory) noColor() bool {
	value, _ := f.LookupEnv("NO_COLOR")
	return value != ""
}

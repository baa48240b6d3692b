package cmd

import (
	"fmt"
	"io"
	"time"

	"github.com/natsd/natsd/internal/config"
	"github.com/natsd/natsd/internal/logsink"
	"github.com/natsd/natsd/pkg/broker"
)

// openLog opens the log that c asks for: the log file, or else standard error. The file, if there is one, is for the
// caller to close.
// Source: docs/spec/cli.md §4 (log sinks), §8.1, §8.2.
func (f *Factory) openLog(c *config.Log) (io.Writer, logsink.Format, error) {
	format := logsink.Format{PID: f.PID, PrefixField: broker.FieldConn}
	switch {
	case c.Time && c.UTC:
		format.Now = func() time.Time { return f.Now().UTC() }
	case c.Time:
		format.Now = f.Now
	}
	if c.File == "" {
		format.Color = f.Streams.ErrIsDevice() && !f.noColor()
		return f.Streams.Err, format, nil
	}
	file, err := logsink.OpenFile(c.File)
	if err != nil {
		return nil, format, fmt.Errorf("error opening file: %w", err)
	}
	return file, format, nil
}

// closeLog closes a log if it is a file.
func closeLog(log io.Writer) error {
	if file, isFile := log.(*logsink.File); isFile {
		return file.Close()
	}
	return nil
}

// levelsOf returns the levels that c asks for.
func levelsOf(c *config.Log) logsink.Levels {
	return logsink.Levels{Debug: c.Debug, Trace: c.Trace || c.TraceVerbose || c.TraceHeaders}
}

// noColor reports whether the environment asks for output without colours, as https://no-color.org says.
func (f *Factory) noColor() bool {
	value, _ := f.LookupEnv("NO_COLOR")
	return value != ""
}

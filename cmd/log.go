package cmd

import (
	"fmt"
	"io"
	"time"

	"github.com/natsd/natsd/internal/config"
	"github.com/natsd/natsd/internal/logsink"
	"github.com/natsd/natsd/pkg/broker"
)

// logPatience is how long a system log may take for the lines that wait when it is closed. Source: docs/spec/cli.md §8.3.
const logPatience = 3 * time.Second

// lostLines says that a system log was closed before it had all lines.
const lostLines = "%d lines of the log are lost, the system log did not take them in time"

// openLog opens the log that c asks for: the log file, the system log, or else standard error. It is for the caller to close,
// with closeLog.
// Source: docs/spec/cli.md §4 (log sinks), §8.1, §8.2, §11 (a service).
func (f *Factory) openLog(c *config.Log) (io.Writer, logsink.Format, error) {
	format := f.logFormat(c)
	switch {
	case c.File != "":
		file, err := logsink.OpenFile(c.File, logsink.Rotation{Size: c.SizeLimit, Files: c.MaxFiles, Age: c.MaxAge, Compress: c.Compress, Now: time.Now})
		if err != nil {
			return nil, format, fmt.Errorf("error opening file: %w", err)
		}
		return file, format, nil
	case f.logsToSystem(c):
		system, err := f.openSystemLog(c.RemoteSyslog)
		if err != nil {
			return nil, format, err
		}
		return logsink.NewQueue(system, logPatience), format, nil
	}
	return f.Streams.Err, format, nil
}

// logFormat returns the format of the lines of the log that c asks for. It opens nothing: a reload that leaves the log where it is may still
// change its format.
func (f *Factory) logFormat(c *config.Log) logsink.Format {
	format := logsink.Format{PID: f.PID, PrefixField: broker.FieldConn, JSON: c.JSON}
	switch {
	case c.Time && c.UTC:
		format.Now = func() time.Time { return f.Now().UTC() }
	case c.Time:
		format.Now = f.Now
	}
	toStream := c.File == "" && !f.logsToSystem(c)
	format.Color = toStream && f.Streams.ErrIsDevice() && !f.noColor() && !format.JSON
	return format
}

// logsToSystem reports whether a log without a file goes to the system log.
func (f *Factory) logsToSystem(c *config.Log) bool {
	return c.RemoteSyslog != "" || c.Syslog || f.Service
}

// openSystemLog opens the system log at address.
func (f *Factory) openSystemLog(address string) (logsink.LeveledCloser, error) {
	if f.SystemLog != nil {
		return f.SystemLog(address, f.programName())
	}
	return logsink.OpenSystem(address, f.programName())
}

// closeLog closes a log if it is more than a standard stream, and returns how many of its lines are lost.
func closeLog(log io.Writer) (lost int64, err error) {
	switch log := log.(type) {
	case *logsink.File:
		return 0, log.Close()
	case *logsink.Queue:
		err := log.Close()
		return log.Lost(), err
	}
	return 0, nil
}

// finishLog closes the log at the end of the program. Only standard error is left to tell of lines that are lost.
func (f *Factory) finishLog(log io.Writer) error {
	lost, err := closeLog(log)
	if lost > 0 {
		fmt.Fprintf(f.Streams.Err, "%s: "+lostLines+"\n", programName, lost)
	}
	return err
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

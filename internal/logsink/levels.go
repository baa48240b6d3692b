package logsink

import (
	"io"

	"github.com/rs/zerolog"
)

// Levels says which of the two chatty levels are shown. They are independent: Trace without Debug
// shows protocol lines but no debugging output, as it does in gnatsd. All other levels are always shown.
type Levels struct{ Debug, Trace bool }

// NewLogger returns a logger that writes the events of levels to w. Events that are not shown cost
// one comparison.
func NewLogger(w io.Writer, levels Levels) zerolog.Logger {
	logger := zerolog.New(w)
	switch {
	case levels.Trace && levels.Debug:
		return logger.Level(zerolog.TraceLevel)
	case levels.Trace:
		// A threshold alone cannot leave out a level in the middle.
		return logger.Level(zerolog.TraceLevel).Sample(withoutDebug{})
	case levels.Debug:
		return logger.Level(zerolog.DebugLevel)
	default:
		return logger.Level(zerolog.InfoLevel)
	}
}

// withoutDebug is a zerolog sampler that takes every event but those of the debug level.
type withoutDebug struct{}

// Sample reports whether an event of level is shown.
func (withoutDebug) Sample(level zerolog.Level) bool { return level != zerolog.DebugLevel }

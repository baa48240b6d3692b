package cmd

import (
	"os"
	"os/signal"
	"syscall"
)

// pendingSignals is how many signals may wait while the server handles one.
const pendingSignals = 16

// catchSignals starts to catch the signals a server understands: Ctrl-C, and what closing the console
// or the session turns into on Windows.
func catchSignals() (<-chan os.Signal, func()) {
	signals := make(chan os.Signal, pendingSignals)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	return signals, func() { signal.Stop(signals) }
}

// actionOf returns what s asks for.
func actionOf(s os.Signal) signalAction {
	if service, ok := s.(serviceSignal); ok {
		return signalAction(service)
	}
	switch s {
	case os.Interrupt:
		return actionQuit
	case syscall.SIGTERM:
		return actionTerm
	default:
		return actionNone
	}
}

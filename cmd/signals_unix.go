//go:build unix

package cmd

import (
	"os"
	"os/signal"
	"syscall"
)

// pendingSignals is how many signals may wait while the server handles one.
const pendingSignals = 16

// catchSignals starts to catch the signals a server understands. A broken pipe on standard error is
// ignored from then on: losing the reader of the log must not end the server.
func catchSignals() (<-chan os.Signal, func()) {
	signals := make(chan os.Signal, pendingSignals)
	signal.Ignore(syscall.SIGPIPE)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP)
	return signals, func() {
		signal.Stop(signals)
		signal.Reset(syscall.SIGPIPE)
	}
}

// actionOf returns what s asks for.
func actionOf(s os.Signal) signalAction {
	switch s {
	case syscall.SIGINT:
		return actionQuit
	case syscall.SIGTERM:
		return actionTerm
	case syscall.SIGUSR1:
		return actionReopen
	case syscall.SIGUSR2:
		return actionLameDuck
	case syscall.SIGHUP:
		return actionReload
	default:
		return actionNone
	}
}

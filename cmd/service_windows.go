package cmd

import (
	"context"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/windows/svc"
)

// serviceName is what natsd is called as a service. Source: docs/spec/cli.md §11.
const serviceName = "natsd"

// envConsole keeps natsd in the console though it looks like a service.
const envConsole = "NATS_DOCKERIZED"

// startPatience is how long a service may take until it serves.
const startPatience = 10 * time.Second

// runAsService runs the command line as a service if the service manager has started it, and reports whether it has.
func runAsService(f *Factory, run func(context.Context, *Factory) int) (code int, isService bool) {
	if value, _ := f.LookupEnv(envConsole); value == "1" {
		return 0, false
	}
	if yes, err := svc.IsWindowsService(); err != nil || !yes {
		return 0, false
	}
	s := &service{f: f, run: run, signals: make(chan os.Signal, pendingSignals), ready: make(chan struct{}, 1)}
	f.Signals = func() (<-chan os.Signal, func()) { return s.signals, func() {} }
	f.Notify = s.note
	if err := svc.Run(serviceName, s); err != nil {
		return exitFailure, true
	}
	return s.code, true
}

// service is natsd under the service manager.
type service struct {
	f       *Factory
	run     func(context.Context, *Factory) int
	signals chan os.Signal
	ready   chan struct{}
	code    int
}

// note hears of the state of the server.
func (s *service) note(state string) {
	if strings.HasPrefix(state, "READY=1") {
		select {
		case s.ready <- struct{}{}:
		default:
		}
	}
}

// Execute is for svc.Handler.
func (s *service) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (specific bool, code uint32) {
	const accepted = svc.AcceptStop | svc.AcceptShutdown | svc.AcceptParamChange
	status <- svc.Status{State: svc.StartPending}
	done := make(chan int, 1)
	go func() { done <- s.run(context.Background(), s.f) }()
	select {
	case <-s.ready:
	case code := <-done:
		return false, uint32(code) //nolint:gosec // exit codes are small
	case <-time.After(startPatience):
		return false, 1 // docs/spec/cli.md §11
	}
	status <- svc.Status{State: svc.Running, Accepts: accepted}
	for {
		select {
		case s.code = <-done:
			status <- svc.Status{State: svc.StopPending}
			return false, uint32(s.code) //nolint:gosec // exit codes are small
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				status <- r.CurrentStatus
				continue
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending}
				s.signals <- os.Interrupt
			case svc.ParamChange:
				s.signals <- serviceSignal(actionReload)
			case controlReopen:
				s.signals <- serviceSignal(actionReopen)
			case controlLameDuck:
				s.signals <- serviceSignal(actionLameDuck)
			default:
				s.signals <- serviceSignal(actionNone)
			}
		}
	}
}

// serviceSignal is what a service manager asks for, as a signal.
type serviceSignal signalAction

// Signal is for os.Signal.
func (serviceSignal) Signal() {}

// String names the control request, for the log.
func (s serviceSignal) String() string {
	switch signalAction(s) {
	case actionReload:
		return "param change"
	case actionReopen:
		return "reopen"
	case actionLameDuck:
		return "lame duck"
	default:
		return "unexpected control request"
	}
}

package cmd

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"
	"unsafe"

	"github.com/natsd/natsd/internal/logsink"
	"github.com/rs/zerolog"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
)

// envConsole keeps natsd in the console though it looks like a service.
const envConsole = "NATS_DOCKERIZED"

// startPatience is how long a service may take until it serves.
const startPatience = 10 * time.Second

// runAsService runs the command line as a service if the service manager has started it, and reports whether it has.
func runAsService(f *Factory, run func(context.Context, *Factory) int) (code int, isService bool) {
	if value, _ := f.LookupEnv(envConsole); value == "1" {
		return 0, false
	}
	if !startedByServices() {
		return 0, false
	}
	s := &service{f: f, run: run, signals: make(chan os.Signal, pendingSignals), ready: make(chan struct{}, 1)}
	signals, notify := f.Signals, f.Notify
	f.Signals = func() (<-chan os.Signal, func()) { return s.signals, func() {} }
	f.Notify = s.note
	switch err := svc.Run(serviceName, s); {
	case errors.Is(err, windows.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT): // it only looked like one
		f.Signals, f.Notify = signals, notify
		return 0, false
	case err != nil:
		return exitFailure, true
	}
	return s.code, true
}

// startedByServices reports whether the parent of this process is the service manager. Whether it runs in session 0, which
// svc.IsWindowsService asks as well, does not count: in a container, and under wine, there is no session 0.
func startedByServices() bool {
	snapshot, err := windows.CreateToolhelp32Snapshot(windows.TH32CS_SNAPPROCESS, 0)
	if err != nil {
		return false
	}
	defer func() { _ = windows.CloseHandle(snapshot) }() // nothing more is read
	parent := uint32(os.Getppid())                       //nolint:gosec // process ids of Windows have 32 bits
	entry := windows.ProcessEntry32{Size: uint32(unsafe.Sizeof(windows.ProcessEntry32{}))}
	for err = windows.Process32First(snapshot, &entry); err == nil; err = windows.Process32Next(snapshot, &entry) {
		if entry.ProcessID == parent {
			return strings.EqualFold(windows.UTF16ToString(entry.ExeFile[:]), "services.exe")
		}
	}
	return false
}

// service is natsd under the service manager.
type service struct {
	f       *Factory
	run     func(context.Context, *Factory) int
	signals chan os.Signal
	ready   chan struct{}
	code    int
}

// complaints is the standard error of a service: each line is a fatal event.
type complaints struct{ log *logsink.System }

// Write is for io.Writer.
func (c *complaints) Write(p []byte) (int, error) {
	return len(p), c.log.WriteText(zerolog.FatalLevel, string(p))
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
	s.f.Service = true
	if events, err := logsink.OpenSystem("", s.f.programName()); err == nil {
		defer func() { _ = events.Close() }()      // all is written
		s.f.Streams.Err = &complaints{log: events} // why it does not start
	}
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

package cmd

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
)

// How long a service may take to get where it is sent, and how often it is looked at. Source: docs/spec/cli.md §11.
const (
	servicePatience = 10 * time.Second
	servicePoll     = 300 * time.Millisecond
)

// Controls of ours, beside those that every service knows. Source: docs/spec/cli.md §11.
const (
	controlReopen   = svc.Cmd(128)
	controlLameDuck = svc.Cmd(129)
)

// tellsServices says that signals go to services and not to processes.
const tellsServices = true

// errServices says that processes cannot be told anything here, only services.
var errServices = errors.New("name a service: natsd signal NAME=SERVICE")

// runningServers is for systems without services.
func (f *Factory) runningServers() ([]int, error) { return nil, errServices }

// goneCheck is for systems without services.
func goneCheck(int) func() (bool, error) {
	return func() (bool, error) { return false, errServices }
}

// sendSignal is for systems without services.
func sendSignal(string, int) error { return errServices }

// tellService sends a service what the name of a signal stands for, and waits for it.
func tellService(name, service string) error {
	control, known := map[string]svc.Cmd{
		"stop": svc.Stop, "quit": svc.Stop, "term": svc.Stop, "reload": svc.ParamChange, "reopen": controlReopen, "ldm": controlLameDuck,
	}[name]
	if !known {
		return fmt.Errorf("unknown signal %q", name)
	}
	wanted := svc.Running
	if control == svc.Stop {
		wanted = svc.Stopped
	}
	manager, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("could not access service: %w", err)
	}
	defer func() { _ = manager.Disconnect() }() // nothing more is asked
	s, err := manager.OpenService(service)
	if err != nil {
		return fmt.Errorf("could not access service: %w", err)
	}
	defer func() { _ = s.Close() }() // nothing more is asked
	status, err := s.Control(control)
	if err != nil {
		return fmt.Errorf("could not send control=%d: %w", control, err)
	}
	for end := time.Now().Add(servicePatience); status.State != wanted; {
		if time.Now().After(end) {
			return fmt.Errorf("timeout waiting for service to go to state=%d", wanted)
		}
		time.Sleep(servicePoll)
		if status, err = s.Query(); err != nil {
			return fmt.Errorf("could not retrieve service status: %w", err)
		}
	}
	return nil
}

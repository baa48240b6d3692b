package cmd

import (
	"fmt"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
)

// States of a server.
const (
	statusServing  = "Serving clients"
	statusLameDuck = "Lame duck mode: clients are closed little by little"
)

// envWatchdogPID is the variable with the process that the watchdog is for. Without it, it is for whoever has the environment.
const envWatchdogPID = "WATCHDOG_PID"

// notifier tells a service manager how the server is: sd_notify(3). Without a manager it does nothing.
type notifier struct{ f *Factory }

// say sends lines of state. The manager may have gone, and nothing depends on it.
func (n notifier) say(format string, args ...any) {
	if n.f.Notify != nil {
		n.f.Notify(fmt.Sprintf(format, args...))
	}
}

// ready says that clients are served.
func (n notifier) ready(status string) { n.say("READY=1\nSTATUS=%s", status) }

// reloading says that a reload begins. ready says that it is over.
func (n notifier) reloading() {
	n.say("RELOADING=1\nMONOTONIC_USEC=%d\nSTATUS=Reading the configuration", n.f.monotonic()/time.Microsecond)
}

// stopping says that the server stops.
func (n notifier) stopping(status string) { n.say("STOPPING=1\nSTATUS=%s", status) }

// lameDuck says that the server stops, in lame duck mode, and how long that may take: a manager would kill it after the time that it
// gives every stop.
func (n notifier) lameDuck(limit time.Duration) {
	n.stopping(fmt.Sprintf("%s\nEXTEND_TIMEOUT_USEC=%d", statusLameDuck, limit.Microseconds()))
}

// handedOver says that another process is the server now, and in its name that it serves: what it has said itself up to now
// the manager did not believe.
func (n notifier) handedOver(pid int) { n.say("MAINPID=%d\nSTATUS=%s", pid, statusServing) }

// notifyManager sends state to the service manager.
func notifyManager(state string) { _, _ = systemd.SdNotify(false, state) }

// watchdogInterval returns how often the service manager wants a sign of life, 0 for never. Half of the time is used up.
func watchdogInterval() time.Duration {
	interval, err := systemd.SdWatchdogEnabled(false)
	if err != nil {
		return 0
	}
	return interval / 2
}

package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/natsd/natsd/internal/config"
	"github.com/natsd/natsd/internal/control"
	"github.com/natsd/natsd/internal/logsink"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/rs/zerolog"
)

// stopMargin is how long an orderly stop may take beyond the write deadline, which bounds how long the
// last bytes for a client may take.
const stopMargin = 5 * time.Second

// runServe runs a server as o says, from the first line of its log to the last. It returns nil after
// an orderly stop.
// Source: docs/spec/cli.md §9 (the lines and their order).
func runServe(ctx context.Context, o *serveOptions) (err error) {
	log, format, err := o.factory.openLog(&o.config.Log)
	if err != nil {
		return err
	}
	sink := logsink.NewText(log, format)
	defer func() { err = errors.Join(err, o.factory.finishLog(sink.Replace(io.Discard, format))) }()
	signals, stopSignals := o.factory.Signals()
	defer stopSignals()

	d := &daemon{
		options: o, config: o.config, sink: sink, notify: notifier{o.factory}, over: make(chan struct{}), stopCommands: func() {},
		handovers: make(chan handover), handedOver: make(chan handoverResult, 1),
	}
	defer d.closings.Wait()
	defer func() { d.stopCommands() }()
	defer close(d.over) // ends the answers that the line above waits for
	d.setLogger(logsink.NewLogger(sink, levelsOf(&o.config.Log)))
	sink.RotateIfDue()
	d.announce()
	if d.config.PIDFile != "" {
		d.pidBefore = pidIn(d.config.PIDFile)
		if err := writePIDFile(d.config.PIDFile, o.factory.PID); err != nil {
			return fmt.Errorf("Could not write pidfile: %w", err) //nolint:staticcheck,revive // text of docs/spec/cli.md §6
		}
	}
	defer d.removePIDFile()
	if d.inherited, err = o.factory.inherit(); err != nil {
		return d.fail(zerolog.FatalLevel, err.Error())
	}
	if err := d.start(); err != nil {
		return err
	}
	d.pidBefore = 0 // from now on this is the server
	defer d.profiler.stop()
	defer func() { d.removePortsFile(d.portsFile) }() // that of the last reload
	return d.run(ctx, signals)
}

// listenForCommands begins to answer commands.
func (d *daemon) listenForCommands() {
	if d.options.factory.Commands == nil {
		return
	}
	stop, err := d.options.factory.Commands(d)
	switch {
	case err == nil:
		d.stopCommands = stop
	case !errors.Is(err, errors.ErrUnsupported):
		d.logger.Warn().Msgf("natsd signal --wait and upgrades are not possible: %v", err)
	}
}

// daemon is one running `natsd serve`. All of it belongs to the goroutine of runServe.
type daemon struct {
	options *serveOptions
	config  *config.Config // the one that counts
	sink    *logsink.Text
	logger  zerolog.Logger
	broker  server

	history  history
	profiler *profiler // nil: none
	notify   notifier

	pidBefore  int    // that the pid file held; 0: none, or this server has started
	portsFile  string // that was written; empty: none
	inherited  *inherited
	handovers  chan handover
	handedOver chan handoverResult
	upgrading  *handover     // under way; nil: none
	over       chan struct{} // closed when the daemon ends

	stopCommands func()         // waits for answers under way, which over ends
	closings     sync.WaitGroup // of logs that are no longer used

	warned          expiryWarning // of the certificate for clients
	warnedOfRoutes  expiryWarning
	warnedOfMonitor expiryWarning

	stopped chan error // outcome of the orderly stop; nil until one begins
	ducked  chan error // outcome of lame duck mode; nil until it begins
}

// setLogger makes logger the one that counts.
func (d *daemon) setLogger(logger zerolog.Logger) {
	d.logger = logger
	d.options.certificateLog.Store(&logger)
}

// announce logs which program starts, and what is odd about the way it was called.
func (d *daemon) announce() {
	build := d.options.factory.Build
	commit := build.Commit
	if commit == "" {
		commit = "not set"
	}
	d.logger.Info().Msg("Starting natsd version " + build.Version)
	d.logger.Debug().Msg("Go build version " + build.Go)
	d.logger.Info().Msg("Git commit [" + commit + "]")
	if d.config.File != "" {
		d.logger.Info().Msg("Using configuration file: " + d.config.File)
	}
	for _, warning := range d.options.warnings {
		d.logger.Warn().Msg(warning.Error())
	}
}

// start makes the broker and waits until it takes clients.
func (d *daemon) start() error {
	options := d.nodeOptions(d.config, d.logger)
	d.inheritInto(&options)
	d.history.loaded(d.config)
	if d.options.factory.Real {
		limitMemory(&d.logger)
		checkOpenFiles(d.config, &d.logger)
	}
	b, err := d.options.factory.NewBroker(options)
	if err != nil {
		return d.fail(zerolog.FatalLevel, err.Error())
	}
	if d.config.ProfPort != 0 {
		if d.profiler, err = newProfiler(d.config, d.inheritListener(listenerOfProfiles, d.config.Host, d.config.ProfPort), &d.logger); err != nil {
			return d.fail(zerolog.FatalLevel, err.Error())
		}
	}
	if err := b.Start(); err != nil {
		d.profiler.stop()
		return d.fail(zerolog.FatalLevel, startFailure(err, &options))
	}
	<-b.Ready()
	d.broker = b
	d.inherited.closeRest()
	if d.portsFile, err = d.writePortsFile(d.config.PortsFileDir); err != nil {
		return d.fail(zerolog.FatalLevel, err.Error())
	}
	d.listenForCommands() // before anybody is told that the server is there
	d.logger.Debug().Msg("Server id is " + b.ID())
	d.logger.Info().Msg("Server is ready")
	d.inherited.sayReady()
	d.notify.ready(statusServing)
	d.checkExpiry(time.Now())
	return nil
}

// inheritInto uses inherited listeners in place of new ones.
func (d *daemon) inheritInto(o *nodeOptions) {
	o.Listener = d.inheritListener(listenerClients, o.Host, o.Port)
	if o.cluster != nil {
		o.cluster.Listener = d.inheritListener(listenerRoutes, o.cluster.Host, o.cluster.Port)
		o.cluster.Predecessor = d.inherited.from()
	}
	if o.monitor != nil {
		o.monitor.Listener = d.inheritListener(listenerMonitor, o.monitor.Host, o.monitor.Port)
	}
}

// inheritListener returns the inherited listener with this name, nil if there is none. One that was handed over stays where it is
// when the configuration says another address now, and that is told. Source: docs/spec/cli.md §5.
func (d *daemon) inheritListener(name, host string, port int) net.Listener {
	l := d.inherited.listener(name)
	if l == nil || !d.inherited.handedOver || listensOn(l, host, port) {
		return l
	}
	_, wanted, _ := net.SplitHostPort(l.Addr().String())
	if port > 0 {
		wanted = strconv.Itoa(port)
	}
	d.logger.Warn().Msgf("The port for %s stays on %s, as it was handed over; %s needs a restart", portNames[name], l.Addr(), net.JoinHostPort(host, wanted))
	return l
}

// Status is for commands. Any goroutine.
func (d *daemon) Status() control.Status { return d.history.status(d.options.factory.PID) }

// writePortsFile writes the ports file into a folder and returns its path, empty if there is to be none. Source: docs/spec/cli.md §6.
func (d *daemon) writePortsFile(folder string) (path string, err error) {
	if folder == "" {
		return "", nil
	}
	p := d.broker.Ports()
	if d.profiler != nil {
		p.Profile = urlsOf("http", d.profiler.addr)
	}
	path = portsFile(folder, d.options.factory.programName(), d.options.factory.PID)
	if err := writePortsFile(path, &p); err != nil {
		return "", err
	}
	return path, nil
}

// removePortsFile removes the ports file at path; empty: there is none.
func (d *daemon) removePortsFile(path string) {
	if path == "" {
		return
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.logger.Error().Msgf("cannot remove the ports file: %v", err)
	}
}

// nodeOptions returns the options of the server for a configuration and a logger.
func (d *daemon) nodeOptions(c *config.Config, logger zerolog.Logger) nodeOptions {
	build := &d.options.factory.Build
	o := nodeOptions{Options: c.Broker(), cluster: c.ClusterOptions()}
	o.Logger, o.Version, o.GitCommit = logger, build.Version, build.Commit
	if o.cluster != nil {
		o.cluster.Logger, o.cluster.Version, o.cluster.GitCommit = logger, build.Version, build.Commit
	}
	if o.monitor = c.MonitorOptions(); o.monitor != nil {
		o.monitor.Logger, o.monitor.About = logger, d.history.about
		d.followTLS(o.monitor)
	}
	return o
}

// startFailure returns the log line for a server that cannot listen.
// Source: docs/spec/cli.md §9, last paragraph.
func startFailure(err error, o *nodeOptions) string {
	var listen *net.OpError
	var route routeListenError
	var monitoring monitorListenError
	if errors.As(err, &monitoring) {
		return "Can't start monitoring: " + monitoring.Error()
	}
	if errors.As(err, &route) {
		return fmt.Sprintf("Error listening on router port: %d - %v", max(0, o.cluster.Port), route.error)
	}
	if !errors.As(err, &listen) {
		return err.Error()
	}
	host, port := o.Host, o.Port
	if host == "" {
		host = broker.DefaultHost
	}
	switch port {
	case 0:
		port = broker.DefaultPort
	case broker.RandomPort:
		port = 0
	}
	return fmt.Sprintf("Error listening on port: %s, %q", net.JoinHostPort(host, strconv.Itoa(port)), listen.Error())
}

// fail logs what went wrong and returns that as an error.
func (d *daemon) fail(level zerolog.Level, text string) error {
	// Not logger.Fatal(): that would end the process here, past everything that is deferred.
	d.logger.WithLevel(level).Msg(text)
	if c := &d.config.Log; c.File != "" || c.Syslog || c.RemoteSyslog != "" {
		return errors.New(text) // whoever starts the server does not see the log
	}
	return &loggedError{errors.New(text)}
}

// run handles signals until the server has stopped. It returns nil after an orderly stop.
func (d *daemon) run(ctx context.Context, signals <-chan os.Signal) error {
	// The end of ctx asks for an orderly stop, so it must not cut that stop short.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	asked := ctx.Done()
	expiry := time.NewTicker(expiryInterval)
	defer expiry.Stop()
	var alive <-chan time.Time // when a sign of life is due; nil: never
	if interval := d.options.factory.Watchdog; interval > 0 {
		watchdog := time.NewTicker(interval)
		defer watchdog.Stop()
		alive = watchdog.C
	}
	for {
		var gone <-chan struct{} // closed when the server is gone though nobody asked it to
		if d.stopped == nil && d.ducked == nil {
			gone = d.broker.Done()
		}
		select {
		case <-gone:
			return d.fail(zerolog.ErrorLevel, "the server stopped without being asked to")
		case s := <-signals:
			d.logger.Info().Msgf("Trapped %q signal", s)
			if err := d.handle(work, actionOf(s)); err != nil {
				return err
			}
		case h := <-d.handovers:
			d.beginHandover(h)
		case r := <-d.handedOver:
			if d.endHandover(r) {
				d.retire(work, r.token)
			}
		case <-alive:
			d.broker.Stats() // does not return in a deadlock, and no sign of life is given then
			d.notify.say("WATCHDOG=1")
		case now := <-expiry.C:
			d.checkExpiry(now)
		case <-asked:
			asked = nil
			d.stop(work)
		case err := <-d.stopped:
			d.awaitHandover()
			return d.stopOutcome(err)
		case err := <-d.ducked:
			if done := d.lameDuckOutcome(err); done {
				d.awaitHandover()
				return nil
			}
		}
	}
}

// handle does what a signal asks for. An error ends the process at once.
func (d *daemon) handle(work context.Context, action signalAction) error {
	switch action {
	case actionQuit:
		if d.stopped != nil {
			return d.fail(zerolog.WarnLevel, "Interrupted again, exiting at once; clients may lose buffered data")
		}
		d.stop(work)
	case actionTerm:
		if d.ducked != nil && d.stopped == nil {
			d.logger.Info().Msg("Ignored, lame duck mode stops the server already; interrupt it to stop at once")
			return nil
		}
		d.stop(work)
	case actionLameDuck:
		if d.lameDuck(work) {
			d.notify.lameDuck(d.config.Limits.LameDuckDuration + d.stopLimit())
		}
	case actionReopen:
		d.reopenLog()
	case actionReload:
		d.reload()
	case actionNone:
	}
	return nil
}

// stop begins an orderly stop unless one is under way. The goroutine it starts ends with the stop, or
// soon after work ends; run waits for its outcome.
func (d *daemon) stop(work context.Context) {
	if d.stopped != nil {
		return
	}
	d.notify.stopping("Stopping")
	d.abandonHandover()
	d.stopped = make(chan error, 1)
	limit := d.stopLimit()
	go func() {
		ctx, cancel := context.WithTimeout(work, limit)
		defer cancel()
		d.stopped <- d.broker.Shutdown(ctx)
	}()
}

// stopLimit returns how long an orderly stop may take.
func (d *daemon) stopLimit() time.Duration {
	return d.config.Limits.WriteDeadline + stopMargin
}

// stopOutcome returns how an orderly stop went.
func (d *daemon) stopOutcome(err error) error {
	if err == nil {
		return nil
	}
	return d.fail(zerolog.ErrorLevel, fmt.Sprintf("cannot stop in an orderly way within %s: %v", config.FormatDuration(d.stopLimit()), err))
}

// lameDuck begins lame duck mode unless the server is in it, or stops already, and reports whether it did. The goroutine it
// starts ends with lame duck mode, which also ends when the server stops or work ends.
func (d *daemon) lameDuck(work context.Context) (begun bool) {
	if d.ducked != nil || d.stopped != nil {
		d.logger.Info().Msg("Ignored, the server is stopping already")
		return false
	}
	d.abandonHandover() // nothing to do after a hand-over
	d.ducked = make(chan error, 1)
	go func() { d.ducked <- d.broker.LameDuck(work) }()
	return true
}

// retire leaves the ports to the new process, which knows a token, and goes into lame duck mode.
func (d *daemon) retire(work context.Context, token string) {
	if err := d.broker.Retire(work, token); err != nil {
		d.logger.Error().Msgf("Cannot leave the ports to the new process: %v", err)
	}
	if d.lameDuck(work) {
		d.notify.say("STATUS=%s", statusLameDuck) // no word of a stop: the new process is the server
	}
}

// lameDuckOutcome handles the end of lame duck mode and reports whether the server has stopped with it.
func (d *daemon) lameDuckOutcome(err error) (done bool) {
	switch {
	case d.stopped != nil:
		d.ducked = nil // the orderly stop that cut it short decides
		return false
	case err != nil:
		d.ducked = nil
		d.logger.Error().Msg("cannot finish lame duck mode: " + err.Error())
		return false
	default:
		return true
	}
}

// reopenLog re-opens the log file, for use after it was renamed.
func (d *daemon) reopenLog() {
	err := d.sink.Reopen("File log re-opened")
	switch {
	case errors.Is(err, logsink.ErrNotFile):
		d.logger.Info().Msg("File log re-open ignored, not a file logger")
	case err != nil:
		text := err.Error()
		d.history.reopenError.Store(&text)
		d.logger.Error().Msg("cannot re-open the log file, keeping the old one: " + err.Error())
		return
	}
	d.history.reopens.Add(1)
}

// removePIDFile removes the pid file if it is still ours, or gives it back if this server did not start.
func (d *daemon) removePIDFile() {
	if d.config.PIDFile == "" {
		return
	}
	if err := giveBackPIDFile(d.config.PIDFile, d.options.factory.PID, d.pidBefore); err != nil {
		d.logger.Error().Msg(err.Error())
	}
}

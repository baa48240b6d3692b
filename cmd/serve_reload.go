package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/natsd/natsd/internal/config"
	"github.com/natsd/natsd/internal/logsink"
	"github.com/natsd/natsd/pkg/broker"
)

var errNoConfigFile = errors.New("Can only reload config when a file is provided using -c or --config") //nolint:staticcheck,revive // text of docs/spec/config.md C1

// reload reads the configuration again and applies what changed: all of it, or nothing if a part is refused.
// Source: docs/spec/config.md C1.
func (d *daemon) reload() {
	d.notify.reloading()
	defer d.notify.ready(statusServing)
	changes, warnings, err := d.tryReload()
	if err != nil {
		text := joined(err).Error()
		d.history.reloadError.Store(&text)
		d.history.failed.Add(1)
		d.logger.Error().Msgf("Failed to reload server configuration: %v", joined(err))
		return
	}
	for _, warning := range warnings {
		d.logger.Warn().Msg(warning)
	}
	for _, line := range reloadLines(changes, d.config) {
		d.logger.Info().Msg("Reloaded: " + line)
	}
	d.logger.Info().Msg("Reloaded server configuration")
	d.history.reloadError.Store(nil)
	d.history.reloads.Add(1)
}

// reloadLines returns what the log says about changes, in their order. Blocks that hold secrets are named and not shown.
// Source: docs/spec/config.md C3.
func reloadLines(changes []config.Change, now *config.Config) []string {
	var lines []string
	add := func(line string) {
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	for _, change := range changes {
		block, rest, inside := strings.Cut(change.Path, ".")
		switch {
		case block == "authorization" && rest == "timeout", block == "tls" && rest == "timeout":
			add(fmt.Sprintf("%s timeout = %s", block, change.New))
		case block == "authorization" && rest == "user":
			add("authorization username")
		case block == "authorization" && rest == "default_permissions":
			add("authorization users")
		case block == "authorization" && inside:
			add("authorization " + rest)
		case change.Path == "cluster.routes":
			add("cluster routes")
		case block == "cluster":
			add("cluster")
		case block == "accounts" || block == "mappings":
			add(block)
		case block == "tls" && now.TLS == nil:
			add("tls = disabled")
		case block == "tls":
			add("tls = enabled")
		default:
			add(change.Path + " = " + change.New)
		}
	}
	return lines
}

// tryReload applies the configuration as it is now, or returns why nothing was changed.
func (d *daemon) tryReload() (changes []config.Change, warnings []string, err error) {
	switch d.options.configFile {
	case "":
		return nil, nil, errNoConfigFile
	case "-":
		return nil, nil, errors.New("the configuration came from standard input, which cannot be read again")
	}
	if d.stopped != nil || d.ducked != nil {
		return nil, nil, errors.New("the server is stopping")
	}
	result := config.Load(d.options.input())
	if err := result.Err(); err != nil {
		return nil, nil, err
	}
	for _, warning := range result.Warnings() {
		warnings = append(warnings, warning.Error())
	}
	next := result.Config
	d.keepRandomPort(next)
	changes = config.Diff(d.config, next)
	if err := refusal(changes, d.config, next); err != nil {
		return nil, nil, err
	}
	return changes, warnings, d.apply(next)
}

// keepRandomPort lets the number of the port that was chosen stand for -1. Source: docs/spec/config.md C4.
func (d *daemon) keepRandomPort(next *config.Config) {
	if d.config.Port != broker.RandomPort {
		return
	}
	if _, port, found := strings.Cut(d.broker.ClientURL(), "//"); found && strings.HasSuffix(port, ":"+strconv.Itoa(next.Port)) {
		next.KeepPort(d.config)
	}
}

// refusal returns an error that names all changes a running server cannot make. Source: docs/spec/config.md C4.
func refusal(changes []config.Change, before, next *config.Config) error {
	var refused []string
	for _, change := range changes {
		if change.Path == "no_auth_user" && next.NoAuthUser == "" && !next.HasUser(before.NoAuthUser) {
			continue // it went with its user, docs/spec/config.md C3
		}
		if change.Reload == config.Refused {
			refused = append(refused, fmt.Sprintf("Config reload not supported for %s: old=%s, new=%s", strings.Replace(change.Path, "cluster.", "cluster ", 1), change.Old, change.New))
		}
	}
	if len(refused) == 0 {
		return nil
	}
	return errors.New(strings.Join(refused, "; "))
}

// apply makes next the configuration that counts. Everything that can fail comes first and is undone when a later
// step fails.
func (d *daemon) apply(next *config.Config) error {
	log, format, err := d.nextLog(next)
	if err != nil {
		return err
	}
	logger := logsink.NewLogger(d.sink, levelsOf(&next.Log))
	ports := d.portsFile
	if next.PortsFileDir != d.config.PortsFileDir {
		if ports, err = d.writePortsFile(next.PortsFileDir); err != nil {
			return errors.Join(err, d.dropLog(log))
		}
	}
	undo := func(err error) error {
		d.dropPortsFile(ports, d.portsFile)
		return errors.Join(err, d.dropLog(log))
	}
	if next.PIDFile != "" && next.PIDFile != d.config.PIDFile {
		if err := writePIDFile(next.PIDFile, d.options.factory.PID); err != nil {
			return undo(fmt.Errorf("could not write pidfile: %w", err))
		}
	}
	if err := d.broker.Reload(d.nodeOptions(next, logger)); err != nil {
		return undo(err)
	}
	d.setLogger(logger)
	d.dropPortsFile(d.portsFile, ports)
	d.portsFile = ports
	before := d.sink.Replace(orSame(log, d.sink), format)
	if log != nil {
		d.closeLater(before)
	}
	if d.profiler != nil {
		runtime.SetBlockProfileRate(next.ProfBlockRate)
	}
	d.config = next
	d.history.loaded(next)
	d.checkExpiry(time.Now())
	return nil
}

// nextLog returns where the log of next goes, nil if that is where it goes now, and its format.
func (d *daemon) nextLog(next *config.Config) (io.Writer, logsink.Format, error) {
	a, b := &next.Log, &d.config.Log
	if a.File != b.File || a.File == "" && (a.Syslog != b.Syslog || a.RemoteSyslog != b.RemoteSyslog) {
		return d.options.factory.openLog(a)
	}
	return nil, d.options.factory.logFormat(a), nil
}

// dropLog closes a log that was opened in vain.
func (d *daemon) dropLog(log io.Writer) error {
	if log == nil {
		return nil
	}
	_, err := closeLog(log) // nothing was written to it
	return err
}

// closeLater closes a log that is no longer used, on a goroutine of its own: neither a log server that hangs nor a backup that is
// just being compressed may keep signals waiting. runServe waits for it at the end.
func (d *daemon) closeLater(log io.Writer) {
	logger := d.logger
	d.closings.Go(func() {
		lost, err := closeLog(log)
		if lost > 0 {
			logger.Warn().Msgf(lostLines, lost)
		}
		if err != nil {
			logger.Error().Msgf("cannot close the old log file: %v", err)
		}
	})
}

// dropPortsFile removes a ports file, unless it is the one that stays: its folder may have two names.
func (d *daemon) dropPortsFile(path, stays string) {
	dropped, err := os.Stat(filepath.Dir(path))
	if kept, failure := os.Stat(filepath.Dir(stays)); path != "" && stays != "" && err == nil && failure == nil && os.SameFile(dropped, kept) {
		return
	}
	d.removePortsFile(path)
}

// orSame returns log, or what sink writes to if log is nil.
func orSame(log io.Writer, sink *logsink.Text) io.Writer {
	if log == nil {
		return sink.Output()
	}
	return log
}

package cmd

import (
	"crypto/tls"
	"sync/atomic"
	"time"

	"github.com/natsd/natsd/internal/config"
	"github.com/natsd/natsd/internal/control"
	"github.com/natsd/natsd/internal/tlsconfig"
	"github.com/natsd/natsd/pkg/monitor"
)

// history is what monitoring shows of a program beyond its broker. Any goroutine may use it.
type history struct {
	current         atomic.Pointer[loadedConfig]
	reloads, failed atomic.Int64
	reloadError     atomic.Pointer[string] // of the last reload; nil: it was good, or there was none
	reopens         atomic.Int64
	reopenError     atomic.Pointer[string]
}

// loadedConfig is a configuration that counts since some time.
type loadedConfig struct {
	*config.Config
	since time.Time
}

// status returns what commands are to know.
func (h *history) status(pid int) control.Status {
	s := control.Status{PID: pid, Reloads: h.reloads.Load(), FailedReloads: h.failed.Load(), Reopens: h.reopens.Load()}
	if text := h.reloadError.Load(); text != nil {
		s.ReloadError = *text
	}
	if text := h.reopenError.Load(); text != nil {
		s.ReopenError = *text
	}
	return s
}

// loaded notes that c counts from now on.
func (h *history) loaded(c *config.Config) { h.current.Store(&loadedConfig{c, time.Now()}) }

// about returns what monitoring is to show.
func (h *history) about() monitor.About {
	c := h.current.Load()
	a := monitor.About{Reloads: h.reloads.Load(), FailedReloads: h.failed.Load()}
	if c == nil {
		return a
	}
	a.ConfigLoaded, a.ConfigFile = c.since, c.File
	a.Config = func() []monitor.Setting { return settingsOf(c.Config) }
	a.Tags, a.Metadata, a.SystemAccount = c.ServerTags, c.ServerMetadata, c.SystemAccount
	if c.Digest != "" && c.File != "" {
		a.ConfigDigest = "sha256:" + c.Digest
	}
	add := func(name string, source *tlsconfig.Source) {
		if source != nil {
			expires, _ := source.Expiry()
			a.Certificates = append(a.Certificates, monitor.Certificate{Name: name, Expires: expires})
		}
	}
	add(monitor.CertificateOfClients, c.Secure)
	if c.Cluster != nil {
		add(monitor.CertificateOfRoutes, c.Cluster.Secure)
	}
	add(monitor.CertificateOfMonitor, c.Monitor.Secure)
	return a
}

// settingsOf returns the options of c that have a value, without secrets.
func settingsOf(c *config.Config) []monitor.Setting {
	built := config.Built()
	var list []monitor.Setting
	for _, s := range c.Settings {
		value := s.Shown()
		if s.Value == nil {
			value = s.Default
		}
		if value == "" || !built[s.Feature] {
			continue
		}
		if s.Secret {
			value = config.Redacted
		}
		list = append(list, monitor.Setting{Name: s.Path, Value: value, Origin: s.Origin.String()})
	}
	for _, b := range c.Blocks {
		if built[b.Feature] {
			list = append(list, monitor.Setting{Name: b.Path, Value: "{...}", Origin: b.Pos.String()})
		}
	}
	return list
}

// followTLS makes new connections to monitoring use the certificates of the configuration that counts then.
// Source: docs/spec/monitoring.md §1.
func (d *daemon) followTLS(o *monitor.Options) {
	if o.TLS == nil {
		return
	}
	o.TLS = o.TLS.Clone()
	o.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if now := d.history.current.Load().MonitorOptions(); now != nil {
			return now.TLS, nil
		}
		return nil, nil //nolint:nilnil // keep the config, as documented
	}
}

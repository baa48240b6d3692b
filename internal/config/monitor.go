package config

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"slices"

	"github.com/natsd/natsd/pkg/monitor"
)

// MonitorOptions returns the options of monitoring, nil when it is off. Broker, cluster, logger and what the program tells of
// itself are left to the caller. With TLS, the certificates must have been read.
func (c *Config) MonitorOptions() *monitor.Options {
	m := &c.Monitor
	if m.HTTPPort == 0 && m.HTTPSPort == 0 {
		return nil
	}
	o := &monitor.Options{Host: m.Host, Port: m.HTTPPort, BasePath: m.BasePath, User: m.User, Password: m.Password, Token: m.Token}
	if m.HTTPSPort != 0 {
		o.Port, o.TLS = m.HTTPSPort, c.monitorTLS()
	}
	return o
}

// monitorTLS returns the TLS configuration for monitoring: its own, or that for clients, which then does not ask callers for
// certificates. Source: docs/spec/monitoring.md §1.
func (c *Config) monitorTLS() *tls.Config {
	if c.Monitor.Secure != nil {
		return onlyPinned(c.Monitor.Secure.Config(), c.Monitor.TLS.PinnedCerts)
	}
	if c.Secure == nil {
		return nil
	}
	config := c.Secure.Config().Clone()
	config.ClientAuth = tls.NoClientCert
	return config
}

var errNotPinned = errors.New("the certificate of the caller is not one of the pinned ones")

// onlyPinned returns config for those who show one of the public keys with these sums, for everybody if there are none.
// Source: docs/spec/config.md B4.
func onlyPinned(config *tls.Config, sums []string) *tls.Config {
	if len(sums) == 0 {
		return config
	}
	config = config.Clone()
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) > 0 {
			sum := sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo)
			if slices.Contains(sums, hex.EncodeToString(sum[:])) {
				return nil
			}
		}
		return errNotPinned
	}
	return config
}

// serverTags returns the labels of the server.
func (b *builder) serverTags() []string {
	var tags []string
	for _, item := range b.tree.texts("server_tags") {
		tags = append(tags, item.Source())
	}
	return tags
}

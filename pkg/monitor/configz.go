package monitor

import (
	"net/url"
	"time"
)

// Configz is the answer of /configz: the configuration that counts, and where each value comes from. Secrets are left out.
type Configz struct {
	ServerID string    `json:"server_id"`
	Now      time.Time `json:"now"`
	File     string    `json:"file,omitempty"`
	Digest   string    `json:"digest"`
	Loaded   time.Time `json:"loaded"`
	Reloads  int64     `json:"reloads"` // good ones since the start
	Failed   int64     `json:"failed_reloads"`
	Settings []Setting `json:"settings"`
}

// configz is /configz.
func (s *Server) configz(url.Values) (any, error) {
	about := s.options.About()
	z := &Configz{
		ServerID: s.options.Broker.ID(), Now: time.Now().UTC(), File: about.ConfigFile, Digest: about.ConfigDigest,
		Loaded: about.ConfigLoaded.UTC(), Reloads: about.Reloads, Failed: about.FailedReloads, Settings: []Setting{},
	}
	if about.Config != nil {
		z.Settings = append(z.Settings, about.Config()...)
	}
	return z, nil
}

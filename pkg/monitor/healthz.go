package monitor

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/natsd/natsd/pkg/broker"
)

// Healthz is the answer of /healthz. Source: docs/spec/monitoring.md §9.
type Healthz struct {
	Status string        `json:"status"`
	Error  string        `json:"error,omitempty"`
	Errors []HealthError `json:"errors,omitempty"`
}

// HealthError is what is wrong, with details=1.
type HealthError struct {
	Type  string `json:"type"`
	Error string `json:"error"`
}

// serveHealth is /healthz.
func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) {
	status, h, err := s.health(r.URL.Query())
	if err != nil {
		fail(w, err)
		return
	}
	if status != http.StatusOK {
		s.options.Logger.Warn().Msgf("Healthcheck failed: %q", h.text())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	body, err := json.Marshal(h)
	if err == nil {
		_, _ = w.Write(body)
	}
}

// text returns what is wrong.
func (h *Healthz) text() string {
	if len(h.Errors) > 0 {
		return h.Errors[0].Error
	}
	return h.Error
}

// health returns whether the server is healthy.
func (s *Server) health(q url.Values) (status int, h *Healthz, err error) {
	for _, name := range []string{"js-enabled", "js-enabled-only", "js-server-only", "js-meta-only"} {
		if _, err := boolIn(q, name); err != nil {
			return 0, nil, err
		}
	}
	details, err := boolIn(q, "details")
	if err != nil {
		return 0, nil, err
	}
	bad := func(status int, name, kind, text string) (int, *Healthz, error) {
		if details {
			return status, &Healthz{Status: name, Errors: []HealthError{{kind, text}}}, nil
		}
		return status, &Healthz{Status: name, Error: text}, nil
	}
	switch {
	case q.Get("stream") != "" && q.Get("account") == "":
		return bad(http.StatusBadRequest, "error", "BAD_REQUEST", `"account" must not be empty when checking stream health`)
	case q.Get("consumer") != "" && q.Get("stream") == "":
		return bad(http.StatusBadRequest, "error", "BAD_REQUEST", `"stream" must not be empty when checking consumer health`)
	case s.options.Broker.State() == broker.StateLameDuck:
		return bad(http.StatusServiceUnavailable, "unavailable", "CONNECTION", "lame duck mode")
	}
	if waiting := s.notListening(); len(waiting) > 0 {
		return bad(http.StatusInternalServerError, "error", "CONNECTION",
			"failed to be ready for connections after 1ms: "+strings.Join(waiting, ", "))
	}
	return http.StatusOK, &Healthz{Status: "ok"}, nil
}

// notListening returns the listeners that are not up.
func (s *Server) notListening() []string {
	var waiting []string
	b := s.options.Broker
	if b.State() != broker.StateRunning || b.ClientAddr() == nil && !b.Options().DontListen {
		waiting = append(waiting, "server")
	}
	if c := s.options.Cluster; c != nil && c.Addr() == nil {
		waiting = append(waiting, "route")
	}
	return waiting
}

package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"sync/atomic"
	"time"
)

// endpoint is what answers one path.
type endpoint struct {
	path  string
	also  string // another path for the same
	count bool   // it counts in http_req_stats
	open  bool   // it answers anybody, protection or not
	page  bool   // it is part of the page, which holds nothing worth protecting
	own   bool   // it is for natsd's own tools: pages of others may not read it
	serve func(s *Server, w http.ResponseWriter, r *http.Request)
}

// endpoints are all paths, those of docs/spec/monitoring.md §1 first.
func endpoints() []endpoint {
	return []endpoint{
		{path: "/", count: true, page: true, serve: (*Server).serveRoot},
		{path: "/varz", count: true, serve: answer((*Server).varz)},
		{path: "/connz", count: true, serve: answerFor((*Server).connz)},
		{path: "/routez", count: true, serve: answer((*Server).routez)},
		{path: "/subsz", also: "/subscriptionsz", count: true, serve: answer((*Server).subsz)},
		{path: "/stacksz", serve: (*Server).serveStacks},
		{path: "/leafz", count: true, serve: answer((*Server).leafz)},
		{path: "/accountz", count: true, serve: answer((*Server).accountz)},
		{path: "/accstatz", count: true, serve: answer((*Server).accstatz)},
		{path: "/slowz", count: true, own: true, serve: answer((*Server).slowz)},
		{path: "/configz", count: true, own: true, serve: answer((*Server).configz)},
		{path: "/healthz", count: true, open: true, serve: (*Server).serveHealth},
		{path: "/livez", count: true, open: true, serve: probe(checkLive)},
		{path: "/readyz", count: true, open: true, serve: probe(checkReady)},
		{path: "/startupz", count: true, open: true, serve: probe(checkStarted)},
		{path: "/metrics", count: true, serve: (*Server).serveMetrics},
	}
}

// newHandler returns what answers all paths.
func (s *Server) newHandler() http.Handler {
	s.requests = make(map[string]*atomic.Int64)
	byPath := make(map[string]*endpoint)
	all := endpoints()
	for i := range all {
		e := &all[i]
		byPath[e.path] = e
		if e.also != "" {
			byPath[e.also] = e
		}
		if e.count {
			s.requests[e.path] = new(atomic.Int64)
		}
	}
	for name := range assets() {
		byPath["/assets/"+name] = &endpoint{page: true, serve: (*Server).serveAsset}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		path, below := s.below(r.URL.Path)
		e := byPath[path]
		if !below || e == nil {
			http.NotFound(w, r)
			return
		}
		switch r.Method {
		case http.MethodGet, http.MethodHead:
		case http.MethodOptions:
			w.Header().Set("Allow", "GET, HEAD, OPTIONS")
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.WriteHeader(http.StatusNoContent)
			return
		default:
			w.Header().Set("Allow", "GET, HEAD, OPTIONS")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		if open := e.open || e.page && s.options.User == ""; !open && !s.protector.allowed(r) {
			s.protector.refuse(w)
			return
		}
		if e.own && !s.ownPage(r) {
			http.Error(w, "not for pages of other origins", http.StatusForbidden)
			return
		}
		if !e.own {
			w.Header().Set("Access-Control-Allow-Origin", "*")
		}
		if e.count {
			s.requests[e.path].Add(1)
		}
		e.serve(s, &steady{ResponseWriter: w, control: http.NewResponseController(w)}, r)
	})
}

// below returns a path without the base path, and whether it was below that. The root page is exactly the base path.
func (s *Server) below(path string) (string, bool) {
	if s.base == "" {
		return path, true
	}
	if path == s.base {
		return "/", true
	}
	rest := path[min(len(s.base), len(path)):]
	return rest, len(path) > len(s.base)+1 && path[:len(s.base)] == s.base && rest[0] == '/'
}

// badRequest is an error that is the caller's fault. Its text is the answer.
type badRequest struct{ error }

// answer returns what serves the JSON that make returns.
func answer(make func(s *Server, q url.Values) (any, error)) func(s *Server, w http.ResponseWriter, r *http.Request) {
	return answerFor(func(s *Server, _ context.Context, q url.Values) (any, error) { return make(s, q) })
}

// answerFor is answer for what may take so long that it stops when the caller has gone.
func answerFor(make func(s *Server, ctx context.Context, q url.Values) (any, error)) func(s *Server, w http.ResponseWriter, r *http.Request) {
	return func(s *Server, w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		callback, err := callbackIn(q)
		if err != nil {
			fail(w, err)
			return
		}
		body, err := s.compose(r, func() (any, error) { return make(s, r.Context(), q) })
		if err != nil {
			fail(w, err)
			return
		}
		defer s.budgetFor(cap(body)).give(cap(body))
		if callback == "" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(body) // nobody is there to be told
			return
		}
		w.Header().Set("Content-Type", "application/javascript")
		for _, part := range [][]byte{[]byte(callback + "("), body, []byte(")")} {
			_, _ = w.Write(part)
		}
	}
}

// compose puts an answer together when it is its turn. The caller gives it back to its budget, which has held it since.
func (s *Server) compose(r *http.Request, make func() (any, error)) ([]byte, error) {
	if err := s.takeTurn(r.Context()); err != nil {
		return nil, err
	}
	defer func() { <-s.busy }()
	v, err := make()
	if err != nil {
		return nil, err
	}
	body, err := json.MarshalIndent(v, "", "  ")
	if err == nil && !s.budgetFor(cap(body)).take(cap(body)) {
		return nil, errCrowded
	}
	return body, err
}

// takeTurn waits until it is the turn of an answer. A caller that has gone does not wait; one that has only closed its half of the
// connection looks the same, so it has its turn if nobody has to be waited for.
func (s *Server) takeTurn(ctx context.Context) error {
	select {
	case s.busy <- struct{}{}:
		return nil
	default:
	}
	select {
	case s.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fail answers with an error.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var bad badRequest
	if errors.As(err, &bad) {
		status = http.StatusBadRequest
	}
	if errors.Is(err, errCrowded) {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", retryAfter)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(err.Error()))
}

// callbackName is what a JSONP callback may be called: anything else could be a script of somebody's own.
var callbackName = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$.]*$`)

// callbackIn returns the JSONP callback of a query, empty if there is none. Source: docs/spec/monitoring.md §2.
func callbackIn(q url.Values) (string, error) {
	name := q.Get("callback")
	if name != "" && (len(name) > maxEcho || !callbackName.MatchString(name)) {
		return "", badRequest{errors.New("invalid callback, must be the name of a function")}
	}
	return name, nil
}

const (
	writeChunk   = 64 << 10         // bytes
	chunkTimeout = 30 * time.Second // for a caller to take that much
	chunkTime    = time.Second      // for each of them on the average, beyond one chunkTimeout
)

// steady gives a caller time for each piece of an answer, and for the whole as much as its size asks for: large answers may take
// long, and a caller that has stopped reading, or reads no faster than it must, does not hold its answer for ever.
// Source: docs/spec/monitoring.md §1.
type steady struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (w *steady) Write(p []byte) (n int, err error) {
	end := time.Now().Add(chunkTimeout + time.Duration(len(p)/writeChunk)*chunkTime)
	for {
		piece, deadline := p[:min(writeChunk, len(p))], time.Now().Add(chunkTimeout)
		if deadline.After(end) {
			deadline = end
		}
		_ = w.control.SetWriteDeadline(deadline) // not possible in tests without a connection
		k, err := w.ResponseWriter.Write(piece)
		if n += k; err != nil {
			return n, err
		}
		if p = p[len(piece):]; len(p) == 0 {
			return n, nil
		}
	}
}

// Unwrap is for http.ResponseController.
func (w *steady) Unwrap() http.ResponseWriter { return w.ResponseWriter }

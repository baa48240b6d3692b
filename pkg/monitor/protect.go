package monitor

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/natsd/natsd/internal/password"
)

// allowed reports whether whoever sent r may see what there is. A certificate was looked at when the connection was made.
func (s *Server) allowed(r *http.Request) bool {
	o := &s.options
	if o.Token == "" && o.User == "" {
		return true
	}
	if token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); found && o.Token != "" {
		return password.Equal(o.Token, token)
	}
	if user, given, ok := r.BasicAuth(); ok && o.User != "" {
		right := password.Equal(o.User, user) // both are looked at, so that the time does not say which was wrong
		return s.passwordIs(r, given) && right
	}
	return false
}

// ownPage reports whether r may come from the page of this server, or from no page at all. A page of another origin is told by
// its Origin, by what the browser says of it, or by a host name that somebody else may have made point here; the latter counts
// where only this machine can connect.
func (s *Server) ownPage(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return false
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
			return false
		}
	}
	if r.URL.Query().Has("callback") {
		return false // a script tag would get past everything else
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	local, ok := s.Addr().(*net.TCPAddr)
	return !ok || !local.IP.IsLoopback() || s.options.protected() || host == "localhost" || net.ParseIP(host) != nil
}

// Protect returns h for those only who may see monitoring.
func (s *Server) Protect(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.allowed(r) {
			s.refuse(w)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// passwordIs reports whether given is the password of the user.
func (s *Server) passwordIs(r *http.Request, given string) bool {
	stored := s.options.Password
	if !password.IsHash(stored) {
		return password.Equal(stored, given)
	}
	from, _, _ := net.SplitHostPort(r.RemoteAddr)
	ok, err := s.passwords.Verify(r.Context(), from, stored, given)
	return ok && err == nil
}

// refuse asks for credentials.
func (s *Server) refuse(w http.ResponseWriter) {
	if s.options.User != "" {
		w.Header().Add("WWW-Authenticate", `Basic realm="natsd monitoring", charset="UTF-8"`)
	}
	if s.options.Token != "" {
		w.Header().Add("WWW-Authenticate", `Bearer realm="natsd monitoring"`)
	}
	http.Error(w, "credentials are needed", http.StatusUnauthorized)
}

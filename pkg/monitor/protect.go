package monitor

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/natsd/natsd/internal/password"
)

// Protector lets those through who show the credentials of monitoring. It needs no Server: a program may have more to protect,
// whether it has a monitor port or not.
type Protector struct {
	user, password, token string
	passwords             *password.Verifier
}

// NewProtector returns a Protector with the credentials of Options; without any it lets everybody through.
func NewProtector(user, pass, token string) *Protector {
	return &Protector{user: user, password: pass, token: token, passwords: password.NewVerifier(1)}
}

// Protect returns h for those only who show credentials.
func (p *Protector) Protect(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !p.allowed(r) {
			p.refuse(w)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// allowed reports whether whoever sent r may see what there is. A certificate was looked at when the connection was made.
func (p *Protector) allowed(r *http.Request) bool {
	if p.token == "" && p.user == "" {
		return true
	}
	// The scheme is not case-sensitive. Source: RFC 9110 §11.1.
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") && p.token != "" {
		return password.Equal(p.token, token)
	}
	if user, given, ok := r.BasicAuth(); ok && p.user != "" {
		right := password.Equal(p.user, user) // both are looked at, so that the time does not say which was wrong
		return p.passwordIs(r, given) && right
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

// passwordIs reports whether given is the password of the user.
func (p *Protector) passwordIs(r *http.Request, given string) bool {
	if !password.IsHash(p.password) {
		return password.Equal(p.password, given)
	}
	from, _, _ := net.SplitHostPort(r.RemoteAddr)
	ok, err := p.passwords.Verify(r.Context(), from, p.password, given)
	return ok && err == nil
}

// refuse asks for credentials.
func (p *Protector) refuse(w http.ResponseWriter) {
	if p.user != "" {
		w.Header().Add("WWW-Authenticate", `Basic realm="natsd monitoring", charset="UTF-8"`)
	}
	if p.token != "" {
		w.Header().Add("WWW-Authenticate", `Bearer realm="natsd monitoring"`)
	}
	http.Error(w, "credentials are needed", http.StatusUnauthorized)
}

package bench

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nkeys"
)

// Credentials are what a client says who it is with. All fields are secrets: no error and no report holds them.
type Credentials struct {
	User, Password, Token string
	Seed                  []byte // of a user's nkey
	JWT                   string // of that user, if the server wants one
}

// ReadCredentials reads a file with the seed of an nkey, or with a JWT and a seed, as tools for NATS write them.
func ReadCredentials(path string) (Credentials, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Credentials{}, fmt.Errorf("cannot read credentials: %w", err)
	}
	pair, err := nkeys.ParseDecoratedNKey(text)
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials %s: there is no seed of an nkey in it", path)
	}
	seed, err := pair.Seed()
	if err != nil {
		return Credentials{}, fmt.Errorf("credentials %s: the seed in it is not valid", path)
	}
	c := Credentials{Seed: seed}
	if strings.Contains(string(text), "BEGIN NATS USER JWT") {
		if c.JWT, err = nkeys.ParseDecoratedJWT(text); err != nil {
			return Credentials{}, fmt.Errorf("credentials %s: there is no JWT in it", path)
		}
	}
	return c, nil
}

// Target is where the load goes.
type Target struct {
	URLs        []string // of servers; connections are spread over them. User and password in one count for it alone
	Credentials Credentials
	TLS         *tls.Config   // nil: only if a URL or the server says so, with the roots of the system
	Timeout     time.Duration // to connect; 0: 5 s

	// Ended is closed when the server has ended and nobody starts it again: then a run ends too. Nil: nobody can tell.
	Ended <-chan struct{}

	servers []endpoint
}

// endpoint is one server.
type endpoint struct {
	address     string
	name        string // of the host, for its certificate
	secure      bool
	credentials Credentials
}

// dialPatience is the time that a connection may take, if nothing else is said.
const dialPatience = 5 * time.Second

// Check reads the URLs.
func (t *Target) Check() error {
	if t.Timeout == 0 {
		t.Timeout = dialPatience
	}
	t.servers = nil
	for i, text := range t.URLs {
		e, err := t.endpoint(text)
		if err != nil {
			return fmt.Errorf("URL %d of %d: %w", i+1, len(t.URLs), err) // it may hold a password
		}
		t.servers = append(t.servers, e)
	}
	if len(t.servers) == 0 {
		return errors.New("there is no server; give the URL of one, such as nats://127.0.0.1:4222")
	}
	return nil
}

func (t *Target) endpoint(text string) (endpoint, error) {
	const defaultPort = "4222"
	if !strings.Contains(text, "://") {
		text = "nats://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "nats" && u.Scheme != "tls" {
		return endpoint{}, errors.New("not the URL of a server; write nats://host:port or tls://host:port")
	}
	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	e := endpoint{address: net.JoinHostPort(u.Hostname(), port), name: u.Hostname(), secure: u.Scheme == "tls", credentials: t.Credentials}
	if u.User != nil {
		e.credentials = Credentials{User: u.User.Username()}
		password, has := u.User.Password()
		if e.credentials.Password = password; !has {
			e.credentials = Credentials{Token: e.credentials.User}
		}
	}
	return e, nil
}

// Addresses are those of the servers, without secrets.
func (t *Target) Addresses() []string {
	list := make([]string, len(t.servers))
	for i := range t.servers {
		list[i] = t.servers[i].address
	}
	return list
}

// serverInfo is what an INFO says that matters here.
type serverInfo struct {
	ID          string `json:"server_id"`
	Name        string `json:"server_name"`
	Version     string `json:"version"`
	MaxPayload  int    `json:"max_payload"`
	TLSRequired bool   `json:"tls_required"`
	Headers     bool   `json:"headers"`
	Nonce       string `json:"nonce"`
}

// connectText is the CONNECT for a server that has said info.
func (c *Credentials) connectText(info serverInfo, secure bool) ([]byte, error) {
	request := map[string]any{
		"verbose": false, "pedantic": false, "lang": "go", "version": "1", "name": "natsd bench", "protocol": 1,
		"headers": info.Headers, "no_responders": info.Headers, "echo": true, "tls_required": secure,
	}
	set := func(key, value string) {
		if value != "" {
			request[key] = value
		}
	}
	set("user", c.User)
	set("pass", c.Password)
	set("auth_token", c.Token)
	set("jwt", c.JWT)
	if len(c.Seed) > 0 && info.Nonce != "" {
		pair, err := nkeys.FromSeed(c.Seed)
		if err != nil {
			return nil, errors.New("the seed of the nkey is not valid")
		}
		defer pair.Wipe()
		signature, err := pair.Sign([]byte(info.Nonce))
		if err != nil {
			return nil, errors.New("the nkey cannot sign")
		}
		request["sig"] = base64.RawURLEncoding.EncodeToString(signature)
		if c.JWT == "" {
			key, err := pair.PublicKey()
			if err != nil {
				return nil, errors.New("the nkey has no public key")
			}
			request["nkey"] = key
		}
	}
	text, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("cannot render CONNECT: %w", err)
	}
	return append(append([]byte("CONNECT "), text...), "\r\n"...), nil
}

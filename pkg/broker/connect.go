package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/rs/zerolog"
)

var (
	errHeadersNotAsked = errors.New("HPUB from a client that did not ask for headers in CONNECT")
	errNotAnObject     = errors.New("not a JSON object")
)

// connectOptions is the JSON of CONNECT. Absent keys keep their value; keys match whatever their case, and of a
// repeated key the last one counts, as encoding/json does it. Spec: docs/spec/client-protocol.md §3.
type connectOptions struct {
	Verbose      bool   `json:"verbose"`
	Pedantic     bool   `json:"pedantic"`
	TLSRequired  bool   `json:"tls_required"` // the client's own wish; ignored, but its type is checked
	Echo         bool   `json:"echo"`
	Headers      bool   `json:"headers"`
	NoResponders bool   `json:"no_responders"`
	Protocol     int    `json:"protocol"`
	Name         string `json:"name"`
	Lang         string `json:"lang"`
	Version      string `json:"version"`
	User         string `json:"user"`
	Pass         string `json:"pass"`
	AuthToken    string `json:"auth_token"`
	NKey         string `json:"nkey"`
	Sig          string `json:"sig"`
	JWT          string `json:"jwt"`
	Account      string `json:"account"`
	NewAccount   bool   `json:"new_account"`
}

// connect handles CONNECT. Spec: docs/spec/client-protocol.md §3.
func (c *conn) connect(w *worker) bool {
	o := c.connectOptions()
	if err := parseConnect(w.parser.Arg, &o); err != nil {
		c.log(zerolog.ErrorLevel).Msgf("Error reading from client: malformed CONNECT: %v", err)
		return c.fail(w, errTextParser, reasonParseError)
	}
	w.seal()
	w.run.forget() // echo, headers and permissions decide who is in a run
	c.remember(&o)
	switch {
	case o.Account != "" || o.NewAccount:
		// The account follows from the user; asking for another one is not allowed.
		c.errorf("Authorization Error")
		return c.fail(w, errTextAuthorization, reasonAuthorization)
	case !c.authenticate(&o):
		return false
	}
	w = c.in.w // authenticate may have given the other one back
	switch {
	case o.Protocol != 0 && o.Protocol != 1:
		return c.fail(w, errTextClientProtocol, reasonClientProtocol)
	case o.NoResponders && !o.Headers:
		return c.fail(w, errTextNoHeaders, reasonNoHeaders)
	}
	c.introduced.Store(true)
	c.greeting.Store(true)
	c.takesInfo.Store(o.Protocol >= 1)
	c.acknowledge(w)
	return true
}

// parseConnect reads text, a JSON object, over o.
//
// Fast path: scanConnect. Slow path: encoding/json.
func parseConnect(text []byte, o *connectOptions) error {
	if scanConnect(text, o) {
		return nil
	}
	text = []byte(strings.TrimLeft(string(text), " \t\r\n"))
	if len(text) == 0 || text[0] != '{' {
		return errNotAnObject
	}
	err := json.Unmarshal(text, o)
	// The text of encoding/json may hold values, and a value may be a password.
	var typeError *json.UnmarshalTypeError
	var syntaxError *json.SyntaxError
	switch {
	case errors.As(err, &typeError):
		return fmt.Errorf("%q is no %s", typeError.Field, typeError.Type)
	case errors.As(err, &syntaxError):
		return fmt.Errorf("JSON is broken at byte %d", syntaxError.Offset)
	}
	return err
}

// connectOptions returns what earlier CONNECTs have set.
func (c *conn) connectOptions() connectOptions {
	o := connectOptions{
		Verbose: c.verbose, Pedantic: c.pedantic, Echo: c.echo, Protocol: c.protocol,
		Headers: c.headers.Load(), NoResponders: c.noResponders,
	}
	if l := c.login.Load(); l != nil {
		shown := &l.shown
		o.User, o.Pass, o.AuthToken, o.NKey, o.Sig = shown.user, shown.password, shown.token, shown.nkey, shown.signature
	}
	if a := c.about.Load(); a != nil {
		o.Name, o.Lang, o.Version = a.name, a.lang, a.version
	}
	return o
}

// remember stores what CONNECT has set.
func (c *conn) remember(o *connectOptions) {
	c.verbose, c.pedantic, c.echo, c.protocol, c.noResponders = o.Verbose, o.Pedantic, o.Echo, o.Protocol, o.NoResponders
	c.headers.Store(o.Headers)
	if o.Name != "" || o.Lang != "" || o.Version != "" {
		c.about.Store(&about{o.Name, o.Lang, o.Version})
	}
}

// ignoreInfo handles INFO from a client, whose JSON must be valid and is not looked at further
// (docs/spec/client-protocol.md §4).
func (c *conn) ignoreInfo(w *worker) bool {
	var ignored map[string]any
	if err := json.Unmarshal(w.parser.Arg, &ignored); err != nil {
		c.log(zerolog.ErrorLevel).Msg("Error reading from client: malformed INFO")
		return c.fail(w, errTextParser, reasonParseError)
	}
	return true
}

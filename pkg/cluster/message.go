package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"runtime"
	"strconv"
	"strings"
)

// info is INFO as servers send it to each other. Source: docs/spec/route-protocol.md §2.1, §3.1.
type info struct {
	ServerID       string   `json:"server_id"`
	ServerName     string   `json:"server_name"`
	Version        string   `json:"version"`
	Proto          int      `json:"proto"`
	GitCommit      string   `json:"git_commit"`
	Go             string   `json:"go"`
	Host           string   `json:"host"`
	Port           int      `json:"port"`
	Headers        bool     `json:"headers"`
	AuthRequired   bool     `json:"auth_required"`
	TLSRequired    bool     `json:"tls_required"`
	TLSVerify      bool     `json:"tls_verify"`
	MaxPayload     int32    `json:"max_payload"`
	IP             string   `json:"ip,omitempty"`
	ConnectURLs    []string `json:"connect_urls,omitempty"`
	Cluster        string   `json:"cluster,omitempty"`
	ClusterDynamic bool     `json:"cluster_dynamic,omitempty"`
	LameDuck       bool     `json:"ldm,omitempty"`
	GossipMode     int      `json:"gossip_mode,omitempty"`
	RouteAccount   string   `json:"route_account,omitempty"`
	Gateway        string   `json:"gateway,omitempty"`
	// TieBreak says that the sender settles duplicates as natsd does (docs/adr/0010-duplicate-links.md).
	TieBreak bool `json:"natsd_tie_break,omitempty"`

	raw map[string]json.RawMessage // all of what was received
}

// maxOwnInfo is the most bytes that the own INFO may have for the sake of peers of the first generation, and of what is
// added to it on the way. Source: docs/spec/route-protocol.md §1 (10).
const maxOwnInfo = 1000

var errNoServerID = errors.New("no server_id, or one that is not a single word")

// parseInfo reads the text of INFO. Errors do not show it.
func parseInfo(text []byte) (*info, error) {
	i := &info{}
	if err := json.Unmarshal(text, i); err != nil {
		return nil, jsonError(err)
	}
	if err := json.Unmarshal(text, &i.raw); err != nil {
		return nil, jsonError(err)
	}
	if !isWord(i.ServerID) {
		return nil, errNoServerID
	}
	if i.Port < 0 || i.Port > 65535 {
		return nil, fmt.Errorf("port %d does not exist", i.Port)
	}
	i.ConnectURLs = usableURLs(i.ConnectURLs)
	return i, nil
}

// jsonError returns err without the values that it may show.
func jsonError(err error) error {
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

// isWord reports whether text can be an id: short, and without anything that a line or a log could break at.
func isWord(text string) bool {
	return text != "" && len(text) <= 256 && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

// Bounds of what one server may have its clients told.
const (
	maxConnectURLs = 64
	maxURLLength   = 256
)

// usableURLs returns those of list that are host:port, and no more than a server can have. A program may take a host that begins with "-" for an
// option.
func usableURLs(list []string) []string {
	var usable []string
	for _, u := range list {
		host, port, err := net.SplitHostPort(u)
		if err != nil || host == "" || len(u) > maxURLLength || !isWord(u) || strings.ContainsAny(u, `"\/@`) || u[0] == '-' {
			continue
		}
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			continue
		}
		if usable = append(usable, u); len(usable) == maxConnectURLs {
			break
		}
	}
	return usable
}

// old reports whether the sender is of the first generation. Source: docs/spec/route-protocol.md §1 (4).
func (i *info) old() bool { return i.Proto < 2 }

// clients reports whether the INFO is one for clients, who have a number; other servers have none. Source: docs/spec/client-protocol.md §2.2,
// docs/spec/route-protocol.md §2.1.
func (i *info) clients() bool { return i.raw["client_id"] != nil }

// address returns where the server says that it can be dialled, "" if it does not.
func (i *info) address() string {
	u, err := url.Parse(i.IP)
	if err != nil || i.IP == "" || u.Hostname() == "" || u.Port() == "" || !isWord(u.Host) {
		return ""
	}
	return hostPort(u)
}

// Bounds of a line that tells others of a server. They close their route to this one if it is longer than they accept.
// Source: docs/spec/route-protocol.md §1 (10), §2.8.
const (
	maxForwarded    = 8 << 10
	maxForwardedOld = 1023 // to the first generation
)

// forwarded returns the line that tells others of the server, which was seen at ip, or "" if its INFO is too long even without
// what they can do without.
func (i *info) forwarded(ip string, mode int) string {
	most := maxForwarded
	if i.old() {
		most = maxForwardedOld
	}
	line := i.passedOn(ip, mode)
	if len(line) > most {
		line = i.condensed().passedOn(ip, mode)
	}
	if len(line) > most {
		return ""
	}
	return line
}

// condensed returns i with nothing but the keys that are known here, and without what only the server itself is asked for.
func (i *info) condensed() *info {
	short := *i
	short.ConnectURLs, short.raw = nil, nil
	_ = json.Unmarshal(rawText(&short), &short.raw) // it was rendered just now
	return &short
}

// passedOn is forwarded without a bound. Keys that are not known here are passed on. Source: docs/spec/route-protocol.md §2.8, §3.8.
func (i *info) passedOn(ip string, mode int) string {
	fields := make(map[string]json.RawMessage, len(i.raw)+1)
	for key, value := range i.raw {
		fields[key] = value
	}
	delete(fields, "nonce")
	delete(fields, "gossip_mode")
	if i.address() == "" {
		fields["ip"] = rawText("nats-route://" + joinPort(ip, i.Port) + "/")
	}
	if mode != 0 && !i.old() {
		fields["gossip_mode"] = rawText(mode)
	}
	return "INFO " + string(rawText(fields)) + "\r\n"
}

// rawText renders v, which can always be rendered. It is for no page: characters of HTML stay what they are, one byte each.
func rawText(v any) json.RawMessage {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("cluster: text and numbers cannot be rendered: " + err.Error())
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}

// ownInfo returns the INFO of a server without what depends on the link.
func ownInfo(s *self, o *Options) info {
	i := info{
		ServerID: s.id, ServerName: s.name, Version: o.Version, Proto: 2, GitCommit: o.GitCommit, Go: runtime.Version(), Headers: true,
		AuthRequired: o.asksForPassword(), TLSRequired: o.TLS != nil, TLSVerify: o.TLS != nil,
		MaxPayload: int32(min(max(o.MaxPayload, 0), 1<<31-1)), TieBreak: true, Cluster: o.Name,
	}
	var advertised bool
	if i.Host, i.Port, advertised = o.advertised(s.port); advertised {
		i.IP = "nats-route://" + joinPort(i.Host, i.Port) + "/"
	}
	return i
}

// line renders the own INFO. The blank before the line end is part of it (docs/spec/route-protocol.md §3.1). Addresses of
// clients are left out where it would be too long.
func (i info) line() string {
	for {
		text := rawText(i)
		if len(text) <= maxOwnInfo || len(i.ConnectURLs) == 0 {
			return "INFO " + string(text) + " \r\n"
		}
		i.ConnectURLs = i.ConnectURLs[:len(i.ConnectURLs)-1]
	}
}

// connect is CONNECT as the dialling server sends it. Source: docs/spec/route-protocol.md §2.1, §3.2.
type connect struct {
	Echo           bool   `json:"echo"`
	Verbose        bool   `json:"verbose"`
	Pedantic       bool   `json:"pedantic"`
	User           string `json:"user,omitempty"`
	Pass           string `json:"pass,omitempty"`
	TLSRequired    bool   `json:"tls_required"`
	Headers        bool   `json:"headers"`
	Name           string `json:"name"`
	Cluster        string `json:"cluster,omitempty"`
	ClusterDynamic bool   `json:"cluster_dynamic,omitempty"`

	// Handover is the token of Predecessor, shown to the process that takes over.
	Handover string `json:"natsd_handover,omitempty"`

	Lang       string `json:"lang,omitempty"`
	Gateway    string `json:"gateway,omitempty"`
	Account    string `json:"account,omitempty"`
	NewAccount bool   `json:"new_account,omitempty"`
}

// parseConnect reads the text of CONNECT. Errors do not show it.
func parseConnect(text []byte) (*connect, error) {
	c := &connect{}
	if err := json.Unmarshal(text, c); err != nil {
		return nil, jsonError(err)
	}
	return c, nil
}

func (c *connect) line() string { return "CONNECT " + string(rawText(c)) + "\r\n" }

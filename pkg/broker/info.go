package broker

import (
	"bytes"
	"encoding/json"
	"net"
	"runtime"
	"strconv"
)

// serverInfo is the part of INFO that is the same for every client, in the order in which it is sent.
// Source: docs/spec/client-protocol.md §2.2.
type serverInfo struct {
	ServerID     string `json:"server_id"`
	ServerName   string `json:"server_name"`
	Version      string `json:"version"`
	Proto        int    `json:"proto"`
	GitCommit    string `json:"git_commit"`
	Go           string `json:"go"`
	Host         string `json:"host"`
	Port         int    `json:"port"`
	Headers      bool   `json:"headers"`
	AuthRequired bool   `json:"auth_required"`
	TLSRequired  bool   `json:"tls_required"`
	TLSVerify    bool   `json:"tls_verify"`
	TLSAvailable bool   `json:"tls_available,omitempty"`
	MaxPayload   int64  `json:"max_payload"`
	Cluster      string `json:"cluster,omitempty"`

	ConnectURLs []string `json:"connect_urls,omitempty"`
}

// infoTemplate is the rendered beginning of INFO. Only the part about one client is added per connection.
type infoTemplate struct{ head []byte }

// newInfoTemplate renders what b tells every client, given its options.
// Locks: needs b.mu.
func newInfoTemplate(b *Broker, o *Options) infoTemplate {
	host, port := b.advertisedLocked(o)
	info := serverInfo{
		ServerID: b.id, ServerName: b.name, Version: o.Version, Proto: 1, GitCommit: o.GitCommit, Go: runtime.Version(),
		Host: host, Port: port, Headers: true, MaxPayload: o.MaxPayload,
		Cluster: b.mu.cluster.name, ConnectURLs: b.connectURLsLocked(o),
		AuthRequired: o.Auth != nil && o.Auth.NoAuthUser == "",
	}
	if o.TLS != nil {
		info.TLSRequired, info.TLSAvailable, info.TLSVerify = !o.TLS.AllowNonTLS, o.TLS.AllowNonTLS, o.TLS.Verifies()
	}
	text, err := json.Marshal(info)
	if err != nil {
		panic("broker: strings, numbers and booleans cannot be rendered: " + err.Error())
	}
	return infoTemplate{text[:len(text)-1]} // open for more fields
}

// size returns an upper bound for the length of an INFO line.
func (t infoTemplate) size() int {
	const rest = 256 // framing, and the fields about one client with the longest values they can have
	return len(t.head) + rest
}

// appendTo appends the INFO line for c. The blank before the line end is part of it (docs/spec/client-protocol.md §2.1).
func (t infoTemplate) appendTo(dst []byte, c *conn, lameDuck bool) []byte {
	dst = append(dst, "INFO "...)
	dst = append(dst, t.head...)
	dst = append(dst, `,"client_id":`...)
	dst = strconv.AppendUint(dst, c.id, 10)
	if tcp, ok := c.net.RemoteAddr().(*net.TCPAddr); ok {
		dst = append(dst, `,"client_ip":"`...)
		dst = append(dst, tcp.IP.String()...)
		dst = append(dst, '"')
	}
	if l := c.login.Load(); l != nil && l.nonce != "" {
		dst = append(dst, `,"nonce":"`...)
		dst = append(dst, l.nonce...)
		dst = append(dst, '"')
	}
	if lameDuck {
		dst = append(dst, `,"ldm":true`...)
	}
	return append(dst, "} \r\n"...)
}

// firstPong sends what had to wait for the first PONG after CONNECT, which has just been queued: in between, a client insists
// that nothing else comes (docs/spec/client-protocol.md §1). Clients that know headers are sent INFO in any case
// (docs/spec/client-protocol.md §2.3).
//
// A change is stored before it is announced, and the greeting is over before this looks for one. So whatever announce has
// left out is seen here.
func (c *conn) firstPong(w *worker) {
	if !c.greeting.Load() {
		return
	}
	c.greeting.Store(false)
	due := c.infoAt.Load() != c.b.live.Load().infoVersion
	if c.takesInfo.Load() && (due || c.headers.Load()) {
		w.sayNews(c, due && c.b.lameDuck.Load())
	}
}

// announce sends INFO to c if it understands that, unless its first PONG is still to come: then firstPong does it.
func (c *conn) announce(w *worker, lameDuck bool) {
	if c.takesInfo.Load() && !c.greeting.Load() {
		w.sayNews(c, lameDuck)
	}
}

// clusterInfo is what SetCluster has said.
type clusterInfo struct {
	name string
	urls []string // of other servers; nil: there was none so far
}

// connectURLsLocked returns the addresses that clients are told: the own ones first. Source: docs/spec/client-protocol.md
// §2.4. Locks: needs b.mu.
func (b *Broker) connectURLsLocked(o *Options) []string {
	if b.mu.cluster.urls == nil {
		return nil
	}
	return append(b.ownURLsLocked(o), b.mu.cluster.urls...)
}

// ownURLsLocked is ClientURLs for options. Locks: needs b.mu.
func (b *Broker) ownURLsLocked(o *Options) []string {
	if b.mu.host == "" || b.lameDuck.Load() || o.DontListen {
		return nil
	}
	host, port := b.mu.host, b.mu.port
	if o.ClientAdvertise != "" {
		advertised, advertisedPort, _ := SplitAdvertise(o.ClientAdvertise) // it was validated
		if host = advertised; advertisedPort != 0 {
			port = advertisedPort
		}
	}
	return ReachableAt(host, port)
}

// ReachableAt returns the addresses ("host:port") of what listens on a host and port: if the host stands for all addresses
// of the machine, every one that others can reach.
func ReachableAt(host string, port int) []string {
	if ip := net.ParseIP(host); ip == nil || !ip.IsUnspecified() {
		return []string{net.JoinHostPort(host, strconv.Itoa(port))}
	}
	var urls []string
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil // nothing is better than what nobody reaches
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			urls = append(urls, net.JoinHostPort(n.IP.String(), strconv.Itoa(port)))
		}
	}
	return urls
}

// refreshInfoLocked renders INFO anew for l, which is not in use yet, and reports whether it is another one than before.
// Locks: needs b.mu.
func (b *Broker) refreshInfoLocked(l *live) (changed bool) {
	next := newInfoTemplate(b, &l.Options)
	if bytes.Equal(next.head, l.info.head) {
		return false
	}
	if l.info.head != nil {
		l.infoVersion++
	}
	l.info = next
	return true
}

// refreshInfoForLameDuck renders INFO anew. That this is a lame duck now is a change even if no address goes, since a client that
// says CONNECT later must be told (docs/spec/client-protocol.md §2.3). Locks: takes b.reloading and b.mu.
func (b *Broker) refreshInfoForLameDuck() {
	b.reloading.Lock()
	defer b.reloading.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	l := *b.live.Load()
	if !b.refreshInfoLocked(&l) {
		l.infoVersion++
	}
	b.live.Store(&l)
}

// announceInfo sends INFO to all clients that take it.
func (b *Broker) announceInfo() {
	b.tell(func(w *worker) {
		for _, c := range b.connections() {
			c.announce(w, false) // docs/spec/client-protocol.md §2.3: only the first one says that this is a lame duck
		}
	})
}

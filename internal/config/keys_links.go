package config

import "slices"

// linkKeys are about connections that are no plain clients. Source: docs/spec/config.md B5, B7, B8.
func linkKeys() []Key {
	return []Key{
		{Name: "cluster", Type: Block, Reload: Live, Since: "1.0", Feature: Clustering, Keys: clusterKeys(), Doc: "Connections to the other servers of a cluster"},
		{Name: "leafnodes", Aliases: []string{"leaf"}, Type: Block, Since: "2.0.0", Feature: Leafnodes, Keys: leafKeys(), Doc: "Connections to servers that are no part of the cluster"},
		{Name: "websocket", Aliases: []string{"ws"}, Type: Block, Since: "2.2.0", Feature: Websocket, Keys: websocketKeys(), Doc: "Clients that speak WebSocket"},
	}
}

// within returns keys as parts of feature.
func within(feature Feature, keys ...Key) []Key {
	for i := range keys {
		if keys[i].Feature == Core {
			keys[i].Feature = feature
		}
	}
	return keys
}

// endpointKeys are those of every block that listens.
func endpointKeys(what, defaultPort string) []Key {
	return []Key{
		{Name: "listen", Type: Endpoint, Min: -1, Max: maxPort, Since: "1.0", Doc: "Address and port for " + what + ", or the port alone; -1 is a free port"},
		{Name: "host", Aliases: []string{"net"}, Type: Text, Default: "0.0.0.0", Since: "1.0", Doc: "Address for " + what},
		{Name: "port", Type: Integer, Default: defaultPort, Min: -1, Max: maxPort, Since: "1.0", Doc: "Port for " + what + "; 0 is off, -1 a free port"},
	}
}

// linkAuthKeys are those of an authorization block with one user.
func linkAuthKeys(feature Feature) []Key {
	return within(feature,
		Key{Name: "user", Aliases: []string{"username"}, Type: Text, Reload: Live, Since: "1.0", Doc: "User that the other side shows"},
		Key{Name: "password", Aliases: []string{"pass"}, Type: Text, Reload: Live, Secret: true, Since: "1.0", Doc: "Password of that user, or its bcrypt hash"},
		Key{Name: "timeout", Type: Seconds, Unit: "seconds", Default: "2", Reload: Next, Since: "1.0", Doc: "Time the other side may take to show its credentials"},
	)
}

func clusterKeys() []Key {
	return within(Clustering, slices.Concat(endpointKeys("routes", "0"), []Key{
		{Name: "name", Type: Text, Reload: Live, Since: "2.2.0", Doc: "Name of the cluster, one word; without it one is made up"},
		{Name: "authorization", Type: Block, Reload: Live, Since: "1.0", Doc: "Credentials that accepted routes show",
			Keys: slices.Concat(linkAuthKeys(Clustering), within(Clustering,
				Key{Name: "token", Type: Any, Secret: true, Env: "-", Doc: "Not possible for a cluster"},
				Key{Name: "users", Type: Any, Secret: true, Env: "-", Doc: "Not possible for a cluster"}))},
		{Name: "routes", Type: Texts, Env: "CLUSTER_ROUTES", Reload: Live, Secret: true, Since: "1.0", Doc: "URLs of other servers to connect to, nats-route://[user:password@]host:port"},
		{Name: "tls", Type: Block, Reload: Next, Since: "1.0", Strict: true, Keys: tlsKeys(TLSFeature), Doc: "Certificates and rules of TLS for routes; both sides are checked"},
		{Name: "advertise", Aliases: []string{"cluster_advertise"}, Type: Text, Reload: Live, Since: "1.0.6", Doc: "host[:port] that other servers are told to connect to"},
		{Name: "no_advertise", Type: Boolean, Default: "false", Reload: Live, Since: "1.0", Doc: "Do not tell other servers the URLs for clients"},
		{Name: "connect_retries", Type: Integer, Default: "0", Max: maxInt32, Reload: Live, Since: "1.0", Doc: "How often to try again to reach a server that others told about"},
		{Name: "connect_backoff", Type: Boolean, Default: "false", Reload: Live, Since: "2.12.0", Doc: "Wait longer from attempt to attempt"},
		{Name: "permissions", Type: Block, Reload: Live, Since: "1.4.0", Strict: true, Doc: "Subjects that pass over routes", Keys: within(Clustering,
			Key{Name: "import", Aliases: []string{"publish", "pub"}, Type: Any, Reload: Live, Since: "1.4.0", Doc: "Subjects taken from other servers"},
			Key{Name: "export", Aliases: []string{"subscribe", "sub"}, Type: Any, Reload: Live, Since: "1.4.0", Doc: "Subjects given to other servers"},
		)},
		{Name: "ping_interval", Type: Duration, Reload: Next, Since: "2.10.10", Doc: "Time between pings to a route, at most 30s"},
		{Name: "ping_max", Type: Integer, Max: maxInt32, Reload: Next, Since: "2.11.11", Doc: "Largest number of unanswered pings"},
		{Name: "write_deadline", Type: Duration, Reload: Next, Since: "2.11.11", Doc: "Time one write to a route may take"},
		{Name: "pool_size", Type: Integer, Min: -1, Max: maxInt32, Reload: NoEffect, Since: "2.10.0", Doc: "Accepted; there is one connection per pair of servers"},
		{Name: "accounts", Type: Texts, Reload: NoEffect, Since: "2.10.0", Doc: "Accepted; there is one connection per pair of servers"},
		{Name: "compression", Type: Any, Reload: NoEffect, Since: "2.10.0", Doc: "Accepted; routes are not compressed"},
	})...)
}

func leafKeys() []Key {
	return within(Leafnodes, slices.Concat(endpointKeys("leaf nodes", "0"), []Key{
		{Name: "authorization", Type: Block, Since: "2.0.0", Doc: "Credentials that leaf nodes show", Keys: slices.Concat(linkAuthKeys(Leafnodes), within(Leafnodes,
			Key{Name: "account", Type: Text, Since: "2.0.0", Doc: "Account of leaf nodes with these credentials"},
			Key{Name: "users", Type: Any, Since: "2.0.0", Doc: "Several users"},
			Key{Name: "nkey", Type: Text, Since: "2.0.0", Doc: "Public key of a user that signs instead of showing a password"}))},
		{Name: "tls", Type: Block, Since: "2.0.0", Strict: true, Keys: tlsKeys(Leafnodes), Doc: "Certificates and rules of TLS for leaf nodes"},
		{Name: "advertise", Aliases: []string{"leafnode_advertise"}, Type: Text, Since: "2.0.0", Doc: "host[:port] that leaf nodes are told to connect to"},
		{Name: "no_advertise", Type: Boolean, Default: "false", Since: "2.0.0", Doc: "Do not tell leaf nodes about other servers"},
		{Name: "reconnect", Aliases: []string{"reconnect_delay", "reconnect_interval"}, Type: Duration, Default: "1s", Since: "2.0.0", Doc: "Time between attempts to connect"},
		{Name: "min_version", Aliases: []string{"minimum_version"}, Type: Text, Since: "2.8.0", Doc: "Lowest version of leaf nodes that are accepted"},
		{Name: "compression", Type: Any, Since: "2.10.0", Doc: "Compression of leaf node connections"},
		{Name: "dial_timeout", Type: Duration, Since: "2.0.0", Doc: "Time an attempt to connect may take"},
		{Name: "isolate_leafnode_interest", Aliases: []string{"isolate"}, Type: Boolean, Default: "false", Since: "2.12.0", Doc: "Do not tell leaf nodes about each other's subscriptions"},
		{Name: "write_deadline", Type: Duration, Since: "2.11.11", Doc: "Time one write to a leaf node may take"},
		{Name: "remotes", Type: Blocks, Reload: Live, Since: "2.0.0", Keys: leafRemoteKeys(), Doc: "Servers to connect to as a leaf node"},
	})...)
}

func leafRemoteKeys() []Key {
	return within(Leafnodes,
		Key{Name: "url", Type: Text, Secret: true, Since: "2.0.0", Doc: "URL of the server"},
		Key{Name: "urls", Type: Texts, Secret: true, Since: "2.0.0", Doc: "URLs of the server"},
		Key{Name: "account", Aliases: []string{"local"}, Type: Text, Since: "2.0.0", Doc: "Account here that the connection belongs to"},
		Key{Name: "credentials", Aliases: []string{"creds"}, Type: Text, Since: "2.0.0", Doc: "File with credentials"},
		Key{Name: "nkey", Aliases: []string{"seed"}, Type: Text, Secret: true, Since: "2.0.0", Doc: "Seed of the key to sign with"},
		Key{Name: "tls", Type: Block, Since: "2.0.0", Strict: true, Keys: tlsKeys(Leafnodes), Doc: "Certificates and rules of TLS"},
		Key{Name: "hub", Type: Boolean, Since: "2.0.0", Doc: "Be the hub of the connection"},
		Key{Name: "deny_imports", Aliases: []string{"deny_import"}, Type: Texts, Since: "2.0.0", Doc: "Subjects not taken from the server"},
		Key{Name: "deny_exports", Aliases: []string{"deny_export"}, Type: Texts, Since: "2.0.0", Doc: "Subjects not given to the server"},
		Key{Name: "no_randomize", Aliases: []string{"dont_randomize"}, Type: Boolean, Since: "2.0.0", Doc: "Try the URLs in their order"},
		Key{Name: "ws_compression", Aliases: []string{"ws_compress", "websocket_compression", "websocket_compress"}, Type: Boolean, Since: "2.2.0", Doc: "Compress WebSocket messages"},
		Key{Name: "ws_no_masking", Aliases: []string{"websocket_no_masking"}, Type: Boolean, Since: "2.2.0", Doc: "Do not mask WebSocket messages"},
		Key{Name: "first_info_timeout", Type: Duration, Since: "2.10.0", Doc: "Time the server may take to introduce itself"},
		Key{Name: "disabled", Type: Boolean, Since: "2.10.0", Doc: "Do not connect"},
		Key{Name: "ignore_discovered_servers", Type: Boolean, Since: "2.10.0", Doc: "Connect to the configured URLs only"},
		peerKey("jetstream_cluster_migrate", peerFunction), peerKey("js_cluster_migrate", peerFunction),
		peerKey("proxy", peerFunction), peerKey("request_isolation", peerFunction),
	)
}

func websocketKeys() []Key {
	return within(Websocket, slices.Concat(endpointKeys("WebSocket clients", "0"), []Key{
		{Name: "advertise", Type: Text, Since: "2.2.0", Doc: "host[:port] that WebSocket clients are told to connect to"},
		{Name: "tls", Type: Block, Since: "2.2.0", Strict: true, Keys: tlsKeys(Websocket), Doc: "Certificates and rules of TLS for WebSocket clients"},
		{Name: "no_tls", Type: Boolean, Default: "false", Since: "2.2.0", Doc: "Serve WebSocket clients without TLS"},
		{Name: "same_origin", Type: Boolean, Default: "false", Since: "2.2.0", Doc: "Accept requests from pages of the same origin only"},
		{Name: "allowed_origins", Aliases: []string{"allowed_origin", "allow_origins", "allow_origin", "origins", "origin"}, Type: Texts, Since: "2.2.0", Doc: "Origins of pages that may connect"},
		{Name: "compression", Aliases: []string{"compress"}, Type: Boolean, Default: "false", Since: "2.2.0", Doc: "Compress messages if the client can"},
		{Name: "handshake_timeout", Type: Duration, Since: "2.2.0", Doc: "Time a handshake may take"},
		{Name: "authorization", Aliases: []string{"authentication"}, Type: Block, Since: "2.2.0", Doc: "Credentials of WebSocket clients", Keys: slices.Concat(linkAuthKeys(Websocket),
			within(Websocket, Key{Name: "token", Type: Text, Secret: true, Since: "2.2.0", Doc: "Token that clients show, or its bcrypt hash"}))},
		{Name: "no_auth_user", Type: Text, Since: "2.2.0", Doc: "User that WebSocket clients without credentials are"},
		{Name: "user_cookie", Type: Text, Since: "2.12.0", Doc: "Cookie with the user"},
		{Name: "pass_cookie", Type: Text, Since: "2.12.0", Doc: "Cookie with the password"},
		{Name: "token_cookie", Type: Text, Since: "2.12.0", Doc: "Cookie with the token"},
		{Name: "jwt_cookie", Type: Text, Since: "2.2.0", Doc: "Cookie with a user token of an operator"},
		{Name: "headers", Type: TextMap, Since: "2.10.0", Doc: "Headers to add to responses"},
		{Name: "ping_interval", Type: Duration, Since: "2.11.0", Doc: "Time between pings to a WebSocket client"},
	})...)
}

package config

// securityKeys are about who may connect, and what they may do. Source: docs/spec/config.md B3, B4, B6.
func securityKeys() []Key {
	return []Key{
		{Name: "authorization", Type: Block, Reload: Live, Since: "1.0", Feature: Auth, Keys: authorizationKeys(),
			Doc: "Who may connect, and what they may do"},
		{Name: "accounts", Type: Named, Reload: Live, Since: "2.0.0", Feature: Accounts, Keys: accountKeys(),
			Doc: "Spaces of subjects that do not see each other, by name"},
		{Name: "no_auth_user", Type: Text, Since: "2.1.7", Feature: Auth,
			Doc: "User that clients without credentials are, one that is configured"},
		{Name: "system_account", Aliases: []string{"system"}, Type: Text, Default: "$SYS", Since: "2.0.0", Feature: Accounts,
			Doc: "Account that events of the server belong to"},
		{Name: "no_system_account", Aliases: []string{"no_system", "no_sys_acc"}, Type: Boolean, Default: "false", Since: "2.2.0", Feature: Accounts,
			Doc: "Have no system account"},
		{Name: "mappings", Aliases: []string{"maps"}, Type: Any, Reload: Live, Since: "2.2.0", Feature: Accounts,
			Doc: "Other subjects for those that clients publish to, in the global account"},
		{Name: "tls", Type: Block, Reload: Live, Since: "1.0", Feature: TLSFeature, Strict: true, Keys: tlsKeys(TLSFeature), Env: "TLS",
			Doc: "Certificates and rules of TLS for clients"},
		{Name: "allow_non_tls", Type: Boolean, Default: "false", Since: "2.2.0", Feature: TLSFeature,
			Doc: "Serve clients without TLS on the same port"},
	}
}

func authorizationKeys() []Key {
	return []Key{
		{Name: "user", Aliases: []string{"username"}, Type: Text, Env: "USER", Reload: Live, Since: "1.0", Feature: Auth,
			Doc: "The one user"},
		{Name: "password", Aliases: []string{"pass"}, Type: Text, Env: "PASSWORD", Reload: Live, Secret: true, Since: "1.0", Feature: Auth,
			Doc: "The password of the one user, or its bcrypt hash"},
		{Name: "token", Type: Text, Env: "TOKEN", Reload: Live, Secret: true, Since: "1.0", Feature: Auth,
			Doc: "The token that clients show in place of user and password, or its bcrypt hash"},
		{Name: "timeout", Type: Seconds, Unit: "seconds", Default: "2", Reload: Next, Since: "1.0", Feature: Auth,
			Doc: "Time a client may take to show its credentials"},
		{Name: "users", Type: Blocks, Reload: Live, Since: "1.0", Feature: Auth, Keys: userKeys(), Doc: "Several users"},
		{Name: "default_permissions", Aliases: []string{"default_permission", "permissions"}, Type: Block, Reload: Live, Since: "1.0", Feature: Auth,
			Strict: true, Keys: permissionKeys(), Doc: "Permissions of the users that have none of their own"},
		peerKey("auth_callout", peerSecurity), peerKey("auth_hook", peerSecurity), peerKey("proxy_required", peerSecurity),
	}
}

func userKeys() []Key {
	return []Key{
		{Name: "user", Aliases: []string{"username"}, Type: Text, Reload: Live, Since: "1.0", Feature: Auth, Doc: "Name of the user"},
		{Name: "password", Aliases: []string{"pass"}, Type: Text, Reload: Live, Secret: true, Since: "1.0", Feature: Auth,
			Doc: "Password of the user, or its bcrypt hash"},
		{Name: "permissions", Aliases: []string{"permission", "authorization"}, Type: Block, Reload: Live, Since: "1.0", Feature: Auth,
			Strict: true, Keys: permissionKeys(), Doc: "What the user may do"},
		{Name: "nkey", Type: Text, Reload: Live, Since: "2.0.0", Feature: Auth, Doc: "Public key of a user that signs instead of showing a password"},
		{Name: "allowed_connection_types", Aliases: []string{"connection_types", "clients"}, Type: Texts, Reload: Live, Since: "2.2.0", Feature: Auth,
			Doc: "Ways the user may connect: STANDARD, WEBSOCKET, LEAFNODE, LEAFNODE_WS, MQTT, MQTT_WS, IN_PROCESS"},
		peerKey("proxy_required", peerSecurity),
	}
}

func permissionKeys() []Key {
	return []Key{
		{Name: "publish", Aliases: []string{"pub", "import"}, Type: Any, Reload: Live, Since: "1.0", Feature: Auth,
			Doc: "Subjects the user may publish to: one, a list, or a map with allow and deny"},
		{Name: "subscribe", Aliases: []string{"sub", "export"}, Type: Any, Reload: Live, Since: "1.0", Feature: Auth,
			Doc: "Subjects the user may subscribe to: one, a list, or a map with allow and deny"},
		{Name: "allow_responses", Aliases: []string{"publish_allow_responses"}, Type: Any, Reload: Live, Since: "2.0.4", Feature: Auth,
			Doc: "Whether the user may publish to the reply subjects of messages it got: a boolean, or a map with max and expires"},
	}
}

func accountKeys() []Key {
	return []Key{
		{Name: "users", Type: Blocks, Reload: Live, Since: "2.0.0", Feature: Accounts, Keys: userKeys(), Doc: "Users of the account"},
		{Name: "default_permissions", Aliases: []string{"default_permission", "permissions"}, Type: Block, Reload: Live, Since: "2.0.0", Feature: Accounts,
			Strict: true, Keys: permissionKeys(), Doc: "Permissions of the users that have none of their own"},
		{Name: "exports", Type: Any, Reload: Live, Since: "2.0.0", Feature: Accounts, Doc: "Streams and services that other accounts may import"},
		{Name: "imports", Type: Any, Reload: Live, Since: "2.0.0", Feature: Accounts, Doc: "Streams and services of other accounts"},
		{Name: "mappings", Aliases: []string{"maps"}, Type: Any, Reload: Live, Since: "2.2.0", Feature: Accounts,
			Doc: "Other subjects for those that clients publish to"},
		{Name: "limits", Type: Block, Reload: Live, Since: "2.7.0", Feature: Accounts, Keys: accountLimitKeys(), Doc: "What the account may take"},
		{Name: "nkey", Type: Text, Reload: Live, Since: "2.0.0", Feature: Accounts, Doc: "Public key of the account"},
		peerKey("jetstream", peerFunction), peerKey("msg_trace", peerFunction), peerKey("trace_dest", peerFunction),
	}
}

func accountLimitKeys() []Key {
	limit := func(name, alias, doc string, kind Type) Key {
		return Key{Name: name, Aliases: []string{alias}, Type: kind, Default: "-1", Min: -1, Max: maxInt32, Reload: Live, Since: "2.7.0", Feature: Accounts, Doc: doc}
	}
	return []Key{
		limit("max_connections", "max_conn", "Largest number of clients of the account; -1 is no limit, 0 is none at all", Integer),
		limit("max_subscriptions", "max_subs", "Largest number of subscriptions of the account; -1 is no limit, 0 is none at all", Integer),
		limit("max_payload", "max_pay", "Largest message of the account; -1 is no limit, 0 is none at all", Size),
		limit("max_leafnodes", "max_leafs", "Largest number of leaf nodes of the account; -1 is no limit, 0 is none at all", Integer),
	}
}

// tlsKeys are the keys of every tls block. feature is what they belong to: a variable of a block that is not built must not pass as
// if it gave TLS.
func tlsKeys(feature Feature) []Key {
	keys := []Key{
		{Name: "cert_file", Type: Text, Reload: Live, Since: "1.0", Doc: "Certificate, PEM, relative to the working directory"},
		{Name: "key_file", Type: Text, Reload: Live, Since: "1.0", Doc: "Private key of the certificate, PEM"},
		{Name: "ca_file", Type: Text, Reload: Live, Since: "1.0", Doc: "Certificates of the authorities that the other side is checked against, PEM"},
		{Name: "verify", Type: Boolean, Default: "false", Reload: Live, Since: "1.0", Doc: "Require and check certificates of clients"},
		{Name: "timeout", Type: Seconds, Unit: "seconds", Default: "2", Reload: Next, Since: "1.0", Doc: "Time a handshake may take"},
		{Name: "cipher_suites", Type: Texts, Reload: Next, Since: "1.0", Doc: "Cipher suites for TLS 1.2, by name"},
		{Name: "curve_preferences", Type: Texts, Reload: Next, Since: "1.0", Doc: "Curves in the order of preference, by name"},
		{Name: "insecure", Type: Boolean, Default: "false", Reload: Next, Since: "2.0.0", Doc: "Do not check the certificate of the other side; outgoing links only"},
		{Name: "verify_and_map", Type: Boolean, Default: "false", Reload: Next, Since: "2.0.0", Doc: "Take the user from the certificate; implies verify"},
		{Name: "pinned_certs", Type: Texts, Reload: Live, Since: "2.2.5", Doc: "SHA-256 fingerprints of the only keys that are accepted, hexadecimal"},
		{Name: "min_version", Type: Text, Default: "1.2", Words: []string{"1.2", "1.3"}, Reload: Next, Since: "2.10.21", Doc: "Lowest version of TLS: 1.2 or 1.3"},
		{Name: "certs", Aliases: []string{"certificates"}, Type: Blocks, Reload: Live, Since: "2.10.8", Doc: "Several certificates in place of cert_file and key_file",
			Keys: []Key{
				{Name: "cert_file", Type: Text, Reload: Live, Since: "2.10.8", Feature: feature, Doc: "Certificate, PEM"},
				{Name: "key_file", Type: Text, Reload: Live, Since: "2.10.8", Feature: feature, Doc: "Private key of the certificate, PEM"},
			}},
		{Name: "handshake_first", Aliases: []string{"first", "immediate"}, Type: Any, Reload: Next, Since: "2.10.0",
			Doc: "Begin with the handshake and not with INFO: a boolean, auto, or the time to wait for the client to begin"},
		{Name: "allow_insecure_cipher_suites", Type: Boolean, Default: "false", Reload: Next, Since: "2.12.0", Doc: "Accept cipher suites that are known to be weak"},
		{Name: "connection_rate_limit", Type: Integer, Default: "0", Max: maxInt32, Reload: Next, Since: "2.7.0", Doc: "Handshakes per second; 0 is no limit"},
		peerKey("cert_store", peerSecurity), peerKey("cert_match", peerSecurity), peerKey("cert_match_by", peerSecurity),
		peerKey("cert_match_skip_invalid", peerSecurity), peerKey("ca_certs_match", peerSecurity), peerKey("ocsp_peer", peerSecurity),
		peerKey("verify_cert_and_check_known_urls", peerSecurity),
	}
	for i := range keys {
		if keys[i].Feature == Core {
			keys[i].Feature = feature
		}
	}
	return keys
}

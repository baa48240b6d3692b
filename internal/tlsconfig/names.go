package tlsconfig

import (
	"crypto/tls"
	"slices"
)

// strongSuites are the suites for TLS 1.2 unless told otherwise: those with forward secrecy and authenticated encryption.
// TLS 1.3 has only such, and does not let anybody choose.
var strongSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// oldSuiteNames are the names that gnatsd used and Go does not any more.
var oldSuiteNames = map[string]uint16{
	"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305":   tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305": tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
}

// curves are the names of curves that a configuration may use.
var curves = map[string]tls.CurveID{
	"CurveP256": tls.CurveP256, "CurveP384": tls.CurveP384, "CurveP521": tls.CurveP521, "X25519": tls.X25519,
	"X25519MLKEM768": tls.X25519MLKEM768,
}

// Suite returns the cipher suite with a name, and whether it is weak; known tells whether there is one.
func Suite(name string) (id uint16, weak, known bool) {
	id, known = oldSuiteNames[name]
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if suite.Name == name {
			id, known = suite.ID, true
		}
	}
	const first13, last13 = 0x1301, 0x13ff // all suites of TLS 1.3 are strong
	weak = known && !slices.Contains(strongSuites, id) && (id < first13 || id > last13)
	return id, weak, known
}

// SuiteNames returns the names of all cipher suites that a configuration may use, sorted.
func SuiteNames() []string {
	var names []string
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		names = append(names, suite.Name)
	}
	for name := range oldSuiteNames {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Curve returns the curve with a name; known tells whether there is one.
func Curve(name string) (id tls.CurveID, known bool) {
	id, known = curves[name]
	return id, known
}

// CurveNames returns the names of all curves that a configuration may use, sorted.
func CurveNames() []string {
	var names []string
	for name := range curves {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

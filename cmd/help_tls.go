package cmd

import (
	"fmt"
	"io"
	"strings"

	"github.com/natsd/natsd/internal/tlsconfig"
)

const helpTLSExample = `An example of a TLS configuration:

  tls {
    cert_file: "./server-cert.pem"   # paths are relative to the working directory
    key_file:  "./server-key.pem"
    ca_file:   "./ca.pem"            # of the authority that signs certificates of clients
    verify:    true                  # clients must show a certificate
    timeout:   2                     # seconds a handshake may take

    cipher_suites: [                 # for TLS 1.2, strongest first
      "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"
    ]
    curve_preferences: [ "X25519", "CurveP256" ]
  }
`

// writeHelpTLS prints what --help_tls shows. Source: docs/spec/cli.md §4, last paragraph.
func writeHelpTLS(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s\nNames of cipher suites:\n\n  %s\n\nNames of curves:\n\n  %s\n",
		helpTLSExample, strings.Join(tlsconfig.SuiteNames(), "\n  "), strings.Join(tlsconfig.CurveNames(), "\n  "))
	return err
}

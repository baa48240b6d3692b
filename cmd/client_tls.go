package cmd

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/spf13/pflag"
)

// clientTLS is what a command that asks a server was told of TLS. Paths are relative to the working directory.
type clientTLS struct {
	ca, cert, key string // empty: the certificates of the system, and none
	insecure      bool
}

// addFlags adds the flags. Source: docs/spec/cli.md §1.
func (o *clientTLS) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.ca, "tlscacert", "", "`file` with the certificates that a server's is checked against")
	flags.StringVar(&o.cert, "tlscert", "", "`file` with a certificate of the client")
	flags.StringVar(&o.key, "tlskey", "", "`file` with its key")
	flags.BoolVar(&o.insecure, "insecure", false, "Do not check the certificate of a server")
}

// isGiven reports whether any of the flags is given.
func (o *clientTLS) isGiven() bool {
	return o.ca != "" || o.cert != "" || o.key != "" || o.insecure
}

// load reads the files.
func (o *clientTLS) load() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.insecure} //nolint:gosec // the user says so
	if o.ca != "" {
		text, err := os.ReadFile(o.ca)
		if err != nil {
			return nil, fmt.Errorf("cannot read the certificates: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("there is no certificate in %s", o.ca)
		}
	}
	switch {
	case o.key == "" && o.cert != "":
		return nil, fmt.Errorf("there is no key for the certificate %s; give --tlskey", o.cert)
	case o.cert == "" && o.key != "":
		return nil, fmt.Errorf("there is no certificate for the key %s; give --tlscert", o.key)
	case o.cert != "":
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return nil, fmt.Errorf("cannot use the certificate of the client: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

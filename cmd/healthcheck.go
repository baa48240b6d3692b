package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// defaultMonitorURL is where monitoring of a local server is looked for. Source: docs/spec/choices.md 8.
const defaultMonitorURL = "http://127.0.0.1:8222"

// maxProbeAnswer is the most of an answer to a probe that is read, in bytes.
const maxProbeAnswer = 4 << 10

const healthcheckLong = `Ask the monitor port of a server whether it is healthy, for containers without curl.
The exit code is 0 if it is, and 1 otherwise.

The path of the URL says what to ask: /healthz (the default, which nats-server has too),
/livez, /readyz or /startupz.

A monitor port that demands certificates (monitor.tls.verify) demands one here too:
give --tlscert and --tlskey.`

const healthcheckExample = `  natsd healthcheck
  natsd healthcheck http://127.0.0.1:8222/readyz`

// newHealthcheckCmd returns `natsd healthcheck`.
func newHealthcheckCmd(f *Factory) *cobra.Command {
	const patience = 5 * time.Second
	timeout, secure := patience, clientTLS{}
	c := &cobra.Command{
		Use:     "healthcheck [URL]",
		GroupID: groupServer,
		Short:   "Ask a server whether it is healthy",
		Long:    healthcheckLong,
		Example: healthcheckExample,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			u, err := monitorURL(args)
			if err != nil {
				return asUsageError(err, c)
			}
			if u.Path == "" || u.Path == "/" {
				u.Path = "/healthz"
			}
			client, err := newMonitorClient(secure)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), timeout)
			defer cancel()
			text, err := probe(ctx, client, u)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintln(f.Streams.Out, text); err != nil {
				return fmt.Errorf("cannot print the answer: %w", err)
			}
			return nil
		},
	}
	c.Flags().DurationVar(&timeout, "timeout", timeout, "Time the server may take to answer")
	secure.addFlags(c.Flags())
	return c
}

// monitorURL returns the URL that a command is given, or that of the local server.
func monitorURL(args []string) (*url.URL, error) {
	text := defaultMonitorURL
	if len(args) > 0 {
		text = args[0]
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("not the URL of a monitor port; write http://host:port") // the URL may hold a password
	}
	return u, nil
}

// newMonitorClient returns what asks monitor ports. Proxies are for others.
func newMonitorClient(secure clientTLS) (*http.Client, error) {
	config, err := secure.load()
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config}}, nil
}

// probe asks, and returns what a healthy server answers.
func probe(ctx context.Context, client *http.Client, u *url.URL) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", fmt.Errorf("cannot ask %s: %w", u.Redacted(), err)
	}
	response, err := client.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // its text holds the URL
		}
		return "", fmt.Errorf("no answer from %s: %w", u.Redacted(), err)
	}
	defer func() { _ = response.Body.Close() }() // it was read
	body, err := io.ReadAll(io.LimitReader(response.Body, maxProbeAnswer))
	if err != nil {
		return "", fmt.Errorf("the answer of %s broke off: %w", u.Redacted(), err)
	}
	text := strings.TrimSpace(string(body))
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s is not healthy: %s: %s", u.Redacted(), response.Status, printable(text))
	}
	return printable(text), nil
}

// printable returns text without what could drive a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}

// Command scrape asks every endpoint of a monitor port once a second, as a scraper and a dashboard together would, until the
// server has gone. What that costs a server under load is in docs/performance.md.
//
//	go run ./internal/tools/scrape http://127.0.0.1:8222
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: scrape URL")
		os.Exit(2)
	}
	for range time.Tick(time.Second) {
		for _, path := range []string{
			"varz", "connz?auth=1&subs=1", "connz?state=closed", "routez", "subsz?subs=1", "accountz", "accstatz", "leafz", "slowz", "configz", "healthz", "readyz", "metrics",
		} {
			if err := ask(os.Args[1] + "/" + path); err != nil {
				fmt.Fprintln(os.Stderr, "scrape:", err)
				os.Exit(1)
			}
		}
	}
}

// ask reads one answer.
func ask(url string) error {
	response, err := http.Get(url) //nolint:noctx // it has until it is ended
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

package cmd

import (
	"fmt"
	"time"

	"github.com/natsd/natsd/internal/tlsconfig"
)

const day = 24 * time.Hour

// expiryInterval is the time between two looks at when the certificate expires.
const expiryInterval = time.Hour

// expirySteps are the times before the end of a certificate at which the log warns.
var expirySteps = []time.Duration{0, 1 * day, 7 * day, 30 * day}

// expiryWarning is the last warning about a certificate, so that each comes once.
type expiryWarning struct {
	expires time.Time
	step    time.Duration
}

// checkExpiry warns if a certificate, for clients, for routes or for monitoring, expires soon, once for each step.
func (d *daemon) checkExpiry(now time.Time) {
	d.warnOfExpiry(now, d.config.Secure, &d.warned)
	if d.config.Cluster != nil {
		d.warnOfExpiry(now, d.config.Cluster.Secure, &d.warnedOfRoutes)
	}
	d.warnOfExpiry(now, d.config.Monitor.Secure, &d.warnedOfMonitor)
}

// warnOfExpiry warns if a certificate of source, which may be nil, expires soon, unless warned says that it has.
func (d *daemon) warnOfExpiry(now time.Time, source *tlsconfig.Source, warned *expiryWarning) {
	if source == nil {
		return
	}
	expires, file := source.Expiry()
	text, step := expiryText(expires, now, file)
	if text == "" || *warned == (expiryWarning{expires, step}) {
		return
	}
	*warned = expiryWarning{expires, step}
	d.logger.Warn().Msg(text)
}

// expiryText returns the warning about a certificate that expires, and the step that it is for; "" if there is time.
func expiryText(expires, now time.Time, file string) (text string, step time.Duration) {
	left := expires.Sub(now)
	for _, step := range expirySteps {
		if left > step {
			continue
		}
		at := expires.UTC().Format(time.DateTime) + " UTC"
		if step == 0 {
			return fmt.Sprintf("the TLS certificate %s expired at %s; others refuse it, replace it now", file, at), step
		}
		return fmt.Sprintf("the TLS certificate %s expires at %s, within %s; replace it, no restart is needed", file, at, plural(int(step/day), "day")), step
	}
	return "", 0
}

// plural returns "1 day" or "2 days".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

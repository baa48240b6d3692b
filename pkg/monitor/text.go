package monitor

import (
	"fmt"
	"strings"
	"time"
)

// uptimeText writes d as 22s, 4m22s, 32d4h4m22s or 22y32d4h4m22s: from the largest unit that is not zero down.
// Source: docs/spec/monitoring.md §2.
func uptimeText(d time.Duration) string {
	seconds := max(0, int64(d/time.Second))
	units := []struct {
		name string
		size int64
	}{{"y", 365 * 86400}, {"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}}
	var text strings.Builder
	for i, u := range units {
		n := seconds / u.size
		seconds %= u.size
		if n > 0 || text.Len() > 0 || i == len(units)-1 {
			fmt.Fprintf(&text, "%d%s", n, u.name)
		}
	}
	return text.String()
}

// rttText writes a round trip, 0s when it is not known.
func rttText(d time.Duration) string { return d.Truncate(time.Microsecond).String() }

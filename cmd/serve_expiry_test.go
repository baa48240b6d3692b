package cmd

import (
	"strings"
	"testing"
	"time"
)

// TestExpiryText: a certificate is warned about at 30, 7 and 1 days, and when it is too late.
func TestExpiryText(t *testing.T) {
	expires := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	for left, want := range map[time.Duration]string{
		31 * day: "", 30 * day: "within 30 days", 8 * day: "within 30 days", 7 * day: "within 7 days", 25 * time.Hour: "within 7 days",
		24 * time.Hour: "within 1 day", time.Second: "within 1 day", 0: "expired at", -day: "expired at",
	} {
		text, _ := expiryText(expires, expires.Add(-left), "c.pem")
		if (text == "") != (want == "") || !strings.Contains(text, want) {
			t.Errorf("%v before the end: %q, want %q", left, text, want)
		}
		if text != "" && !strings.Contains(text, "c.pem") {
			t.Errorf("%q does not name the file", text)
		}
	}
}

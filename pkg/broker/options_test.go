package broker_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/pkg/broker"
)

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		name    string
		options broker.Options
		want    string // "": valid
	}{
		{name: "zero value"},
		{name: "random port", options: broker.Options{Port: broker.RandomPort}},
		{name: "highest port", options: broker.Options{Port: 65535}},
		{name: "no limits", options: broker.Options{MaxPayload: -1, MaxConnections: -1, MaxSubscriptions: -1}},
		{name: "big payload raises max_pending", options: broker.Options{MaxPayload: 100 << 20}},
		{name: "short lame duck duration", options: broker.Options{LameDuckDuration: time.Second}},
		{name: "port too low", options: broker.Options{Port: -2}, want: "port -2 is out of range; use 1 to 65535, or -1 for a random port"},
		{name: "port too high", options: broker.Options{Port: 65536}, want: "port 65536 is out of range; use 1 to 65535, or -1 for a random port"},
		{name: "max_payload", options: broker.Options{MaxPayload: math.MaxInt32 + 1, MaxPending: 1 << 40},
			want: "max_payload of 2147483648 bytes is too big; the protocol allows at most 2147483647"},
		{name: "max_control_line", options: broker.Options{MaxControlLine: -1}, want: "max_control_line of -1 is negative; use a number of bytes"},
		{name: "max_pending negative", options: broker.Options{MaxPending: -1}, want: "max_pending of -1 is negative; use a number of bytes"},
		{name: "max_pending low", options: broker.Options{MaxPending: 1000}, want: "max_payload (1048576) cannot be higher than max_pending (1000)"},
		{name: "write_deadline", options: broker.Options{WriteDeadline: -time.Second}, want: "write_deadline of -1s is negative; use a duration such as 10s"},
		{name: "ping_interval", options: broker.Options{PingInterval: -time.Second}, want: "ping_interval of -1s is negative; use a duration such as 10s"},
		{name: "lame_duck_duration", options: broker.Options{LameDuckDuration: -time.Minute, LameDuckGracePeriod: -time.Hour},
			want: "lame_duck_duration of -1m0s is negative; use a duration such as 10s\n" +
				"lame_duck_grace_period of -1h0m0s is negative; use a duration such as 10s"},
		{name: "ping_max", options: broker.Options{PingMax: -1}, want: "ping_max of -1 is negative; use a number of pings"},
		{name: "grace period", options: broker.Options{LameDuckDuration: time.Second, LameDuckGracePeriod: time.Second},
			want: "lame duck grace period (1s) should be strictly lower than lame duck duration (1s)"},
		{name: "server_name", options: broker.Options{ServerName: "two words"}, want: `server_name "two words" contains blanks; use one word`},
		{name: "everything at once", options: broker.Options{Port: -2, PingMax: -1, ServerName: "a\tb"},
			want: "port -2 is out of range; use 1 to 65535, or -1 for a random port\n" +
				"ping_max of -1 is negative; use a number of pings\n" + `server_name "a\tb" contains blanks; use one word`},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := c.options.Port
			err := c.options.Validate()
			if c.options.Port != before {
				t.Error("Validate changed the options")
			}
			if c.want == "" {
				if err != nil {
					t.Errorf("got %v, want nil", err)
				}
				return
			}
			if !errors.Is(err, broker.ErrInvalidOptions) {
				t.Fatalf("got %v, want an ErrInvalidOptions", err)
			}
			if got := strings.TrimPrefix(err.Error(), broker.ErrInvalidOptions.Error()+": "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if _, err := broker.New(c.options); !errors.Is(err, broker.ErrInvalidOptions) {
				t.Errorf("New: %v, want an ErrInvalidOptions", err)
			}
		})
	}
}

package cmd

import (
	"slices"
	"strings"
	"testing"
)

func TestHideSecrets(t *testing.T) {
	for line, want := range map[string]string{
		"natsd --user bob --pass s3cret -p 4222":                             "natsd --user bob --pass xxxxxx -p 4222",
		"natsd -pass=s3cret --auth=t=k -D":                                   "natsd -pass=xxxxxx --auth=xxx -D",
		"natsd serve -auth":                                                  "natsd serve -auth",
		"natsd -cluster nats://u:p@h:1":                                      "natsd -cluster nats://xxx@h:1",
		"natsd --routes nats://u:p@a:1,nats://b:2":                           "natsd --routes nats://xxx@a:1,nats://b:2",
		"natsd --routes=nats://a:1,nats://u:p@w@b:2":                         "natsd --routes=nats://a:1,nats://xxxxx@b:2",
		"natsd --log pass -l auth":                                           "natsd --log pass -l auth",
		"natsd bench compare nats://u:p@a:1 nats://b:2 --server=tls://u:p@c": "natsd bench compare nats://xxx@a:1 nats://b:2 --server=tls://xxx@c",
		"natsd top http://u:p@h:1":                                           "natsd top http://xxx@h:1",
		"pass s3cret":                                                        "pass s3cret",
	} {
		var args []string
		for _, word := range strings.Fields(line) {
			args = append(args, string([]byte(word))) // memory that may be written to
		}
		before := HideSecrets(args)
		if got := strings.Join(args, " "); got != want || !slices.Equal(before, strings.Fields(line)) {
			t.Errorf("%s: shown as %s, want %s; the copy is %q", line, got, want, before)
		}
	}
}

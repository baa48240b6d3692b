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
		"natsd --cluster u:s3cret@0.0.0.0:6222":                              "natsd --cluster xxxxxxxx@0.0.0.0:6222",
		"natsd --cluster=u:s3/cret@0.0.0.0:6222":                             "natsd --cluster=xxxxxxxxx@0.0.0.0:6222",
		"natsd --cluster-listen u:s3cret@h:6222":                             "natsd --cluster-listen xxxxxxxx@h:6222",
		"natsd --cluster nats://u:s3,cret@h:6222":                            "natsd --cluster nats://xxxxxxxxx@h:6222",
		"natsd --cluster 6222 -c natsd@home.conf":                            "natsd --cluster 6222 -c natsd@home.conf",
		"natsd --routes u:s3cret@a:1,nats://u:s3,cret@b:2":                   "natsd --routes xxxxxxxx@a:1,nats://xxxxxxxxx@b:2",
		"natsd top http://u:s3,cret@h:8222/?x=a@b":                           "natsd top http://xxxxxxxxx@h:8222/?x=a@b",
		"natsd top u:s3cret@h:8222":                                          "natsd top xxxxxxxx@h:8222",
		"natsd healthcheck http://h:8222?x=a@b http://h:8222#a@b":            "natsd healthcheck http://h:8222?x=a@b http://h:8222#a@b",
		"natsd bench -s t0ken@h:1 --monitor=u:s3cret@h:2":                    "natsd bench -s xxxxx@h:1 --monitor=xxxxxxxx@h:2",
		"natsd bench -su:s3cret@h:1 --server a:1,u:s3cret@h:2":               "natsd bench -xxxxxxxxx@h:1 --server xxxxxxxxxxxx@h:2",
		"natsd bench -su:s3=cret@h:1 -D":                                     "natsd bench -xxxxxxxxxx@h:1 -D",
		"natsd bench compare u:s3cret@h:1 nats://t0ken@h:1":                  "natsd bench compare xxxxxxxx@h:1 nats://xxxxx@h:1",
		"pass s3cret": "pass s3cret",
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

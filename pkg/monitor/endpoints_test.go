package monitor_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/testutil"
	"github.com/natsd/natsd/pkg/broker"
	"github.com/natsd/natsd/pkg/monitor"
)

// traffic is a broker whose clients have done what is known: 1 subscribes to orders.> and, in a queue group, to audit; 2 publishes
// 3 messages of 5 bytes to orders.new, and one of 2 bytes to audit; 3 has gone.
func traffic(t *testing.T) *rig {
	r := launch(t, func(o *broker.Options, m *monitor.Options) {
		o.ServerName, o.Clustered = "s1", true
		o.Accounts = []broker.Account{{
			Name: "A", Exports: []broker.Export{{Subject: "time", Service: true}, {Subject: "news.>"}},
			Mappings: []broker.Mapping{{Source: "old", Destinations: []broker.Destination{{Subject: "new", Weight: 100}}}},
		}, {Name: "B", Imports: []broker.Import{{Account: "A", Subject: "news.>", Local: "a.news.>"}}}}
		o.Auth = &broker.Auth{Users: []broker.User{{Name: "ann", Password: "p1"}, {Name: "bob", Password: "p2", Account: "A"}}, NoAuthUser: "ann"}
		m.About = func() monitor.About {
			return monitor.About{
				ConfigDigest: "sha256:00", ConfigFile: "s1.conf", Tags: []string{"x"}, SystemAccount: "$SYS", Reloads: 2, FailedReloads: 1,
				Config: func() []monitor.Setting { return []monitor.Setting{{Name: "port", Value: "-1", Origin: "s1.conf:1:1"}} },
			}
		}
	})
	subscriber := r.client("sub", "SUB orders.> 1\r\nSUB audit workers 2\r\nUNSUB 2 9\r\n")
	publisher := r.client("pub", "PUB orders.new 5\r\nhello\r\nPUB orders.new 5\r\nhello\r\nPUB orders.new 5\r\nhello\r\nPUB audit 2\r\nhi\r\nPUB nobody 1\r\nx\r\n")
	publisher.Expect("PONG\r\n")
	subscriber.Expect(strings.Repeat("MSG orders.new 1 5\r\nhello\r\n", 3) + "MSG audit 2 2\r\nhi\r\n")
	gone := r.client("gone", "SUB x 1\r\n")
	gone.Close()
	eventually(t, "the third has gone", func() bool { return len(r.broker.Closed()) == 1 })
	return r
}

// TestGolden compares every endpoint with a file.
func TestGolden(t *testing.T) {
	r := traffic(t)
	for _, c := range [][2]string{
		{"varz", "/varz"}, {"connz", "/connz"}, {"connz_auth_detail", "/connz?auth=1&subs=detail"}, {"connz_subs", "/connz?subs=1&sort=msgs_from&limit=1"},
		{"connz_closed", "/connz?state=closed&auth=1"}, {"routez", "/routez"}, {"subsz", "/subsz"}, {"subsz_list", "/subsz?subs=1"}, {"subsz_test", "/subsz?subs=1&test=orders.a.b"},
		{"accountz", "/accountz"}, {"accountz_a", "/accountz?acc=A"}, {"accountz_b", "/accountz?acc=B"}, {"accountz_sys", "/accountz?acc=$SYS"},
		{"accstatz", "/accstatz"}, {"accstatz_unused", "/accstatz?unused=1"}, {"leafz", "/leafz"}, {"slowz", "/slowz"}, {"configz", "/configz"}, {"healthz", "/healthz"},
	} {
		name, path := c[0], c[1]
		a := r.get(path)
		if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", path, a.status, a.header)
		}
		if strings.HasSuffix(a.body, "\n") || name != "healthz" && !strings.HasPrefix(a.body, "{\n  \"") {
			t.Errorf("%s is not indented as it should be: %q", path, a.body[:min(len(a.body), 40)])
		}
		testutil.Golden(t, "testdata/"+name+".txt", steadyJSON(t, a.body))
	}
}

// TestNumbers checks each number against traffic that is known.
func TestNumbers(t *testing.T) {
	r := traffic(t)
	var v monitor.Varz
	r.into("/varz", &v)
	got := fmt.Sprintf("%d %d | %d %d %d %d | %d %d %d %d | %d %d %d | %d %d", v.Connections, v.TotalConnections, v.InMsgs, v.InBytes, v.OutMsgs, v.OutBytes,
		v.InClientMsgs, v.InClientBytes, v.OutClientMsgs, v.OutClientBytes, v.Subscriptions, v.SlowConsumers, v.StalledClients, v.Routes, v.Remotes)
	if want := "2 3 | 5 18 4 17 | 5 18 4 17 | 2 0 0 | 0 0"; got != want {
		t.Errorf("varz counts %s, want %s", got, want)
	}
	if v.Mem < 1<<20 || v.Cores < 1 || v.Uptime == "" || v.HTTPReqStats["/varz"] != 1 || v.HTTPReqStats["/connz"] != 0 {
		t.Errorf("varz says %+v", v)
	}
	var c monitor.Connz
	r.into("/connz?subs=detail&auth=1", &c)
	if c.NumConns != 2 || c.Total != 2 || c.Offset != 0 || c.Limit != 1024 || len(c.Conns) != 2 {
		t.Fatalf("connz says %+v", c)
	}
	sub, pub := &c.Conns[0], &c.Conns[1]
	got = fmt.Sprintln(sub.Cid, sub.InMsgs, sub.InBytes, sub.OutMsgs, sub.OutBytes, sub.NumSubs, sub.Pending, sub.Name, sub.User, "|",
		pub.Cid, pub.InMsgs, pub.InBytes, pub.OutMsgs, pub.OutBytes, pub.NumSubs, pub.Pending, pub.Name, pub.Lang, pub.Version)
	if want := "1 0 0 4 17 2 0 sub ann | 2 5 18 0 0 0 0 pub go 1.2.3\n"; got != want {
		t.Errorf("connz counts %s, want %s", got, want)
	}
	want := []monitor.SubDetail{{Subject: "audit", Queue: "workers", Sid: "2", Msgs: 1, Max: 9, Cid: 1}, {Subject: "orders.>", Sid: "1", Msgs: 3, Cid: 1}}
	if !slices.Equal(sub.SubsDetail, want) {
		t.Errorf("subscriptions are %+v", sub.SubsDetail)
	}
	if !pub.LastActivity.After(pub.Start) || pub.LastActivity.After(c.Now) || sub.LastActivity.Before(pub.LastActivity.Add(-time.Minute)) {
		t.Errorf("last activity at %v and %v", sub.LastActivity, pub.LastActivity)
	}
	var s monitor.Subsz
	r.into("/subsz?subs=1", &s)
	got = fmt.Sprint(s.NumSubs, s.NumInserts, s.NumRemoves, s.NumMatches, s.MaxFanout, s.Total, len(s.Subs))
	if want := "2 3 1 5 1 2 2"; got != want {
		t.Errorf("subsz counts %s, want %s", got, want)
	}
	if s.CacheHitRate >= 1 || s.NumCache < 1 || s.AvgFanout <= 0 || s.AvgFanout > 1 {
		t.Errorf("subsz says %+v", s.SublistStats)
	}
	more := r.client("more", strings.Repeat("PUB orders.new 1\r\nx\r\n", 95))
	more.Expect("PONG\r\n")
	r.into("/subsz", &s)
	if s.NumMatches != 100 || s.CacheHitRate < 0.9 || s.CacheHitRate >= 1 {
		t.Errorf("subsz says %+v", s.SublistStats)
	}
	var accounts monitor.Accstatz
	r.into("/accstatz?unused=1", &accounts)
	i := slices.IndexFunc(accounts.Accounts, func(a monitor.AccountStat) bool { return a.Account == "$G" })
	if want := (monitor.AccountStat{
		Account: "$G", Name: "$G", Conns: 3, TotalConns: 3, NumSubs: 2,
		Sent: monitor.DataStats{Msgs: 99, Bytes: 112}, Received: monitor.DataStats{Msgs: 100, Bytes: 113},
	}); len(accounts.Accounts) != 3 || accounts.Accounts[i] != want {
		t.Errorf("accstatz says %+v", accounts.Accounts)
	}
}

// TestQueries are the cases of docs/spec/monitoring.md §13, and their like.
func TestQueries(t *testing.T) {
	r := traffic(t)
	most := strconv.Itoa(math.MaxInt)
	type number struct{ NumConns, Total, Offset, Limit int }
	for _, c := range []struct {
		path   string
		status int
		body   string // begins with it, if not empty
		want   *number
	}{
		{path: "/connz?auth=2", want: &number{2, 2, 0, 1024}},
		{path: "/connz?auth=true", want: &number{2, 2, 0, 1024}},
		{path: "/connz?auth=", want: &number{2, 2, 0, 1024}},
		{path: "/connz?auth=x", status: 400, body: `Error decoding boolean for 'auth': strconv.ParseBool: parsing "x": invalid syntax`},
		{path: "/connz?subs=xxx", status: 400, body: "Error decoding boolean for 'subs': "},
		{path: "/connz?limit=xxx", status: 400, body: `Error decoding int for 'limit': strconv.Atoi: parsing "xxx": invalid syntax`},
		{path: "/connz?offset=xxx", status: 400, body: "Error decoding int for 'offset': "},
		{path: "/connz?cid=-1", status: 400, body: "Error decoding uint64 for 'cid': "},
		{path: "/connz?state=xxx", status: 400, body: "Error decoding state for xxx"},
		{path: "/connz?offset=-1&limit=-1", want: &number{2, 2, 0, 1024}},
		{path: "/connz?offset=5&limit=2", want: &number{0, 2, 5, 2}},
		{path: "/connz?offset=" + most + "&limit=" + most, want: &number{0, 2, math.MaxInt, math.MaxInt}},
		{path: "/connz?offset=1&limit=" + most, want: &number{1, 2, 1, math.MaxInt}},
		{path: "/connz?offset=9223372036854775808", status: 400, body: "Error decoding int for 'offset': "},
		{path: "/connz?offset=-9223372036854775808", want: &number{2, 2, 0, 1024}},
		{path: "/connz?sort=foo", status: 400, body: "invalid sorting option: foo"},
		{path: "/connz?sort=stop", status: 400, body: "sort by stop only valid on closed connections"},
		{path: "/connz?sort=reason&state=all", status: 400, body: "sort by reason only valid on closed connections"},
		{path: "/connz?sort=stop&state=closed", want: &number{1, 1, 0, 1024}},
		{path: "/connz?state=CLOSED&cid=3", want: &number{1, 1, 0, 1}},
		{path: "/connz?cid=2", want: &number{1, 1, 0, 1}},
		{path: "/connz?cid=77", want: &number{0, 0, 0, 1}},
		{path: "/connz?state=any", want: &number{3, 3, 0, 1024}},
		{path: "/connz?user=ann", want: &number{2, 2, 0, 1024}},
		{path: "/connz?user=bob", want: &number{0, 0, 0, 1024}},
		{path: "/connz?acc=$G", want: &number{2, 2, 0, 1024}},
		{path: "/connz?acc=none", want: &number{0, 0, 0, 1024}},
		{path: "/connz?match=PUB", want: &number{1, 1, 0, 1024}},
		{path: "/subsz?subs=1&test=foo.*", status: 400, body: "invalid test subject, must be valid publish subject: foo.*"},
		{path: "/subsz?test=a..b", status: 400, body: "invalid test subject"},
		{path: "/subsz?offset=x", status: 400, body: "Error decoding int for 'offset': "},
		{path: "/routez?subs=x", status: 400, body: "Error decoding boolean for 'subs': "},
		{path: "/leafz?subs=x", status: 400, body: "Error decoding boolean for 'subs': "},
		{path: "/accstatz?unused=x", status: 400, body: "Error decoding boolean for 'unused': "},
		{path: "/accountz?acc=none", status: 400, body: "Account none does not exist"},
		{path: "/healthz?js-enabled=x", status: 400, body: "Error decoding boolean for 'js-enabled': "},
		{path: "/healthz?stream=x", status: 400, body: `{"status":"error","error":"\"account\" must not be empty when checking stream health"}`},
		{path: "/varz?callback=alert(1)//", status: 400},
		{path: "/varz?callback=f", status: 200, body: "f({\n"},
		{path: "/varz/", status: 404, body: "404 page not found\n"},
		{path: "/jsz", status: 404, body: "404 page not found\n"},
		{path: "/debug/vars", status: 404, body: "404 page not found\n"},
		{path: "//varz", status: 404, body: "404 page not found\n"},
	} {
		a := r.get(c.path)
		if c.want == nil {
			if a.status != c.status || !strings.HasPrefix(a.body, c.body) {
				t.Errorf("%s: %d %q, want %d %q", c.path, a.status, a.body, c.status, c.body)
			}
			if kind := a.header.Get("Content-Type"); c.status == 400 && kind != "text/plain; charset=utf-8" && !strings.HasPrefix(c.path, "/healthz?stream") {
				t.Errorf("%s is of type %s", c.path, kind)
			}
			continue
		}
		var z monitor.Connz
		if err := json.Unmarshal([]byte(a.body), &z); err != nil {
			t.Errorf("%s: %v in %s", c.path, err, a.body)
			continue
		}
		if got := (number{z.NumConns, z.Total, z.Offset, z.Limit}); got != *c.want || z.Conns == nil || len(z.Conns) != got.NumConns {
			t.Errorf("%s: %+v, want %+v", c.path, got, *c.want)
		}
	}
	if a := r.get("/connz?auth=2"); strings.Contains(a.body, "authorized_user") {
		t.Error("auth=2 shows users")
	}
	if a := r.get("/connz?auth=true"); !strings.Contains(a.body, `"authorized_user": "ann"`) {
		t.Error("auth=true shows no users")
	}
	if a := r.get("/varz?callback=f.g$"); a.header.Get("Content-Type") != "application/javascript" || !strings.HasSuffix(a.body, "\n})") {
		t.Errorf("JSONP is %s ...%s", a.header, a.body[len(a.body)-5:])
	}
	before := r.get("/varz").body
	r.get("/subscriptionsz")
	if after := r.get("/varz").body; before == after || !strings.Contains(after, `"/subsz": `) || strings.Contains(after, "/subscriptionsz") {
		t.Error("/subscriptionsz does not count under /subsz")
	}
}

// TestSorting: connections come in the order asked for, and ties in that of their ids.
func TestSorting(t *testing.T) {
	r := launch(t, nil)
	first := r.client("first", "SUB a 1\r\nSUB b 2\r\n")
	second := r.client("second", "SUB a 1\r\n")
	third := r.client("third", "PUB a 1\r\nx\r\nPUB b 3\r\nxxx\r\n")
	third.Expect("PONG\r\n")
	first.Expect("MSG a 1 1\r\nx\r\nMSG b 2 3\r\nxxx\r\n")
	second.Expect("MSG a 1 1\r\nx\r\n")
	fourth := r.client("fourth", "PUB c 9\r\nxxxxxxxxx\r\n")
	fourth.Expect("PONG\r\n")
	eventually(t, "nothing is pending", func() bool { // it is for a moment after the client has read it
		var z monitor.Connz
		r.into("/connz", &z)
		return !slices.ContainsFunc(z.Conns, func(c monitor.ConnInfo) bool { return c.Pending > 0 })
	})
	for sort, want := range map[string]string{
		"": "1234", "cid": "1234", "start": "1234", "subs": "1234", "msgs_to": "1234", "msgs_from": "3412", "bytes_to": "1234", "bytes_from": "4312",
		"uptime": "4321", "pending": "1234", "rtt": "1234", "MSGS_FROM": "3412",
	} {
		var z monitor.Connz
		r.into("/connz?sort="+sort, &z)
		got := ""
		for i := range z.Conns {
			got += fmt.Sprint(z.Conns[i].Cid)
		}
		if got != want {
			t.Errorf("sorted by %q: %s, want %s", sort, got, want)
		}
	}
	for _, sort := range []string{"last", "idle"} {
		var z monitor.Connz
		r.into("/connz?sort="+sort, &z)
		if !slices.IsSortedFunc(z.Conns, func(a, b monitor.ConnInfo) int {
			if sort == "last" {
				a, b = b, a
			}
			return a.LastActivity.Compare(b.LastActivity)
		}) {
			t.Errorf("not sorted by %s: %+v", sort, z.Conns)
		}
	}
}

// TestSlow: a slow consumer is told of with what it was behind with.
func TestSlow(t *testing.T) {
	r := launch(t, func(o *broker.Options, _ *monitor.Options) { o.MaxPending, o.MaxPayload = 1<<20, 1<<20 })
	r.client("snail", "SUB bulk.> 1\r\n")
	publisher := r.client("pub", "")
	block := strings.Repeat("x", 60000)
	for n := 0; r.broker.Stats().SlowConsumers == 0; n++ {
		publisher.Send(fmt.Sprintf("PUB bulk.%d 60000\r\n%s\r\nPING\r\n", n%2, block))
		publisher.Expect("PONG\r\n")
	}
	var z monitor.Slowz
	eventually(t, "it was noted", func() bool {
		r.into("/slowz", &z)
		return len(z.Slow) == 1
	})
	s := z.Slow[0]
	if z.Clients != 1 || z.Routes != 0 || s.Kind != "Client" || s.Name != "snail" || s.Cid != 1 || s.IP != "127.0.0.1" || s.Port == 0 ||
		s.Limit != "max_pending" || s.LimitValue != "1048576 bytes" || s.Pending < 1<<19 || s.Behind == "" {
		t.Errorf("slowz says %+v", z)
	}
	if len(s.Subjects) != 2 || !strings.HasPrefix(s.Subjects[0].Subject, "bulk.") || s.Subjects[0].Msgs < 1 || s.Subjects[0].Bytes < 60000 {
		t.Errorf("the backlog was %+v", s.Subjects)
	}
	var v monitor.Varz
	r.into("/varz", &v)
	if v.SlowConsumers != 1 || v.SlowConsumerStats.Clients != 1 {
		t.Errorf("varz says %+v", v)
	}
	eventually(t, "it has closed", func() bool {
		var c monitor.Connz
		r.into("/connz?state=closed&sort=reason", &c)
		return len(c.Conns) == 1 && c.Conns[0].Reason == "Slow Consumer (Pending Bytes)" && c.Conns[0].Stop != nil
	})
}

// TestLatency: what was delivered is in the histogram.
func TestLatency(t *testing.T) {
	r := launch(t, nil)
	sub := r.client("sub", "SUB x 1\r\n")
	pub := r.client("pub", strings.Repeat("PUB x 1\r\nx\r\n", 10))
	pub.Expect("PONG\r\n")
	sub.Expect(strings.Repeat("MSG x 1 1\r\nx\r\n", 10))
	eventually(t, "ten deliveries are counted", func() bool {
		total := int64(0)
		for _, n := range r.broker.Latency().Counts {
			total += n
		}
		return total == 10
	})
	if l := r.broker.Latency(); l.Sum <= 0 {
		t.Errorf("the latency is %+v", l)
	}
}

package broker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/natsd/natsd/internal/interest"
)

// linked returns options with three accounts: A exports, B and C import. Each has a user of its name in lower case.
func linked() Options {
	return Options{
		Host: "127.0.0.1", Port: RandomPort,
		Accounts: []Account{
			{Name: "A", Exports: []Export{
				{Subject: "s.>"}, {Subject: "svc", Service: true}, {Subject: "multi", Service: true, Responses: ResponseStream},
				{Subject: "private", Accounts: []string{"B"}}, {Subject: "for.*.>", AccountToken: 2}, {Subject: "calc.*.*", Service: true},
				{Subject: "late", Service: true, ResponseTime: time.Nanosecond},
			}},
			{Name: "B",
				Exports: []Export{{Subject: "relayed", Service: true}},
				Imports: []Import{
					{Account: "A", Subject: "s.>", Local: "fromA.>"}, {Account: "A", Subject: "svc", Service: true, Local: "mysvc"},
					{Account: "A", Subject: "multi", Service: true}, {Account: "A", Subject: "private"}, {Account: "A", Subject: "for.B.>"},
					{Account: "A", Subject: "calc.*.*", Service: true, Local: "do.*.with.*"}, {Account: "A", Subject: "svc", Service: true, Local: "relayed"},
					{Account: "A", Subject: "late", Service: true},
				}},
			{Name: "C", Imports: []Import{{Account: "B", Subject: "relayed", Service: true, Local: "hop"}},
				Mappings: []Mapping{
					{Source: "m.in", Destinations: []Destination{{Subject: "m.out", Weight: 100}}},
					{Source: "p.*.*", Destinations: []Destination{{Subject: "q.$2.$1", Weight: 100}}},
					{Source: "p.x.*", Destinations: []Destination{{Subject: "exact.$1", Weight: 100}}},
					{Source: "w", Destinations: []Destination{{Subject: "w.x", Weight: 30}, {Subject: "w.y", Weight: 30}}},
					{Source: "gone", Destinations: []Destination{{Subject: "x", Weight: 0}}},
				}},
		},
		Auth: &Auth{Users: []User{{Name: "a", Account: "A"}, {Name: "b", Account: "B"}, {Name: "c", Account: "C"}, {Name: "cp", Account: "C", Permissions: &Permissions{
			Publish: PermissionSide{Allow: []string{"m.in"}}, Subscribe: PermissionSide{Open: true},
		}}}},
	}
}

// TestAnswerAmongKin: an answer to a request of another account finds its way back from the middle of a row of messages whose subjects
// differ in one token, to a subscriber who gets them all.
func TestAnswerAmongKin(t *testing.T) {
	b := launch(t, Options{
		Host: "127.0.0.1", Port: RandomPort,
		Accounts: []Account{
			{Name: "A", Exports: []Export{{Subject: "svc", Service: true}}},
			{Name: "B", Imports: []Import{{Account: "A", Subject: "svc", Service: true}}},
		},
		Auth: &Auth{Users: []User{{Name: "a", Account: "A"}, {Name: "b", Account: "B"}}},
	})
	service, listener, client := as(t, b, "a"), as(t, b, "a"), as(t, b, "b")
	service.send("SUB svc 1\r\n")
	service.roundTrip()
	listener.send("SUB _R_.> 1\r\n")
	listener.roundTrip()
	client.send("SUB in 1\r\nPUB svc in 3\r\nreq\r\n")
	reply := strings.Fields(service.line())[3]
	service.expect("req")
	tokens := strings.Split(reply, ".")
	var batch strings.Builder
	var heard []string
	for _, token := range []string{"1", "2", "3", "4", tokens[1], "5"} {
		text := strings.Join([]string{tokens[0], token, tokens[2]}, ".")
		batch.WriteString("PUB " + text + " 3\r\nans\r\n")
		heard = append(heard, "MSG "+text+" 1 3", "ans")
	}
	service.send(batch.String())
	service.roundTrip()
	client.expect("MSG in 1 3", "ans")
	client.roundTrip()
	listener.expect(heard...)
}

// TestStreamImport: what is published in the exporting account is seen in the importing one, under the name there, and
// nowhere else. Spec: docs/spec/config.md B6.
func TestStreamImport(t *testing.T) {
	b := launch(t, linked())
	a, importer, stranger := as(t, b, "a"), as(t, b, "b"), as(t, b, "c")
	for _, c := range []*wireClient{a, importer, stranger} {
		c.send("SUB > 1\r\n")
		c.roundTrip()
	}
	importer.send("SUB fromA.* q 2\r\n")
	importer.roundTrip()
	a.send("PUB s.1 reply 2\r\nhi\r\nPUB x 0\r\n\r\nPUB private 0\r\n\r\nPUB for.B.y 0\r\n\r\nPUB for.C.y 0\r\n\r\n")
	a.expect("MSG s.1 1 reply 2", "hi", "MSG x 1 0", "", "MSG private 1 0", "", "MSG for.B.y 1 0", "", "MSG for.C.y 1 0", "")
	importer.expect("MSG fromA.1 1 reply 2", "hi", "MSG fromA.1 2 reply 2", "hi", "MSG private 1 0", "", "MSG for.B.y 1 0", "")
	importer.roundTrip()
	importer.send("PUB s.2 0\r\n\r\nPUB fromA.2 0\r\n\r\n") // nothing goes back
	importer.expect("MSG s.2 1 0", "", "MSG fromA.2 1 0", "", "MSG fromA.2 2 0", "")
	a.roundTrip()
	stranger.roundTrip()
}

// TestOrderAcrossAccounts: messages that cross and messages that do not keep their order.
func TestOrderAcrossAccounts(t *testing.T) {
	b := launch(t, linked())
	a, importer := as(t, b, "a"), as(t, b, "b")
	importer.send("SUB fromA.> 1\r\n")
	importer.roundTrip()
	var batch strings.Builder
	var want []string
	for i := range 200 {
		fmt.Fprintf(&batch, "PUB s.%d 3\r\n%03d\r\nPUB other 0\r\n\r\n", i%3, i)
		want = append(want, fmt.Sprintf("MSG fromA.%d 1 3", i%3), fmt.Sprintf("%03d", i))
	}
	a.send(batch.String())
	importer.expect(want...)
}

// TestServiceImport: a request reaches the other account with a reply subject of the server's, and the answer finds its way
// back; one answer, or as many as the export allows.
func TestServiceImport(t *testing.T) {
	b := launch(t, linked())
	service, client, other := as(t, b, "a"), as(t, b, "b"), as(t, b, "c")
	service.send("SUB svc 1\r\nSUB multi 2\r\nSUB calc.> 3\r\nSUB late 4\r\n")
	service.roundTrip()
	client.send("SUB in.* 1\r\n")
	other.send("SUB in.* 1\r\n")
	client.roundTrip()
	other.roundTrip()
	request := func(from *wireClient, subject, there string, sid int) (reply string) {
		t.Helper()
		from.send("PUB " + subject + " in.1 3\r\nreq\r\n")
		words := strings.Fields(service.line())
		service.expect("req")
		if len(words) != 5 || words[1] != there || words[2] != fmt.Sprint(sid) || !strings.HasPrefix(words[3], "_R_.") {
			t.Fatalf("the service got %q", words)
		}
		return words[3]
	}
	answer := func(reply string, n int) {
		service.send(strings.Repeat("PUB "+reply+" 3\r\nans\r\n", n))
		service.roundTrip()
	}
	reply := request(client, "mysvc", "svc", 1)
	client.send("PUB " + reply + " 4\r\nfake\r\n") // in the account of the client it means nothing
	answer(reply, 2)
	client.expect("MSG in.1 1 3", "ans")
	client.roundTrip()
	answer(request(client, "multi", "multi", 2), 3)
	client.expect("MSG in.1 1 3", "ans", "MSG in.1 1 3", "ans", "MSG in.1 1 3", "ans")
	answer(request(client, "do.add.with.two", "calc.add.two", 3), 1)
	client.expect("MSG in.1 1 3", "ans")
	answer(request(other, "hop", "svc", 1), 1) // by way of B
	other.expect("MSG in.1 1 3", "ans")
	answer(request(client, "late", "late", 4), 1)
	client.roundTrip()
	client.send("PUB mysvc 1\r\nx\r\nPUB svc 1\r\ny\r\nPUB relayed 1\r\nz\r\n") // without a reply; svc is no import
	service.expect("MSG svc 1 1", "x", "MSG svc 1 1", "z")
	service.roundTrip()
}

// TestRowOfAnswers: answers of the same size in a row all find their way back, also out of an account that has nothing but the
// service. Spec: docs/spec/config.md B6.
func TestRowOfAnswers(t *testing.T) {
	b := launch(t, Options{
		Accounts: []Account{
			{Name: "A", Exports: []Export{{Subject: "multi", Service: true, Responses: ResponseStream}}},
			{Name: "B", Imports: []Import{{Account: "A", Subject: "multi", Service: true}}},
		},
		Auth: &Auth{Users: []User{{Name: "a", Account: "A"}, {Name: "b", Account: "B"}}},
	})
	for _, beside := range []string{"SUB other 2\r\n", "SUB _R_.> 2\r\n"} { // without and with somebody who listens to them at home
		service, local, client := as(t, b, "a"), as(t, b, "a"), as(t, b, "b")
		service.send("SUB multi q 1\r\n")
		service.roundTrip()
		local.send(beside)
		local.roundTrip()
		client.send("SUB in.* 1\r\nPUB multi in.1 3\r\nreq\r\n")
		reply := strings.Fields(service.line())[3]
		service.expect("req")
		const answers = 5
		var row strings.Builder
		for i := range answers {
			fmt.Fprintf(&row, "PUB %s 3\r\n%03d\r\n", reply, i)
		}
		service.send(row.String())
		for i := range answers {
			client.expect("MSG in.1 1 3", fmt.Sprintf("%03d", i))
		}
		if strings.Contains(beside, "_R_") {
			for i := range answers {
				local.expect("MSG "+reply+" 2 3", fmt.Sprintf("%03d", i))
			}
		}
		service.send("UNSUB 1\r\n")
		service.roundTrip()
		client.roundTrip()
		local.roundTrip()
	}
}

// TestNoRespondersAcross: a request that nobody takes in the other account is told so.
func TestNoRespondersAcross(t *testing.T) {
	b := launch(t, linked())
	client := expectIn(t, b, true, "user", "b", "headers", true, "no_responders", true)
	client.send("SUB in.* 1\r\nPUB mysvc in.1 0\r\n\r\n")
	if line := client.line(); !strings.HasPrefix(line, "HMSG in.1 1 ") {
		t.Errorf("%q", line)
	}
	if n := b.live.Load().authority.accounts["A"].responses.waiting.Load(); n != 0 {
		t.Errorf("%d answers are still expected", n)
	}
}

// TestServicePermissions: a service whose user may answer only may answer requests of other accounts too.
func TestServicePermissions(t *testing.T) {
	o := linked()
	o.Auth.Users[0].Permissions = &Permissions{
		Subscribe: PermissionSide{Allow: []string{"svc"}}, Responses: &ResponsePermission{Max: 1, Expires: time.Minute},
	}
	b := launch(t, o)
	service, client := as(t, b, "a"), as(t, b, "b")
	service.send("SUB svc 1\r\n")
	service.roundTrip()
	client.send("SUB in.* 1\r\nPUB mysvc in.1 0\r\n\r\n")
	reply := strings.Fields(service.line())[3]
	service.expect("")
	service.send("PUB " + reply + " 3\r\nans\r\nPUB _R_.guess 0\r\n\r\n")
	service.expect(`-ERR 'Permissions Violation for Publish to "_R_.guess"'`)
	client.expect("MSG in.1 1 3", "ans")
}

// TestMappings: the subject is replaced before permissions are looked at, as in nats-server; the most exact pattern counts;
// weights choose. Spec: docs/spec/config.md B6.
func TestMappings(t *testing.T) {
	o := linked()
	o.Mappings = []Mapping{{Source: "g", Destinations: []Destination{{Subject: "h", Weight: 100}}}}
	o.Auth.Users = append(o.Auth.Users, User{Name: "global"})
	b := launch(t, o)
	c := as(t, b, "c")
	c.send("SUB > 1\r\nPUB m.in 0\r\n\r\nPUB p.1.2 r 2\r\nhi\r\nPUB p.x.2 0\r\n\r\nPUB gone 0\r\n\r\nPUB other 0\r\n\r\n")
	c.expect("MSG m.out 1 0", "", "MSG q.2.1 1 r 2", "hi", "MSG exact.2 1 0", "", "MSG gone 1 0", "", "MSG other 1 0", "")
	counts := make(map[string]int)
	const n = 2000
	c.send(strings.Repeat("PUB w 0\r\n\r\n", n))
	for range n {
		counts[strings.Fields(c.line())[1]]++
		c.expect("")
	}
	for text, share := range map[string]int{"w.x": 30, "w.y": 30, "w": 40} {
		if got := counts[text] * 100 / n; got < share-6 || got > share+6 {
			t.Errorf("%d %% of the messages went to %s, want about %d", got, text, share)
		}
	}
	limited := as(t, b, "cp")
	limited.send("PUB m.in 0\r\n\r\nPUB m.in 0\r\n\r\n")
	limited.expect(`-ERR 'Permissions Violation for Publish to "m.out"'`, `-ERR 'Permissions Violation for Publish to "m.out"'`)
	global := as(t, b, "global")
	global.send("SUB > 1\r\nPUB g 0\r\n\r\nPUB m.in 0\r\n\r\n")
	global.expect("MSG h 1 0", "", "MSG m.in 1 0", "")
}

// TestOrderOfMappings: whatever the order in which mappings stand, the same one counts for a subject, and none that another one covers is
// out of reach. Spec: docs/spec/config.md B6.
func TestOrderOfMappings(t *testing.T) {
	sources := []string{"a.>", "z.*", "a.*.*", "a.b.*", ">", "*.b.c"}
	want := map[string]string{"a.x": "a.>", "a.x.y": "a.*.*", "a.b.c": "a.b.*", "z.y": "z.*", "z.b.c": "*.b.c", "q": ">", "a.x.y.z": "a.>"}
	var permute func(done, rest []string)
	permute = func(done, rest []string) {
		for i, source := range rest {
			permute(append(slices.Clone(done), source), slices.Delete(slices.Clone(rest), i, i+1))
		}
		if len(rest) > 0 {
			return
		}
		var list []Mapping
		for _, source := range done {
			to := "to"
			if strings.HasSuffix(source, ">") {
				to = "to.>"
			}
			list = append(list, Mapping{Source: source, Destinations: []Destination{{Subject: to, Weight: 100}}})
		}
		mappings, err := newMappings(list)
		if err != nil {
			t.Fatal(err)
		}
		for text, source := range want {
			at := slices.IndexFunc(mappings, func(m *mapping) bool { return m.destinations[0].Matches([]byte(text)) })
			if got := mappings[at].source; got != source {
				t.Fatalf("%v: %s is mapped by %s, want %s", done, text, got, source)
			}
		}
	}
	permute(nil, sources)
}

// TestReloadLinks: imports and mappings count from a reload on, for clients that are connected.
func TestReloadLinks(t *testing.T) {
	b := launch(t, linked())
	a, importer := as(t, b, "a"), as(t, b, "b")
	importer.send("SUB > 1\r\n")
	importer.roundTrip()
	o := linked()
	o.Accounts[1].Imports[0].Local = "renamed.>"
	o.Accounts[0].Mappings = []Mapping{{Source: "old", Destinations: []Destination{{Subject: "s.new", Weight: 100}}}}
	reload(t, b, o)
	a.send("PUB old 0\r\n\r\n")
	importer.expect("MSG renamed.new 1 0", "")
	o.Accounts[1].Imports = nil
	o.Accounts[2].Imports = nil
	reload(t, b, o)
	a.send("PUB s.1 0\r\n\r\n")
	a.roundTrip()
	importer.roundTrip()
}

// TestResponsesAreBounded: requests that nobody answers do not pile up.
func TestResponsesAreBounded(t *testing.T) {
	r := &responses{}
	for i := range 2 * maxResponses {
		r.expect(fmt.Sprint(i), &response{time: time.Hour})
	}
	if n := len(r.mu.open); n > maxResponses || n < maxResponses/2 || r.waiting.Load() != int64(n) {
		t.Errorf("%d answers are expected, %d by the count", n, r.waiting.Load())
	}
}

// TestLinkValidation: what cannot be meant is refused.
func TestLinkValidation(t *testing.T) {
	export := func(e Export) []Account { return []Account{{Name: "A", Exports: []Export{e}}, {Name: "B"}} }
	with := func(list []Account, m Import) []Account {
		list[1].Imports = []Import{m}
		return list
	}
	for name, accounts := range map[string][]Account{
		"no account":        with(export(Export{Subject: "s"}), Import{Account: "X", Subject: "s"}),
		"no export":         with(export(Export{Subject: "s"}), Import{Account: "A", Subject: "t"}),
		"a service":         with(export(Export{Subject: "s", Service: true}), Import{Account: "A", Subject: "s"}),
		"more than that":    with(export(Export{Subject: "s.*"}), Import{Account: "A", Subject: "s.>"}),
		"not for it":        with(export(Export{Subject: "s", Accounts: []string{"C"}}), Import{Account: "A", Subject: "s"}),
		"not its token":     with(export(Export{Subject: "s.*", AccountToken: 2}), Import{Account: "A", Subject: "s.C"}),
		"wildcards":         with(export(Export{Subject: "s.*", Service: true}), Import{Account: "A", Subject: "s.*", Service: true, Local: "l"}),
		"bad local":         with(export(Export{Subject: "s.*"}), Import{Account: "A", Subject: "s.*", Local: "l.$2"}),
		"bad export":        export(Export{Subject: "s..x"}),
		"bad mapping":       {{Name: "A", Mappings: []Mapping{{Source: "a..b", Destinations: []Destination{{Subject: "b", Weight: 100}}}}}},
		"weights":           {{Name: "A", Mappings: []Mapping{{Source: "a", Destinations: []Destination{{Subject: "b", Weight: 60}, {Subject: "c", Weight: 60}}}}}},
		"weight":            {{Name: "A", Mappings: []Mapping{{Source: "a", Destinations: []Destination{{Subject: "b", Weight: -1}}}}}},
		"circle of two":     {{Name: "A", Exports: []Export{{Subject: "x", Service: true}}, Imports: []Import{{Account: "B", Subject: "x", Service: true}}}, {Name: "B", Exports: []Export{{Subject: "x", Service: true}}, Imports: []Import{{Account: "A", Subject: "x", Service: true}}}},
		"circle of oneself": {{Name: "A", Exports: []Export{{Subject: "x", Service: true}}, Imports: []Import{{Account: "A", Subject: "x", Service: true}}}},
	} {
		if _, err := New(Options{Accounts: accounts}); !errors.Is(err, ErrInvalidOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 3 {
		if _, err := New(linked()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCirclesOfImports: no request can go round. Imports that lead on from each other, or have their subjects in common and do not,
// are none of the matter, and streams lead on to nothing. Spec: docs/spec/config.md B6.
func TestCirclesOfImports(t *testing.T) {
	account := func(name string, imports ...Import) Account {
		return Account{Name: name, Exports: []Export{{Subject: ">"}, {Subject: ">", Service: true}}, Imports: imports}
	}
	service := func(from, subject, local string) Import {
		return Import{Account: from, Subject: subject, Local: local, Service: true}
	}
	stream := func(from, subject, local string) Import { return Import{Account: from, Subject: subject, Local: local} }
	for name, test := range map[string]struct {
		accounts []Account
		circle   string // empty: there is none
	}{
		"two":            {[]Account{account("A", service("B", "x", "")), account("B", service("A", "x", ""))}, `A "x", B "x", A "x"`},
		"three":          {[]Account{account("A", service("B", "y", "x")), account("B", service("C", "z", "y")), account("C", service("A", "x", "z"))}, `A "x", B "y", C "z", A "x"`},
		"oneself":        {[]Account{account("A", service("A", "x", ""))}, `A "x", A "x"`},
		"growing":        {[]Account{account("A", service("B", "a.>", ">")), account("B", service("A", "b.>", ">"))}, `A ">", B ">", A ">"`},
		"wildcards":      {[]Account{account("A", service("B", "*.a", "a.*")), account("B", service("A", "*.a", ""))}, `A "a.*", B "*.a", A "a.*"`},
		"behind a tail":  {[]Account{account("A", service("B", "x", "")), account("B", service("C", "x", "")), account("C", service("B", "x", ""))}, `B "x", C "x", B "x"`},
		"chain":          {[]Account{account("A"), account("B", service("A", "x", "")), account("C", service("B", "x", ""))}, ""},
		"other subjects": {[]Account{account("A", service("B", "b.>", "")), account("B", service("A", "a.>", ""))}, ""},
		"own copy":       {[]Account{account("A", service("A", "x", "y"))}, ""},
		"streams":        {[]Account{account("A", stream("B", "x", "")), account("B", stream("A", "x", ""))}, ""},
		"growing stream": {[]Account{account("A", stream("B", ">", "b.>")), account("B", stream("A", ">", "a.>"))}, ""},
		"both kinds":     {[]Account{account("A", stream("B", "x", ""), service("B", "x", "")), account("B")}, ""},
	} {
		_, err := New(Options{Accounts: test.accounts})
		switch {
		case test.circle == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.circle != "" && (!errors.Is(err, ErrInvalidOptions) || !strings.Contains(err.Error(), "imports of services go in a circle: "+test.circle+"; ")):
			t.Errorf("%s: %v, want the circle %s", name, err, test.circle)
		}
	}
}

// TestStreamsGoOneWay: what has come from another account goes on by no import of a stream, neither to accounts that its exporter does
// not know of nor back; as a request it does. Spec: docs/spec/config.md B6.
func TestStreamsGoOneWay(t *testing.T) {
	b := launch(t, Options{
		Accounts: []Account{
			{Name: "A", Exports: []Export{{Subject: "s", Accounts: []string{"B"}}, {Subject: "q", Service: true}, {Subject: "end"}},
				Imports: []Import{{Account: "B", Subject: "s"}}},
			{Name: "B", Imports: []Import{{Account: "A", Subject: "s"}, {Account: "A", Subject: "q", Service: true}, {Account: "A", Subject: "end"}},
				Exports: []Export{{Subject: "s"}, {Subject: "q", Service: true}, {Subject: "q"}}},
			{Name: "C", Imports: []Import{{Account: "B", Subject: "s"}, {Account: "B", Subject: "q", Local: "request", Service: true}, {Account: "B", Subject: "q"},
				{Account: "A", Subject: "end"}}},
		},
		Auth: &Auth{Users: []User{{Name: "a", Account: "A"}, {Name: "b", Account: "B"}, {Name: "c", Account: "C"}}},
	})
	clients := []*wireClient{as(t, b, "a"), as(t, b, "b"), as(t, b, "c")}
	for _, c := range clients {
		c.send("SUB s 1\r\nSUB q 2\r\nSUB end 3\r\n")
		c.roundTrip()
	}
	clients[0].send("PUB s 2\r\nhi\r\nPUB end 0\r\n\r\n")
	for _, c := range clients[:2] {
		c.expect("MSG s 1 2", "hi", "MSG end 3 0", "")
	}
	clients[2].expect("MSG end 3 0", "")
	clients[2].send("PUB request 2\r\nhi\r\n")
	clients[2].roundTrip()
	clients[0].send("PUB end 0\r\n\r\n")
	for _, c := range clients[:2] {
		c.expect("MSG q 2 2", "hi", "MSG end 3 0", "")
	}
	clients[2].expect("MSG end 3 0", "")
}

// TestHeadersAcross: headers get to other accounts, under mapped subjects and with the reply subject of the server's.
func TestHeadersAcross(t *testing.T) {
	b := launch(t, linked())
	service := expectIn(t, b, true, "user", "a", "headers", true)
	plain, client := as(t, b, "a"), expectIn(t, b, true, "user", "b", "headers", true)
	service.send("SUB svc 1\r\n")
	plain.send("SUB svc 1\r\n")
	client.send("SUB fromA.> 1\r\nSUB in.* 2\r\n")
	for _, c := range []*wireClient{service, plain, client} {
		c.roundTrip()
	}
	service.send("HPUB s.1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n")
	client.expect("HMSG fromA.1 1 12 14", "NATS/1.0", "", "hi")
	client.send("HPUB mysvc in.1 12 14\r\nNATS/1.0\r\n\r\nhi\r\n")
	words := strings.Fields(service.line())
	if len(words) != 6 || words[0] != "HMSG" || !strings.HasPrefix(words[3], "_R_.") || words[4] != "12" || words[5] != "14" {
		t.Fatalf("%q", words)
	}
	service.expect("NATS/1.0", "", "hi")
	if words := strings.Fields(plain.line()); len(words) != 5 || words[0] != "MSG" || words[4] != "2" {
		t.Fatalf("%q", words)
	}
	plain.expect("hi")
	service.send("HPUB " + words[3] + " 12 15\r\nNATS/1.0\r\n\r\nans\r\n")
	client.expect("HMSG in.1 2 12 15", "NATS/1.0", "", "ans")
}

// TestAutoUnsubscribeAcross: a limit counts what comes from other accounts too.
func TestAutoUnsubscribeAcross(t *testing.T) {
	b := launch(t, linked())
	a, importer := as(t, b, "a"), as(t, b, "b")
	importer.send("SUB fromA.> 1\r\nUNSUB 1 2\r\n")
	importer.roundTrip()
	a.send("PUB s.1 0\r\n\r\nPUB s.2 0\r\n\r\nPUB s.3 0\r\n\r\n")
	importer.expect("MSG fromA.1 1 0", "", "MSG fromA.2 1 0", "")
	importer.roundTrip()
}

// TestInterestThroughImports: what is announced for a stream that an account imports is what its clients ask for in the end, however
// many come and go at a time. Spec: docs/spec/route-protocol.md §3.5.
func TestInterestThroughImports(t *testing.T) {
	o := linked()
	o.Clustered = true
	for i := range 300 { // looking at all of them takes long enough to be overtaken
		o.Accounts = append(o.Accounts, Account{Name: fmt.Sprintf("D%d", i), Imports: []Import{{Account: "A", Subject: "s.>"}}})
	}
	b := launch(t, o)
	key := interest.Key[*account]{Account: b.live.Load().authority.accounts["A"], Subject: "s.>"}
	comes, goes := as(t, b, "b"), as(t, b, "b")
	goes.send("SUB x 1\r\n")
	goes.roundTrip()
	for i := range 300 {
		var both sync.WaitGroup
		both.Go(func() { comes.send("SUB x 1\r\n") })
		both.Go(func() { goes.send("UNSUB 1\r\n") })
		both.Wait()
		comes.roundTrip()
		goes.roundTrip()
		b.announcer.mu.Lock()
		announced := b.announcer.mu.imported[key]
		b.announcer.mu.Unlock()
		if !announced {
			t.Fatalf("round %d: there is a subscriber, and the stream is not announced", i)
		}
		comes, goes = goes, comes
	}
}

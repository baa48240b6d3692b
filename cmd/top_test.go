package cmd

import (
	"strings"
	"testing"

	"github.com/gdamore/tcell/v2"
)

// topTestSample is one look at a server with four connections, one of them with a name that would drive a terminal.
func topTestSample() *topSample {
	return &topSample{Total: 4, Conns: []topConn{
		{Cid: 7, IP: "10.0.0.1", Port: 4001, Name: "Billing"},
		{Cid: 8, IP: "10.0.0.2", Port: 4002, Name: "audit", User: "wilma"},
		{Cid: 90, Name: "bridge"},
		{Cid: 91, IP: "10.0.0.3", Port: 4003, Name: "\x1b[2Jevil"},
	}}
}

// TestTopFilter: a filter is found in name, host, user and cid, in any case, and the limit counts after it. Spec: docs/spec/cli.md §1.
func TestTopFilter(t *testing.T) {
	for _, c := range []struct {
		filter   string
		limit    int
		matching int
		want     string
	}{
		{filter: "", limit: 9, matching: 4, want: "7 8 90 91"},
		{filter: "bILLing", limit: 9, matching: 1, want: "7"},
		{filter: "10.0.0.2:4002", limit: 9, matching: 1, want: "8"},
		{filter: "WILMA", limit: 9, matching: 1, want: "8"},
		{filter: "9", limit: 9, matching: 2, want: "90 91"},
		{filter: "in process", limit: 9, matching: 1, want: "90"},
		{filter: "i", limit: 2, matching: 4, want: "7 8"},
		{filter: "nobody", limit: 9, want: ""},
	} {
		shown := topTestSample().shown(topQuery{filter: c.filter, limit: c.limit})
		var cids []string
		for i := range shown.Conns {
			cids = append(cids, topColumns(topQuery{})[1].value(&shown.Conns[i], shown.Server.Now))
		}
		if got := strings.Join(cids, " "); got != c.want || shown.matching != c.matching || shown.Conns == nil {
			t.Errorf("filter %q: connections %q, %d match; want %q, %d", c.filter, got, shown.matching, c.want, c.matching)
		}
	}
}

// TestTopFilterKeys types a filter, keeps it and clears it.
func TestTopFilterKeys(t *testing.T) {
	simulated := tcell.NewSimulationScreen("UTF-8")
	if err := simulated.Init(); err != nil {
		t.Fatal(err)
	}
	defer simulated.Fini()
	simulated.SetSize(160, 20)
	s := &topScreen{screen: simulated, options: &topOptions{topQuery: topQuery{sort: "cid", limit: 10}}, last: topTestSample()}
	for _, c := range []struct {
		keys        string // \n is Enter, \b Backspace, \x1b Escape
		shows       []string
		doesNotShow []string
	}{
		{keys: "", shows: []string{"Connections: 4", "Billing", "audit", "/ filter"}, doesNotShow: []string{"filter :"}},
		{keys: "/Bix", shows: []string{"filter: Bix_", "Connections: 4  filter Bix: 0"}, doesNotShow: []string{"Billing"}},
		{keys: "\bl", shows: []string{"filter: Bil_", "filter Bil: 1", "Billing"}, doesNotShow: []string{"audit"}},
		{keys: "\n", shows: []string{"sorted by cid", "filter Bil: 1", "Billing"}, doesNotShow: []string{"audit"}},
		{keys: "?", shows: []string{"enter keeps it, escape clears it"}},
		{keys: "\x1b", shows: []string{"filter Bil: 1"}},
		{keys: "\x1b", shows: []string{"Connections: 4", "audit"}, doesNotShow: []string{"filter Bil"}},
		{keys: "/ü\b\x01evil", shows: []string{"filter: evil_", "filter evil: 1", "?[2Jevil"}, doesNotShow: []string{"Billing"}},
		{keys: "\x1b", shows: []string{"sorted by cid", "Billing", "audit"}, doesNotShow: []string{"filter evil"}},
	} {
		for _, r := range c.keys {
			key := tcell.NewEventKey(tcell.KeyRune, r, tcell.ModNone)
			if r < ' ' {
				key = tcell.NewEventKey(map[rune]tcell.Key{'\n': tcell.KeyEnter, '\b': tcell.KeyBackspace, '\x1b': tcell.KeyEscape, '\x01': tcell.KeyCtrlA}[r], 0, tcell.ModNone)
			}
			if s.handle(key) {
				t.Fatalf("%q quits", r)
			}
		}
		s.draw()
		text := screenText(simulated)
		for _, want := range c.shows {
			if !strings.Contains(text, want) {
				t.Errorf("after %q the screen does not show %q:\n%s", c.keys, want, text)
			}
		}
		for _, other := range c.doesNotShow {
			if strings.Contains(text, other) {
				t.Errorf("after %q the screen shows %q:\n%s", c.keys, other, text)
			}
		}
	}
}

// screenText returns what a screen shows.
func screenText(s tcell.SimulationScreen) string {
	cells, width, _ := s.GetContents()
	var text strings.Builder
	for i := range cells {
		if i%width == 0 {
			text.WriteByte('\n')
		}
		text.WriteString(string(cells[i].Runes))
	}
	return text.String()
}

package cmd

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// topHeader returns the lines above the connections of a sample that is shown.
func topHeader(s *topSample, q topQuery) []string {
	v, r := &s.Server, &s.Rates
	name := v.ServerName
	if name == "" {
		name = v.ServerID
	}
	filter := ""
	if q.filter != "" {
		filter = fmt.Sprintf("  filter %s: %d", clean(q.filter), s.matching)
	}
	return []string{
		fmt.Sprintf("%s  version %s  up %s", clean(name), clean(v.Version), clean(v.Uptime)),
		fmt.Sprintf("  Load: CPU %.1f%%  memory %s  slow consumers %d  subscriptions %d", v.CPU, size(float64(v.Mem)), v.SlowConsumers, v.Subscriptions),
		fmt.Sprintf("  In:   %s msgs  %s  |  %s msgs/s  %s/s", number(float64(v.InMsgs)), size(float64(v.InBytes)), number(r.InMsgs), size(r.InBytes)),
		fmt.Sprintf("  Out:  %s msgs  %s  |  %s msgs/s  %s/s", number(float64(v.OutMsgs)), size(float64(v.OutBytes)), number(r.OutMsgs), size(r.OutBytes)),
		"",
		fmt.Sprintf("Connections: %d%s", s.Total, filter),
	}
}

// topColumn is a column of the table.
type topColumn struct {
	title string
	right bool
	value func(c *topConn, now time.Time) string
}

// topColumns returns the columns for a query.
func topColumns(q topQuery) []topColumn {
	columns := []topColumn{
		{"HOST", false, func(c *topConn, _ time.Time) string { return c.host() }},
		{"CID", true, func(c *topConn, _ time.Time) string { return strconv.FormatUint(c.Cid, 10) }},
		{"NAME", false, func(c *topConn, _ time.Time) string { return c.Name }},
		{"SUBS", true, func(c *topConn, _ time.Time) string { return strconv.FormatInt(c.Subscriptions, 10) }},
		{"PENDING", true, func(c *topConn, _ time.Time) string { return size(float64(c.Pending)) }},
		{"MSGS_TO", true, func(c *topConn, _ time.Time) string { return number(float64(c.OutMsgs)) }},
		{"MSGS_FROM", true, func(c *topConn, _ time.Time) string { return number(float64(c.InMsgs)) }},
		{"BYTES_TO", true, func(c *topConn, _ time.Time) string { return size(float64(c.OutBytes)) }},
		{"BYTES_FROM", true, func(c *topConn, _ time.Time) string { return size(float64(c.InBytes)) }},
		{"LANG", false, func(c *topConn, _ time.Time) string { return c.Lang }},
		{"VERSION", false, func(c *topConn, _ time.Time) string { return c.Version }},
		{"RTT", true, func(c *topConn, _ time.Time) string { return c.RTT }},
		{"UPTIME", true, func(c *topConn, _ time.Time) string { return c.Uptime }},
		{"IDLE", true, func(c *topConn, now time.Time) string {
			return max(0, now.Sub(c.LastActivity).Round(time.Second)).String()
		}},
	}
	if q.subs {
		columns = append(columns, topColumn{"SUBSCRIPTIONS", false, func(c *topConn, _ time.Time) string { return strings.Join(c.Subs, ", ") }})
	}
	return columns
}

// maxCell is the most runes of a cell that are shown, but for the last column.
const maxCell = 32

// topTable returns the connections as a table, its head first.
func topTable(s *topSample, q topQuery) []string {
	columns := topColumns(q)
	rows := make([][]string, 1, len(s.Conns)+1)
	widths := make([]int, len(columns))
	note := func(i, k int, text string) {
		rows[i] = append(rows[i], text)
		widths[k] = max(widths[k], utf8.RuneCountInString(text))
	}
	for k, c := range columns {
		note(0, k, c.title)
	}
	for i := range s.Conns {
		rows = append(rows, nil)
		for k, c := range columns {
			text := clean(c.value(&s.Conns[i], s.Server.Now))
			if runes := []rune(text); len(runes) > maxCell && k < len(columns)-1 {
				text = string(runes[:maxCell-1]) + "…"
			}
			note(i+1, k, text)
		}
	}
	lines := make([]string, 0, len(rows))
	for _, row := range rows {
		var line strings.Builder
		for k, text := range row {
			pad := strings.Repeat(" ", widths[k]-utf8.RuneCountInString(text))
			if columns[k].right {
				text = pad + text
			} else {
				text += pad
			}
			line.WriteString("  " + text)
		}
		lines = append(lines, strings.TrimRight(line.String(), " "))
	}
	return lines
}

// clean returns text on one line, without what could drive a terminal.
func clean(text string) string { return strings.ReplaceAll(printable(text), "\n", "?") }

// number writes n with a unit of thousands.
func number(n float64) string { return scaled(n, 1000, []string{"", "K", "M", "G", "T"}) }

// size writes a number of bytes.
func size(n float64) string { return scaled(n, 1024, []string{"", "K", "M", "G", "T"}) }

func scaled(n, step float64, units []string) string {
	i := 0
	for ; n >= step && i < len(units)-1; i++ {
		n /= step
	}
	if i == 0 {
		return strconv.FormatFloat(math.Round(n), 'f', 0, 64)
	}
	return strconv.FormatFloat(n, 'f', 1, 64) + units[i]
}

package cmd

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/natsd/natsd/internal/bench"
)

// show prints a report, and writes it where it was asked for.
func (o *benchOptions) show(report *bench.Report) error {
	out := o.factory.Streams.Out
	var err error
	switch {
	case o.json:
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(report)
	case o.csv:
		err = writeBenchCSV(out, report)
	default:
		err = writeBenchTable(out, report)
	}
	if err != nil {
		return fmt.Errorf("cannot print the report: %w", err)
	}
	if o.html != "" {
		page, err := benchPage(report)
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.html, page, reportMode); err != nil {
			return fmt.Errorf("cannot write the report: %w", err)
		}
	}
	if o.save != "" {
		return o.keep(o.save, report)
	}
	return nil
}

// reportMode is the mode of the files that reports are written to.
const reportMode = 0o644

// writeBenchTable prints a report for people.
func writeBenchTable(w io.Writer, report *bench.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(t, format+"\n", args...) } // tabwriter keeps the error for Flush
	server := strings.Join(report.Server.Addresses, ", ")
	if report.Server.Version != "" {
		server += ", version " + clean(report.Server.Version)
	}
	line("server\t%s", server)
	for i := range report.Results {
		line("")
		benchResultLines(line, &report.Results[i])
	}
	line("")
	if u := report.Usage; u != nil {
		text := fmt.Sprintf("%.2f cores", u.Cores)
		if u.CPUPerMessage > 0 {
			text += fmt.Sprintf(", %.3f us a message", float64(u.CPUPerMessage)/float64(time.Microsecond))
		}
		line("server's CPU\t%s", text)
		memory := fmt.Sprintf("%s, at most %s", size(float64(u.Memory)), size(float64(u.MemoryMax)))
		if u.PerConnection > 0 {
			memory += fmt.Sprintf(", %d bytes a connection", u.PerConnection)
		}
		line("server's memory\t%s", memory)
		if u.Error != "" {
			line("\t%s", clean(u.Error))
		}
	}
	longest := time.Duration(0)
	for i := range report.Results {
		longest = max(longest, report.Results[i].Measured)
	}
	if g := report.Generator.CPU; g > 0 && longest > 0 {
		line("CPU of this program\t%.2f of %d cores", float64(g)/float64(longest), report.Host.CPUs)
	}
	return t.Flush()
}

// benchResultLines prints what came of a workload.
func benchResultLines(line func(string, ...any), r *bench.Result) {
	line("%s\t%s", clean(r.Name), describeWorkload(&r.Workload))
	if r.Kind == bench.Connections {
		line("  opened\t%d in all, %s a second", r.Published, number(r.PublishRate))
		if r.Failed+r.Disconnects > 0 {
			line("  failed\t%d could not be opened, %d were lost", r.Failed, r.Disconnects)
		}
	} else if r.Published > 0 {
		line("  published\t%d in all, %s msgs/s, %s/s", r.Published, number(r.PublishRate), size(r.PublishBytes))
	}
	if r.Unsent > 0 {
		line("  unsent\t%d messages that were due", r.Unsent)
	}
	if r.Expected > 0 || r.Delivered > 0 {
		line("  delivered\t%d in all, %s msgs/s, %s/s", r.Delivered, number(r.DeliverRate), size(r.DeliverBytes))
		line("  lost\t%d%s", r.Lost, gapText(r))
	}
	if r.Duplicates+r.Reordered > 0 {
		line("  wrong\t%d twice, %d out of order", r.Duplicates, r.Reordered)
	}
	if r.Foreign > 0 {
		line("  foreign\t%d messages of somebody else, not counted", r.Foreign)
	}
	if r.TimedOut+r.NoResponders+r.ExtraReplies > 0 {
		line("  requests\t%d timed out, %d had no responders, %d further replies", r.TimedOut, r.NoResponders, r.ExtraReplies)
	}
	if r.Kind != bench.Connections && r.Disconnects > 0 {
		line("  connections\t%d times lost", r.Disconnects)
	}
	for _, text := range r.Failures {
		line("  failure\t%s", clean(text))
	}
	latencyLine(line, "latency", r.Latency)
	latencyLine(line, "sent late by", r.SendLag)
}

func latencyLine(line func(string, ...any), name string, l *bench.Latency) {
	if l == nil {
		return
	}
	line("  %s\tp50 %s  p90 %s  p99 %s  p99.9 %s  p99.99 %s  max %s", name,
		duration(l.P50), duration(l.P90), duration(l.P99), duration(l.P999), duration(l.P9999), duration(l.Max))
}

func gapText(r *bench.Result) string {
	if r.Gaps == 0 {
		return ""
	}
	return fmt.Sprintf(", in %d gaps, the longest of %d messages; the longest silence took %s", r.Gaps, r.LongestGap, duration(r.LongestSilent))
}

// describeWorkload says what a workload is.
func describeWorkload(w *bench.Workload) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	count := func(n int, what string) {
		if n > 1 {
			what += "s"
		}
		if n > 0 {
			add("%d %s", n, what)
		}
	}
	count(w.Conns, "connection")
	if w.Kind == bench.Request {
		count(w.Pubs, "requester")
		count(w.Subs, "responder")
		if w.Rate == 0 {
			add("%d in flight", w.InFlight)
		}
	} else {
		count(w.Pubs, "publisher")
		count(w.Subs, "subscriber")
	}
	if w.Queue != "" {
		add("queue group %s", w.Queue)
	}
	if w.Kind != bench.Connections && w.Kind != bench.Sub {
		add("%s bytes", w.Size)
	}
	if w.Subjects > 1 {
		add("%d subjects (%s)", w.Subjects, w.Spread)
	}
	if w.Rate > 0 {
		add("%s a second (%s)", number(w.Rate), w.Arrival)
	}
	return strings.Join(parts, ", ")
}

// duration writes a time with three digits.
func duration(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return fmt.Sprintf("%dns", d)
	case d < time.Millisecond:
		return fmt.Sprintf("%.3gus", float64(d)/float64(time.Microsecond))
	case d < time.Second:
		return fmt.Sprintf("%.3gms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.3gs", d.Seconds())
}

// benchColumns are those of the CSV: names as in the JSON, times in nanoseconds.
var benchColumns = []struct {
	name  string
	value func(report *bench.Report, r *bench.Result) any
}{
	{"name", func(_ *bench.Report, r *bench.Result) any { return r.Name }},
	{"workload", func(_ *bench.Report, r *bench.Result) any { return r.Kind }},
	{"pubs", func(_ *bench.Report, r *bench.Result) any { return r.Pubs }},
	{"subs", func(_ *bench.Report, r *bench.Result) any { return r.Subs }},
	{"size", func(_ *bench.Report, r *bench.Result) any { return r.Size }},
	{"rate", func(_ *bench.Report, r *bench.Result) any { return r.Rate }},
	{"measured", func(_ *bench.Report, r *bench.Result) any { return int64(r.Measured) }},
	{"published", func(_ *bench.Report, r *bench.Result) any { return r.Published }},
	{"expected", func(_ *bench.Report, r *bench.Result) any { return r.Expected }},
	{"delivered", func(_ *bench.Report, r *bench.Result) any { return r.Delivered }},
	{"publish_rate", func(_ *bench.Report, r *bench.Result) any { return r.PublishRate }},
	{"deliver_rate", func(_ *bench.Report, r *bench.Result) any { return r.DeliverRate }},
	{"lost", func(_ *bench.Report, r *bench.Result) any { return r.Lost }},
	{"duplicates", func(_ *bench.Report, r *bench.Result) any { return r.Duplicates }},
	{"reordered", func(_ *bench.Report, r *bench.Result) any { return r.Reordered }},
	{"disconnects", func(_ *bench.Report, r *bench.Result) any { return r.Disconnects }},
	{"p50", latencyColumn(func(l *bench.Latency) time.Duration { return l.P50 })},
	{"p90", latencyColumn(func(l *bench.Latency) time.Duration { return l.P90 })},
	{"p99", latencyColumn(func(l *bench.Latency) time.Duration { return l.P99 })},
	{"p99.9", latencyColumn(func(l *bench.Latency) time.Duration { return l.P999 })},
	{"p99.99", latencyColumn(func(l *bench.Latency) time.Duration { return l.P9999 })},
	{"max", latencyColumn(func(l *bench.Latency) time.Duration { return l.Max })},
	{"cpu_per_message", func(report *bench.Report, _ *bench.Result) any {
		if report.Usage == nil {
			return ""
		}
		return int64(report.Usage.CPUPerMessage)
	}},
	{"memory_max", func(report *bench.Report, _ *bench.Result) any {
		if report.Usage == nil {
			return ""
		}
		return report.Usage.MemoryMax
	}},
}

func latencyColumn(value func(l *bench.Latency) time.Duration) func(*bench.Report, *bench.Result) any {
	return func(_ *bench.Report, r *bench.Result) any {
		if r.Latency == nil {
			return ""
		}
		return int64(value(r.Latency))
	}
}

// writeBenchCSV prints a report for spreadsheets.
func writeBenchCSV(w io.Writer, report *bench.Report) error {
	table := csv.NewWriter(w)
	names := make([]string, len(benchColumns))
	for i, c := range benchColumns {
		names[i] = c.name
	}
	if err := table.Write(names); err != nil {
		return err
	}
	for i := range report.Results {
		fields := make([]string, len(benchColumns))
		for k, c := range benchColumns {
			switch v := c.value(report, &report.Results[i]).(type) {
			case float64:
				fields[k] = strconv.FormatFloat(v, 'f', -1, 64)
			default:
				fields[k] = fmt.Sprint(v)
			}
		}
		if err := table.Write(fields); err != nil {
			return err
		}
	}
	table.Flush()
	return table.Error()
}

// nanoseconds is duration for a figure; 0: there is none.
func nanoseconds(value float64) string {
	if value <= 0 {
		return "none"
	}
	return duration(time.Duration(value))
}

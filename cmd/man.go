package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newManCmd returns `natsd man`, which writes the manual pages. It is for `make generate` and hidden.
func newManCmd() *cobra.Command {
	return &cobra.Command{
		Use:    "man FOLDER",
		Short:  "Write the manual pages into a folder",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			for _, page := range manPages(c.Root()) {
				if err := os.WriteFile(filepath.Join(args[0], page.name), []byte(page.text), 0o644); err != nil { //nolint:gosec // documents are for everybody
					return fmt.Errorf("cannot write a manual page: %w", err)
				}
			}
			return nil
		},
	}
}

// manPage is one manual page.
type manPage struct{ name, text string }

// manPages returns the pages of a command and of all below it.
func manPages(c *cobra.Command) []manPage {
	pages := []manPage{{pageName(c) + ".1", renderMan(c)}}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" && sub.Name() != "completion" {
			pages = append(pages, manPages(sub)...)
		}
	}
	return pages
}

// pageName is the name of the page of a command.
func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// renderMan returns the page of a command.
func renderMan(c *cobra.Command) string {
	var b strings.Builder
	name := pageName(c)
	fmt.Fprintf(&b, ".\\\" Made by make generate.\n.TH %s 1 \"\" \"natsd\" \"natsd\"\n.SH NAME\n%s \\- %s\n", strings.ToUpper(name), roff(name), roff(lowerFirst(c.Short)))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(c.UseLine()))
	b.WriteString(".SH DESCRIPTION\n")
	long := c.Long
	if long == "" {
		long = c.Short + "."
	}
	writeParagraphs(&b, long)
	writeManFlags(&b, c)
	if c.HasAvailableSubCommands() {
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(sub.Name()), roff(sub.Short))
			}
		}
	}
	if c.Example != "" {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s\n.fi\n", roff(c.Example))
	}
	b.WriteString(".SH SEE ALSO\n")
	others := []string{`.BR natsd.conf (5)`}
	if c.HasParent() {
		others = append(others, ".BR "+roff(pageName(c.Parent()))+" (1)")
	}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" && sub.Name() != "completion" {
			others = append(others, ".BR "+roff(pageName(sub))+" (1)")
		}
	}
	b.WriteString(strings.Join(others, ",\n") + "\n")
	return b.String()
}

// writeManFlags writes the flags of a command.
func writeManFlags(b *strings.Builder, c *cobra.Command) {
	if !c.LocalFlags().HasAvailableFlags() {
		return
	}
	b.WriteString(".SH OPTIONS\n")
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		text := "\\-\\-" + roff(f.Name)
		if f.Shorthand != "" {
			text = "\\-" + roff(f.Shorthand) + ", " + text
		}
		kind, usage := pflag.UnquoteUsage(f)
		if kind != "" {
			text += " " + roff(kind)
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s", text, roff(usage))
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" && f.DefValue != "[]" {
			fmt.Fprintf(b, " (default %s)", roff(f.DefValue))
		}
		b.WriteString("\n")
	})
}

// writeParagraphs writes text, whose lines with a blank in front are shown as they are.
func writeParagraphs(b *strings.Builder, text string) {
	verbatim := false
	set := func(on bool) {
		if on != verbatim {
			b.WriteString(map[bool]string{true: ".nf\n", false: ".fi\n"}[on])
		}
		verbatim = on
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" {
			set(false)
			b.WriteString(".PP\n")
			continue
		}
		set(strings.HasPrefix(line, " "))
		b.WriteString(roff(line) + "\n")
	}
	set(false)
}

// roff escapes text for a manual page.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, `-`, `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

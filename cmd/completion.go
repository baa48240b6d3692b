package cmd

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/natsd/natsd/internal/config"
	"github.com/spf13/cobra"
)

// completeSignal proposes what `natsd signal` takes: names, and then processes that run.
func (f *Factory) completeSignal(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return signalNames, cobra.ShellCompDirectiveNoFileComp
	}
	pids, err := f.runningServers()
	if err != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var list []cobra.Completion
	for _, pid := range pids {
		if text := strconv.Itoa(pid); !slices.Contains(args, text) {
			list = append(list, cobra.CompletionWithDesc(text, "running "+f.programName()))
		}
	}
	return list, cobra.ShellCompDirectiveDefault // pid files are files
}

// completeConfig proposes configuration files, and folders on the way there.
func completeConfig(_ *cobra.Command, _ []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	folder, _ := filepath.Split(word)
	list := readFolder(folder, func(name string) bool { return strings.HasSuffix(name, ".conf") })
	directive := cobra.ShellCompDirectiveNoFileComp
	if len(list) == 1 && strings.HasSuffix(list[0], "/") {
		directive |= cobra.ShellCompDirectiveNoSpace
	}
	return list, directive
}

// readFolder returns what is in a folder and wanted, and the folders in it, with its path in front.
func readFolder(folder string, wanted func(name string) bool) []cobra.Completion {
	where := folder
	if where == "" {
		where = "."
	}
	entries, err := os.ReadDir(where)
	if err != nil {
		return nil
	}
	var list []cobra.Completion
	for _, e := range entries {
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir():
			list = append(list, folder+e.Name()+"/")
		case wanted(e.Name()):
			list = append(list, folder+e.Name())
		}
	}
	return list
}

// completeKey proposes keys of the configuration that this version has.
func completeKey(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	built := config.Built()
	var list []cobra.Completion
	for _, e := range config.All() {
		if built[e.Feature] {
			list = append(list, cobra.CompletionWithDesc(e.Path, e.Doc))
		}
	}
	return list, cobra.ShellCompDirectiveNoFileComp
}

// completeUser proposes the users of the configuration file that the command line names.
func (f *Factory) completeUser(c *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	file := c.Flags().Lookup("config").Value.String()
	if file == "" {
		file, _ = f.LookupEnv(config.EnvConfig)
	}
	if file == "" || file == "-" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	result := config.Load(config.Input{File: file, Environ: f.Environ})
	if result.Config == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var list []cobra.Completion
	for _, u := range result.Config.AllUsers() {
		list = append(list, u.ID())
	}
	return list, cobra.ShellCompDirectiveNoFileComp
}

// completeWords proposes fixed words.
func completeWords(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

// addCompletions says what flags of all commands take.
func addCompletions(c *cobra.Command) {
	for _, sub := range c.Commands() {
		addCompletions(sub)
	}
	propose := func(flag string, complete cobra.CompletionFunc) {
		if c.Flags().Lookup(flag) != nil {
			_ = c.RegisterFlagCompletionFunc(flag, complete) // it fails for a second one only
		}
	}
	propose("config", completeConfig)
	for _, f := range config.Flags() {
		if e, known := config.Lookup(f.Path); known && len(e.Words) > 0 {
			propose(f.Name, completeWords(e.Words...))
		}
	}
	propose("format", completeWords("conf", "json", "yaml"))
}

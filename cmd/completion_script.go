package cmd

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// A scriptEdit replaces a piece of a completion script that Cobra makes. The piece must be there once.
type scriptEdit struct{ old, now string }

// A completionScript is how the script of a shell comes about.
type completionScript struct {
	generate func(root *cobra.Command, w io.Writer, descriptions bool) error
	edits    []scriptEdit
}

// completionScripts are the scripts, by shell. Cobra's let the shell evaluate the command line that is completed, so that
// the Tab key executes a $(command) on it. Here words lose their quotes, a ~/ in front is the home directory, and they are
// handed over as they are. Source: docs/spec/cli.md §1.
var completionScripts = map[string]completionScript{
	"bash": {
		generate: func(root *cobra.Command, w io.Writer, descriptions bool) error {
			return root.GenBashCompletionV2(w, descriptions)
		},
		edits: []scriptEdit{
			{"# This function calls the natsd program to obtain", bashUnquote + "\n# This function calls the natsd program to obtain"},
			{`    args=("${words[@]:1}")
    requestComp="${words[0]} __complete ${args[*]}"
`, bashArguments},
			{`requestComp="${requestComp} ''"`, `args+=("")`},
			{`"Calling ${requestComp}"`, `"Calling ${program} __complete ${args[*]}"`},
			{"local requestComp lastParam", "local program word lastParam"},
			{`    # Use eval to handle any environment variables and such
    out=$(eval "${requestComp}" 2>/dev/null)`, `    out=$("${program}" __complete "${args[@]}" 2>/dev/null)`},
		},
	},
	"zsh": {
		generate: func(root *cobra.Command, w io.Writer, descriptions bool) error {
			if descriptions {
				return root.GenZshCompletion(w)
			}
			return root.GenZshCompletionNoDesc(w)
		},
		edits: []scriptEdit{
			{`words=("${=words[1,CURRENT]}")`, `words=("${(@)words[1,CURRENT]}")`},
			{"lastChar flagPrefix requestComp out", "lastChar flagPrefix program out"},
			{"local -a completions\n", "local -a completions args\n"},
			{`"${lastParam}" =~ '-.*='`, `"${lastParam}" =~ '^-[-_[:alnum:]]+='`}, // what it finds is evaluated
			{`    requestComp="${words[1]} __complete ${words[2,-1]}"
    if [ "${lastChar}" = "" ]; then
        # If the last parameter is complete (there is a space following it)
        # We add an extra empty parameter so we can indicate this to the go completion code.
        __natsd_debug "Adding extra empty parameter"
        requestComp="${requestComp} \"\""
    fi
`, zshArguments},
			{`"About to call: eval ${requestComp}"`, `"About to call: ${program} __complete ${args[*]}"`},
			{`    # Use eval to handle any environment variables and such
    out=$(eval ${requestComp} 2>/dev/null)`, `    out=$("${program}" __complete "${(@)args}" 2>/dev/null)`},
		},
	},
	"fish": {
		generate: func(root *cobra.Command, w io.Writer, descriptions bool) error {
			return root.GenFishCompletion(w, descriptions)
		},
		edits: []scriptEdit{
			{`    # Extract the last arg and escape it in case it is a space
    set -l lastArg (string escape -- (commandline -ct))`, `    # Extract the last arg
    set -l lastArg (commandline -ct)`},
			{`set -l requestComp "NATSD_ACTIVE_HELP=0 $args[1] __complete $args[2..-1] $lastArg"
`, fishArguments},
			{`"Calling $requestComp"`, `"Calling $program __complete $args[2..-1] $lastArg"`},
			{`(eval $requestComp 2> /dev/null)`, `($program __complete $args[2..-1] "$lastArg" 2> /dev/null)`},
		},
	},
	"powershell": {
		generate: func(root *cobra.Command, w io.Writer, descriptions bool) error {
			if descriptions {
				return root.GenPowerShellCompletionWithDesc(w)
			}
			return root.GenPowerShellCompletion(w)
		},
		edits: []scriptEdit{
			{`    $RequestComp="$Program __complete $Arguments"
    __natsd_debug "RequestComp: $RequestComp"
`, powershellArguments},
			{"$RequestComp=\"$RequestComp\" + ' `\"`\"'", `$Words += '""'`},
			{`$RequestComp="$RequestComp" + ' ""'`, `$Words += ''`},
			{`"Calling $RequestComp"`, `"Calling $Program __complete $Words"`},
			{`Invoke-Expression -OutVariable out "$RequestComp" 2>&1 | Out-Null`, `$Out = @(& $Program __complete @Words 2>$null)`},
		},
	},
}

const bashUnquote = `# Sets word to $1 without quotes and backslashes, and with the home directory for a ~/ in front.
# Nothing else is expanded, and nothing is executed.
__natsd_unquote() {
    local text="$1" quote="" char i

    word=""
    if [[ ${text} == "~/"* ]]; then
        word=${HOME}
        text=${text:1}
    fi
    for ((i = 0; i < ${#text}; i++)); do
        char=${text:i:1}
        if [[ ${char} == "\\" && ${quote} != "'" ]]; then
            i=$((i + 1))
            word+=${text:i:1}
        elif [[ -n ${quote} && ${char} == "${quote}" ]]; then
            quote=""
        elif [[ -z ${quote} && (${char} == "'" || ${char} == '"') ]]; then
            quote=${char}
        else
            word+=${char}
        fi
    done
}
`

const bashArguments = `    # The words are handed over as they are: eval would execute them.
    __natsd_unquote "${words[0]}"
    program=${word}
    case "$(type -t -- "${program}")" in
    file|function) ;;
    *) program=natsd ;;
    esac
    args=()
    for lastParam in "${words[@]:1}"; do
        __natsd_unquote "${lastParam}"
        [[ -n ${lastParam} ]] && args+=("${word}") # the empty one at the cursor is added below
    done
`

const zshArguments = `    # The words are handed over as they are: eval would execute them.
    program=${(Q)words[1]}
    [[ ${program} = '~/'* ]] && program=${HOME}${program[2,-1]}
    [[ "$(whence -w -- "${program}")" = *': '(command|function|hashed) ]] || program=natsd
    args=("${(@Q)words[2,-1]}")
    args=("${(@)args/#\~\//${HOME}/}")
`

const fishArguments = `# The words are handed over as they are: eval would execute them.
    set -lx NATSD_ACTIVE_HELP 0
    set -l program $args[1]
    string match -q -- '~/*' $program; and set program "$HOME"(string sub -s 2 -- $program)
    type -q -- $program; or set program natsd
`

const powershellArguments = `    # The words are handed over as they are: Invoke-Expression would execute them.
    $Words = @(("$Arguments" | Select-String -AllMatches '(?:"[^"]*"?|''[^'']*''?|[^\s"''])+').Matches |
        Where-Object { $_ } | ForEach-Object { $_.Value -replace '["'']', '' })
    __natsd_debug "Words: $Words"
`

// write writes the script.
func (s completionScript) write(root *cobra.Command, shell string, descriptions bool) error {
	var made bytes.Buffer
	if err := s.generate(root, &made, descriptions); err != nil {
		return fmt.Errorf("cannot make the completion script of %s: %w", shell, err)
	}
	request := cobra.ShellCompRequestCmd
	if !descriptions {
		request = cobra.ShellCompNoDescRequestCmd
	}
	text, err := editScript(made.String(), s.edits, request)
	if err != nil {
		return fmt.Errorf("cannot make the completion script of %s safe: %w", shell, err)
	}
	if _, err := io.WriteString(root.OutOrStdout(), text); err != nil {
		return fmt.Errorf("cannot print the completion script of %s: %w", shell, err)
	}
	return nil
}

// editScript returns text after all edits, in which __complete stands for request. One that does not fit is an error: a script that executes the command line must not
// get out because another version of Cobra words it differently.
func editScript(text string, edits []scriptEdit, request string) (string, error) {
	for _, e := range edits {
		old, now := strings.ReplaceAll(e.old, cobra.ShellCompRequestCmd, request), strings.ReplaceAll(e.now, cobra.ShellCompRequestCmd, request)
		if n := strings.Count(text, old); n != 1 {
			return "", fmt.Errorf("%q is in it %d times, and not once; mend the edits for this version of Cobra", old, n)
		}
		text = strings.Replace(text, old, now, 1)
	}
	return text, nil
}

// replaceCompletionScripts makes the commands below Cobra's own `completion` print the scripts of completionScripts.
func replaceCompletionScripts(completion *cobra.Command) {
	for _, c := range completion.Commands() {
		script, known := completionScripts[c.Name()]
		if !known {
			continue
		}
		c.RunE = func(c *cobra.Command, _ []string) error {
			bare, err := c.Flags().GetBool("no-descriptions")
			if err != nil {
				return fmt.Errorf("cannot make the completion script of %s: %w", c.Name(), err)
			}
			return script.write(c.Root(), c.Name(), !bare)
		}
	}
}

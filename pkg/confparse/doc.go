// Package confparse reads and prints the configuration language of NATS servers. It knows the language only: which keys
// there are, and what they mean, is the business of its callers. It stands alone on the standard library.
//
// # Grammar
//
//	file    = [ BOM ] items
//	items   = { item | group | "," | ";" }        group only outside of any key
//	group   = "{" items "}"
//	item    = key [ "=" | ":" ] value end | "include" blank path end
//	key     = bare key | "'" text "'" | '"' text '"'
//	value   = scalar | "[" { value ( newline | "," ) } "]" | "{" items "}" | "$" name
//	scalar  = bareword | 'raw' | "escaped" | integer | float | boolean | date | block
//	block   = "(" text newline ")"                ")" alone in column 1
//	end     = newline | "," | ";" | comment | end of file
//	comment = ( "#" | "//" ) text newline         where a key, an element or a separator may stand
//
// docs/spec/config.md part A has the rules word by word, and the code cites its sections.
//
// # Two steps
//
// Parse turns the bytes of one file into a syntax tree: every key and value with its place, its quoting and its source
// text, in file order, duplicates included. Print is its inverse. Nothing is looked up in this step.
//
// A Loader does the second step: it reads files, puts included ones in their place and replaces references by the
// values they stand for. A Document holds the result, in which every key is an ordinary one.
//
// All errors are findings with a place. A file with a syntax error has that one error, since what follows it cannot be
// told; the errors of the second step are gathered.
//
// # Bounds
//
// Time and memory are linear in the input. Input that would not be (deep nesting, variables that multiply, chains of
// includes) is refused by the limits of Loader and MaxDepth.
package confparse

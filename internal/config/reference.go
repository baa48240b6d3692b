package config

import (
	"fmt"
	"strings"
)

// Reference returns docs/config-reference.md: every key with all that the schema knows about it.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Configuration reference\n\nMade by `make generate` from the schema; do not edit. The language itself is described in docs/spec/config.md part A.\n\n" +
		"\"Reload\" says what a reload (SIGHUP) does with a change: `live` for connected clients too, `new connections` for those made\n" +
		"afterwards, `restart` refuses the reload. A key marked with * belongs to a feature that this version does not have: it is refused.\n")
	built := Built()
	section := "\x00"
	for _, e := range All() {
		if e.Feature == peerSecurity || e.Feature == peerFunction {
			continue
		}
		block := ""
		if i := strings.LastIndexByte(e.Path, '.'); i >= 0 {
			block = e.Path[:i]
		}
		if block != section {
			section = block
			title := "Top level"
			if block != "" {
				title = "`" + block + "`"
			}
			fmt.Fprintf(&b, "\n## %s\n\n| key | type | default | reload | environment | since | meaning |\n|---|---|---|---|---|---|---|\n", title)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", keyCell(e, built), typeName(e.Type), code(e.Default), e.Reload, code(e.EnvVar()), e.Since,
			strings.ReplaceAll(e.Doc, "|", `\|`))
	}
	return b.String()
}

// keyCell renders the names of a key.
func keyCell(e Entry, built Features) string {
	text := code(e.Name)
	for _, alias := range e.Aliases {
		text += ", " + code(alias)
	}
	if !built[e.Feature] {
		text += " *"
	}
	return text
}

// typeName returns the name of a type without its article.
func typeName(t Type) string { return strings.TrimPrefix(strings.TrimPrefix(t.String(), "a "), "an ") }

// code renders text as code, nothing as nothing.
func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// ReadmeTable returns the table of the README: the keys of this version.
func ReadmeTable() string {
	var b strings.Builder
	b.WriteString("| key | default | reload | meaning |\n|---|---|---|---|\n")
	built := Built()
	for _, e := range All() {
		if built[e.Feature] && !strings.Contains(e.Path, ".") {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", code(e.Name), code(e.Default), e.Reload, e.Doc)
		}
	}
	return b.String()
}

// ManPage returns natsd.conf(5) in the language of man.
func ManPage() string {
	var b strings.Builder
	b.WriteString(".\\\" Made by make generate from the schema; do not edit.\n.TH NATSD.CONF 5\n.SH NAME\nnatsd.conf \\- configuration of the natsd message broker\n" +
		".SH DESCRIPTION\nA file is a sequence of items, each a key and a value with \"=\", \":\" or a blank between them, separated by\nnewlines, commas or semicolons. " +
		"\"#\" and \"//\" begin comments. Values are words, quoted strings, numbers with\nsize suffixes, booleans, [arrays] and {maps}. $NAME is the value of an earlier key, or of an environment\n" +
		"variable. include \"FILE\" takes in another file.\n.PP\nOptions given as flags beat those of the environment, which beat the file.\n.SH KEYS\n")
	built := Built()
	for _, e := range All() {
		if !built[e.Feature] {
			continue
		}
		fmt.Fprintf(&b, ".TP\n.B %s\n%s.\n", roff(strings.Join(e.names(), ", ")), roff(e.Doc))
		if e.Default != "" {
			fmt.Fprintf(&b, "Default: %s.\n", roff(e.Default))
		}
		fmt.Fprintf(&b, "Type: %s. Reload: %s.", typeName(e.Type), e.Reload)
		if name := e.EnvVar(); name != "" {
			fmt.Fprintf(&b, " Environment: %s.", roff(name))
		}
		b.WriteString("\n")
	}
	b.WriteString(".SH SEE ALSO\n.BR natsd (1)\n")
	return b.String()
}

// roff escapes text for man.
func roff(text string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, ".", `\&.`, "'", `\&'`).Replace(text)
}

// JSONSchema returns a JSON schema of files that are written as JSON.
func JSONSchema() map[string]any {
	schema := blockSchema(Schema())
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "natsd configuration"
	return schema
}

// blockSchema returns the schema of a map.
func blockSchema(keys []Key) map[string]any {
	properties := make(map[string]any)
	for i := range keys {
		k := &keys[i]
		if k.Feature == peerSecurity || k.Feature == peerFunction {
			continue
		}
		for _, name := range k.names() {
			properties[name] = k.schema()
		}
	}
	return map[string]any{"type": "object", "properties": properties}
}

// schema returns the schema of one key.
func (k *Key) schema() map[string]any {
	s := map[string]any{"description": k.Doc}
	if k.Default != "" {
		s["default"] = k.Default
	}
	switch k.Type {
	case Text:
		s["type"] = []string{"string", "number", "boolean"}
	case Integer, Size, Duration, Seconds, Endpoint:
		s["type"] = []string{"string", "number"}
	case Boolean:
		s["type"] = []string{"boolean", "string"}
	case Texts:
		s["type"] = []string{"array", "string"}
	case TextMap:
		s["type"] = "object"
	case Block:
		s = blockSchema(k.Keys)
		s["description"] = k.Doc
	case Blocks:
		s["type"], s["items"] = "array", blockSchema(k.Keys)
	case Named:
		s["type"], s["additionalProperties"] = []string{"object", "array"}, blockSchema(k.Keys)
	case Any:
	}
	return s
}

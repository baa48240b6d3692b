package config

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/natsd/natsd/pkg/confparse"
)

// tree is a map of a file after the check: of every key the value that counts, by canonical name.
type tree struct {
	pos    confparse.Pos // of the map
	fields []*field      // in the order of the file; what a later one replaced is gone
}

// field is a key of a tree.
type field struct {
	Entry
	entry  *confparse.Entry // as it stands in the file
	value  *confparse.Value
	block  *tree   // of a Block
	blocks []*tree // of Blocks
	named  []named // of Named
}

// named is a map with a name that the user chose.
type named struct {
	name  string
	pos   confparse.Pos
	block *tree // nil: the name alone
}

// get returns the field with this canonical name, nil if there is none. A nil tree has none.
func (t *tree) get(name string) *field {
	if t == nil {
		return nil
	}
	for _, f := range t.fields {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// sub returns the block with this name, nil if there is none.
func (t *tree) sub(name string) *tree {
	if f := t.get(name); f != nil {
		return f.block
	}
	return nil
}

// checker compares a document with the schema.
type checker struct {
	strict   bool // for `config check`: unknown keys are errors, duplicates are warned about
	features Features
	findings confparse.Findings
}

// report adds an error.
func (c *checker) report(pos confparse.Pos, width int, hint, format string, args ...any) {
	_ = c.add(pos, width, hint, format, args...)
}

// add is report for those who have more to say about it.
func (c *checker) add(pos confparse.Pos, width int, hint, format string, args ...any) *confparse.Finding {
	f := &confparse.Finding{Pos: pos, Width: width, Hint: hint, Text: fmt.Sprintf(format, args...)}
	c.findings = append(c.findings, f)
	return f
}

// warn adds a warning about an entry.
func (c *checker) warn(pos confparse.Pos, width int, hint, format string, args ...any) {
	c.add(pos, width, hint, format, args...).Warning = true
}

// block checks a map against keys. around is the key it belongs to, nil at the top; told says that a feature of it was
// reported as missing already. Source: docs/spec/config.md A15, B1, B10.
func (c *checker) block(keys []Key, around *field, v *confparse.Value, path string, told bool) *tree {
	t := &tree{pos: v.Pos}
	seen := make(map[string]*field, len(v.Entries))
	for _, e := range v.Entries {
		k := find(keys, e.Key)
		if k == nil {
			c.unknown(keys, around, e)
			continue
		}
		f := &field{Entry: Entry{Key: k, Path: path + k.Name}, entry: e, value: e.Value}
		if before := seen[k.Name]; before != nil {
			c.duplicate(before.entry, f.entry)
			t.drop(before)
		}
		seen[k.Name] = f
		t.fields = append(t.fields, f)
		c.field(f, told)
	}
	return t
}

// drop takes a field out.
func (t *tree) drop(gone *field) {
	for i, f := range t.fields {
		if f == gone {
			t.fields = append(t.fields[:i], t.fields[i+1:]...)
			return
		}
	}
}

// duplicate warns about a key that stands twice.
func (c *checker) duplicate(first, second *confparse.Entry) {
	if !c.strict || second.Used || first.Used {
		return
	}
	at := first.Pos.String()
	if first.Pos.File == second.Pos.File {
		at = strings.TrimPrefix(at, first.Pos.File+":")
	}
	if first.Key != second.Key {
		at += " as " + strconv.Quote(first.Key)
	}
	c.warn(second.Pos, len(second.Key), "the last one counts", "duplicate key %q (first at %s)", second.Key, at)
}

// unknown reports a key that is not in the schema and was not used as a variable.
func (c *checker) unknown(keys []Key, around *field, e *confparse.Entry) {
	if e.Used {
		return
	}
	text := fmt.Sprintf("unknown field %q", cut(e.Key))
	strict := c.strict
	if around != nil && around.Strict {
		strict = true
		if strings.HasSuffix(around.Name, "permissions") {
			text = fmt.Sprintf("Unknown field %q parsing permissions", cut(e.Key))
		}
	}
	hint, near := "", ""
	if home := homes()[strings.ToLower(e.Key)]; home != "" && around == nil {
		hint = fmt.Sprintf("it belongs into the block %q", home)
	} else if near = c.nearest(keys, e.Key); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	f := c.add(e.Pos, len(e.Key), hint, "%s", text)
	f.Fix, f.Warning = near, !strict
}

// nearest returns the key that was probably meant, "" if there is none. A file with a great many findings gets no more
// suggestions: one costs more than all the rest, and nobody reads that many.
func (c *checker) nearest(keys []Key, name string) string {
	const enough = 500
	if len(c.findings) > enough {
		return ""
	}
	var names []string
	for i := range keys {
		if keys[i].Feature != peerSecurity && keys[i].Feature != peerFunction {
			names = append(names, keys[i].names()...)
		}
	}
	return Nearest(name, names)
}

// homes returns for every name that stands in exactly one block the path of that block, for names that stand in several
// "".
var homes = sync.OnceValue(func() map[string]string {
	blocks := make(map[string]string)
	for _, e := range All() {
		dot := strings.LastIndexByte(e.Path, '.')
		if dot < 0 {
			continue
		}
		for _, name := range e.names() {
			block := e.Path[:dot]
			if before, known := blocks[name]; known && before != block {
				block = ""
			}
			blocks[name] = block
		}
	}
	return blocks
})

// cut returns text for a message, shortened if it is long.
func cut(text string) string {
	const longest = 60
	if len(text) > longest {
		return text[:longest] + "..."
	}
	return text
}

// field checks the value of a key.
func (c *checker) field(f *field, told bool) {
	if !told {
		told = c.supported(f)
	}
	warning, err := f.checkValue(f.value)
	if err != nil {
		finding := c.add(f.valuePos(), len(f.value.Raw), "", "%s: %v", f.entry.Key, f.hideSecret(err))
		finding.Err = err
		return
	}
	if warning != "" {
		c.warn(f.valuePos(), len(f.value.Raw), "", "%s %s", f.entry.Key, warning)
	}
	switch f.Type {
	case Block:
		f.block = c.block(f.Keys, f, f.value, f.Path+".", told)
	case Blocks:
		for _, item := range f.value.Items {
			if item.Kind != confparse.Map {
				c.report(item.Pos, len(item.Raw), "", "%s: %v", f.entry.Key, f.hideSecret(&errType{"a map", item}))
				continue
			}
			f.blocks = append(f.blocks, c.block(f.Keys, f, item, f.Path+"[].", told))
		}
	case Named:
		c.named(f, told)
	}
}

// named checks the maps of a Named key, which may also be a list of names.
func (c *checker) named(f *field, told bool) {
	if f.value.Kind == confparse.Array {
		for _, item := range f.value.Items {
			name, err := textOf(item)
			if err != nil {
				c.report(item.Pos, len(item.Raw), "", "%s: %v", f.entry.Key, err)
				continue
			}
			f.named = append(f.named, named{name: name, pos: item.Pos})
		}
		return
	}
	for _, e := range f.value.Entries {
		switch {
		case e.Value.Kind == confparse.Map:
			f.named = append(f.named, named{e.Key, e.Pos, c.block(f.Keys, f, e.Value, f.Path+".*.", told)})
		case !e.Used:
			c.report(e.Pos, len(e.Key), "", "Expected map entries for %s", f.Name)
		}
	}
}

// valuePos returns the place to point at when the value is wrong.
func (f *field) valuePos() confparse.Pos {
	if f.value.Pos.IsValid() {
		return f.value.Pos
	}
	return f.entry.Pos
}

// supported reports a key whose feature is missing, and returns whether it did.
func (c *checker) supported(f *field) (told bool) {
	width := len(f.entry.Key)
	switch {
	case f.Feature == peerSecurity:
		c.report(f.entry.Pos, width, "", "%q is known to nats-server, not supported by natsd", f.entry.Key)
	case f.Feature == peerFunction:
		finding := c.add(f.entry.Pos, width, "", "%q is known to nats-server, not supported by natsd", f.entry.Key)
		finding.Warning = !c.strict
	case !c.features[f.Feature]:
		c.report(f.entry.Pos, width, "", "%q is not supported by this version", f.entry.Key)
	default:
		return false
	}
	return true
}

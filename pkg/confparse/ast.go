package confparse

import (
	"math"
	"time"
)

// Kind is the type of a value.
type Kind uint8

// The kinds of values. Reference stands in syntax trees only; a Document has none.
const (
	String Kind = iota + 1
	Int
	Float
	Bool
	Time
	Array
	Map
	Reference
)

// String returns the name of k as error messages use it.
func (k Kind) String() string {
	switch k {
	case String:
		return "a string"
	case Int:
		return "an integer"
	case Float:
		return "a float"
	case Bool:
		return "a boolean"
	case Time:
		return "a date"
	case Array:
		return "an array"
	case Map:
		return "a map"
	case Reference:
		return "a variable"
	}
	return "nothing"
}

// Value is one value. The fields are for reading; programs make values with the constructors below.
type Value struct {
	// Kind says which of the accessors has the value.
	Kind Kind
	// Quoting is how a scalar is written.
	Quoting Quoting
	// Pos is where the value begins; after a variable was replaced, where the reference stands.
	Pos Pos
	// Raw is the source text of a scalar, quotes included. Empty for values that a program made.
	Raw string
	// Text is the value of a String and the name of a Reference, without "$".
	Text string
	// Items are the elements of an Array.
	Items []*Value
	// Entries are the items of a Map in the order of the file, duplicates included: the last one counts.
	Entries []*Entry
	// Via tells about the variable that the value came from; nil: it stands where it is used.
	Via *Variable

	number int64 // Int; bits of a Float; 1 for a true Bool; seconds since 1970 of a Time
	size   int64 // number of values in it, itself included, after resolution
}

// Variable tells where the value of a reference came from.
type Variable struct {
	// Name is the variable, without "$".
	Name string
	// Pos is where the value is defined; the file is "$NAME" for an environment variable.
	Pos Pos
	// Env says that it is an environment variable.
	Env bool

	whole string // text of the environment variable, if more stands there than the word that was taken for the value
}

// Entry is a key with its value, or in a syntax tree an include directive.
type Entry struct {
	// Key is the key without quotes; of an include directive, "include" in lower case however it is written.
	Key string
	// Quoting is how the key is written.
	Quoting Quoting
	// Pos is where the key begins.
	Pos Pos
	// Value is the value; of an include directive, its path as a String.
	Value *Value
	// Include says that this is an include directive.
	Include bool
	// Used says that a reference was replaced by this value.
	Used bool
}

// NewString returns a string value.
func NewString(s string) *Value { return &Value{Kind: String, Quoting: Double, Text: s} }

// NewInt returns an integer value.
func NewInt(n int64) *Value { return &Value{Kind: Int, number: n} }

// NewFloat returns a floating point value.
func NewFloat(f float64) *Value { return &Value{Kind: Float, number: int64(math.Float64bits(f))} } //nolint:gosec // bits, not a number

// NewBool returns a boolean value.
func NewBool(b bool) *Value {
	v := &Value{Kind: Bool}
	if b {
		v.number = 1
	}
	return v
}

// NewArray returns an array of the given elements.
func NewArray(items ...*Value) *Value { return &Value{Kind: Array, Items: items} }

// NewMap returns a map of the given entries.
func NewMap(entries ...*Entry) *Value { return &Value{Kind: Map, Entries: entries} }

// Int returns the value of an Int.
func (v *Value) Int() int64 { return v.number }

// Float returns the value of a Float.
func (v *Value) Float() float64 { return math.Float64frombits(uint64(v.number)) } //nolint:gosec // bits, not a number

// Bool returns the value of a Bool.
func (v *Value) Bool() bool { return v.number != 0 }

// Time returns the value of a Time, in UTC.
func (v *Value) Time() time.Time { return time.Unix(v.number, 0).UTC() }

// Source returns the text that a scalar was written as, without quotes and with escapes resolved: what a caller gets
// who wants a string. Of an environment variable that begins with a word it is all, without white space around it: a
// secret must not be cut where the language sees a comment. Source: docs/spec/config.md B1 (`str` accepts numbers by
// their source text), A13.
func (v *Value) Source() string {
	if v.Via != nil && v.Via.whole != "" {
		return v.Via.whole
	}
	return v.Word()
}

// Word is Source without what stands behind the word in an environment variable, such as a comment: what a caller gets
// who wants no string but reads one, such as a duration. Source: docs/spec/config.md A13.
func (v *Value) Word() string {
	switch {
	case v.Kind == String:
		return v.Text
	case v.Raw != "":
		return v.Raw
	}
	return string(appendScalar(nil, v))
}

// Get returns the last value with exactly this key in a Map, nil if there is none. Cost: O(entries).
func (v *Value) Get(key string) *Value {
	for i := len(v.Entries) - 1; i >= 0; i-- {
		if e := v.Entries[i]; e.Key == key && !e.Include {
			return e.Value
		}
	}
	return nil
}

// Interface returns v as plain Go values: string, int64, float64, bool, time.Time, []any, map[string]any. A reference
// becomes its source text.
func (v *Value) Interface() any {
	switch v.Kind {
	case String:
		return v.Source()
	case Int:
		return v.Int()
	case Float:
		return v.Float()
	case Bool:
		return v.Bool()
	case Time:
		return v.Time()
	case Array:
		items := make([]any, len(v.Items))
		for i, item := range v.Items {
			items[i] = item.Interface()
		}
		return items
	case Map:
		m := make(map[string]any, len(v.Entries))
		for _, e := range v.Entries {
			if !e.Include {
				m[e.Key] = e.Value.Interface()
			}
		}
		return m
	case Reference:
	}
	return "$" + v.Text
}

// Equal reports whether a and b mean the same: same kinds, values, keys, quoting and order. Places and source texts do
// not count.
func Equal(a, b *Value) bool {
	if a.Kind != b.Kind || a.Quoting != b.Quoting || a.Text != b.Text || a.number != b.number ||
		len(a.Items) != len(b.Items) || len(a.Entries) != len(b.Entries) {
		return false
	}
	for i := range a.Items {
		if !Equal(a.Items[i], b.Items[i]) {
			return false
		}
	}
	for i, e := range a.Entries {
		f := b.Entries[i]
		if e.Key != f.Key || e.Quoting != f.Quoting || e.Include != f.Include || !Equal(e.Value, f.Value) {
			return false
		}
	}
	return true
}

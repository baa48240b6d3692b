package confparse

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Codec makes the language known to programs that use Viper: it has the methods of viper.Codec. Register it as "conf".
//
// Viper lower-cases keys and splits them at its delimiter, all the way down into maps. So only the keys of the top
// level reach it as keys; a map or an array arrives as one *Value, which Viper does not look into, and in which user
// names, subjects and the like keep their case, their dots and their order.
type Codec struct {
	// Loader reads included files and the environment.
	Loader Loader
	// Name is the name of the file in errors, and where relative includes are looked up from.
	Name string
}

// Decode parses text into v: scalars as string, int64, float64, bool or time.Time, maps and arrays as *Value. Of
// a key that stands there twice the last one counts.
func (c Codec) Decode(text []byte, v map[string]any) error {
	doc, err := c.Loader.LoadBytes(c.Name, text)
	if err != nil {
		return err
	}
	for _, e := range doc.Root.Entries {
		switch e.Value.Kind {
		case Map, Array:
			v[e.Key] = e.Value
		case String, Int, Float, Bool, Time, Reference:
			v[e.Key] = e.Value.Interface()
		}
	}
	return nil
}

// Encode prints v with its keys in order.
func (c Codec) Encode(v map[string]any) ([]byte, error) {
	root, err := valueOf(v)
	if err != nil {
		return nil, err
	}
	return Print(root), nil
}

// valueOf returns what a plain Go value is in the language.
func valueOf(v any) (*Value, error) {
	switch v := v.(type) {
	case *Value:
		return v, nil
	case string:
		return NewString(v), nil
	case bool:
		return NewBool(v), nil
	case int:
		return NewInt(int64(v)), nil
	case int64:
		return NewInt(v), nil
	case float64:
		return NewFloat(v), nil
	case time.Duration:
		return NewString(v.String()), nil
	case time.Time:
		return &Value{Kind: Time, number: v.Unix()}, nil
	case []any:
		a := NewArray()
		for _, item := range v {
			value, err := valueOf(item)
			if err != nil {
				return nil, err
			}
			a.Items = append(a.Items, value)
		}
		return a, nil
	case map[string]any:
		m := NewMap()
		for _, key := range slices.Sorted(maps.Keys(v)) {
			value, err := valueOf(v[key])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			m.Entries = append(m.Entries, &Entry{Key: key, Value: value})
		}
		return m, nil
	}
	return nil, fmt.Errorf("the language has no way to write a %T", v)
}

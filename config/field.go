package config

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/sink/webhook/format"
)

// A field is one variable: a leaf of the tree.
type field struct {
	name     string // of the variable, without [Prefix]
	fallback string // its default, "" if it has none
	section  string // the field of [Config] that it is, or is in
	comment  string // the place of its comment: type and field name
	tag      reflect.StructTag
	value    reflect.Value
}

// fileable is a value that may come from a file as well.
type fileable interface {
	setFile(path string) error
}

// checkable is a value that can be checked only by opening its file.
type checkable interface {
	check() error
}

// fields lists the leaves of the tree, in its order.
func fields(c *Config) []field {
	return appendFields(nil, reflect.ValueOf(c).Elem(), "", "")
}

func appendFields(list []field, tree reflect.Value, prefix, section string) []field {
	for i := range tree.NumField() {
		at, value := tree.Type().Field(i), tree.Field(i)
		if !at.IsExported() {
			continue
		}
		within := cmp.Or(section, at.Name)
		key, options, _ := strings.Cut(at.Tag.Get("env"), ",")
		if key == "" {
			list = appendFields(list, value, prefix+strings.TrimPrefix(options, "prefix="), within)
			continue
		}
		list = append(list, field{
			name:     prefix + key,
			fallback: strings.TrimPrefix(options, "default="),
			section:  within,
			comment:  tree.Type().Name() + "." + at.Name,
			tag:      at.Tag,
			value:    value,
		})
	}
	return list
}

// asFileable is the field's value as one that can come from a file, if it is of that kind.
func (f field) asFileable() (fileable, bool) {
	return reflect.TypeAssert[fileable](f.value.Addr())
}

// names are the variables that set the field: its own, and for a secret also the variable of its file.
func (f field) names() []string {
	if _, ok := f.asFileable(); ok {
		return []string{f.name, f.name + fileSuffix}
	}
	return []string{f.name}
}

// fileSuffix turns a secret's variable into the variable of its file.
const fileSuffix = "_FILE"

// allows tells whether a value that could be decoded is one of the words, or in the range, of the field's tags.
func (f field) allows(raw string) bool {
	if words := f.words(); len(words) > 0 {
		return slices.Contains(words, raw)
	}
	switch value := f.value.Interface().(type) {
	case int: // the library reads 010 as eight
		return between(f, value, strconv.Atoi) && strconv.Itoa(value) == raw
	case float64:
		return between(f, value, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
	case time.Duration:
		step, err := time.ParseDuration(f.tag.Get("step"))
		return between(f, value, time.ParseDuration) && (err != nil || value%step == 0)
	case ByteSize:
		return between(f, value, ParseByteSize)
	}
	return true
}

// between tells whether the value is in the field's range. If the range is missing or the value is NaN, it is not.
func between[T cmp.Ordered](f field, value T, parse func(string) (T, error)) bool {
	low, errLow := parse(f.tag.Get("min"))
	high, errHigh := parse(f.tag.Get("max"))
	return errLow == nil && errHigh == nil && low <= value && value <= high
}

// isFormat tells whether the field names a webhook format: the names of these are in package format, and not in a tag.
func (f field) isFormat() bool { return f.value.Type() == reflect.TypeFor[WebhookFormat]() }

// words are the allowed words of a field; none if it takes other values.
func (f field) words() []string {
	if f.isFormat() {
		return format.Names()
	}
	return strings.Fields(f.tag.Get("oneof"))
}

// limits is the range in words, or "".
func (f field) limits() string {
	low, high := f.tag.Get("min"), f.tag.Get("max")
	if low == "" {
		return ""
	}
	text := "from " + low + " to " + high
	if step := f.tag.Get("step"); step != "" {
		text += " in steps of " + step
	}
	return text
}

// want describes the values that the field takes, for types whose own decoder does not.
func (f field) want() string {
	switch words := f.words(); len(words) {
	case 0:
	case 1:
		return words[0]
	default:
		return "one of " + strings.Join(words, ", ")
	}
	switch f.value.Interface().(type) {
	case int:
		return "a whole number " + f.limits()
	case float64:
		return "a number " + f.limits()
	case time.Duration:
		return "a duration such as " + f.fallback + ", " + f.limits()
	case ByteSize:
		return "a size such as " + cmp.Or(f.fallback, f.tag.Get("example")) + ", " + f.limits()
	case bool:
		return "true or false"
	}
	return "another value"
}

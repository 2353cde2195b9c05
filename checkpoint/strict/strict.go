// Package strict refuses JSON that two parsers could read as two different values. A signature over such bytes would be a
// signature over both.
package strict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// Keys refuses an object with a key twice, with two keys that differ only in case, or with a key of t in another case. Package
// encoding/json accepts each of these, and takes the last of two keys. Keys also refuses bytes that are no UTF-8. Package
// encoding/json replaces such bytes. The caller reads the body into the type t, and knows that the body is valid JSON.
func Keys(body []byte, t reflect.Type) error {
	if !utf8.Valid(body) {
		return errors.New("it is not UTF-8")
	}
	return walkKeys(json.NewDecoder(bytes.NewReader(body)), t)
}

// walkKeys reads one value and checks the keys of every object in it. t is the type of the value; nil if the caller does not
// know it.
func walkKeys(d *json.Decoder, t reflect.Type) error {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('['):
		var element reflect.Type
		if t != nil && t.Kind() == reflect.Slice {
			element = t.Elem()
		}
		for d.More() {
			if err := walkKeys(d, element); err != nil {
				return err
			}
		}
	case json.Delim('{'):
		if err := walkObject(d, Fields(t)); err != nil {
			return err
		}
	default:
		return nil
	}
	_, err = d.Token() // reads the end of the list or object
	return err
}

func walkObject(d *json.Decoder, fields map[string]reflect.Type) error {
	spelt := make(map[string]string, len(fields)) // each known key, by its folded form
	for name := range fields {
		spelt[fold(name)] = name
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		folded := fold(key)
		if seen[folded] {
			return fmt.Errorf("it has the key %q twice", key)
		}
		seen[folded] = true
		if name, ok := spelt[folded]; ok && name != key {
			return fmt.Errorf("it has the key %q, which is to be spelt %q", key, name)
		}
		if err := walkKeys(d, fields[key]); err != nil {
			return err
		}
	}
	return nil
}

// Fields returns the JSON keys of a struct and their types; none for any other type.
func Fields(t reflect.Type) map[string]reflect.Type {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	fields := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			fields[name] = f.Type
		}
	}
	return fields
}

// fold gives the same result for all spellings that encoding/json takes for one key. For encoding/json, ſ is an s and the sign of
// Kelvin is a k.
func fold(key string) string { return strings.ToLower(strings.ToUpper(key)) }

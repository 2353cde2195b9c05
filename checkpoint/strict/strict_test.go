package strict_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/houndtrail/houndtrail/checkpoint/strict"
)

// base is embedded, so its keys are those of the outer struct.
type base struct {
	Kind string `json:"kind"`
}

type value struct {
	base
	Size  int      `json:"size,omitempty"`
	Parts []*value `json:"parts"`
	plain int
}

// TestKeys: an object has each key once, and each of our keys in our spelling, at any depth that we know.
func TestKeys(t *testing.T) {
	t.Parallel()
	for body, good := range map[string]bool{
		`{"kind":"a","size":1,"parts":[{"size":2}]}`: true,
		`{"other":{"a":1,"b":[{"a":1},{"a":2}]}}`:    true,
		`{"plain":1,"Plain2":1}`:                     true,
		`[1,null,"x",true]`:                          true,
		`null`:                                       true,
		`{"size":1,"size":2}`:                        false,
		`{"other":1,"Other":2}`:                      false,
		`{"Size":1}`:                                 false,
		`{"KIND":1}`:                                 false,
		`{"\u0073ize":1,"size":2}`:                   false,
		`{"ſize":1}`:                                 false,
		`{"Kind":1}`:                                 false,
		`{"parts":[{"Size":1}]}`:                     false,
		`{"other":[{"a":1,"A":2}]}`:                  false,
		"{\"other\":\"\xff\"}":                       false,
	} {
		if err := strict.Keys([]byte(body), reflect.TypeFor[*value]()); (err == nil) != good {
			t.Errorf("%s: %v", body, err)
		}
	}
	var names []string
	for name := range strict.Fields(reflect.TypeFor[value]()) {
		names = append(names, name)
	}
	if slices.Sort(names); !slices.Equal(names, []string{"kind", "parts", "size"}) {
		t.Errorf("its fields are %v, and %d more", names, value{}.plain)
	}
}

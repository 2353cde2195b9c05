package schema_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/houndtrail/houndtrail/sink/webhook/schema"
)

var events = flag.String("events", "", "folder into which TestEventsForOthers writes the events of all records, for .ci/schemas")

// TestEventsForOthers writes the events that the tests of this file check, so that other programs can check them too.
func TestEventsForOthers(t *testing.T) {
	if *events == "" {
		t.Skip("no -events")
	}
	for _, name := range mapped {
		if err := os.WriteFile(filepath.Join(*events, name+".ndjson"), bytes.Join(all(t, name), nil), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func all(t *testing.T, name string) (lines [][]byte) {
	t.Helper()
	s := build(t, name, schema.Options{})
	for _, r := range everything(t) {
		lines = append(lines, s.Append(nil, &r))
	}
	return lines
}

// TestOCSF checks every event against the published classes. In these, every property is known and has a type.
// testdata/check_ocsf.py made the classes. The changed events at the end show that the check can fail.
func TestOCSF(t *testing.T) {
	t.Parallel()
	check := ocsf(t)
	classes := map[string]int{}
	for _, line := range all(t, schema.OCSF) {
		class, err := check(line)
		if err != nil {
			t.Fatalf("%.1000s\n%v", line, err)
		}
		classes[class]++
	}
	if len(classes) != 5 {
		t.Errorf("events of the classes %v, want five classes", classes)
	}
	r := ordinary("CreateUser", "success").record(t)
	event := string(build(t, schema.OCSF, schema.Options{}).Append(nil, &r))
	for _, change := range [][2]string{
		{`"user":{"uid"`, `"user":{"nick"`},
		{`"severity_id":2`, `"severity_id":"2"`},
		{`"time":`, `"when":`},
		{`"activity_id":1`, `"activity_id":98`},
		{`"ip":"10.0.0.7"`, `"ip":"x"`},
		{`bob@corp.example`, `bob@corp`},
	} {
		changed := strings.Replace(event, change[0], change[1], 1)
		if _, err := check([]byte(changed)); changed == event || err == nil {
			t.Errorf("%s in place of %s is no violation", change[1], change[0])
		}
	}
}

// ocsf returns the check of an event against its class.
func ocsf(t *testing.T) func([]byte) (class string, err error) {
	t.Helper()
	const path = "testdata/ocsf-1.5.0.json"
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(path, document); err != nil {
		t.Fatal(err)
	}
	compiled := map[string]*jsonschema.Schema{}
	return func(line []byte) (string, error) {
		event, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
		if err != nil {
			return "", err
		}
		class := string(event.(map[string]any)["class_uid"].(json.Number)) //nolint:errcheck // if it has another type, the test fails
		if compiled[class] == nil {
			if compiled[class], err = compiler.Compile(path + "#/$defs/class_" + class); err != nil {
				return class, err
			}
		}
		return class, compiled[class].Validate(event)
	}
}

// A definition is a field of ECS, as testdata/check_ecs.mjs prints it.
type definition struct {
	Type   string              `json:"type"`
	Array  bool                `json:"array"`
	Values []string            `json:"values"`
	Types  map[string][]string `json:"types"` // the event types that a category expects
}

// TestECS checks every event against the published fields: their names, types, allowed values, and which of them are arrays.
func TestECS(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/ecs-9.4.0.json")
	if err != nil {
		t.Fatal(err)
	}
	var published struct {
		Fields map[string]definition `json:"fields"`
	}
	if err := json.Unmarshal(raw, &published); err != nil {
		t.Fatal(err)
	}
	check := func(line []byte) (problems []string) {
		var event map[string]any
		if err := json.Unmarshal(line, &event); err != nil {
			return []string{err.Error()}
		}
		delete(event, "bloodhound") // this is our own field set
		walk(event, "", func(name string, value any) {
			if text := misfit(published.Fields, name, value); text != "" {
				problems = append(problems, name+": "+text)
			}
		})
		of, _ := event["event"].(map[string]any)
		return append(problems, unexpected(published.Fields["event.category"], of)...)
	}
	for _, line := range all(t, schema.ECS) {
		if problems := check(line); len(problems) > 0 {
			t.Fatalf("%.1000s\n%v", line, problems)
		}
	}
	r := ordinary("CreateUser", "success").record(t)
	r.Began = r.CreatedAt.Add(-1500)
	event := string(build(t, schema.ECS, schema.Options{}).Append(nil, &r))
	for _, change := range [][2]string{
		{`"target":`, `"aim":`},
		{`"outcome":"success"`, `"outcome":"fine"`},
		{`["iam"]`, `"iam"`},
		{`["creation","user"]`, `["start"]`},
		{`"category":["iam"]`, `"category":["session"]`},
		{`"ip":"10.0.0.7"`, `"ip":7`},
		{`"id":"acme"`, `"id":["acme"]`},
		{`"duration":1500`, `"duration":1.5`},
		{`"duration":1500`, `"duration":"1500"`},
	} {
		changed := strings.Replace(event, change[0], change[1], 1)
		if changed == event || len(check([]byte(changed))) == 0 {
			t.Errorf("%s in place of %s is no violation", change[1], change[0])
		}
	}
}

// walk calls each with the leaves of an event, by their names with dots.
func walk(value map[string]any, prefix string, each func(name string, value any)) {
	for key, v := range value {
		if inner, ok := v.(map[string]any); ok {
			walk(inner, prefix+key+".", each)
			continue
		}
		each(prefix+key, v)
	}
}

func misfit(published map[string]definition, name string, value any) string {
	d, known := published[name]
	if !known {
		return "no such field"
	}
	values, isArray := value.([]any)
	if isArray != d.Array {
		return "an array, or none"
	}
	if !isArray {
		values = []any{value}
	}
	for _, v := range values {
		text, ok := v.(string)
		if number, isNumber := v.(float64); isNumber && d.Type == "long" && number == math.Trunc(number) {
			continue
		}
		if !ok || d.Type == "long" { // every other field of an event is a text, an address or a time
			return "no " + d.Type
		}
		if len(d.Values) > 0 && !slices.Contains(d.Values, text) {
			return text + " is not allowed"
		}
	}
	return ""
}

// unexpected returns the types that no category of the event expects.
func unexpected(categories definition, event map[string]any) (problems []string) {
	kinds, _ := event["type"].([]any)
	for _, kind := range kinds {
		listed, _ := event["category"].([]any)
		if !slices.ContainsFunc(listed, func(c any) bool {
			return slices.Contains(categories.Types[fmt.Sprint(c)], fmt.Sprint(kind))
		}) {
			problems = append(problems, fmt.Sprint(kind)+" is no type of its categories")
		}
	}
	return problems
}

// TestOneLine: an event is one line, also for a reader that takes Unicode's line breaks for ends of lines.
func TestOneLine(t *testing.T) {
	t.Parallel()
	for _, name := range mapped {
		for _, r := range some(t) {
			line := build(t, name, schema.Options{}).Append(nil, &r)
			scanner := bufio.NewScanner(bytes.NewReader(line))
			scanner.Buffer(nil, 2*len(line))
			lines := 0
			for scanner.Scan() {
				lines++
			}
			if lines != 1 || bytes.ContainsRune(line, '\r') {
				t.Errorf("%s: %d lines: %.300q", name, lines, line)
			}
		}
	}
}

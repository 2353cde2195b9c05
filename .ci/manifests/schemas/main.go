// Command schemas turns Kubernetes' OpenAPI description into strict JSON schemas. Each kind gets one file, with the name that
// kubeconform looks for: cronjob-batch-v1.json.
//
//	schemas SWAGGER FOLDER
//
// The schemas that kubeconform would fetch from the network are made from the same description. In the strict schemas, a field
// that the description does not know is an error. So a misspelt field is caught.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// An object is an unchanged JSON object.
type object = map[string]any

const reference = "#/definitions/"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want two arguments, the OpenAPI file and the folder to write to; got %d", len(args))
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var api struct {
		Definitions map[string]object `json:"definitions"`
	}
	if err := json.Unmarshal(text, &api); err != nil {
		return fmt.Errorf("read %s: %w", args[0], err)
	}
	kinds := make(map[string]object) // by file name
	for name, definition := range api.Definitions {
		for _, file := range tighten(name, definition) {
			kinds[file] = definition
		}
	}
	if len(kinds) == 0 {
		return fmt.Errorf("%s describes no kind", args[0])
	}
	for file, definition := range kinds {
		if err := write(filepath.Join(args[1], file), definition, api.Definitions); err != nil {
			return err
		}
	}
	return nil
}

// tighten makes a definition refuse fields that it does not know. It returns the files that have this definition as their schema:
// one for each version of a kind, and none for a part of one.
func tighten(name string, definition object) []string {
	if _, ok := definition["properties"]; ok {
		definition["additionalProperties"] = false
	}
	// YAML has two ways to write these two types, but the description calls them strings.
	switch name {
	case "io.k8s.apimachinery.pkg.util.intstr.IntOrString":
		definition["type"] = []any{"string", "integer"}
	case "io.k8s.apimachinery.pkg.api.resource.Quantity":
		definition["type"] = []any{"string", "number"}
	}
	kinds, _ := definition["x-kubernetes-group-version-kind"].([]any)
	var files []string
	for _, kind := range kinds {
		k := kind.(object)
		group, _, _ := strings.Cut(k["group"].(string), ".")
		parts := []string{k["kind"].(string), group, k["version"].(string)}
		if group == "" {
			parts = []string{parts[0], parts[2]}
		}
		files = append(files, strings.ToLower(strings.Join(parts, "-"))+".json")
	}
	return files
}

// write stores a kind's definition together with all definitions to which it refers.
func write(path string, definition object, all map[string]object) error {
	needed := make(map[string]object)
	collect(definition, all, needed)
	schema := object{"$schema": "http://json-schema.org/schema#", "definitions": needed}
	for key, value := range definition {
		schema[key] = value
	}
	text, err := json.Marshal(schema)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.WriteFile(path, text, 0o644)
}

// collect adds to needed every definition that can be reached from value.
func collect(value any, all, needed map[string]object) {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			collect(element, all, needed)
		}
	case object:
		if ref, ok := v["$ref"].(string); ok {
			name := strings.TrimPrefix(ref, reference)
			if _, seen := needed[name]; !seen {
				needed[name] = all[name]
				collect(all[name], all, needed)
			}
		}
		for _, member := range v {
			collect(member, all, needed)
		}
	}
}

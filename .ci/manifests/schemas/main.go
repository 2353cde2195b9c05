// Command schemas turns Kubernetes' OpenAPI description into strict JSON schemas. Each kind gets one file, with the name that
// kubeconform looks for: cronjob-batch-v1.json.
//
//	schemas SWAGGER FOLDER [CRD...]
//
// It does the same for the kinds of other projects, which their CustomResourceDefinitions describe.
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

	"sigs.k8s.io/yaml"
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
	if len(args) < 2 {
		return fmt.Errorf("want the OpenAPI file, the folder to write to, and CustomResourceDefinitions; got %d arguments", len(args))
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
	for _, crd := range args[2:] {
		if err := custom(crd, args[1]); err != nil {
			return err
		}
	}
	return nil
}

// custom writes the schemas of a CustomResourceDefinition, one for each version of its kind.
func custom(file, folder string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var crd struct {
		Spec struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Schema struct{ OpenAPIV3Schema object }
			}
		}
	}
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	for _, version := range crd.Spec.Versions {
		schema := version.Schema.OpenAPIV3Schema
		strict(schema)
		metadata, ok := schema["properties"].(object)["metadata"].(object)
		if !ok {
			return fmt.Errorf("%s: the kind has no metadata", file)
		}
		delete(metadata, "additionalProperties")
		if err := write(filepath.Join(folder, fileOf(crd.Spec.Names.Kind, crd.Spec.Group, version.Name)), schema, nil); err != nil {
			return err
		}
	}
	return nil
}

// strict makes a schema, and all in it, refuse fields that it does not know, as the API server does.
func strict(schema object) {
	if _, ok := schema["properties"]; ok && schema["x-kubernetes-preserve-unknown-fields"] != true {
		schema["additionalProperties"] = false
	}
	if schema["x-kubernetes-int-or-string"] == true {
		delete(schema, "anyOf")
		schema["type"] = []any{"string", "integer"}
	}
	for key, value := range schema {
		inner, ok := value.(object)
		if !ok {
			continue
		}
		if key != "properties" {
			strict(inner)
			continue
		}
		for _, property := range inner {
			if p, ok := property.(object); ok {
				strict(p)
			}
		}
	}
}

// fileOf is the name that kubeconform looks for.
func fileOf(kind, group, version string) string {
	group, _, _ = strings.Cut(group, ".")
	parts := []string{kind, group, version}
	if group == "" {
		parts = []string{kind, version}
	}
	return strings.ToLower(strings.Join(parts, "-")) + ".json"
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
		files = append(files, fileOf(k["kind"].(string), k["group"].(string), k["version"].(string)))
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

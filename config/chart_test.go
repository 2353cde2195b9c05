package config_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/houndtrail/houndtrail/config"
)

// TestChartSchema compares the settings in the schema of the chart's values with the tree. Helm then refuses a setting that the program
// does not know, and most values that it does not take. All else in the schema is written by hand.
func TestChartSchema(t *testing.T) {
	t.Parallel()
	const name = "../deploy/helm/houndtrail/values.schema.json"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	definitions, ok := schema["definitions"].(map[string]any)
	if !ok {
		t.Fatalf("%s has no definitions", name)
	}
	definitions["settings"] = map[string]any{"type": "object", "additionalProperties": false, "properties": config.ChartSettings()}
	keys := map[string]any{}
	for _, secret := range config.ChartSecrets() {
		keys[secret] = map[string]any{"type": "string", "pattern": "^[A-Za-z0-9._-]*$"}
	}
	definitions["secretKeys"] = map[string]any{"type": "object", "additionalProperties": false, "properties": keys}
	anew, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, name, string(anew)+"\n")
}

package config

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"
)

// ChartSettings returns JSON schemas of the settings in the chart's values, by name without [Prefix]. Those in a file only and those
// that the chart itself sets are left out. A secret in a ConfigMap would be readable to everybody who may read ConfigMaps, so they are
// left out as well.
func ChartSettings() map[string]any {
	byChart := []string{"BLOODHOUND_URL", "SCHEDULE", "STOP_GRACE", "LISTEN"}
	settings := map[string]any{}
	for _, f := range fields(new(Config)) {
		if !slices.Contains(byChart, f.name) && !f.isSecret() {
			settings[f.name] = f.schema()
		}
	}
	return settings
}

// ChartSecrets returns the names of the settings that may come from a key of a Secret.
func ChartSecrets() []string {
	var names []string
	for _, f := range fields(new(Config)) {
		if _, ok := f.asFileable(); ok || strings.HasSuffix(f.name, fileSuffix) {
			names = append(names, f.name)
		}
	}
	return names
}

// isSecret tells whether the whole value is a secret. The address and the headers of a webhook can hold one, and need not.
func (f field) isSecret() bool {
	_, ok := f.asFileable()
	return ok && f.value.Type() != reflect.TypeFor[Headers]() && f.value.Type() != reflect.TypeFor[WebhookURL]()
}

// schema is the JSON schema of the field's value. YAML knows numbers and booleans, and the program reads the text of them.
func (f field) schema() map[string]any {
	duration := `([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+`
	if words := f.words(); len(words) > 0 {
		return map[string]any{"enum": words}
	}
	switch f.value.Interface().(type) {
	case bool:
		return map[string]any{"enum": []any{true, false, "true", "false"}}
	case int:
		return map[string]any{"anyOf": []any{
			map[string]any{"type": "integer", "minimum": json.Number(f.tag.Get("min")), "maximum": json.Number(f.tag.Get("max"))},
			map[string]any{"type": "string", "pattern": "^[0-9]+$"},
		}}
	case time.Duration:
		return map[string]any{"type": "string", "pattern": "^(" + duration + "|0)$"}
	case ByteSize:
		return map[string]any{"type": []any{"string", "integer"}, "pattern": "^[0-9]+(B|KiB|MiB|GiB)?$"}
	case Rate:
		return map[string]any{"type": []any{"string", "number"}, "pattern": `^(auto|[0-9]+(\.[0-9]+)?)$`}
	case HTTPURL, WebhookURL:
		return map[string]any{"type": "string", "pattern": "^https?://"}
	case StoreURL:
		return map[string]any{"type": "string", "pattern": "^(s3://[^/]|file:///)"}
	}
	return map[string]any{"type": "string"}
}

package deploy_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// A functionCall is a call of CloudFormation, such as Fn::Sub. It has one key.
type functionCall map[string]any

// sub is a text with ${...} in it.
func sub(text string) functionCall { return functionCall{"Fn::Sub": text} }

// when is one of two values.
func when(condition string, yes, no any) functionCall {
	return functionCall{"Fn::If": []any{condition, yes, no}}
}

// short writes the call in YAML. A short form cannot stand directly in front of another one.
func (c functionCall) short() string {
	for function, value := range c {
		if _, nested := value.(functionCall); nested {
			return "{" + function + ": " + short(value) + "}"
		}
		return "!" + strings.TrimPrefix(function, "Fn::") + " " + short(value)
	}
	return ""
}

// below writes a value behind a key and its colon, with an indentation. A value that fits is on one line.
func below(value any, indent int) string {
	text := yaml(value, indent)
	if strings.HasPrefix(text, "\n") {
		return text
	}
	return " " + text
}

// width is the longest line, if a value can be cut.
const width = 132

func yaml(value any, indent int) string {
	if line := short(value); len(line)+indent < width && !strings.Contains(line, "\n") {
		return line
	}
	margin := "\n" + strings.Repeat(" ", indent)
	var b strings.Builder
	switch v := value.(type) {
	case functionCall:
		if text, ok := v["Fn::Sub"].(string); ok { // too long for one line, or of several
			return "!Sub |-" + margin + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", margin)
		}
		return v.short()
	case []any:
		if packed := pack(v, indent); packed != "" {
			return packed
		}
		for _, item := range v {
			b.WriteString(margin + "- " + strings.TrimPrefix(yaml(item, indent+2), margin+"  "))
		}
	case map[string]any:
		for _, key := range ordered(v) {
			b.WriteString(margin + scalar(key) + ":" + below(v[key], indent+2))
		}
	default:
		return scalar(fmt.Sprint(v))
	}
	return b.String()
}

// pack writes a list of many short items in lines of many items.
func pack(items []any, indent int) string {
	margin := "\n" + strings.Repeat(" ", indent)
	text, line := "[", 0
	for i, item := range items {
		one := short(item)
		if len(one) > width/3 {
			return ""
		}
		if line += len(one) + len(", "); i == 0 || line+indent > width {
			text, line = text+margin+"  ", len(one)
		} else {
			text += " "
		}
		text += one + ","
	}
	return strings.TrimSuffix(text, ",") + margin + "]"
}

// short writes a value on one line.
func short(value any) string {
	var items []string
	switch v := value.(type) {
	case functionCall:
		return v.short()
	case []any:
		for _, item := range v {
			items = append(items, short(item))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		for _, key := range ordered(v) {
			items = append(items, scalar(key)+": "+short(v[key]))
		}
		return "{" + strings.Join(items, ", ") + "}"
	default:
		return scalar(fmt.Sprint(v))
	}
}

// ordered are the keys of a map: those of a statement in the order in which people read them, and then the others.
func ordered(v map[string]any) []string {
	first := []string{"Version", "Statement", "Sid", "Effect", "Principal", "Action", "Resource", "Condition", "Name", "Type"}
	rank := func(key string) int {
		if i := slices.Index(first, key); i >= 0 {
			return i
		}
		return len(first)
	}
	return slices.SortedFunc(maps.Keys(v), func(a, b string) int {
		if rank(a) != rank(b) {
			return rank(a) - rank(b)
		}
		return strings.Compare(a, b)
	})
}

// scalar writes a text: without quotes if YAML reads it as a text all the same, and otherwise in the shorter quotes.
func scalar(text string) string {
	plain := regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_/.:-]*[A-Za-z0-9*]$`)
	special := regexp.MustCompile(`(?i)^(true|false|yes|no|on|off|null|y|n)$`)
	if plain.MatchString(text) && !special.MatchString(text) {
		return text
	}
	double, single := jsonText(text), "'"+strings.ReplaceAll(text, "'", "''")+"'"
	if len(single) < len(double) && !strings.Contains(text, "\n") {
		return single
	}
	return double
}

// jsonText is a value as JSON, with each character as it is.
func jsonText(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(text))
}

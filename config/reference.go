package config

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// source is the file of this package's tree. Its comments are the only text of the manual, and the program contains them.
//
//go:embed config.go
var source string

// Reference is the manual of all variables, in Markdown: a heading and a table a section.
func Reference() string {
	var b strings.Builder
	b.WriteString("Durations are written as in Go (`90s`, `5m`, `1h30m`). Meanings leave out the prefix `" + Prefix + "`.\n")
	comments := comments()
	for _, f := range fields(new(Config)) {
		if heading := section(f.name); heading != "" {
			b.WriteString("\n## " + heading + "\n\n| Variable | Default | Meaning |\n| --- | --- | --- |\n")
		}
		standard := f.tag.Get("shown")
		if f.fallback != "" {
			standard = "`" + f.fallback + "`"
		}
		meaning := comments[f.comment] + f.allowed("`")
		if _, ok := f.asFileable(); ok {
			meaning += fmt.Sprintf(" Or the path of a file with it: `%s%s%s`.", Prefix, f.name, fileSuffix)
		}
		fmt.Fprintf(&b, "| `%s%s` | %s | %s |\n", Prefix, f.name, standard, meaning)
	}
	return b.String()
}

// section is the heading in front of a variable that begins a section of the manual, and "" for every other one.
func section(name string) string {
	switch name {
	case "BLOODHOUND_URL":
		return "BloodHound"
	case "TENANT":
		return "The tenant"
	case "ARCHIVE_URL":
		return "The archive"
	case "S3_ENDPOINT":
		return "S3"
	case "WEBHOOK_URL":
		return "The webhook"
	case "CHECKPOINT_URL":
		return "The journal"
	case "SCHEDULE":
		return "When and what to read"
	case "STOP_GRACE":
		return "The process"
	}
	return ""
}

// Example is an environment file with every variable: those of a first configuration on top, the others commented out. systemd
// and containers read this form, which knows no quotes.
func Example() string {
	var first, rest strings.Builder
	comments := comments()
	for _, f := range fields(new(Config)) {
		b, mark, value := &rest, "#", f.fallback+f.tag.Get("example")
		if lead := f.tag.Get("first"); lead != "" {
			b, mark, value = &first, "", lead
		}
		b.WriteString(wrap("\n# ", comments[f.comment]+f.allowed("")))
		if standard := f.tag.Get("shown"); mark != "" && standard != "" {
			b.WriteString(wrap("\n# ", "Default: "+standard+"."))
		}
		fmt.Fprintf(b, "\n%s%s%s=%s\n", mark, Prefix, f.name, value)
	}
	return "# Settings of Houndtrail, for systemd (EnvironmentFile=) and containers (--env-file). Values take no quotes.\n" +
		"# Any secret X may be in a file instead: set X" + fileSuffix + " to its absolute path, and leave out X.\n" +
		"# Generated from the comments in config/config.go: change those, and run go test ./config -update\n" +
		first.String() + "\n# From here on everything is optional.\n" + rest.String()
}

// allowed is the range or the words of the field as a sentence, or "".
func (f field) allowed(tick string) string {
	if words := f.words(); len(words) > 0 {
		for i, word := range words {
			words[i] = tick + word + tick
			if f.isFormat() {
				words[i] += " (" + WebhookFormat(word).limits() + ")"
			}
		}
		return " Allowed: " + strings.Join(words, ", ") + "."
	}
	if limits := f.limits(); limits != "" {
		return " " + strings.ToUpper(limits[:1]) + limits[1:] + "."
	}
	return ""
}

// comments are the comments of the tree's fields on one line each, by type and field name.
func comments() map[string]string {
	file, err := parser.ParseFile(token.NewFileSet(), "config.go", source, parser.ParseComments)
	if err != nil {
		panic(err) // impossible: the compiler has read the same file
	}
	list := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if tree, ok := spec.Type.(*ast.StructType); ok {
			for _, at := range tree.Fields.List {
				list[spec.Name.Name+"."+at.Names[0].Name] = strings.Join(strings.Fields(at.Doc.Text()), " ")
			}
		}
		return false
	})
	return list
}

// wrap breaks text into lines of about 100 columns that each begin with the given start.
func wrap(start, text string) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		if column == 0 || column+len(word) > 100 {
			b.WriteString(start)
			column = 0
		} else {
			b.WriteString(" ")
		}
		b.WriteString(word)
		column += len(word) + 1
	}
	return b.String()
}

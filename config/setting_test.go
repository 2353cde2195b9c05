package config

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// variable finds the name of a variable in any text, such as a message or a help text.
var variable = regexp.MustCompile(Prefix + `[A-Z0-9_]*[A-Z0-9]`)

// TestSettingsExist: if the program's own texts name a variable, the program reads it. So each advice can be followed.
func TestSettingsExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, f := range fields(new(Config)) {
		known[Prefix+f.name] = true
		if _, ok := f.asFileable(); ok {
			known[Prefix+f.name+fileSuffix] = true
		}
	}
	named := 0
	productText(t, func(path, text string) {
		for _, name := range variable.FindAllString(text, -1) {
			named++
			if !known[name] {
				t.Errorf("%s names %s, which is no variable", path, name)
			}
		}
	})
	if named < 60 {
		t.Errorf("%d names were read: the test looks in the wrong place", named)
	}
}

// TestSettingsAreNamedOnce: outside of config and cmd, errors name a variable by its constant in config/setting.
func TestSettingsAreNamedOnce(t *testing.T) {
	t.Parallel()
	productText(t, func(path, text string) {
		top := strings.Split(filepath.ToSlash(path), "/")[1]
		if top != "config" && top != "cmd" && strings.Contains(text, Prefix) {
			t.Errorf("%s spells a variable in %s: use the constant of config/setting", path, text)
		}
	})
}

// productText calls use for each string of the product's code.
func productText(t *testing.T, use func(path, text string)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && d.Name() != ".."):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, body, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.BasicLit); ok && s.Kind == token.STRING {
				use(path, s.Value)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

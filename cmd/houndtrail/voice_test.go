package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// unvoiced are words that the house does without, since they name no actor or need a second reading: CONTRIBUTING.md says which
// words to use instead.
var unvoiced = regexp.MustCompile(`(?i)\b(` + strings.Join([]string{"no" + "body", "who" + "ever", "some" + "body", "of " + "before"}, "|") + `)\b`)

// TestVoice reads every comment and every document for words that the house does without.
func TestVoice(t *testing.T) {
	read := 0
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		for at, text := range prose(t, path) {
			read++
			if found := unvoiced.FindString(text); found != "" {
				t.Errorf("%s: line %d says %q: name the actor, or say \"previous\"; see CONTRIBUTING.md", path, at, found)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read < 5000 {
		t.Errorf("%d pieces of prose were read: the test looks in the wrong place", read)
	}
}

// prose is the text of a file for its readers, by line: comments of Go, of scripts and of manifests, and all of a document.
func prose(t *testing.T, path string) map[int]string {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := map[int]string{}
	switch filepath.Ext(path) {
	case ".go":
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, body, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range file.Comments {
			for _, comment := range group.List {
				lines[files.Position(comment.Pos()).Line] = comment.Text
			}
		}
	case ".md":
		for i, line := range strings.Split(string(body), "\n") {
			lines[i+1] = line
		}
	case ".txtar", ".yaml", ".yml", ".sh":
		for i, line := range strings.Split(string(body), "\n") {
			if _, comment, ok := strings.Cut(line, "# "); ok {
				lines[i+1] = comment
			}
		}
	}
	return lines
}

package main

import (
	"fmt"
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

// These are habits that need a second reading if a text has many of them: "where" for a condition, and a clause such as "what is
// older" for a noun. Peers have up to 1.3 of them in 1,000 words of comment.
var (
	conditionalWhere = regexp.MustCompile(`(?i)\bwhere (it|there|that|no|an?|this|these|those|its|one|none|nothing|both|only|` +
		`the|they|we|needed|possible|not|another|any|all|some|two|each)\b`)
	namelessWhat = regexp.MustCompile(`(?i)\bwhat (is|was|are|were|has|had|can|could|may|must|will|would|comes|came|does|did|` +
		`stands|lies|follows|remains)\b`)
)

// mostHabits is how many of either habit the comments may have, in 1,000 words.
const mostHabits = 0.5

// TestVoice reads every comment and every document for words that the house does without.
func TestVoice(t *testing.T) {
	read, words := 0, 0
	habits := map[*regexp.Regexp][]string{}
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		for at, text := range prose(t, path) {
			read++
			if filepath.Ext(path) == ".go" {
				words += len(strings.Fields(text))
				for _, habit := range []*regexp.Regexp{conditionalWhere, namelessWhat} {
					if habit.MatchString(text) {
						habits[habit] = append(habits[habit], fmt.Sprintf("%s:%d: %s", path, at, text))
					}
				}
			}
			if found := unvoiced.FindString(text); found != "" {
				t.Errorf("%s: line %d says %q: name the actor, or say \"previous\"; see CONTRIBUTING.md", path, at, found)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range habits {
		if float64(len(found)) > mostHabits*float64(words)/1000 {
			t.Errorf("%d lines in %d words of comment have a habit of which CONTRIBUTING.md says what to write instead:\n%s", len(found), words, strings.Join(found, "\n"))
		}
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

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
	"unicode"
)

// A habit makes a reader read a sentence twice. CONTRIBUTING.md says what to write instead.
type habit struct {
	name, instead string
	in            func(sentence string) bool
}

// mostWords is how many words a sentence may have.
const mostWords = 35

func habits() []habit {
	verbs := `(is|was|are|were|has|had|can|could|may|must|will|would|comes|came|does|did|stands|lies|follows|remains)`
	determiners := `(it|there|that|no|an?|this|these|those|its|one|none|nothing|both|only|the|they|we|needed|possible|not|another|any|` +
		`all|some|two|each)`
	which := `, (of |in |to |by |from |for )?which\b`
	matches := func(pattern string) func(string) bool { return regexp.MustCompile(`(?i)` + pattern).MatchString }
	return []habit{
		{"a nameless actor", "name the actor", matches(`\b(nobody|whoever|somebody|someone|anybody)\b`)},
		{`"of before" or "as of"`, `say "previous", or name the time`, matches(`\b(of before|as of)\b`)},
		{`"where" for a condition`, `begin a condition with "if" or "when"`, matches(`\bwhere ` + determiners + `\b`)},
		{`"what is ..." for a noun`, "write the noun", matches(`\bwhat ` + verbs + `\b`)},
		{"two negations", "say it without a negation", matches(`\b(not un\w+able|(not|never|no \w+) without)\b`)},
		{`a chain of "which"`, "make a sentence of each", matches(which + ".*" + which)},
		{"more words than a reader holds", "cut it into facts", func(s string) bool { return len(strings.Fields(s)) > mostWords }},
	}
}

// unfinished are the places whose sentences still have such habits, each with the reason. A place leaves the list when it is done.
func unfinished() map[string]string {
	return map[string]string{
		"CHANGELOG.md":        "its entries are history",
		"checkpoint":          "the keys of the journal are changing",
		"checkpoint/seal":     "the keys of the journal are changing",
		"docs/verify.md":      "the verification is changing",
		"sink/archive/verify": "the verification is changing",
	}
}

// TestVoice reads every comment and every document for the habits, and names each sentence that has one.
func TestVoice(t *testing.T) {
	read, words := 0, 0
	found := map[string]int{}
	all, root := habits(), filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		waits := waits(filepath.ToSlash(name))
		for _, s := range prose(t, path) {
			read, words = read+1, words+len(strings.Fields(s.text))
			for i, h := range all {
				if !h.in(s.text) {
					continue
				}
				found[h.name]++
				if !waits || i == 0 {
					t.Errorf("%s:%d: %s: %s (CONTRIBUTING.md): %s", name, s.line, h.name, h.instead, s.text)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range found {
		t.Logf("%s: %d in %d words, %.2f in 1,000", name, n, words, 1000*float64(n)/float64(words))
	}
	if read < 5000 {
		t.Errorf("%d sentences were read: the test looks in the wrong place", read)
	}
}

// TestHabits: each habit is found in a sentence that has it, and the example of CONTRIBUTING.md has none.
func TestHabits(t *testing.T) {
	bad := []string{
		"Nobody reads it.", "It is the size of before.", "It stops where it fails.", "What is older comes later.",
		"It is not unreadable.", "A page, of which a part, which is short, comes.", strings.Repeat("word ", mostWords+1) + ".",
	}
	for i, h := range habits() {
		if !h.in(bad[i]) {
			t.Errorf("%s is not found in %q", h.name, bad[i])
		}
		for _, good := range split(1, []string{
			"If records are missing, Houndtrail reads the window again. If they are still missing, it commits nothing and", "exits with code 6.",
		}) {
			if h.in(good.text) {
				t.Errorf("%s is found in %q", h.name, good.text)
			}
		}
	}
	if got := split(7, []string{"One fact. Another", "one.", "", "\tcode", "- an item"}); len(got) != 3 || got[1] != (sentence{7, "Another one."}) {
		t.Errorf("the sentences are %+v", got)
	}
}

// waits tells whether a file is in an unfinished place: the place itself, or a folder below it.
func waits(name string) bool {
	for place := name; place != "."; place = filepath.ToSlash(filepath.Dir(place)) {
		if unfinished()[place] != "" {
			return true
		}
	}
	return false
}

// A sentence is a piece of prose that begins on a line of a file.
type sentence struct {
	line int
	text string
}

// prose is the text of a file for its readers: comments of Go, of scripts and of manifests, and the paragraphs of a document.
func prose(t *testing.T, path string) []sentence {
	t.Helper()
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	switch filepath.Ext(path) {
	case ".go":
		return goComments(t, path, body)
	case ".md":
		return document(strings.Split(string(body), "\n"))
	case ".txtar", ".yaml", ".yml", ".sh":
		lines := strings.Split(string(body), "\n")
		var all []sentence
		for i, line := range lines {
			code, comment, _ := strings.Cut(line, "# ")
			if lines[i] = comment; strings.TrimSpace(code) != "" {
				lines[i] = ""
				all = append(all, split(i+1, []string{comment})...)
			}
		}
		return append(all, split(1, lines)...)
	default:
		return nil
	}
}

func goComments(t *testing.T, path string, body []byte) (all []sentence) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, body, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Comments {
		lines := make([]string, len(group.List))
		for i, comment := range group.List {
			lines[i] = comment.Text
			if text, ok := strings.CutPrefix(comment.Text, "//"); ok {
				lines[i] = strings.TrimPrefix(text, " ")
			}
		}
		all = append(all, split(files.Position(group.Pos()).Line, lines)...)
	}
	return all
}

// document returns the sentences of the paragraphs and of the cells, without the code.
func document(lines []string) (all []sentence) {
	quoted, code := regexp.MustCompile("`[^`]*`"), false
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code = !code
			lines[i] = ""
		}
		if code || strings.HasPrefix(line, "<!--") || strings.HasPrefix(line, "#") {
			lines[i] = ""
		}
		lines[i] = quoted.ReplaceAllString(lines[i], "CODE")
		if strings.HasPrefix(lines[i], "|") {
			for cell := range strings.SplitSeq(lines[i], "|") {
				all = append(all, split(i+1, []string{cell})...)
			}
			lines[i] = ""
		}
	}
	return append(all, split(1, lines)...)
}

// split cuts lines into sentences. A paragraph, an item of a list and a line of code end one.
func split(at int, lines []string) (all []sentence) {
	item := regexp.MustCompile(`^\s*([-*]|\d+\.) `)
	var words []string
	began := at
	end := func() {
		if len(words) > 0 {
			all = append(all, sentence{began, strings.Join(words, " ")})
		}
		words = nil
	}
	for i, line := range lines {
		code := strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "    ")
		if code || strings.TrimSpace(line) == "" || item.MatchString(line) || strings.HasPrefix(line, "#") {
			end()
		}
		if code {
			continue
		}
		for word := range strings.FieldsSeq(line) {
			if len(words) > 0 && ends(words[len(words)-1], word) {
				end()
			}
			if len(words) == 0 {
				began = at + i
			}
			words = append(words, word)
		}
	}
	end()
	return all
}

// ends tells whether a sentence ends between two words.
func ends(word, next string) bool {
	last := strings.TrimRight(word, `)"*`)
	begins := strings.TrimLeft(next, "([\"`*")
	if last == "" || begins == "" || !strings.ContainsAny(last[len(last)-1:], ".?!;") {
		return false
	}
	return unicode.IsUpper(rune(begins[0])) || begins != next
}

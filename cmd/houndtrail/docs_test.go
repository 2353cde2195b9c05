package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documents are the pages for readers, relative to the root.
func documents(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join(repository, "docs", "*.md"))
	if err != nil || len(pages) < 8 {
		t.Fatalf("docs/ has %d pages: %v", len(pages), err)
	}
	for _, page := range []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/README.md"} {
		pages = append(pages, filepath.Join(repository, page))
	}
	return pages
}

// TestReadmeLinks: every relative link of a document leads to an existing file, and to an existing heading of it.
func TestReadmeLinks(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	links := 0
	for _, page := range documents(t) {
		for _, found := range link.FindAllStringSubmatch(outsideOfCode(t, page), -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			links++
			path, anchor, _ := strings.Cut(found[1], "#")
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", page, found[1], err)
				continue
			}
			if anchor != "" && !headings(t, target)[anchor] {
				t.Errorf("%s links to %s: there is no such heading", page, found[1])
			}
		}
	}
	if links < 20 {
		t.Errorf("%d links were found: the test looks in the wrong place", links)
	}
}

// TestReadmeIsShort: a new reader has only a few minutes. Longer texts have a page in docs/.
func TestReadmeIsShort(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile(filepath.Join(repository, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if len(body) >= 10_000 {
		t.Errorf("README.md has %d bytes: move something into docs/ until it has fewer than 10,000", len(body))
	}
}

// outsideOfCode is a document without its blocks of code, which have comments that look like headings.
func outsideOfCode(t *testing.T, page string) string {
	t.Helper()
	body, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(string(body), "")
}

// headings are the anchors that GitHub makes of a document's headings.
func headings(t *testing.T, page string) map[string]bool {
	t.Helper()
	anchors := map[string]bool{}
	dropped := regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(outsideOfCode(t, page), -1) {
		anchors[strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(heading[1]), ""), " ", "-")] = true
	}
	return anchors
}

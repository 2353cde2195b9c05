package simulation

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// mostWorlds is the number of worlds in which .ci/mutants looks for each defect.
const mostWorlds = 500

// TestMutationTable checks that each row of the package comment's table has a patch, and each patch a row, in the same order. The
// script .ci/mutants checks the rest, daily, because that takes too long for a test.
func TestMutationTable(t *testing.T) {
	comment, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, row := range regexp.MustCompile(`(?m)^//\t(.+?) +(\d+)  .+$`).FindAllStringSubmatch(string(comment), -1) {
		rows = append(rows, row[1])
		if len(row[2]) > 3 || len(row[2]) == 3 && row[2] >= fmt.Sprint(mostWorlds) {
			t.Errorf("%q is caught by world %s, and only %d are tried", row[1], row[2], mostWorlds)
		}
	}
	patches, err := filepath.Glob(filepath.Join("testdata", "mutations", "*.patch")) // sorted
	if err != nil {
		t.Fatal(err)
	}
	var titles []string
	changed := regexp.MustCompile(`(?m)^\+\+\+ b/(.+)$`)
	for i, path := range patches {
		patch, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		title, _, _ := strings.Cut(string(patch), "\n")
		titles = append(titles, title)
		if number := fmt.Sprintf("%03d-", i+1); !strings.HasPrefix(filepath.Base(path), number) {
			t.Errorf("%s is the %dth patch: its name should begin with %s", path, i+1, number)
		}
		files := changed.FindAllStringSubmatch(string(patch), -1)
		if len(files) == 0 {
			t.Errorf("%s changes no file", path)
		}
		for _, file := range files {
			if _, err := os.Stat(filepath.Join("..", "..", file[1])); err != nil || strings.HasSuffix(file[1], "_test.go") {
				t.Errorf("%s changes %s, which is not a file of the program", path, file[1])
			}
		}
	}
	if !slices.Equal(rows, titles) {
		t.Errorf("the table has the rows\n%s\nand the patches are\n%s\nbash .ci/mutants prints the table",
			strings.Join(rows, "\n"), strings.Join(titles, "\n"))
	}
}

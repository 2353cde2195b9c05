package exporter_test

import (
	"os"
	"regexp"
	"testing"
)

// The picture of a cycle in the package comment names the file of each step.
func TestPicture(t *testing.T) {
	picture, err := os.ReadFile("exporter.go")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`\w+\.go\b`).FindAll(picture, -1)
	if len(names) == 0 {
		t.Fatal("it names no file")
	}
	for _, name := range names {
		if _, err := os.Stat(string(name)); err != nil {
			t.Error(err)
		}
	}
}

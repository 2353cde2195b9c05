package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// A release has a manual page for each command: go test ./cmd/houndtrail -run TestManual -manual FOLDER. The library that makes
// them is linked into this test alone, and not into the program.
var manual = flag.String("manual", "", "write the manual pages into this folder")

// TestManual: each command that the help lists has a page, which names its flags. The page says nothing that depends on the day
// of the build.
func TestManual(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if *manual != "" {
		dir = *manual
	}
	root := (&program{stdout: io.Discard, stderr: io.Discard}).root()
	disableTags(root)
	day := time.Unix(0, 0).UTC() // no page shows it
	header := &doc.GenManHeader{Title: "HOUNDTRAIL", Section: "1", Source: "houndtrail", Manual: "Houndtrail", Date: &day}
	if err := doc.GenManTree(root, header, dir); err != nil {
		t.Fatal(err)
	}
	pages := 0
	for cmd := range commands(root) {
		name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".1"
		body, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		pages++
		if !bytes.Contains(body, []byte(strings.ReplaceAll(cmd.Short, "-", `\-`))) && !bytes.Contains(body, []byte(cmd.Short)) {
			t.Errorf("%s does not say %q", name, cmd.Short)
		}
		if strings.Contains(string(body), "HISTORY") {
			t.Errorf("%s names the day of the build", name)
		}
	}
	if pages < 20 {
		t.Errorf("%d pages", pages)
	}
}

// disableTags keeps the day of the build out of the page of a command, and of all commands below it.
func disableTags(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true
	for _, child := range cmd.Commands() {
		disableTags(child)
	}
}

// commands are a command and all commands below it that the help lists.
func commands(cmd *cobra.Command) map[*cobra.Command]bool {
	all := map[*cobra.Command]bool{cmd: true}
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() && !child.IsAdditionalHelpTopicCommand() {
			for c := range commands(child) {
				all[c] = true
			}
		}
	}
	return all
}

// TestCompletions: the completion of each shell knows the program.
func TestCompletions(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		var out bytes.Buffer
		p := &program{stdout: &out, stderr: io.Discard}
		if code := p.main(t.Context(), []string{"completion", shell}); code != 0 || !strings.Contains(out.String(), "houndtrail") {
			t.Errorf("%s: exit code %d, %d bytes", shell, code, out.Len())
		}
	}
}

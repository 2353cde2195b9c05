package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/show"
)

// TestHelpFits: the help of every command fits a terminal of 80 columns.
func TestHelpFits(t *testing.T) {
	t.Parallel()
	commands := 0
	var look func(*cobra.Command)
	look = func(cmd *cobra.Command) {
		commands++
		for _, child := range cmd.Commands() {
			look(child)
		}
		var out bytes.Buffer
		p := &program{stdout: &out, stderr: &out}
		if code := p.main(t.Context(), append(strings.Fields(cmd.CommandPath())[1:], "--help")); code != 0 || out.Len() == 0 {
			t.Errorf("%s --help: exit code %d", cmd.CommandPath(), code)
		}
		for line := range strings.Lines(out.String()) {
			line = strings.TrimRight(strings.ReplaceAll(line, "\t", "        "), "\n")
			if n := utf8.RuneCountInString(line); n > show.Terminal {
				t.Errorf("%s --help: %d columns: %s", cmd.CommandPath(), n, line)
			}
			if strings.HasSuffix(line, " ") {
				t.Errorf("%s --help: a line ends in spaces, so the flags leave no room for what they mean: %q", cmd.CommandPath(), line)
			}
		}
	}
	look((&program{}).root())
	if commands < 16 {
		t.Errorf("only %d commands were looked at", commands)
	}
}

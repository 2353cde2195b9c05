package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestComplete: each module of the program is in the text, and so is Go.
func TestComplete(t *testing.T) {
	t.Chdir("../..")
	var b strings.Builder
	if err := run(&b); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", "./cmd/houndtrail").Output()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for name := range strings.Lines(string(out)) {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		n++
		if !strings.Contains(b.String(), "\n"+name+": ") {
			t.Errorf("%s is linked, and its licence is missing", name)
		}
	}
	if n < 20 || !strings.Contains(b.String(), "\nGo (the standard library) go1.") {
		t.Errorf("%d packages of others, and maybe no licence of Go", n)
	}
}

// TestMissing: a module without a licence, or with an unknown one, fails. A licence beside a linked package counts as well, and
// one beside a package that is not linked does not.
func TestMissing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file, text, err, want string
	}{
		"known":      {"LICENSE", "Apache License\n  Version 2.0", "", "m v1: LICENSE (Apache-2.0)"},
		"none":       {"README", "Apache License\n  Version 2.0", "no licence that is known here: m", ""},
		"unknown":    {"LICENSE.md", "You may not sell it.", "no licence that is known here: m", ""},
		"beside":     {"linked/COPYING", "Neither the name of", "", "m v1: linked/COPYING (BSD-3-Clause)"},
		"not linked": {"other/LICENSE", "Neither the name of", "no licence that is known here: m", ""},
		"go source":  {"license.go", "Neither the name of", "no licence that is known here: m", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, folder := range []string{"linked", "other"} {
				if err := os.Mkdir(filepath.Join(dir, folder), 0o750); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(dir, test.file), []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			err := write(&b, map[string]*module{"m": {
				Path: "m", Version: "v1", Dir: dir, packages: map[string]bool{filepath.Join(dir, "linked"): true},
			}})
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) || !strings.Contains(b.String(), test.want) {
				t.Errorf("%v, want %q in:\n%s", err, test.want, b.String())
			}
		})
	}
}

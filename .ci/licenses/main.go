// Command licenses prints the licences of everything that is linked into Houndtrail: of each Go module, of Go itself, and the
// notices that the licences ask to pass on. A release has this text in its archives, its packages and its image.
//
//	go run ./.ci/licenses > THIRD-PARTY-LICENSES.txt
//
// It needs the modules in Go's cache, and no network. It fails if a module has no licence, or one that it does not know: then a
// person reads the licence, and decides.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

// run prints the text for the program on all platforms of a release.
func run(w io.Writer) error {
	modules := map[string]*module{}
	for _, goos := range []string{"linux", "darwin"} {
		if err := linked(goos, modules); err != nil {
			return err
		}
	}
	return write(w, modules)
}

// A module is a Go module of which at least one package is linked.
type module struct {
	Path, Version, Dir string
	packages           map[string]bool // the folders of the linked packages
}

// linked adds the modules of the program, as it is built for an operating system.
func linked(goos string, to map[string]*module) error {
	cmd := exec.Command("go", "list", "-deps", "-json=Dir,Standard,Module", "./cmd/houndtrail")
	cmd.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("list the packages for %s: %w", goos, err)
	}
	root, err := exec.Command("go", "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		return fmt.Errorf("ask for Go's folder: %w", err)
	}
	goroot, version, _ := strings.Cut(strings.TrimSpace(string(root)), "\n")
	std := &module{Path: "Go (the standard library)", Version: version, Dir: goroot}
	for list := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Dir      string
			Standard bool
			Module   *struct {
				Path, Version, Dir string
				Main               bool
			}
		}
		if err := list.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the list of packages: %w", err)
		}
		m := std
		if !p.Standard {
			if p.Module == nil || p.Module.Main {
				continue
			}
			m = &module{Path: p.Module.Path, Version: p.Module.Version, Dir: p.Module.Dir}
		}
		if to[m.Path] == nil {
			m.packages = map[string]bool{}
			to[m.Path] = m
		}
		to[m.Path].packages[p.Dir] = true
	}
}

// named matches the files that hold a licence or a notice.
var named = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([-._].*)?$`)

// texts returns the licences and notices of a module by their paths in it: those of its root, and those beside linked packages
// or above them. A module may contain code of another project, with a licence beside it.
func (m *module) texts() (map[string]string, error) {
	folders := map[string]bool{m.Dir: true}
	for dir := range m.packages {
		for ; strings.HasPrefix(dir, m.Dir+string(filepath.Separator)); dir = filepath.Dir(dir) {
			folders[dir] = true
		}
	}
	found := map[string]string{}
	for dir := range folders {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("%s: look for licences: %w", m.Path, err)
		}
		for _, e := range entries {
			if e.IsDir() || !named.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
				continue
			}
			body, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				return nil, fmt.Errorf("%s: read a licence: %w", m.Path, err)
			}
			path, err := filepath.Rel(m.Dir, filepath.Join(dir, e.Name()))
			if err != nil {
				return nil, fmt.Errorf("%s: name a licence: %w", m.Path, err)
			}
			found[filepath.ToSlash(path)] = strings.TrimSpace(strings.ReplaceAll(string(body), "\r\n", "\n"))
		}
	}
	return found, nil
}

// kinds are the licences that a person has read for this project, each with words that are in its text and in no other.
var kinds = []struct{ name, words string }{
	{"Apache-2.0", "Apache License Version 2.0"},
	{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files"},
	{"BSD-3-Clause", "Neither the name of"},
	{"BSD-2-Clause", "Redistributions in binary form must reproduce the above copyright notice"},
}

// kindOf names the licence of a text, and is empty if it is none that is known.
func kindOf(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, k := range kinds {
		if strings.Contains(text, k.words) {
			return k.name
		}
	}
	return ""
}

const rule = "================================================================================"

// write prints each module with its texts. Modules of one text share it.
func write(w io.Writer, modules map[string]*module) error {
	var missing []string
	sharers := map[string][]string{} // by the text
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		m := modules[path]
		texts, err := m.texts()
		if err != nil {
			return err
		}
		known := false
		for _, name := range slices.Sorted(maps.Keys(texts)) {
			kind := kindOf(texts[name])
			known = known || kind != ""
			if kind == "" {
				kind = "notice"
			}
			title := strings.TrimSpace(fmt.Sprintf("%s %s: %s (%s)", path, m.Version, name, kind))
			sharers[texts[name]] = append(sharers[texts[name]], title)
		}
		if !known {
			missing = append(missing, path)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("no licence that is known here: %s; read its terms, and add them to kinds", strings.Join(missing, ", "))
	}
	var b strings.Builder
	b.WriteString("Houndtrail contains the software below, under the licences that follow each name.\n")
	order := slices.SortedFunc(maps.Keys(sharers), func(x, y string) int { return strings.Compare(sharers[x][0], sharers[y][0]) })
	for _, text := range order {
		fmt.Fprintf(&b, "\n%s\n%s\n%s\n\n%s\n", rule, strings.Join(sharers[text], "\n"), rule, text)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

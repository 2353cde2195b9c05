package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Each release leaves a folder of this name below testdata/releases: the journals, the archive and the heads that it writes. Write
// it before the tag, and commit it: go test ./cmd/houndtrail -run TestReleases -release v1.2.3
//
// The folder next is of the version that is not tagged yet. As long as nothing is released, a change of the formats may write it
// anew. No folder of a tag ever changes.
var release = flag.String("release", "", "write the fixture of this release")

const releases = "testdata/releases"

// TestReleases: this version reads the files of each release, verifies them, and goes on without a loss or a second copy.
func TestReleases(t *testing.T) {
	if *release != "" {
		writeRelease(t, filepath.Join(releases, *release))
	}
	entries, err := os.ReadDir(releases)
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		read++
		t.Run(e.Name(), func(t *testing.T) {
			t.Parallel()
			releaseScript(t, "read", func(env *testscript.Env) error {
				return os.CopyFS(env.WorkDir, os.DirFS(filepath.Join(releases, e.Name())))
			})
		})
	}
	if read == 0 {
		t.Error("there is no release to read")
	}
}

// writeRelease lets this version write the fixture anew.
func writeRelease(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	t.Run("write", func(t *testing.T) {
		releaseScript(t, "write", func(env *testscript.Env) error {
			env.Defer(func() { // the script has ended, and its folder is still there
				for _, name := range []string{"archive", "positions", "heads"} {
					if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(env.WorkDir, name))); err != nil {
						t.Error(err)
					}
				}
			})
			return nil
		})
	})
}

// releaseScript runs a script of releases, with the log of their BloodHound.
func releaseScript(t *testing.T, name string, prepare func(*testscript.Env) error) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Files:               []string{filepath.Join(releases, name+".txtar")},
		RequireExplicitExec: true,
		Condition:           condition,
		Cmds:                scriptCommands(),
		Setup: func(env *testscript.Env) error {
			log, err := os.ReadFile(filepath.Join(releases, "log.ndjson"))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(env.WorkDir, "log.ndjson"), log, 0o600); err != nil {
				return err
			}
			if err := prepare(env); err != nil {
				return err
			}
			return setup(env)
		},
	})
}

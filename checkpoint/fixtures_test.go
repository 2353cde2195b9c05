package checkpoint_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/checkpointtest"
	"github.com/houndtrail/houndtrail/checkpoint/seal"
)

// index is the part of a field's path that gives its place in a list.
var index = regexp.MustCompile(`\[\d+\]`)

// TestFormat1 reads journals of format 1, with one entry a line. Every later version has to read them with the same meaning. A
// file beside each journal states that meaning. Neither file ever changes: a new field gets a new journal.
func TestFormat1(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob(filepath.Join("testdata", "format1", "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatalf("the journals are %v, %v", names, err)
	}
	said := map[string]bool{}
	for _, name := range names {
		entries := readFixture(t, name)
		var parsed []string
		for _, s := range entries {
			for _, line := range fields(reflect.ValueOf(s.Checkpoint), "") {
				parsed = append(parsed, fmt.Sprintf("%d %s\n", s.Serial, line))
				path, _, _ := strings.Cut(line, " ")
				said[index.ReplaceAllString(path, "")] = true
			}
		}
		golden, err := os.ReadFile(strings.TrimSuffix(name, ".json") + ".golden")
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // for a new journal, the difference shows all its fields
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(golden), strings.Join(parsed, "")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, path := range paths(reflect.TypeFor[checkpoint.Checkpoint](), "") {
		if !said[path] && path != "Covered.Pass" && path != "Covered.Parts" && path != "DeadLetters.SHA256" { // Commit never sets them
			t.Errorf("no journal in testdata/format1 has the field %s: add one, so that later versions go on reading it", path)
		}
	}
}

// readFixture reads a journal as its stream would, from a store that has it.
func readFixture(t *testing.T, name string) (entries []checkpoint.Stored) {
	t.Helper()
	body, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	m := &checkpointtest.Memory{}
	for i, line := range bytes.SplitAfter(body, []byte("\n")) {
		if len(line) > 0 {
			put(t, m, fmt.Sprintf("archive/%017d/%020d.json", 0, i+1), line)
		}
	}
	put(t, m, fmt.Sprintf("archive/delivered/%x", sha256.Sum256([]byte("set of ids"))), []byte("set of ids"))
	id := checkpoint.Identity{
		Tenant: "acme", Stream: "archive", Source: "https://acme.example", Destination: "s3://lake/audit", Encoding: "parquet",
	}
	j := checkpoint.Open(m, id)
	for s, err := range j.Entries(t.Context()) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		entries = append(entries, s)
		if _, _, err := j.Delivered(t.Context(), s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if last, err := j.Load(t.Context()); err != nil || last.SHA256 != entries[len(entries)-1].SHA256 {
		t.Errorf("%s: entry %d is loaded, %v", name, last.Serial, err)
	}
	return entries
}

// fields returns the values in v that are not zero, one a line.
func fields(v reflect.Value, path string) (lines []string) {
	switch value := v.Interface().(type) {
	case time.Time:
		if !value.IsZero() {
			lines = append(lines, path+" "+value.Format(time.RFC3339Nano))
		}
		return lines
	case seal.Hash:
		if value != (seal.Hash{}) {
			lines = append(lines, path+" "+value.Base64())
		}
		return lines
	case seal.PublicKey:
		return []string{path + " " + value.Fingerprint()}
	case []byte:
		if len(value) > 0 {
			lines = append(lines, path+" "+base64.StdEncoding.EncodeToString(value))
		}
		return lines
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			lines = fields(v.Elem(), path)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			lines = append(lines, fields(v.Field(i), strings.TrimPrefix(path+"."+v.Type().Field(i).Name, "."))...)
		}
	case reflect.Slice:
		for i := range v.Len() {
			lines = append(lines, fields(v.Index(i), fmt.Sprintf("%s[%d]", path, i))...)
		}
	default:
		if !v.IsZero() {
			lines = append(lines, fmt.Sprintf("%s %v", path, v))
		}
	}
	return lines
}

// paths returns all paths that fields can return for a type.
func paths(t reflect.Type, path string) (all []string) {
	switch {
	case t == reflect.TypeFor[time.Time](), t == reflect.TypeFor[[]byte](), t == reflect.TypeFor[seal.Hash]():
		return []string{path}
	case t.Kind() == reflect.Pointer, t.Kind() == reflect.Slice:
		return paths(t.Elem(), path)
	case t.Kind() != reflect.Struct:
		return []string{path}
	}
	for f := range t.Fields() {
		all = slices.Concat(all, paths(f.Type, strings.TrimPrefix(path+"."+f.Name, ".")))
	}
	return all
}

// TestKindsInFormat1: every kind of entry is among the journals of format 1.
func TestKindsInFormat1(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob(filepath.Join("testdata", "format1", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[checkpoint.Kind]bool{}
	for _, name := range names {
		for _, s := range readFixture(t, name) {
			kinds[s.Kind] = true
		}
	}
	for _, kind := range []checkpoint.Kind{
		checkpoint.KindExport, checkpoint.KindRescan, checkpoint.KindHistory, checkpoint.KindBarrier, checkpoint.KindReset,
		checkpoint.KindMove, checkpoint.KindAdopt, checkpoint.KindCompact, checkpoint.KindForget,
		checkpoint.KindKeys, checkpoint.KindLetters,
	} {
		if !kinds[kind] {
			t.Errorf("no entry is of the kind %s", kind)
		}
	}
}

package config

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestTags: every field has a comment and a test of good and bad values, every number has a range, and Load would accept every
// default.
func TestTags(t *testing.T) {
	t.Parallel()
	anything := []string{"TENANT", "S3_REGION", "WEBHOOK_OAUTH_CLIENT_ID", "WEBHOOK_OAUTH_SCOPE", "WEBHOOK_HEC_INDEX", "WEBHOOK_HEC_SOURCETYPE"} // no value is bad, except an empty one
	good, bad := readFile(t, "values_test.go"), readFile(t, "testdata/problems.golden")
	c, failed, err := decode(map[string]string{})
	if err != nil || len(failed) > 0 {
		t.Fatalf("the defaults do not decode: %v, %v", err, failed)
	}
	comments := comments()
	for _, f := range fields(c) {
		if text := comments[f.comment]; len(text) < 15 || !strings.HasSuffix(text, ".") || strings.Contains(text, "|") {
			t.Errorf("%s: not a comment for the manual: %q", f.name, text)
		}
		switch f.value.Interface().(type) {
		case int, float64, time.Duration, ByteSize:
			if f.limits() == "" {
				t.Errorf("%s has no range", f.name)
			}
		}
		if f.fallback != "" && (!f.allows(f.fallback) || f.tag.Get("shown") != "" || f.tag.Get("example") != "") {
			t.Errorf("%s: default %q is not allowed, or has an example or another default beside it", f.name, f.fallback)
		}
		if step := f.tag.Get("step"); step != "" {
			if _, err := time.ParseDuration(step); err != nil {
				t.Errorf("%s: %v", f.name, err)
			}
		}
		if !strings.Contains(good, `"`+f.name) && !strings.Contains(good, `|`+f.name) {
			t.Errorf("%s has no good value in TestAccepted", f.name)
		}
		judged := regexp.MustCompile("\t" + Prefix + f.name + "(_FILE)?: (got|not an? |set(,| beside)|cannot|the value|entry)")
		if !slices.Contains(anything, f.name) && !judged.MatchString(bad) {
			t.Errorf("%s has no bad value in TestProblems", f.name)
		}
	}
}

// TestWords: the tags allow exactly the words on which the program acts.
func TestWords(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "words.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	constants := map[string][]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		literal, isText := spec.Values[0].(*ast.BasicLit)
		typ, isNamed := spec.Type.(*ast.Ident)
		if !isText || !isNamed {
			t.Fatalf("%s is not a typed word", spec.Names[0])
		}
		word, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		name := typ.Name
		constants[name] = append(constants[name], word)
		return false
	})
	compared := 0
	for _, f := range fields(new(Config)) {
		words, ok := constants[f.value.Type().Name()]
		if !ok {
			continue
		}
		compared++
		if !slices.Equal(words, f.words()) {
			t.Errorf("%s allows %q, but the constants are %q", f.name, f.words(), words)
		}
	}
	if compared != len(constants) {
		t.Errorf("%d of %d types of words compared", compared, len(constants))
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"ARCHIVE_URL", "ARCHIVE_FORMAT", "WINDOW_MAX", "LISTEN"}
	for name, want := range map[string]string{
		"ARCHIVE_URI": "ARCHIVE_URL", "ARCIHVE_URL": "ARCHIVE_URL", "ARCHIVEFORMAT": "ARCHIVE_FORMAT",
		"LISTENS": "LISTEN", "LISTNE": "LISTEN",
		"LOG": "", "WINDOW": "", "": "", "SOMETHING_ELSE": "",
	} {
		if got := nearest(name, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

// TestDistance: the distance is zero only for the same text, and the same in both directions. It is never more than the number of
// edits.
func TestDistance(t *testing.T) {
	t.Parallel()
	text := rapid.StringOfN(rapid.RuneFrom([]rune("AB_")), 0, 10, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		d := distance(a, b)
		if (d == 0) != (a == b) || d != distance(b, a) || d > max(len(a), len(b)) || d < max(len(a)-len(b), len(b)-len(a)) {
			t.Fatalf("distance(%q, %q) = %d", a, b, d)
		}
		if i := rapid.IntRange(0, len(a)).Draw(t, "i"); distance(a, a[:i]+"x"+a[i:]) != 1 {
			t.Fatalf("one letter more is %d from %q", distance(a, a[:i]+"x"+a[i:]), a)
		}
	})
	if d := distance("CA", "AC"); d != 1 {
		t.Errorf("a swap is %d, want 1", d)
	}
}

// TestBrokenTags: decode reports a mistake in the tree as such a mistake. It does not blame the environment, and does not try for
// ever.
func TestBrokenTags(t *testing.T) {
	t.Parallel()
	_, failed, err := decode(map[string]string{"LOG_LEVEL": "loud", "SETTLE": "soon"})
	if err != nil || len(failed) != 2 {
		t.Errorf("got %v, %v; want both variables put aside", failed, err)
	}
	f := field{tag: `min:"x" max:"3"`}
	if between(f, 2, strconv.Atoi) {
		t.Error("a range that cannot be read allows everything")
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

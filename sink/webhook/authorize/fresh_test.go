package authorize_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/houndtrail/houndtrail/sink/webhook/authorize"
)

// A file is a value that changes.
type file struct {
	content string
	err     error
	reads   int
}

func (f *file) read() (string, error) {
	f.reads++
	return f.content, f.err
}

func value(t *testing.T, f *authorize.Fresh[string]) string {
	t.Helper()
	v, err := f.Value()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Houndtrail reads a file at most once in two seconds. It uses the content if two looks find the same.
func TestFreshTakesWhatStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source := &file{content: "old"}
		f := authorize.NewFresh("a setting", source.read, zap.NewNop())
		for range 1000 {
			value(t, f)
		}
		if source.reads != 1 {
			t.Errorf("%d reads within one moment", source.reads)
		}
		for _, step := range []struct{ content, want string }{
			{"ne", "old"}, {"new", "old"}, {"new", "new"}, {"other", "new"}, {"new", "new"}, {"other", "new"}, {"other", "other"},
		} {
			source.content = step.content
			time.Sleep(2 * time.Second)
			if got := value(t, f); got != step.want {
				t.Errorf("the file has %q, and %q is in use, want %q", step.content, got, step.want)
			}
		}
	})
}

// After a refusal, Houndtrail uses the content at once.
func TestFreshAfterARefusal(t *testing.T) {
	t.Parallel()
	source := &file{content: "old"}
	f := authorize.NewFresh("a setting", source.read, zap.NewNop())
	value(t, f)
	if changed, why := f.Again(); changed || why != "" {
		t.Errorf("nothing has changed, and yet %t %q", changed, why)
	}
	source.content = "new"
	if changed, why := f.Again(); !changed || why != "" || value(t, f) != "new" {
		t.Errorf("a new content does not count: %t %q", changed, why)
	}
	if all := strings.Join(f.All(), " "); all != "new old" {
		t.Errorf("the values to hide are %q", all)
	}
}

// If Houndtrail cannot use a content, nothing changes. The log says so once, and so does a refusal.
func TestFreshKeepsTheEarlierContent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, log := observer.New(zap.InfoLevel)
		source := &file{content: "old"}
		f := authorize.NewFresh("HOUNDTRAIL_X", source.read, zap.New(core))
		value(t, f)
		source.err = errors.New("the file is empty")
		for range 5 {
			time.Sleep(2 * time.Second)
			if got := value(t, f); got != "old" {
				t.Errorf("%q is in use", got)
			}
		}
		if n := log.FilterMessageSnippet("cannot be used").Len(); n != 1 {
			t.Errorf("%d lines in the log", n)
		}
		if changed, why := f.Again(); changed || !strings.Contains(why, "HOUNDTRAIL_X has changed and cannot be used") ||
			!strings.Contains(why, "the file is empty") {
			t.Errorf("a refusal says %t %q", changed, why)
		}
		source.content, source.err = "new", nil
		time.Sleep(2 * time.Second)
		value(t, f)
		time.Sleep(2 * time.Second)
		if got := value(t, f); got != "new" || log.FilterMessageSnippet("new content is in use").Len() != 1 {
			t.Errorf("%q is in use after the file was mended", got)
		}
		if _, why := f.Again(); why != "" {
			t.Errorf("the complaint stays: %q", why)
		}
	})
}

func TestFreshWithoutAnyContent(t *testing.T) {
	t.Parallel()
	source := &file{err: errors.New("no such file")}
	f := authorize.NewFresh("a setting", source.read, zap.NewNop())
	if _, err := f.Value(); !errors.Is(err, source.err) {
		t.Errorf("%v", err)
	}
	source.content, source.err = "there", nil
	if got := value(t, f); got != "there" {
		t.Errorf("%q", got)
	}
}

package stream

import (
	"errors"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
)

// setOf is the set of a configuration with both streams.
func setOf(t *testing.T, need config.Need, environ ...string) *Set {
	t.Helper()
	c, err := config.Load(append([]string{
		"HOUNDTRAIL_ARCHIVE_URL=file://" + t.TempDir(), "HOUNDTRAIL_WEBHOOK_URL=http://127.0.0.1:1/ingest/T0PSECRET?key=hunter2",
	}, environ...), need)
	if err != nil {
		t.Fatal(err)
	}
	return NewSet(c, Process{Version: "dev", Log: zap.NewNop(), Memory: 1 << 20})
}

// TestDeliver: settings for both streams reach both, and only the webhook may leave records out.
func TestDeliver(t *testing.T) {
	t.Parallel()
	set := setOf(t, config.NeedExport, "HOUNDTRAIL_BLOODHOUND_URL=http://127.0.0.1:1", "HOUNDTRAIL_BLOODHOUND_JWT=a.b.c",
		"HOUNDTRAIL_RETENTION=2160h", "HOUNDTRAIL_EXCLUDE_SELF=true", "HOUNDTRAIL_SETTLE=7m", "HOUNDTRAIL_OVERLAP=8m")
	all, err := set.Deliver(t.Context(), Unobserved{})
	if err != nil || len(all) != 2 {
		t.Fatalf("%d streams: %v", len(all), err)
	}
	for _, s := range all {
		if s.Retention != (exporter.Retention{Fixed: 2160 * time.Hour}) || s.Settle != 7*time.Minute || s.Overlap != 8*time.Minute {
			t.Errorf("%s: %+v", s.Name, s.Exporter)
		}
		if s.ExcludeSelf != (s.Name == Webhook) {
			t.Errorf("%s: ExcludeSelf is %t", s.Name, s.ExcludeSelf)
		}
		if s.Sink == nil || s.Store == nil || s.Memory == nil || s.Destination.Occupied == nil {
			t.Errorf("%s is not complete: %+v", s.Name, s.Exporter)
		}
		if (s.pause != nil) != (s.Name == Webhook) || (s.Destination.Quarantine != nil) != (s.Name == Archive) {
			t.Errorf("%s has what the other one should have: %+v", s.Name, s)
		}
	}
	one, err := set.Deliver(t.Context(), Unobserved{}, Webhook)
	if err != nil || len(one) != 1 || one[0].Name != Webhook {
		t.Errorf("asked for the webhook alone: %v, %v", one, err)
	}
}

// TestDestination: the name comes only from the configuration, also if a file of a secret is wrong, and has no secret.
func TestDestination(t *testing.T) {
	t.Parallel()
	set := setOf(t, config.NeedNothing, "HOUNDTRAIL_WEBHOOK_AUTHORIZATION_FILE=/nope", "HOUNDTRAIL_WEBHOOK_HEADERS_FILE=/nope",
		"HOUNDTRAIL_WEBHOOK_CA_FILE=/nope")
	for name, want := range map[string]string{
		Archive: string(set.config.Archive.URL), BackfillOf(Archive): string(set.config.Archive.URL),
		Webhook:             "http://127.0.0.1:1/ingest/[redacted]?[redacted]",
		BackfillOf(Webhook): "http://127.0.0.1:1/ingest/[redacted]?[redacted]",
	} {
		if got, err := set.Destination(name); got != want || err != nil {
			t.Errorf("%s goes to %q, %v; want %q", name, got, err, want)
		}
		if _, err := set.Journal(t.Context(), name); err != nil {
			t.Errorf("the journal of %s: %v", name, err)
		}
	}
	off := NewSet(&config.Config{}, Process{Log: zap.NewNop()})
	for _, name := range []string{Archive, Webhook, BackfillOf(Archive), BackfillOf(Webhook)} {
		if _, err := off.Destination(name); !errors.As(err, new(*UsageError)) {
			t.Errorf("%s is not turned on: %v", name, err)
		}
	}
}

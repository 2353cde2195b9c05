package main

import (
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/config"
	"github.com/houndtrail/houndtrail/exporter"
)

// TestStreams: what is set for both streams reaches both, and only the webhook may leave something out.
func TestStreams(t *testing.T) {
	t.Parallel()
	p, _ := asking(t, "http://127.0.0.1:1")
	p.environ = append(p.environ, "HOUNDTRAIL_WEBHOOK_URL=http://127.0.0.1:1/ingest",
		"HOUNDTRAIL_RETENTION=2160h", "HOUNDTRAIL_EXCLUDE_SELF=true", "HOUNDTRAIL_SETTLE=7m", "HOUNDTRAIL_OVERLAP=8m")
	c, err := config.Load(p.environ, config.NeedExport)
	if err != nil {
		t.Fatal(err)
	}
	all, err := p.streams(t.Context(), c, zap.NewNop(), newMetrics(c.Tenant))
	if err != nil || len(all) != 2 {
		t.Fatalf("%d streams: %v", len(all), err)
	}
	for _, s := range all {
		if s.Retention != (exporter.Retention{Fixed: 2160 * time.Hour}) || s.Settle != 7*time.Minute || s.Overlap != 8*time.Minute {
			t.Errorf("%s: %+v", s.name, s.Exporter)
		}
		if s.ExcludeSelf != (s.name == webhookStream) {
			t.Errorf("%s: ExcludeSelf is %t", s.name, s.ExcludeSelf)
		}
	}
}

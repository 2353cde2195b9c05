package daemon

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/sink/archive/compact"
)

// CompactMetrics are the metrics of compactions.
type CompactMetrics struct {
	success              *prometheus.GaugeVec
	days, objects, bytes *prometheus.CounterVec
	runs                 *prometheus.CounterVec
}

func newCompactMetrics(
	gauge func(name, help string) *prometheus.GaugeVec, counter func(name, help string, labels ...string) *prometheus.CounterVec,
) CompactMetrics {
	return CompactMetrics{
		success: gauge("compact_last_success_timestamp_seconds",
			"When a compaction last succeeded, also if it found nothing to do; 0 if no success is known; absent without COMPACT_SCHEDULE."),
		days: counter("compact_days_total", "Days of which a compaction made one file, or a few.", "stream"),
		objects: counter("compact_objects_total",
			"Files that compactions put in (made), and that they took away (replaced).", "stream", "kind"),
		bytes: counter("compact_bytes_total",
			"Bytes of the files that compactions put in (made), and that they took away (replaced).", "stream", "kind"),
		runs: counter("compact_runs_total",
			"Compactions by how they ended, in the words of cycles_total.", "stream", "result"),
	}
}

// Compactions sets the series of compactions to zero: a rate needs a first value, and an alert fires at 0.
func (m *Metrics) Compactions() CompactMetrics {
	c := m.compact
	c.success.WithLabelValues(stream.Archive)
	c.days.WithLabelValues(stream.Archive)
	for _, kind := range []string{"made", "replaced"} {
		c.objects.WithLabelValues(stream.Archive, kind)
		c.bytes.WithLabelValues(stream.Archive, kind)
	}
	for _, outcome := range stream.Outcomes() {
		c.runs.WithLabelValues(stream.Archive, outcome.String())
	}
	return c
}

// found sets the last success from the note of an earlier process.
func (c CompactMetrics) found(n stream.Note) {
	if !n.SucceededAt.IsZero() {
		c.success.WithLabelValues(stream.Archive).Set(seconds(n.SucceededAt))
	}
}

// day counts a day.
func (c CompactMetrics) day(d compact.Day) {
	c.days.WithLabelValues(stream.Archive).Inc()
	c.objects.WithLabelValues(stream.Archive, "made").Add(float64(d.Made))
	c.objects.WithLabelValues(stream.Archive, "replaced").Add(float64(d.Objects))
	c.bytes.WithLabelValues(stream.Archive, "made").Add(float64(d.Size))
	c.bytes.WithLabelValues(stream.Archive, "replaced").Add(float64(d.Bytes))
}

// ended counts a compaction.
func (c CompactMetrics) ended(err error, success time.Time) {
	c.runs.WithLabelValues(stream.Archive, stream.OutcomeOf(err).String()).Inc()
	if err == nil {
		c.success.WithLabelValues(stream.Archive).Set(seconds(success))
	}
}

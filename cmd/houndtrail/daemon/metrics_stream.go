package daemon

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/anchor"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/exporter"
)

// Stream returns the observer of one stream, and sets the stream's series to zero: a rate needs a first value.
func (m *Metrics) Stream(name string) stream.Observer {
	m.commits.WithLabelValues(name)
	m.objects.WithLabelValues(name)
	m.bytes.WithLabelValues(name)
	m.success.WithLabelValues(name) // an alert fires at 0; it would not fire if the series were missing
	m.holes.WithLabelValues(name)
	m.letters.WithLabelValues(name)
	for _, how := range []string{"altered", "gone"} {
		m.changed.WithLabelValues(name, how)
	}
	for _, kind := range []string{"read", "fresh", "duplicate", "late", "self", "excluded", "filtered", "paired"} {
		m.records.WithLabelValues(name, kind)
	}
	for _, count := range []string{checkpoint.CountExact, checkpoint.CountBounded, checkpoint.CountUnknown, checkpoint.CountOff} {
		m.counted.WithLabelValues(name, count)
	}
	for _, outcome := range stream.Outcomes() {
		m.cycles.WithLabelValues(name, outcome.String())
	}
	for _, state := range stream.IncurableStates() {
		m.stopped.WithLabelValues(name, label(state))
	}
	m.stands(name, "")
	return streamMetrics{m, name}
}

// stands sets the state of a stream; "" is unknown.
func (m *Metrics) stands(name, state string) {
	for _, s := range stream.States() {
		is := 0.0
		if s == state {
			is = 1
		}
		m.state.WithLabelValues(name, label(s)).Set(is)
	}
}

// label is the metric's word for a state.
func label(state string) string { return strings.ReplaceAll(state, " ", "_") }

type streamMetrics struct {
	*Metrics
	name string
}

// Found sets the metrics from the journal when the daemon starts. If a series began only at the first success, it would be
// missing in the outage for which its alert exists.
func (m streamMetrics) Found(newest checkpoint.Stored, now time.Time, retention exporter.Retention) {
	if newest.Serial == 0 {
		set(m.successDue, m.name, m.due(m.name, now))
		return
	}
	m.cursor.WithLabelValues(m.name).Set(seconds(newest.Cursor))
	m.lag.WithLabelValues(m.name).Set(max(0, now.Sub(newest.Cursor).Seconds()))
	m.succeeded(newest.Progress().CommittedAt)
	m.Guarded(newest.Oldest.CreatedAt, retention.Deadline(newest.Cursor, newest.Oldest))
}

// Ended counts a cycle, and sets the stream's state after it. "" leaves the state as it is.
func (m streamMetrics) Ended(state string, err error) {
	m.cycles.WithLabelValues(m.name, stream.OutcomeOf(err).String()).Inc()
	if state != "" {
		m.stands(m.name, state)
	}
	if stream.Incurable(err) {
		m.stopped.WithLabelValues(m.name, label(state)).Set(1)
	}
}

// Anchored sets the metrics about the heads that are remembered elsewhere.
func (m streamMetrics) Anchored(r anchor.Report) {
	what := "read"
	if r.Wrote {
		what = "write"
	}
	m.anchor.failures.WithLabelValues(m.name, "read")
	m.anchor.failures.WithLabelValues(m.name, "write")
	m.anchor.success.WithLabelValues(m.name)
	m.anchor.size.WithLabelValues(m.name).Set(float64(r.Size))
	switch {
	case r.Err != nil:
		m.anchor.failures.WithLabelValues(m.name, what).Inc()
	case r.Newest > 0 && r.Size == r.Newest:
		m.anchor.success.WithLabelValues(m.name).SetToCurrentTime()
	}
}

// Committed counts a window.
func (m streamMetrics) Committed(c exporter.Commit) {
	m.CaughtUp(c.Entry.Cursor, c.Lag)
	var bytes int64
	for _, o := range c.Entry.Objects {
		bytes += o.Bytes
	}
	m.commits.WithLabelValues(m.name).Inc()
	m.objects.WithLabelValues(m.name).Add(float64(len(c.Entry.Objects)))
	m.bytes.WithLabelValues(m.name).Add(float64(bytes))
	m.cycleTime.WithLabelValues(m.name).Set(c.Duration.Seconds())
	m.suspect(&c.Entry)
	for kind, n := range map[string]int{
		"read": c.Entry.Records.Read, "fresh": c.Entry.Records.Fresh,
		"duplicate": c.Entry.Records.Duplicate, "late": c.Entry.Records.Late,
		"self": c.Entry.Records.Self, "excluded": c.Entry.Records.Excluded,
		"filtered": c.Entry.Records.Filtered, "paired": c.Entry.Records.Paired + c.Entry.Records.Matched,
	} {
		m.records.WithLabelValues(m.name, kind).Add(float64(n))
	}
}

// suspect counts an entry's holes and changed records, and its records by the server's own count.
func (m streamMetrics) suspect(e *checkpoint.Checkpoint) {
	m.holes.WithLabelValues(m.name).Add(float64(len(e.Holes)))
	m.letters.WithLabelValues(m.name).Add(float64(len(e.Refused)))
	if e.Changed != nil {
		m.changed.WithLabelValues(m.name, "altered").Add(float64(e.Changed.Altered))
		m.changed.WithLabelValues(m.name, "gone").Add(float64(e.Changed.Gone))
	}
	if e.ServerCount != nil {
		m.counted.WithLabelValues(m.name, e.ServerCount.Status).Add(float64(e.Records.Read))
	}
}

// Clocks says how far the clocks are apart.
func (m streamMetrics) Clocks(skew time.Duration) { m.skew.WithLabelValues(m.name).Set(skew.Seconds()) }

// CaughtUp says that there was no new record up to an instant.
func (m streamMetrics) CaughtUp(until time.Time, lag time.Duration) {
	now := time.Now()
	m.cursor.WithLabelValues(m.name).Set(seconds(until))
	m.lag.WithLabelValues(m.name).Set(max(0, lag.Seconds())) // if a clock is behind the position, the stream's state says so
	m.succeeded(now)
	m.progress(m.name, now)
	m.delivered(m.name, until)
	m.heard()
}

// succeeded sets the last success. An alert compares the clock with the time at which the next one is due, so it knows no
// schedule, and fires although the process has ended.
func (m streamMetrics) succeeded(at time.Time) {
	m.success.WithLabelValues(m.name).Set(seconds(at))
	set(m.successDue, m.name, m.due(m.name, at))
}

// Guarded sets the oldest record at the source, and when the source may begin to drop records that are not exported yet.
func (m streamMetrics) Guarded(oldest, deadline time.Time) {
	set(m.oldest, m.name, oldest)
	set(m.deadline, m.name, deadline)
}

// set sets the series to a time, or removes it if the time is zero.
func set(g *prometheus.GaugeVec, name string, t time.Time) {
	if t.IsZero() {
		g.DeleteLabelValues(name)
		return
	}
	g.WithLabelValues(name).Set(seconds(t))
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// anchorMetrics are about the heads that are remembered at ANCHOR_URL.
type anchorMetrics struct {
	size, success *prometheus.GaugeVec
	failures      *prometheus.CounterVec
}

func newAnchorMetrics(
	gauge func(name, help string) *prometheus.GaugeVec, counter func(name, help string, labels ...string) *prometheus.CounterVec,
) anchorMetrics {
	return anchorMetrics{
		size: gauge("anchor_size",
			"Entries of the journal in the newest head that is known to be remembered at ANCHOR_URL; absent without ANCHOR_URL."),
		success: gauge("anchor_last_success_timestamp_seconds",
			"When the newest head was last known to be remembered at ANCHOR_URL; 0 before that, absent without ANCHOR_URL."),
		failures: counter("anchor_failures_total", "Tries to read or to write the heads at ANCHOR_URL that failed.", "stream", "what"),
	}
}

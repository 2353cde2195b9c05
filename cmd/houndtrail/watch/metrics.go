package watch

import (
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/observe"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

// A metric is one family. A metric of the daemon that means the same has the same name, and the same labels.
type metric struct {
	name, help string
	kind       prometheus.ValueType
	labels     []string // besides tenant and stream
}

// The families of a stream.
func families() []metric {
	gauge, counter := prometheus.GaugeValue, prometheus.CounterValue
	return []metric{
		{"cursor_timestamp_seconds", "Everything created before this time is delivered, by the journal.", gauge, nil},
		{"lag_seconds", "Age of the newest instant that is delivered, by the journal; an idle stream commits once an hour.", gauge, nil},
		{
			"last_success_timestamp_seconds",
			"When the stream last committed, or left a sign of life, which it does once an hour; 0 if no success is known.", gauge, nil,
		},
		{
			"success_due_timestamp_seconds",
			"When the stream is stale unless another sign of life comes. It is an hour, two runs of its schedule and two minutes after the last " +
				"one. If its runs fail, it is two runs and two minutes after the first failure.", gauge, nil,
		},
		{"source_oldest_timestamp_seconds", "The oldest record that BloodHound has; looked for once a day.", gauge, nil},
		{
			"retention_deadline_timestamp_seconds",
			"When BloodHound may begin to drop records that are not exported yet; absent if Houndtrail does not expect that.", gauge, nil,
		},
		{"stream_state", "1 for the state of the stream, in the words of houndtrail status, and 0 for all others.", gauge, []string{"state"}},
		{
			"stream_stopped", "1 if the stream has stopped for good and waits for a person, by the state that is the reason; else 0.",
			gauge,
			[]string{"reason"},
		},
		{"failed_runs", "Runs in a row that have failed; 0 if the last one has not.", gauge, nil},
		{"failing_since_timestamp_seconds", "When the first of the failed runs in a row ended; absent if the last run succeeded.", gauge, nil},
		{"exit_code", "The exit code for the failure of the last run; 0 if it has not failed.", gauge, nil},
		{"journal_entries", "Entries of the journal.", gauge, nil},
		{"dead_letters", "Records that the destination refuses, and that are in the dead letter now: it lacks them.", gauge, nil},
		{"paused_until_timestamp_seconds", "The receiver wants no request before this time; absent if it has not asked for a pause.", gauge, nil},
		{"records_total", "Records in the whole journal by what became of them: fresh (delivered), filtered, or paired (not sent, with " +
			"their outcomes).", counter, []string{"kind"}},
		{
			"counted_records_total", "Records read, in the whole journal, by what BloodHound's own count says of their window: exact, bounded or " +
				"unknown.", counter, []string{"count"},
		},
		{"objects_total", "Objects or batches that the destination acknowledged, in the whole journal.", counter, nil},
		{"bytes_total", "Bytes of the objects or batches that the destination acknowledged, in the whole journal.", counter, nil},
		{"holes_total", "Records that Houndtrail could not get, and left out, in the whole journal.", counter, nil},
		{
			"changed_records_total", "Delivered records that were found altered or gone at the source, in the whole journal.", counter,
			[]string{"how"},
		},
		{
			"verification_last_success_timestamp_seconds",
			"When a verification last read everything that it wanted to, and found no error; absent if none is known.", gauge, nil,
		},
		{"verification_due_timestamp_seconds", "When a verification must have succeeded; absent if no daemon verifies.", gauge, nil},
		{
			"verification_findings", "Findings of the last verification that could say something, by severity: error, warn or info; absent if " +
				"none is known.", gauge, []string{"severity"},
		},
		{"compact_last_success_timestamp_seconds", "When a compaction last succeeded; absent if none is known.", gauge, nil},
		{"compact_due_timestamp_seconds", "When a compaction must have succeeded at the latest; absent if no daemon compacts.", gauge, nil},
	}
}

// A Collector shows the last snapshot of an observer as metrics. A stream that was seen once stays, and so do its times: an alert
// must not end because a store does not answer.
type Collector struct {
	snapshot func() observe.Snapshot
	now      func() time.Time
	version  string
	streams  map[string]*prometheus.Desc
	kinds    map[string]prometheus.ValueType

	build, readable, round *prometheus.Desc
}

// NewCollector returns the metrics of what snapshot returns. version is that of this program.
func NewCollector(snapshot func() observe.Snapshot, version string, now func() time.Time) *Collector {
	c := &Collector{
		snapshot: snapshot, now: now, version: version, streams: map[string]*prometheus.Desc{}, kinds: map[string]prometheus.ValueType{},
		build: prometheus.NewDesc("houndtrail_build_info", "Always 1; the version is in the labels.",
			[]string{"tenant", "version", "goversion"}, nil),
		readable: prometheus.NewDesc("houndtrail_watch_readable",
			"1 if the last round could list the store and read every journal, else 0.", nil, nil),
		round: prometheus.NewDesc("houndtrail_watch_last_round_timestamp_seconds",
			"When the last round over all journals ended; 0 before the first one.", nil, nil),
	}
	for _, m := range families() {
		c.streams[m.name] = prometheus.NewDesc("houndtrail_"+m.name, m.help, append([]string{"tenant", "stream"}, m.labels...), nil)
		c.kinds[m.name] = m.kind
	}
	return c
}

// Describe implements [prometheus.Collector].
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.streams {
		ch <- d
	}
	ch <- c.build
	ch <- c.readable
	ch <- c.round
}

// Collect implements [prometheus.Collector].
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	s := c.snapshot()
	readable := s.Err == nil && !s.At.IsZero()
	tenants := map[string]bool{}
	for i := range s.Streams {
		one := &s.Streams[i]
		readable = readable && one.State != stream.StateUnreadable
		c.stream(one, func(name string, value float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(c.streams[name], c.kinds[name], value, append([]string{one.Tenant, one.Name}, labels...)...)
		})
		if !tenants[one.Tenant] {
			ch <- prometheus.MustNewConstMetric(c.build, prometheus.GaugeValue, 1, one.Tenant, c.version, runtime.Version())
		}
		tenants[one.Tenant] = true
	}
	ch <- prometheus.MustNewConstMetric(c.readable, prometheus.GaugeValue, number(readable))
	ch <- prometheus.MustNewConstMetric(c.round, prometheus.GaugeValue, seconds(s.At))
}

// stream emits the series of one stream.
func (c *Collector) stream(s *observe.Stream, emit func(name string, value float64, labels ...string)) {
	at := func(name string, t time.Time) {
		if !t.IsZero() {
			emit(name, seconds(t))
		}
	}
	at("cursor_timestamp_seconds", s.Newest.Cursor)
	if !s.Newest.Cursor.IsZero() {
		emit("lag_seconds", max(0, c.now().Sub(s.Newest.Cursor).Seconds()))
	}
	emit("last_success_timestamp_seconds", seconds(s.Success))
	at("success_due_timestamp_seconds", s.Due)
	at("source_oldest_timestamp_seconds", s.Newest.Oldest.CreatedAt)
	at("retention_deadline_timestamp_seconds", s.Deadline)
	for _, state := range stream.AllStates() {
		emit("stream_state", number(state == s.State), label(state))
	}
	for _, state := range stream.IncurableStates() {
		emit("stream_stopped", number(state == s.State), label(state))
	}
	emit("failed_runs", float64(s.Failure.Tries))
	at("failing_since_timestamp_seconds", s.Failure.Since)
	emit("exit_code", float64(s.Failure.Code))
	at("paused_until_timestamp_seconds", s.Paused)
	emit("journal_entries", float64(s.Newest.Serial))
	emit("dead_letters", float64(len(s.Newest.DeadLetters)))
	totals(s, emit)
	jobs(s, at, emit)
}

// totals emits the sums over the journal.
func totals(s *observe.Stream, emit func(name string, value float64, labels ...string)) {
	t := s.Newest.Totals
	emit("records_total", float64(t.Delivered), "fresh")
	emit("records_total", float64(t.Filtered), "filtered")
	emit("records_total", float64(t.Paired), "paired")
	emit("counted_records_total", float64(t.Exact), checkpoint.CountExact)
	emit("counted_records_total", float64(t.Bounded), checkpoint.CountBounded)
	emit("counted_records_total", float64(t.Unknown), checkpoint.CountUnknown)
	emit("objects_total", float64(t.Objects))
	emit("bytes_total", float64(t.Bytes))
	emit("holes_total", float64(s.Newest.HolesTotal))
	emit("changed_records_total", float64(s.Newest.ChangedTotal), "altered or gone")
}

// jobs emits the series about verifications and compactions.
func jobs(s *observe.Stream, at func(string, time.Time), emit func(name string, value float64, labels ...string)) {
	if s.Verified != "" {
		emit("verification_last_success_timestamp_seconds", seconds(s.Verification.SucceededAt))
		at("verification_due_timestamp_seconds", s.Verification.Due())
		for _, severity := range []verify.Severity{verify.Error, verify.Warning, verify.Info} {
			emit("verification_findings", float64(s.Verification.Findings[severity]), string(severity))
		}
	}
	if s.Compacted != "" {
		emit("compact_last_success_timestamp_seconds", seconds(s.Compaction.SucceededAt))
		at("compact_due_timestamp_seconds", s.Compaction.Due())
	}
}

// label is the metric's word for a state.
func label(state string) string { return strings.ReplaceAll(state, " ", "_") }

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// seconds is a time as Prometheus has it; 0 for the zero time.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMicro()) / 1e6
}

package daemon

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/sink/archive/verify"
)

// VerifyMetrics are the metrics of the verifications of a stream.
type VerifyMetrics struct {
	stream           string
	success, due     *prometheus.GaugeVec
	duration         *prometheus.GaugeVec
	bySeverity       *prometheus.GaugeVec // findings by severity
	entries, objects *prometheus.CounterVec
	runs             *prometheus.CounterVec
}

func newVerifyMetrics(
	f promauto.Factory, gauge func(name, help string) *prometheus.GaugeVec,
	counter func(name, help string, labels ...string) *prometheus.CounterVec,
) VerifyMetrics {
	return VerifyMetrics{
		success: gauge("verification_last_success_timestamp_seconds",
			"When a verification last read everything that it wanted to, and found no error; 0 if no success is known; absent with "+
				"VERIFY_SCHEDULE=off."),
		due: gauge("verification_due_timestamp_seconds",
			"When a verification must have succeeded at the latest, by VERIFY_SCHEDULE; absent without it."),
		duration: gauge("verification_duration_seconds", "Time that the last verification took; 0 before the first one."),
		bySeverity: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "houndtrail_verification_findings",
			Help: "Findings of the last verification that could say something, by severity: error, warn or info.",
		}, []string{"stream", "severity"}),
		entries: counter("verification_entries_total", "Entries of the journal that verifications looked at.", "stream"),
		objects: counter("verification_objects_total", "Objects of the archive that verifications looked at.", "stream"),
		runs:    counter("verification_runs_total", "Verifications by how they ended, in the words of cycles_total.", "stream", "result"),
	}
}

// Verifications are the metrics of the verifications of a stream. It sets their series to zero: a rate needs a first value, and an
// alert fires at 0.
func (m *Metrics) Verifications(name string) VerifyMetrics {
	v := m.verify
	v.stream = name
	v.success.WithLabelValues(name)
	v.duration.WithLabelValues(name)
	v.entries.WithLabelValues(name)
	v.objects.WithLabelValues(name)
	v.findings(nil)
	for _, outcome := range stream.Outcomes() {
		v.runs.WithLabelValues(name, outcome.String())
	}
	return v
}

// Found sets the last success from what an earlier process noted, and when the next one is due; zero if that is not known.
func (v VerifyMetrics) Found(n stream.Note, due time.Time) {
	set(v.due, v.stream, due)
	if !n.SucceededAt.IsZero() {
		v.success.WithLabelValues(v.stream).Set(seconds(n.SucceededAt))
	}
}

// findings sets the number of findings by severity.
func (v VerifyMetrics) findings(counts map[verify.Severity]int) {
	for _, severity := range []verify.Severity{verify.Error, verify.Warning, verify.Info} {
		v.bySeverity.WithLabelValues(v.stream, string(severity)).Set(float64(counts[severity]))
	}
}

// looked counts the entries and files that a verification has read. report is nil if it has read none.
func (v VerifyMetrics) looked(r *verify.Report, took time.Duration) {
	if r == nil {
		return
	}
	v.duration.WithLabelValues(v.stream).Set(took.Seconds())
	for _, s := range r.Streams {
		v.entries.WithLabelValues(v.stream).Add(float64(s.Entries))
	}
	v.objects.WithLabelValues(v.stream).Add(float64(r.Objects))
	if len(r.Unread) == 0 || r.Counts[verify.Error] > 0 {
		v.findings(r.Counts)
	}
}

// ended counts a verification.
func (v VerifyMetrics) ended(err error, known stream.Note, due time.Time) {
	set(v.due, v.stream, due)
	v.runs.WithLabelValues(v.stream, stream.OutcomeOf(err).String()).Inc()
	if err == nil && !known.SucceededAt.IsZero() {
		v.success.WithLabelValues(v.stream).Set(seconds(known.SucceededAt))
	}
}

package daemon

import (
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// Metrics are the daemon's metrics for Prometheus. NewMetrics registers each collector as it makes it.
type Metrics struct {
	Registry  *prometheus.Registry                             // has all collectors
	progress  func(stream string, at time.Time)                // told of every success; never nil
	delivered func(stream string, until time.Time)             // told of the time before which everything is delivered; never nil
	due       func(stream string, success time.Time) time.Time // when the stream is stale after its last success; never nil
	trying    func(stream, failure string)                     // told of every try that failed, and with "" of a try that did not; never nil
	heard     func()                                           // told of every sign of life; never nil
	retrying  atomic.Value                                     // the id of the batch whose failure the page shows

	cursor, lag, cycleTime  *prometheus.GaugeVec
	success, successDue     *prometheus.GaugeVec
	oldest, deadline, skew  *prometheus.GaugeVec
	state, stopped          *prometheus.GaugeVec
	holes, changed, counted *prometheus.CounterVec
	letters                 *prometheus.CounterVec
	cycles, commits         *prometheus.CounterVec
	records, objects, bytes *prometheus.CounterVec
	requests, retries       *prometheus.CounterVec
	posts, reposts, aside   *prometheus.CounterVec
	requestTime             prometheus.Histogram
	anchor                  anchorMetrics
	compact                 CompactMetrics
	verify                  VerifyMetrics
}

// makers make the gauges of a stream, and counters.
func makers(f promauto.Factory) (
	gauge func(name, help string) *prometheus.GaugeVec, counter func(name, help string, labels ...string) *prometheus.CounterVec,
) {
	gauge = func(name, help string) *prometheus.GaugeVec {
		return f.NewGaugeVec(prometheus.GaugeOpts{Name: "houndtrail_" + name, Help: help}, []string{"stream"})
	}
	counter = func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: "houndtrail_" + name, Help: help}, labels)
	}
	return gauge, counter
}

// NewMetrics returns the metrics of one process, which works for one tenant. All metrics except those of Go itself have the
// tenant as a label.
func NewMetrics(tenant, version string) *Metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f := promauto.With(prometheus.WrapRegistererWith(prometheus.Labels{"tenant": tenant}, registry))
	gauge, counter := makers(f)
	f.NewGaugeVec(prometheus.GaugeOpts{Name: "houndtrail_build_info", Help: "Always 1; the version is in the labels."},
		[]string{"version", "goversion"}).WithLabelValues(version, runtime.Version()).Set(1)
	return &Metrics{
		Registry: registry,
		anchor:   newAnchorMetrics(gauge, counter),
		compact:  newCompactMetrics(gauge, counter),
		verify:   newVerifyMetrics(f, gauge, counter),
		progress: func(string, time.Time) {}, delivered: func(string, time.Time) {}, heard: func() {}, trying: func(string, string) {},
		due:    func(_ string, success time.Time) time.Time { return success },
		cursor: gauge("cursor_timestamp_seconds", "Everything created before this time is delivered."),
		lag: gauge("lag_seconds",
			"Age of the newest instant that is delivered: at the last success, by the server's clock; before the first one, at the start."),
		success: gauge("last_success_timestamp_seconds",
			"When the stream last committed, or found nothing new; from the start on, by the journal, and 0 if no success is known."),
		successDue: gauge("success_due_timestamp_seconds",
			"When the stream is stale unless it succeeds again: two runs of its schedule and two minutes after the last known success, or "+
				"after the start."),
		cycleTime: gauge("commit_duration_seconds", "Time that the last window took."),
		oldest:    gauge("source_oldest_timestamp_seconds", "The oldest record that BloodHound has; looked for once a day."),
		deadline: gauge("retention_deadline_timestamp_seconds",
			"When BloodHound may begin to drop records that are not exported yet; absent if Houndtrail does not expect that."),
		state: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "houndtrail_stream_state",
			Help: "1 for the state that the stream's last cycle ended in, in the words of houndtrail status, and 0 for all others.",
		}, []string{"stream", "state"}),
		stopped: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "houndtrail_stream_stopped",
			Help: "1 if the stream has stopped for good and waits for a person, by the state that is the reason; else 0.",
		}, []string{"stream", "reason"}),
		skew:  gauge("clock_skew_seconds", "How far BloodHound's clock is ahead of this machine's; negative if it is behind."),
		holes: counter("holes_total", "Records that Houndtrail could not get, and left out (ON_BAD_RECORD=quarantine).", "stream"),
		letters: counter("dead_letters_total",
			"Records that the destination refused, and that went into the dead letter (DEAD_LETTER=on).", "stream"),
		changed: counter("changed_records_total", "Delivered records that were found altered or gone at the source.", "stream", "how"),
		counted: counter("counted_records_total",
			"Records read, by what BloodHound's own count says of their window: exact, bounded or unknown, or off.", "stream", "count"),
		cycles: counter("cycles_total",
			"Cycles by how they ended: ok, or in the words of the exit codes, source, destination, conflict, integrity, "+
				"configuration, stopped or unexpected.", "stream", "result"),
		commits: counter("commits_total", "Windows committed.", "stream"),
		records: counter("records_total",
			"Records by what became of them: read, fresh, duplicate, late, self (our own traces), excluded, filtered, or paired "+
				"(intents whose outcomes were sent).", "stream", "kind"),
		objects:  counter("objects_total", "Objects or batches that the destination acknowledged.", "stream"),
		bytes:    counter("bytes_total", "Bytes of the objects or batches that the destination acknowledged.", "stream"),
		requests: counter("requests_total", "Requests to BloodHound, by HTTP status or kind of failure.", "status"),
		retries:  counter("retries_total", "Requests to BloodHound that were tried again, by reason.", "reason"),
		posts:    counter("webhook_posts_total", "Posts to the webhook, by HTTP status; 0 if no answer came.", "status"),
		reposts:  counter("webhook_retries_total", "Posts to the webhook that were tried again, by reason.", "reason"),
		aside:    counter("webhook_aside_records_total", "Records that the receiver has put into another place than asked (a failure store)."),
		requestTime: f.NewHistogram(prometheus.HistogramOpts{
			Name: "houndtrail_request_duration_seconds", Help: "Time that requests to BloodHound took.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 13),
		}),
	}
}

// handler serves the metrics.
func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{})
}

// Request counts a request to BloodHound.
func (m *Metrics) Request(status string, d time.Duration) {
	m.requests.WithLabelValues(status).Inc()
	m.requestTime.Observe(d.Seconds())
	m.heard()
}

// Retry counts a pause before a next try.
func (m *Metrics) Retry(reason string) {
	m.retries.WithLabelValues(reason).Inc()
	m.heard()
}

// Posted counts a post to the webhook.
func (m *Metrics) Posted(a webhook.Attempt) {
	m.posts.WithLabelValues(strconv.Itoa(a.Status)).Inc()
	m.aside.WithLabelValues().Add(float64(a.Aside))
	m.heard()
	if a.Err == nil && m.retrying.CompareAndSwap(a.Batch, "") { // if another batch succeeds, the failure of this one stays
		m.trying(stream.Webhook, "")
	}
}

// Reposted counts a post that failed and that Houndtrail tries again.
func (m *Metrics) Reposted(r webhook.Retry) {
	m.reposts.WithLabelValues(r.Reason).Inc()
	m.heard()
	m.retrying.Store(r.Batch)
	m.trying(stream.Webhook, fmt.Sprintf("try %d failed, another one follows %s later: %v", r.Number, r.Pause.Round(time.Second), r.Err))
}

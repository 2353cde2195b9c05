package main

import (
	"fmt"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"houndtrail/checkpoint"
	"houndtrail/exporter"
	"houndtrail/sink/webhook"
)

// metrics is what the daemon tells Prometheus. Each collector is registered where it is made.
type metrics struct {
	registry *prometheus.Registry
	progress func(stream string, at time.Time) // told of every success; never nil
	trying   func(stream, failure string)      // told of every try that failed, and with "" of one that did not; never nil

	cursor, lag, success, cycleTime *prometheus.GaugeVec
	oldest, deadline, skew, state   *prometheus.GaugeVec
	holes, changed, counted         *prometheus.CounterVec
	commits, records, objects       *prometheus.CounterVec
	requests, retries               *prometheus.CounterVec
	posts, reposts                  *prometheus.CounterVec
	requestTime                     prometheus.Histogram
}

func newMetrics() *metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f := promauto.With(registry)
	gauge := func(name, help string) *prometheus.GaugeVec {
		return f.NewGaugeVec(prometheus.GaugeOpts{Name: "houndtrail_" + name, Help: help}, []string{"stream"})
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: "houndtrail_" + name, Help: help}, labels)
	}
	f.NewGaugeVec(prometheus.GaugeOpts{Name: "houndtrail_build_info", Help: "Always 1; the version is in the labels."},
		[]string{"version", "goversion"}).WithLabelValues(version, runtime.Version()).Set(1)
	return &metrics{
		registry:  registry,
		progress:  func(string, time.Time) {},
		trying:    func(string, string) {},
		cursor:    gauge("cursor_timestamp_seconds", "Everything created before this time is delivered."),
		lag:       gauge("lag_seconds", "Age of the newest instant that is delivered, by the server's clock, at the last success."),
		success:   gauge("last_success_timestamp_seconds", "When the stream last committed, or found nothing new."),
		cycleTime: gauge("commit_duration_seconds", "Time that the last window took."),
		oldest:    gauge("source_oldest_timestamp_seconds", "The oldest record that BloodHound has; looked for once a day."),
		deadline: gauge("retention_deadline_timestamp_seconds",
			"When BloodHound may begin to drop records that are not exported yet; absent where that is not to be expected."),
		state: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "houndtrail_stream_state",
			Help: "1 for the state that the stream's last cycle ended in, in the words of houndtrail status, and 0 for all others.",
		}, []string{"stream", "state"}),
		skew:    gauge("clock_skew_seconds", "How far BloodHound's clock is ahead of this machine's; negative if it is behind."),
		holes:   counter("holes_total", "Records that could not be had and were left out (ON_BAD_RECORD=quarantine).", "stream"),
		changed: counter("changed_records_total", "Delivered records that were found altered or gone at the source.", "stream", "how"),
		counted: counter("counted_records_total",
			"Records read, by what BloodHound's own count says of their window: exact, bounded or unknown.", "stream", "count"),
		commits: counter("commits_total", "Windows committed.", "stream"),
		records: counter("records_total",
			"Records by what became of them: read, fresh, duplicate, late, self (our own traces) or excluded.", "stream", "kind"),
		objects:  counter("objects_total", "Objects or batches that the destination acknowledged.", "stream"),
		requests: counter("requests_total", "Requests to BloodHound, by HTTP status or kind of failure.", "status"),
		retries:  counter("retries_total", "Requests to BloodHound that were tried again, by reason.", "reason"),
		posts:    counter("webhook_posts_total", "Posts to the webhook, by HTTP status; 0 where no answer came.", "status"),
		reposts:  counter("webhook_retries_total", "Posts to the webhook that were tried again, by reason.", "reason"),
		requestTime: f.NewHistogram(prometheus.HistogramOpts{
			Name: "houndtrail_request_duration_seconds", Help: "Time that requests to BloodHound took.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 13),
		}),
	}
}

// handler serves the metrics.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Request and Retry make metrics a bloodhound.Observer.
func (m *metrics) Request(status string, d time.Duration) {
	m.requests.WithLabelValues(status).Inc()
	m.requestTime.Observe(d.Seconds())
}

// Retry counts a pause before another try.
func (m *metrics) Retry(reason string) { m.retries.WithLabelValues(reason).Inc() }

func (m *metrics) attempt(a webhook.Attempt) {
	m.posts.WithLabelValues(strconv.Itoa(a.Status)).Inc()
	if a.Err == nil {
		m.trying(webhookStream, "")
	}
}

func (m *metrics) retried(r webhook.Retry) {
	m.reposts.WithLabelValues(r.Reason).Inc()
	m.trying(webhookStream, fmt.Sprintf("try %d failed, another one follows %s later: %v", r.Number, r.Pause.Round(time.Second), r.Err))
}

// stream returns the observer of one stream, with its series at zero: a rate needs a first value.
func (m *metrics) stream(name string) exporter.Observer {
	m.commits.WithLabelValues(name)
	m.objects.WithLabelValues(name)
	m.holes.WithLabelValues(name)
	for _, how := range []string{"altered", "gone"} {
		m.changed.WithLabelValues(name, how)
	}
	for _, kind := range []string{"read", "fresh", "duplicate", "late", "self", "excluded"} {
		m.records.WithLabelValues(name, kind)
	}
	m.stands(name, "")
	return streamMetrics{m, name}
}

// stands says how a stream stands; "" is not known.
func (m *metrics) stands(name, state string) {
	for _, s := range runStates {
		is := 0.0
		if s == state {
			is = 1
		}
		m.state.WithLabelValues(name, stateLabel(s)).Set(is)
	}
}

type streamMetrics struct {
	*metrics
	name string
}

// Committed counts a window.
func (m streamMetrics) Committed(c exporter.Commit) {
	m.CaughtUp(c.Entry.Cursor, c.Lag)
	m.commits.WithLabelValues(m.name).Inc()
	m.objects.WithLabelValues(m.name).Add(float64(len(c.Entry.Objects)))
	m.cycleTime.WithLabelValues(m.name).Set(c.Duration.Seconds())
	m.suspect(&c.Entry)
	for kind, n := range map[string]int{
		"read": c.Entry.Records.Read, "fresh": c.Entry.Records.Fresh,
		"duplicate": c.Entry.Records.Duplicate, "late": c.Entry.Records.Late,
		"self": c.Entry.Records.Self, "excluded": c.Entry.Records.Excluded,
	} {
		m.records.WithLabelValues(m.name, kind).Add(float64(n))
	}
}

// suspect counts what an entry says of records that are not as they should be.
func (m streamMetrics) suspect(e *checkpoint.Checkpoint) {
	m.holes.WithLabelValues(m.name).Add(float64(len(e.Holes)))
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

// CaughtUp says that nothing was new up to an instant.
func (m streamMetrics) CaughtUp(until time.Time, lag time.Duration) {
	now := time.Now()
	m.cursor.WithLabelValues(m.name).Set(float64(until.UnixMicro()) / 1e6)
	m.lag.WithLabelValues(m.name).Set(max(0, lag.Seconds())) // a clock that is behind the position has a state of its own
	m.success.WithLabelValues(m.name).Set(float64(now.UnixMilli()) / 1e3)
	m.progress(m.name, now)
}

// Guarded tells how long the source keeps what is not exported yet.
func (m streamMetrics) Guarded(oldest, deadline time.Time) {
	set(m.oldest, m.name, oldest)
	set(m.deadline, m.name, deadline)
}

// set takes the series away where there is no time to tell.
func set(g *prometheus.GaugeVec, name string, t time.Time) {
	if t.IsZero() {
		g.DeleteLabelValues(name)
		return
	}
	g.WithLabelValues(name).Set(float64(t.UnixMicro()) / 1e6)
}

package stream

import (
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/checkpoint/anchor"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// A Telemetry is told of the work of a process's streams, for metrics. Its methods are called concurrently and must not block.
type Telemetry interface {
	rest.Observer
	// Posted is told of each post to the webhook.
	Posted(a webhook.Attempt)
	// Reposted is told of each post that failed and is tried again.
	Reposted(r webhook.Retry)
	// Stream returns the observer of one stream.
	Stream(name string) Observer
}

// An Observer is told of the progress of one stream.
type Observer interface {
	exporter.Observer
	// Found is called once with the newest entry, as soon as the journal can be read; the zero value stands for an empty
	// journal.
	Found(newest checkpoint.Stored, now time.Time, retention exporter.Retention)
	// Ended is told of the stream's state after a cycle; "" leaves the state as it is.
	Ended(state string, err error)
	// Anchored is told what becomes known of the heads that are remembered elsewhere. If no place for them is set, it is not
	// called. The first report is the zero value.
	Anchored(r anchor.Report)
}

// Unobserved is a [Telemetry] and an [Observer] that takes no notice.
type Unobserved struct{ exporter.Unobserved }

// Request takes no notice.
func (Unobserved) Request(string, time.Duration) {}

// Retry takes no notice.
func (Unobserved) Retry(string) {}

// Posted takes no notice.
func (Unobserved) Posted(webhook.Attempt) {}

// Reposted takes no notice.
func (Unobserved) Reposted(webhook.Retry) {}

// Stream takes no notice.
func (Unobserved) Stream(string) Observer { return Unobserved{} }

// Found takes no notice.
func (Unobserved) Found(checkpoint.Stored, time.Time, exporter.Retention) {}

// Ended takes no notice.
func (Unobserved) Ended(string, error) {}

// Anchored takes no notice.
func (Unobserved) Anchored(anchor.Report) {}

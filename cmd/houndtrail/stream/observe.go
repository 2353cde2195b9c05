package stream

import (
	"time"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/exporter"
	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/sink/webhook"
)

// A Telemetry is told what the streams of a process do, for metrics. Its methods are called concurrently and must not block.
type Telemetry interface {
	rest.Observer
	// Posted is told of each post to the webhook.
	Posted(a webhook.Attempt)
	// Reposted is told of each post that failed and is tried again.
	Reposted(r webhook.Retry)
	// Stream is what is told of one stream.
	Stream(name string) Observer
}

// An Observer is told how far one stream has come.
type Observer interface {
	exporter.Observer
	// Found tells once what the journal says, as soon as it can be read; the zero value stands for an empty one.
	Found(newest checkpoint.Stored, now time.Time, retention exporter.Retention)
	// Ended tells how the stream stands after a cycle; "" is as before.
	Ended(state string, err error)
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

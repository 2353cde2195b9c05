// Package watchtest has the metrics of watch with a value for each of them, for tests that compare them with documents, rules and the
// daemon's.
package watchtest

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/houndtrail/houndtrail/checkpoint"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/observe"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/stream"
	"github.com/houndtrail/houndtrail/cmd/houndtrail/watch"
)

// Exercised returns a registry in which every metric of watch has a value.
func Exercised() *prometheus.Registry {
	at := time.Unix(1, 0)
	s := observe.Stream{
		Tenant: "acme", Name: stream.Archive, State: stream.StateFailed, Success: at, Due: at, Deadline: at, Paused: at,
		Failure: checkpoint.Failure{State: stream.StateFailed, Since: at, Tries: 2, Code: 3}, Verified: stream.JobOK, Compacted: stream.JobOK,
	}
	s.Newest.Cursor, s.Newest.Serial, s.Newest.Oldest.CreatedAt = at, 1, at
	_ = s.Verification.Schedule.UnmarshalText([]byte("@daily")) // a constant
	_ = s.Compaction.Schedule.UnmarshalText([]byte("@daily"))
	s.Verification.Since, s.Compaction.Since = at, at
	registry := prometheus.NewRegistry()
	registry.MustRegister(watch.NewCollector(func() observe.Snapshot {
		return observe.Snapshot{At: at, Streams: []observe.Stream{s}}
	}, "dev", func() time.Time { return at }))
	return registry
}

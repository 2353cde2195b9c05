package format

import (
	"bytes"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
)

// Loki is the name of the format of Grafana Loki's push API.
const Loki = "loki"

const (
	lokiPush = "/loki/api/v1/push"
	// lokiLongest is the size of the longest record: Loki refuses a line over 256 KB, or cuts it in silence (its documentation).
	lokiLongest = 200_000
	// lokiAge is the age from which Loki refuses an entry (reject_old_samples_max_age, its documentation).
	lokiAge = 7 * 24 * time.Hour
)

// loki is the format of Grafana Loki's push API. Loki refuses an entry that is an hour behind the newest one of its stream. So
// Houndtrail sends the batches of a walk in order. Each walk that may go back has another stream, by its label pass.
type loki struct {
	common
	object object
	labels string // before the value of pass
}

func newLoki(o Options) Format {
	labels := appendString([]byte(`{"streams":[{"stream":{"job":"houndtrail","tenant":`), o.Tenant)
	return loki{common{o}, newObject(o, lokiLongest), string(labels) + `,"pass":"`}
}

func (loki) ContentType() string { return "application/json" } // without it, Loki expects protobuf

func (loki) Address(u *url.URL) *url.URL { return below(u, lokiPush, lokiPush) }

func (f loki) Limits() Limits {
	return Limits{
		Records: 1000, Bytes: 1 << 20, Record: f.object.most, Alone: ndjson.Long, Answer: shortAnswer, Age: lokiAge, Ordered: true,
		Stale: "Loki refuses records that are older than its reject_old_samples_max_age, by default a week: if it takes older ones",
	}
}

// Frame has the labels. They are few and have few values, since Loki limits the number of streams.
func (f loki) Frame(w Walk) Frame {
	pass := strconv.FormatUint(w.Pass, 10)
	switch {
	case w.Events:
		pass = "events"
	case w.Pass == 0:
		pass = "live"
	}
	return Frame{f.labels + pass + `"},"values":[`, ",", "]}]}"}
}

func (f loki) Append(dst []byte, r *record.Record) []byte {
	dst = appendNano(dst, r.CreatedAt)
	dst = f.object.appendText(dst, r)
	if f.BareLines {
		return append(dst, ']')
	}
	dst = append(dst, `,{"event_id":`...)
	return append(f.object.lines.AppendID(dst, r), "}]"...)
}

// appendNano appends the beginning of an entry: its time in nanoseconds, as a text. Loki refuses a number.
func appendNano(dst []byte, t time.Time) []byte {
	dst = strconv.AppendInt(append(dst, `["`...), t.UnixMicro(), 10)
	return append(dst, `000",`...)
}

// Write has a whole entry in memory: it is not longer than the longest record.
func (f loki) Write(w io.Writer, r *record.Record) (int, error) { return w.Write(f.Append(nil, r)) }

func (loki) AppendEvent(dst, event []byte) []byte {
	dst = appendNano(dst, readEvent(event).Time)
	return append(appendString(dst, string(event)), ']')
}

// Read takes only 204 as a success. If the ingestion of a tenant is blocked, Loki answers 260 and stores nothing (documentation of
// Loki's HTTP API).
func (f loki) Read(a Answer, _ Batch) Verdict {
	says := func(text string) bool { return bytes.Contains(bytes.ToLower(a.Body), []byte(text)) }
	if a.success() {
		v := a.acknowledges(f.Expect)
		if v.Class == OK && a.Status != 204 {
			v = Verdict{Why: "and stores nothing", Advice: "Loki takes a batch with 204 and no other answer: its ingestion may be blocked " +
				"for this tenant, or " + setting.WebhookURL + " is no push API"}
		}
		return v
	}
	switch {
	case a.Status == 429 && (says("stream_limit") || says("stream limit")):
		return Verdict{Advice: "Loki has too many active streams of this tenant, which no waiting mends: raise max_global_streams_per_user, or " +
			"find the labels that make so many streams"}
	case a.Status != 400:
		return a.byStatus("Loki's push API", f.Compression)
	case says("structured metadata"):
		return Verdict{Advice: "this Loki takes no structured metadata: set " + setting.WebhookLokiMetadata + "=false"}
	case says("label"):
		return Verdict{Advice: "Loki takes no stream with these labels: check its limits for labels"}
	case says("too far behind"), says("out of order"):
		return Verdict{Class: Narrow, Advice: "this record is too far behind the newest one of its stream: raise max_chunk_age, or set " +
			setting.Overlap + " below half of it"}
	case says("greater_than_max_sample_age"), says("timestamp too old"):
		return Verdict{Class: Narrow, Advice: "this record is older than Loki takes: raise reject_old_samples_max_age"}
	}
	return a.byStatus("Loki's push API", f.Compression)
}

package format

import (
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
)

// Datadog is the name of the format of Datadog's logs API.
const Datadog = "datadog"

const (
	datadogLogs = "/api/v2/logs"
	// datadogLongest is the size of the longest record: Datadog cuts an entry over 1 MB in silence (its documentation). As a text of
	// JSON, a record has at most twice as many bytes.
	datadogLongest = 440_000
	// datadogAge is less than 18 hours, since Datadog drops older entries in silence (its documentation). The difference is the time
	// of the retries.
	datadogAge = 17*time.Hour + 30*time.Minute
)

// datadog is the format of Datadog's logs API. The line is the message, as text. Datadog parses the JSON in it, and keeps the whole
// text. All attributes are texts, since other receivers of this format refuse other types (VictoriaLogs, measured).
type datadog struct {
	common
	object object
	before string // the attributes between the message and the tags
}

func newDatadog(o Options) Format {
	before := []byte(`,"ddsource":"bloodhound","service":"bloodhound","hostname":`)
	before = append(appendString(before, o.Tenant), `,"ddtags":"tenant:`...)
	tenant := appendString(nil, o.Tenant)
	return datadog{common{o}, newObject(o, datadogLongest), string(append(before, tenant[1:len(tenant)-1]...))}
}

func (datadog) ContentType() string { return "application/json" }
func (datadog) Credential() string  { return "DD-API-KEY" }

func (datadog) Address(u *url.URL) *url.URL { return below(u, datadogLogs, datadogLogs) }

func (f datadog) Limits() Limits {
	return Limits{
		Records: 1000, Bytes: 4 << 20, Record: f.object.most, Alone: ndjson.Long, Answer: shortAnswer, Age: datadogAge, // 5 MB a body
		Stale: "Datadog drops records that are older than 18 hours, while it says that it has them: to send them with the time of their " +
			"arrival",
	}
}

// Frame returns the text of a JSON list.
func (datadog) Frame(Walk) Frame { return Frame{"[", ",", "]"} }

func (f datadog) Append(dst []byte, r *record.Record) []byte {
	dst = f.object.appendText(append(dst, `{"message":`...), r)
	dst = append(dst, f.before...)
	if r.Status != "" && strings.Trim(r.Status, "abcdefghijklmnopqrstuvwxyz") == "" {
		dst = append(append(dst, ",status:"...), r.Status...)
	}
	if f.AllowStale {
		dst = append(dst, `","created_at":"`...)
		dst = append(appendTime(dst, r.CreatedAt), '"')
	} else { // in milliseconds, as a number: Datadog does not understand seconds, nanoseconds or a text
		dst = append(dst, `","timestamp":`...)
		dst = strconv.AppendInt(dst, r.CreatedAt.UnixMilli(), 10)
	}
	dst = append(dst, `,"event_id":`...)
	return append(f.object.lines.AppendID(dst, r), '}')
}

// Write has a whole entry in memory: an entry is not longer than the longest one.
func (f datadog) Write(w io.Writer, r *record.Record) (int, error) { return w.Write(f.Append(nil, r)) }

// AppendEvent appends the event without a time: Datadog gives it the time of its arrival.
func (f datadog) AppendEvent(dst, event []byte) []byte {
	dst = appendString(append(dst, `{"message":`...), string(event))
	dst = append(append(dst, f.before...), `","event_id":`...)
	return append(appendString(dst, readEvent(event).ID), '}')
}

// Read takes only 202 as a success.
func (f datadog) Read(a Answer, _ Batch) Verdict {
	if !a.success() {
		return a.byStatus("Datadog's logs API", f.Compression)
	}
	v := a.acknowledges(f.Expect)
	if v.Class == OK && a.Status != 202 {
		v = Verdict{Class: Unexpected, Why: "and Datadog takes a batch with 202", Advice: "something else seems to answer in its place: " +
			"check " + setting.WebhookURL}
	}
	return v
}

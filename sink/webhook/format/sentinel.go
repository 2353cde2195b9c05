package format

import (
	"io"
	"net/url"
	"strconv"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
)

// Sentinel is the name of the format of Azure Monitor's Logs Ingestion API, which feeds Microsoft Sentinel.
const Sentinel = "sentinel"

const (
	// sentinelBody is the size of the largest call, before compression. The documentation says 1 MB, but users found that 1,048,576
	// bytes are too many.
	sentinelBody = 1_000_000
	// sentinelField is the largest value of a column in bytes: Azure cuts a longer one in silence (its documentation: 64 KB).
	sentinelField = 64_000
	// sentinelVersion is the version of the API.
	sentinelVersion = "2023-01-01"
)

// sentinel is the format of Azure Monitor's Logs Ingestion API. The columns have other names than in the record, since Azure
// reserves id, TenantId, Type and others. A record has no other columns, because Azure drops in silence the columns that the table
// does not have. So if a newer BloodHound adds members to a record, they are not in the table.
type sentinel struct {
	common
	lines  ndjson.Lines
	tenant string // as a text of JSON
	most   int    // of a value, in bytes
}

func newSentinel(o Options) Format {
	most := sentinelField
	if o.RecordBytes > 0 {
		most = min(most, o.RecordBytes)
	}
	return sentinel{common{o}, ndjson.ForTenant(o.Tenant), string(appendString(nil, o.Tenant)), most}
}

func (sentinel) ContentType() string { return "application/json" }

// Address adds the version of the API. The user gives the rule and the stream.
func (sentinel) Address(u *url.URL) *url.URL { return withQuery(u, "api-version", sentinelVersion) }

// Limits returns the limits of a call. A row has at most eleven values of the length of sentinelField, so it fits into a call. If a
// TimeGenerated is older than two days, Azure replaces it by the time of arrival. Such records are not lost, and CreatedAt keeps
// their time.
func (f sentinel) Limits() Limits {
	return Limits{Records: 5000, Bytes: sentinelBody, Record: f.most, Alone: sentinelBody, Answer: shortAnswer}
}

func (sentinel) Frame(Walk) Frame { return Frame{"[", ",", "]"} }

// Headers name the batch, so that people can ask Microsoft's support about it.
func (sentinel) Headers(b Batch) []Header { return []Header{{"X-Ms-Client-Request-Id", b.ID}} }

func (f sentinel) Append(dst []byte, r *record.Record) []byte {
	dst = appendTime(append(dst, `{"TimeGenerated":"`...), r.CreatedAt)
	dst = f.lines.AppendID(append(dst, `","EventId":`...), r)
	dst = append(append(dst, `,"Tenant":`...), f.tenant...)
	dst = strconv.AppendInt(append(dst, `,"RecordId":`...), r.ID, 10)
	dst = appendTime(append(dst, `,"CreatedAt":"`...), r.CreatedAt)
	dst = append(dst, '"')
	for _, column := range [...]struct{ name, value string }{
		{"ActorId", r.ActorID},
		{"ActorName", r.ActorName},
		{"ActorEmail", r.ActorEmail},
		{"Action", r.Action},
		{"Status", r.Status},
		{"RequestId", r.RequestID},
		{"SourceIpAddress", r.SourceIP},
		{"CommitId", r.CommitID},
	} {
		dst = append(append(append(dst, `,"`...), column.name...), `":`...)
		dst = f.appendValue(dst, column.value)
	}
	if !r.Began.IsZero() {
		dst = appendTime(append(dst, `,"StartedAt":"`...), r.Began)
		dst = ndjson.AppendDuration(append(dst, `","DurationMs":`...), r)
	}
	if r.Lone {
		dst = append(dst, `,"Unpaired":true`...)
	}
	dst = f.appendFields(append(dst, `,"Fields":`...), r)
	return append(dst, '}')
}

// Write has a whole row in memory: it is not longer than a call.
func (f sentinel) Write(w io.Writer, r *record.Record) (int, error) { return w.Write(f.Append(nil, r)) }

// appendValue appends the value of a column. It cuts a value that is too long.
func (f sentinel) appendValue(dst []byte, value string) []byte {
	from := len(dst)
	if len(value) <= f.most {
		dst = appendString(dst, value)
	}
	if len(value) > f.most || len(dst)-from > f.most {
		dst = append(dst[:from], ndjson.CutText(value, f.most)...)
	}
	return dst
}

// appendFields appends the value of the column Fields: any JSON, as the server sent it. It cuts and marks a long value.
func (f sentinel) appendFields(dst []byte, r *record.Record) []byte {
	switch {
	case r.Absent.Has(record.Of("fields")):
		return append(dst, "null"...)
	case len(r.Fields) > f.most:
		return append(dst, ndjson.CutFields(r.Fields, f.most)...)
	default:
		return append(dst, r.Fields...)
	}
}

// AppendEvent appends the event as a row without a RecordId. Each record has a RecordId.
func (f sentinel) AppendEvent(dst, event []byte) []byte {
	e := readEvent(event)
	dst = appendTime(append(dst, `{"TimeGenerated":"`...), e.Time)
	dst = appendString(append(dst, `","EventId":`...), e.ID)
	dst = append(append(dst, `,"Tenant":`...), f.tenant...)
	return append(append(append(dst, `,"Action":"houndtrail.event","Fields":`...), event...), '}')
}

// Read takes only 204 as a success. If Azure refuses a call, it takes no row of it.
func (f sentinel) Read(a Answer, _ Batch) Verdict {
	if a.success() {
		v := a.acknowledges(f.Expect)
		if v.Class == OK && a.Status != 204 {
			v = Verdict{Class: Unexpected, Why: "and Azure Monitor takes a batch with 204", Advice: "something else seems to answer in its " +
				"place: check " + setting.WebhookURL}
		}
		return v
	}
	switch a.Status {
	case 401:
		return Verdict{Advice: "Azure does not accept the token: check " + setting.WebhookOAuthTokenURL + ", and that " +
			setting.WebhookOAuthScope + " is https://monitor.azure.com//.default, or that of your cloud"}
	case 403:
		return Verdict{Advice: "the application needs the role Monitoring Metrics Publisher on the data collection rule: a new grant may take " +
			"half an hour until it counts"}
	case 404:
		return Verdict{Advice: "there is no such rule or stream: check the immutable id of the rule and the name of the stream in " +
			setting.WebhookURL}
	}
	return a.byStatus("the Logs Ingestion API", f.Compression)
}

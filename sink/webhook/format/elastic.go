package format

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
)

// ElasticBulk is the name of the format of Elasticsearch's and OpenSearch's bulk API.
const ElasticBulk = "elastic-bulk"

const (
	// If the user gives no path, bulkStream is the data stream.
	bulkStream = "logs-bloodhound.audit-default"
	// bulkFilter leaves out all parts of the answer that Read does not read. A filter for errors only would also leave out the items
	// of the stored records. Then the places of the other items would be lost (measured on OpenSearch 2.19.6).
	bulkFilter = "errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.failure_store"
	// bulkLongest is the size of the longest record: the server takes 100 MB in one request (http.max_content_length, its
	// documentation).
	bulkLongest = 90_000_000
)

// bulk is the format of the bulk API of Elasticsearch 8 and 9, and of OpenSearch. The server creates a document for each record,
// with its event id as the document's id. So it refuses a record that comes a second time, until the data stream rolls over. The
// server answers for each record.
type bulk struct {
	common
	object object
}

func newBulk(o Options) Format { return bulk{common{o}, newObject(o, bulkLongest)} }

func (bulk) ContentType() string { return "application/x-ndjson" } // the server answers 406 to text/plain (measured)

func (bulk) Address(u *url.URL) *url.URL {
	return withQuery(below(u, bulkStream+"/_bulk", "/_bulk"), "filter_path", bulkFilter)
}

func (f bulk) Limits() Limits {
	return Limits{
		Records: 5000, Bytes: 5 << 20, Record: f.object.most, Answer: shortAnswer,
		AnswerRecord: 1 << 10,     // if a server ignores the filter, it writes 204 bytes for a stored record, and more for a refused one
		Alone:        ndjson.Long, // VictoriaLogs drops a longer line, and every record behind it (measured)
	}
}

// Frame is empty: a newline follows each line, and the server demands the last one.
func (bulk) Frame(Walk) Frame { return Frame{} }

func (f bulk) Append(dst []byte, r *record.Record) []byte {
	dst = f.begin(dst, r)
	from := len(dst)
	dst = f.object.Append(dst, r)
	if !f.object.timed {
		dst[from] = ',' // instead of its brace
	}
	return dst
}

func (f bulk) Write(w io.Writer, r *record.Record) (int, error) {
	first, err := w.Write(f.begin(make([]byte, 0, 1<<10), r))
	if err != nil {
		return first, err
	}
	n, err := f.object.Write(&afterBrace{to: w, begun: f.object.timed}, r)
	return first + n, err
}

// begin appends the action, and the document up to its time. A data stream takes a document only if the action is create, and if
// the document has a time.
func (f bulk) begin(dst []byte, r *record.Record) []byte {
	dst = append(dst, `{"create":{"_id":`...)
	dst = f.object.lines.AppendID(dst, r)
	dst = append(dst, `}}`+"\n"...)
	if f.object.timed {
		return dst
	}
	dst = append(dst, `{"@timestamp":"`...)
	return append(appendTime(dst, r.CreatedAt), '"')
}

// An afterBrace writes a comma instead of the first byte.
type afterBrace struct {
	to    io.Writer
	begun bool
}

func (a *afterBrace) Write(p []byte) (int, error) {
	if a.begun || len(p) == 0 {
		return a.to.Write(p)
	}
	a.begun = true
	if n, err := a.to.Write([]byte{','}); err != nil {
		return n, err
	}
	n, err := a.to.Write(p[1:])
	return n + 1, err
}

// AppendEvent appends the event as a separate document.
func (bulk) AppendEvent(dst, event []byte) []byte {
	e := readEvent(event)
	dst = appendString(append(dst, `{"create":{"_id":`...), e.ID)
	dst = append(dst, `}}`+"\n"+`{"@timestamp":"`...)
	dst = append(appendTime(dst, e.Time), `",`...)
	return append(append(dst, event[1:]...), '\n')
}

// A bulkAnswer is the answer to a batch: it has an item for each record, in the order of the records.
type bulkAnswer struct {
	Errors *bool `json:"errors"`
	Items  []struct {
		Create bulkItem `json:"create"`
	} `json:"items"`
}

type bulkItem struct {
	Status int `json:"status"`
	Error  struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
	} `json:"error"`
	FailureStore string `json:"failure_store"`
}

// Read counts an answer as a success only if it has an item for each record. If VictoriaLogs cannot read a document, it answers 200
// with an empty body. Then it has neither that document nor any behind it (measured).
func (f bulk) Read(a Answer, b Batch) Verdict {
	if !a.success() {
		return f.refused(a)
	}
	if v := a.acknowledges(f.Expect); v.Class != OK {
		return v
	}
	var answer bulkAnswer
	if err := json.Unmarshal(a.Body, &answer); err != nil || answer.Errors == nil || len(answer.Items) != b.Records {
		return Verdict{
			Class: Unexpected,
			Why:   fmt.Sprintf("but it tells of %d records of %d what became of them", len(answer.Items), b.Records),
			Advice: "this is no whole answer of a bulk API: check that " + setting.WebhookURL + " is one, and what is in front of it; if the " +
				"receiver drops long or malformed lines in silence, it is no such API",
		}
	}
	v := Verdict{Class: OK}
	for n := range answer.Items {
		item := &answer.Items[n].Create
		if item.FailureStore == "used" {
			v.Aside++
		}
		if class := item.class(); class != OK {
			why := a.Quote(fmt.Sprintf("%d %s: %s", item.Status, item.Error.Type, item.Error.Reason))
			v.Items = append(v.Items, Item{N: n, Class: class, Why: why})
			v.Advice = item.advice()
		}
	}
	return v
}

// class returns the class of one record. The types of errors are those of OpenSearch 2.19.6 (measured) and of Elastic's documents.
func (i *bulkItem) class() Class {
	about := func(words ...string) bool {
		for _, word := range words {
			if strings.Contains(i.Error.Reason, word) {
				return true
			}
		}
		return false
	}
	switch {
	case i.Status == 200 || i.Status == 201:
		return OK
	case i.Status == 409: // the server already has it
		return OK
	case i.Status == 408 || i.Status == 429 || i.Status >= 500:
		return Retry
	case i.Status == 403 && i.Error.Type == blocked:
		return Retry
	case i.Status == 400 && about("op_type", "@timestamp"):
		return Stop // the index takes none of our records
	case i.Status == 400:
		return Narrow
	}
	return Stop
}

// blocked is the type of the error if the index is not writable.
const blocked = "cluster_block_exception"

func (i *bulkItem) advice() string {
	switch {
	case i.Error.Type == blocked:
		return "the index does not allow writing: if its disk was full, make room and lift the block; Houndtrail tries again by itself"
	case i.Status == 401 || i.Status == 403:
		return "the credentials do not allow it; grant create_doc on the data stream to " + setting.WebhookAuthorization
	case i.Status == 404:
		return "there is no such index; create the data stream, or check the path of " + setting.WebhookURL
	case i.Status == 400 && i.class() == Stop:
		return "a data stream takes documents with a time that are created: check the index, and the pipelines in front of it"
	case i.Status == 400:
		return "the record does not fit into the index: take the index template of Houndtrail's deploy folder, or mend the mapping, and roll " +
			"the data stream over"
	}
	return ""
}

// refused reads an answer about the whole request. If the server cannot read the request at all, smaller parts would not help.
func (f bulk) refused(a Answer) Verdict {
	v := a.byStatus("the bulk API", f.Compression)
	if a.Status == 400 {
		v = Verdict{Advice: "the server takes no batch in this form: check that " + setting.WebhookURL + " is a bulk API, and its path"}
	}
	return v
}

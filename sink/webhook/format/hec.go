package format

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
	"github.com/houndtrail/houndtrail/sink/ndjson"
)

// SplunkHEC is the name of the format of Splunk's HTTP Event Collector.
const SplunkHEC = "splunk-hec"

const (
	hecEvents = "/services/collector/event"
	// hecLongest is the size of the longest record: Splunk refuses a whole batch for an event over 5 MB (reported).
	hecLongest = 4 << 20
)

// HECOptions are the settings of the format splunk-hec.
type HECOptions struct {
	Index      string // "" means the token's own
	Sourcetype string // "" means the token's own
	// Ack counts a batch as delivered only when Splunk has indexed it.
	Ack bool
	// Resume does not send the events before a refused one again. This is right for Splunk. Other receivers store nothing of a batch
	// with a bad event, and would lose these events.
	Resume bool
}

// hec is the format of Splunk's HTTP Event Collector. If the envelope has a key that Splunk does not know, Splunk drops the event
// and all events behind it, and answers 200 (measured by others). So the envelope has at most the seven known keys. The time is a
// decimal number with six digits behind the point. Splunk refuses an exponent, and a float would change the microseconds.
type hec struct {
	common
	object object
	middle string // of an envelope, between the time and the event
}

func newHEC(o Options) Format {
	middle := appendString([]byte(`,"host":`), o.Tenant)
	middle = append(middle, `,"source":"houndtrail"`...)
	if o.HEC.Sourcetype != "" {
		middle = appendString(append(middle, `,"sourcetype":`...), o.HEC.Sourcetype)
	}
	if o.HEC.Index != "" {
		middle = appendString(append(middle, `,"index":`...), o.HEC.Index)
	}
	f := hec{common{o}, newObject(o, hecLongest), string(append(middle, `,"event":`...))}
	if o.HEC.Ack {
		return acknowledgingHEC{f}
	}
	return f
}

func (hec) ContentType() string { return "application/json" }

// Address keeps the paths of HEC. It also keeps those paths of other receivers that have the same end.
func (hec) Address(u *url.URL) *url.URL {
	path := strings.TrimRight(u.Path, "/")
	for _, end := range []string{"/services/collector", "/event", "/event/1.0", "/hec"} {
		if strings.HasSuffix(path, end) {
			return u
		}
	}
	return below(u, hecEvents, hecEvents)
}

func (f hec) Limits() Limits {
	return Limits{Records: 1000, Bytes: 1 << 20, Record: f.object.most, Alone: ndjson.Long, Answer: shortAnswer}
}

// Frame is empty: the events follow one another, each with a newline behind it.
func (hec) Frame(Walk) Frame { return Frame{} }

func (f hec) Append(dst []byte, r *record.Record) []byte {
	dst = f.object.Append(f.begin(dst, r), r)
	return f.end(dst[:len(dst)-1], r)
}

func (f hec) Write(w io.Writer, r *record.Record) (written int, err error) {
	written, err = w.Write(f.begin(make([]byte, 0, 1<<10), r))
	if err != nil {
		return written, err
	}
	event := &onOneLine{to: w}
	_, err = f.object.Write(event, r)
	if written += event.written; err != nil {
		return written, err
	}
	n, err := w.Write(f.end(make([]byte, 0, 1<<10), r))
	return written + n, err
}

// begin appends the envelope up to the event.
func (f hec) begin(dst []byte, r *record.Record) []byte {
	return append(appendSeconds(append(dst, `{"time":`...), r.CreatedAt), f.middle...)
}

// end appends the envelope behind the event.
func (f hec) end(dst []byte, r *record.Record) []byte {
	dst = append(dst, `,"fields":{"event_id":`...)
	return append(f.object.lines.AppendID(dst, r), "}}\n"...)
}

// An onOneLine leaves out the newline at the end of a line.
type onOneLine struct {
	to      io.Writer
	written int
}

func (o *onOneLine) Write(p []byte) (int, error) {
	n, err := o.to.Write(bytes.TrimSuffix(p, []byte{'\n'}))
	o.written += n
	if err != nil {
		return n, err
	}
	return len(p), nil
}

// AppendEvent appends the event in its own envelope.
func (f hec) AppendEvent(dst, event []byte) []byte {
	e := readEvent(event)
	dst = appendSeconds(append(dst, `{"time":`...), e.Time)
	dst = append(append(dst, f.middle...), event...)
	dst = appendString(append(dst, `,"fields":{"event_id":`...), e.ID)
	return append(dst, "}}\n"...)
}

// appendSeconds appends a time in seconds since the epoch, with six digits behind the point. It never uses a float.
func appendSeconds(dst []byte, t time.Time) []byte {
	micros := t.UnixMicro()
	if micros < 0 {
		dst, micros = append(dst, '-'), -micros
	}
	dst = append(strconv.AppendInt(dst, micros/1e6, 10), '.')
	for digit := int64(1e5); digit > 0; digit /= 10 {
		dst = append(dst, byte('0'+micros/digit%10))
	}
	return dst
}

// Headers name the channel of the batch. A token with acknowledgment demands one, and others ignore it. Each batch has another
// channel, made from its id. After a restart, Splunk counts the acknowledgments of a channel from 0 again. So two batches on one
// channel could have the same number, and Houndtrail would take the answer for one batch as the answer for the other.
func (hec) Headers(b Batch) []Header {
	sum := sha256.Sum256([]byte(b.ID + "/" + strconv.Itoa(b.Round)))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8, of RFC 9562
	id := hex.EncodeToString(sum[:16])
	return []Header{{"X-Splunk-Request-Channel", strings.Join([]string{id[:8], id[8:12], id[12:16], id[16:20], id[20:]}, "-")}}
}

func (f hec) Read(a Answer, b Batch) Verdict { return f.read(a, b, f.success) }

// success is the verdict on a batch that Splunk has taken but not yet indexed.
func (hec) success(hecAnswer) Verdict { return Verdict{Class: OK} }

// An acknowledgingHEC is the format for a token with indexer acknowledgment.
type acknowledgingHEC struct{ hec }

func (f acknowledgingHEC) Read(a Answer, b Batch) Verdict { return f.read(a, b, f.success) }

func (acknowledgingHEC) success(said hecAnswer) Verdict {
	if said.AckID == nil {
		return noAcks()
	}
	return Verdict{Class: Pending, Ack: strconv.FormatUint(*said.AckID, 10)}
}

// Poll asks for one batch, since each batch has another channel.
func (acknowledgingHEC) Poll(u *url.URL, ack string) (to *url.URL, body []byte) {
	asked := *u
	path := strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/1.0")
	asked.Path, asked.RawPath = strings.TrimSuffix(path, "/event")+"/ack", ""
	return &asked, []byte(`{"acks":[` + ack + `]}`)
}

// Polled reads the answer to Poll. False can mean three things: not yet, failed, or unknown (documented).
func (f acknowledgingHEC) Polled(a Answer, ack string) Verdict {
	var said struct {
		hecAnswer
		Acks map[string]bool `json:"acks"`
	}
	if err := json.Unmarshal(a.Body, &said); err == nil && a.success() && said.Acks != nil {
		if said.Acks[ack] {
			return Verdict{Class: OK}
		}
		return Verdict{Class: Pending}
	}
	if said.Code != nil && *said.Code == hecAcksOff {
		return noAcks()
	}
	v := f.read(a, Batch{}, func(hecAnswer) Verdict { return Verdict{Class: Retry} })
	if v.Class == Stop {
		return v
	}
	return Verdict{Class: Retry}
}

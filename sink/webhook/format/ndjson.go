package format

import (
	"github.com/houndtrail/houndtrail/sink/ndjson"
)

// lines is the format of a receiver that takes NDJSON and acknowledges a batch with a 2xx. A web page with a 2xx acknowledges
// nothing: a proxy in front of the receiver made it, such as a single sign-on. An answer that does not meet the user's
// expectation acknowledges nothing either.
type lines struct {
	common
	object
}

func newNDJSON(o Options) Format { return lines{common{o}, newObject(o, 0)} }

func (lines) ContentType() string { return "application/x-ndjson" }

// Frame is empty: a line has its separator behind it.
func (lines) Frame(Walk) Frame { return Frame{} }

func (f lines) Limits() Limits {
	// VictoriaLogs and others drop lines from 256 KiB on while they answer 200. VictoriaLogs then loses up to as many bytes
	// behind the line in the body.
	l := Limits{Records: 1000, Bytes: 1 << 20, Alone: ndjson.Long, Record: f.most, Answer: shortAnswer}
	if f.Expect.JSON() {
		l.Answer = jsonAnswer
	}
	return l
}

// AppendEvent appends a line. No record has a type, and every record has an id, which an event has not.
func (lines) AppendEvent(dst, event []byte) []byte { return append(append(dst, event...), '\n') }

func (f lines) Read(a Answer, _ Batch) Verdict {
	if a.success() {
		return a.acknowledges(f.Expect)
	}
	return a.byStatus("NDJSON", f.Compression)
}

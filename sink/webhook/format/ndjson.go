package format

import (
	"github.com/houndtrail/houndtrail/sink/ndjson"
)

// lines is the format of a receiver that takes NDJSON and acknowledges a batch with a 2xx. If the 2xx is a web page, it
// acknowledges nothing: a proxy in front of the receiver made it, such as a single sign-on. If an answer does not meet the user's
// expectation, it acknowledges nothing either.
type lines struct {
	common
	object
}

func newNDJSON(o Options) Format { return lines{common{o}, newObject(o, 0)} }

func (lines) ContentType() string { return "application/x-ndjson" }

// Frame is empty: the separator follows each line.
func (lines) Frame(Walk) Frame { return Frame{} }

func (f lines) Limits() Limits {
	// VictoriaLogs and others drop lines of 256 KiB or more, but answer 200. VictoriaLogs then also loses up to as many bytes behind
	// the line in the body.
	l := Limits{Records: 1000, Bytes: 1 << 20, Alone: ndjson.Long, Record: f.most, Answer: shortAnswer}
	if f.Expect.JSON() {
		l.Answer = jsonAnswer
	}
	return l
}

// AppendEvent appends a line. An event has a type, and no record has one. Every record has an id, and no event has one.
func (lines) AppendEvent(dst, event []byte) []byte { return append(append(dst, event...), '\n') }

func (f lines) Read(a Answer, _ Batch) Verdict {
	if a.success() {
		return a.acknowledges(f.Expect)
	}
	return a.byStatus("NDJSON", f.Compression)
}

package format

import (
	"github.com/houndtrail/houndtrail/config/setting"
	"github.com/houndtrail/houndtrail/sink/ndjson"
)

// These are the numbers of bytes that Houndtrail reads of an answer.
const (
	shortAnswer = 64 << 10 // enough for any message, and to use the connection again
	jsonAnswer  = 4 << 20  // for JSON with values that the user expects: Houndtrail has to read it to its end
)

func (a Answer) success() bool { return a.Status/100 == 2 }

// byStatus reads an answer that is no success, by the meaning of its status in HTTP. takes names the kind of batches that the
// receiver takes, for the advice.
func (a Answer) byStatus(takes string, c ndjson.Compression) Verdict {
	switch a.Status {
	case 400, 422: // Bad Request, Unprocessable Content
		if c == ndjson.Zstd {
			takes += " in zstd, or set " + setting.WebhookCompression + "=gzip"
		}
		return Verdict{Class: Narrow, Advice: "it cannot read this record, and the stream waits in front of it: find out at the " +
			"receiver, by the event id, what it does not like; if it takes no record at all, check that " + setting.WebhookURL + " takes " +
			takes}
	case 401:
		return Verdict{Advice: "the credentials are missing or wrong; check " + setting.WebhookAuthorization}
	case 403:
		return Verdict{Advice: "the credentials do not allow writing there; check " + setting.WebhookAuthorization + " and the " +
			"receiver's grants"}
	case 404, 405, 410: // Not Found, Method Not Allowed, Gone
		return Verdict{Advice: "nothing takes a POST there; check the path of " + setting.WebhookURL}
	case 408, 425, 429: // Request Timeout, Too Early, Too Many Requests
		return Verdict{Class: Retry}
	case 413: // Content Too Large
		return Verdict{Class: Split, Advice: "this one record is larger than it takes, and batches cannot get any smaller; raise the " +
			"receiver's limit, or set " + setting.WebhookRecordBytes + " below it: then its fields are cut and marked"}
	case 415: // Unsupported Media Type
		if c == ndjson.Zstd {
			return Verdict{Advice: "it may not know zstd: set " + setting.WebhookCompression + "=gzip"}
		}
		return Verdict{Advice: "try " + setting.WebhookCompression + "=none, or the Content-Type that it wants in " +
			setting.WebhookHeaders}
	}
	if a.Status >= 500 {
		return Verdict{Class: Retry}
	}
	return Verdict{}
}

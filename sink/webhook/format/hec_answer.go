package format

import (
	"encoding/json"
	"fmt"

	"github.com/houndtrail/houndtrail/config/setting"
)

// These are the codes of HEC, as Splunk documents them (possible error codes of the HTTP Event Collector).
const (
	hecSuccess      = 0
	hecDisabled     = 1
	hecNoToken      = 2
	hecBadHeader    = 3
	hecUnknownToken = 4
	hecNoData       = 5
	hecFormat       = 6
	hecIndex        = 7
	hecInternal     = 8 // Splunk may have indexed the batch
	hecBusy         = 9
	hecNoChannel    = 10
	hecBadChannel   = 11
	hecNoEvent      = 12
	hecBlankEvent   = 13
	hecAcksOff      = 14
	hecFields       = 15
	hecQueryToken   = 16
	hecHealthy      = 17 // 17 to 20 are answers of the health endpoint
	hecQueuesFull   = 18
	hecNoAcks       = 19
	hecBothFull     = 20
	hecHealthToken  = 21
	hecHealthOff    = 22
	hecShuttingDown = 23
	hecQueueNear    = 24 // accepted, like 25: to send the batch again would double it
	hecAcksNear     = 25
	hecQueueAt      = 26
	hecAcksAt       = 27
	hecCloudChannel = 28 // Splunk Cloud uses it instead of 10 (measured by others)
)

// hecCloudBody is the largest body that Splunk Cloud takes. It refuses a larger one like a bad first event (measured by others).
const hecCloudBody = 5 << 20

// A hecAnswer is an answer of HEC.
type hecAnswer struct {
	Text   string  `json:"text"`
	Code   *int    `json:"code"`
	Number *int    `json:"invalid-event-number"` // from 0
	AckID  *uint64 `json:"ackId"`
}

// read reads an answer by its code. If an answer has no code, it comes from something in front of Splunk. success gives the verdict
// on a batch that Splunk has taken.
func (f hec) read(a Answer, b Batch, success func(hecAnswer) Verdict) Verdict {
	if a.success() {
		if v := a.acknowledges(f.Expect); v.Class != OK {
			return v
		}
	}
	var said hecAnswer
	if err := json.Unmarshal(a.Body, &said); err != nil || said.Code == nil {
		return f.withoutCode(a)
	}
	switch code := *said.Code; code {
	case hecSuccess, hecQueueNear, hecAcksNear:
		if !a.success() {
			return f.withoutCode(a)
		}
		v := success(said)
		v.Slow = code != hecSuccess
		return v
	case hecInternal, hecBusy, hecQueuesFull, hecNoAcks, hecBothFull, hecShuttingDown, hecQueueAt, hecAcksAt:
		return Verdict{Class: Retry}
	case hecFormat, hecNoEvent, hecBlankEvent, hecFields:
		return f.badEvent(a, b, said)
	default:
		if advice := hecAdvice(code); advice != "" {
			return Verdict{Advice: advice}
		}
		return f.withoutCode(a)
	}
}

// withoutCode reads an answer by its status.
func (f hec) withoutCode(a Answer) Verdict {
	if !a.success() {
		return a.byStatus("Splunk's HEC", f.Compression)
	}
	return Verdict{
		Class: Unexpected, Why: "but it does not have the code of a success",
		Advice: "this is no answer of Splunk's HEC: check " + setting.WebhookURL + ", and what is in front of it",
	}
}

// badEvent reads the refusal of one event. Splunk has indexed the events before it, and none behind it (measured by others). Other
// receivers that speak HEC store nothing of such a batch. So Houndtrail sends all other events again: Splunk gets those before the
// bad event twice, with the same event_id. With Resume, Houndtrail does not send them again.
func (f hec) badEvent(a Answer, b Batch, said hecAnswer) Verdict {
	const advice = "the stream waits in front of this record: find out at the receiver, by the event id, what it does not like"
	switch {
	case *said.Code == hecFormat && said.Number != nil && *said.Number == 0 && b.Bytes > hecCloudBody:
		return Verdict{Class: Split, Advice: "Splunk Cloud takes 5 MiB in one request; set " + setting.WebhookBatchBytes + " below that"}
	case said.Number == nil || *said.Number < 0 || *said.Number >= b.Records || b.Records == 1:
		return Verdict{Class: Narrow, Advice: advice}
	}
	v := Verdict{Class: Retry, Advice: advice}
	for n := range b.Records {
		switch {
		case n == *said.Number:
			v.Items = append(v.Items, Item{n, Narrow, fmt.Sprintf("code %d, %s", *said.Code, a.Quote(said.Text))})
		case n > *said.Number:
			v.Items = append(v.Items, Item{n, Retry, "it stands behind an event that HEC refuses"})
		case !f.HEC.Resume:
			v.Items = append(v.Items, Item{n, Retry, "a receiver of HEC may have stored nothing of a batch with an event that it refuses"})
		}
	}
	return v
}

// hecAdvice says what people have to mend for a code that stops the stream. It is "" for any other code.
func hecAdvice(code int) string {
	const token = "; check " + setting.WebhookAuthorization + ": it is Splunk <token>"
	const channel = "Splunk does not get the channel: check what is in front of it, which may drop the header X-Splunk-Request-Channel"
	return map[int]string{
		hecDisabled: "the token is disabled: switch it on in Splunk", hecHealthOff: "the token is disabled: switch it on in Splunk",
		hecNoToken: "no token arrives" + token, hecBadHeader: "the header has another form" + token,
		hecUnknownToken: "Splunk does not know the token" + token, hecHealthToken: "Splunk does not know the token" + token,
		hecNoData:    "HEC finds no event: check that the path of " + setting.WebhookURL + " ends in " + hecEvents + ", and not in /raw",
		hecIndex:     "the token does not allow the index: allow it in the token's settings, or set another " + setting.WebhookHECIndex,
		hecNoChannel: channel, hecBadChannel: channel, hecCloudChannel: channel,
		hecAcksOff:    noAcks().Advice,
		hecQueryToken: "HEC takes no token in the address: take it out of " + setting.WebhookURL + token,
		hecHealthy:    "this is the health endpoint: check the path of " + setting.WebhookURL,
	}[code]
}

// noAcks is the verdict if a token has no indexer acknowledgment, but the user has asked for it. If Houndtrail went on without it,
// it would count batches as delivered that Splunk may not have indexed.
func noAcks() Verdict {
	return Verdict{Advice: "the token has no indexer acknowledgment: switch it on in the token's settings, or unset " + setting.WebhookHECAck +
		" and take Splunk's 200 for a delivery"}
}

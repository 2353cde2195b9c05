package format

import (
	"encoding/json"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/houndtrail/houndtrail/config/setting"
)

// A Finding is what the answer to a Question says about the receiver.
type Finding struct {
	Health Health
	Seen   string // for people, without secrets
	Advice string // the next step; "" if there is none
}

// Health tells whether a receiver would take batches.
type Health int

// The values of Health.
const (
	Silent   Health = iota // the answer does not tell
	Well                   // it takes batches
	Doubtful               // people should look: it does not take batches for now, or may not do with them what they want
	Ill                    // it refuses batches until people mend it
)

// refused is the finding if the receiver does not know the credential.
func refused(seen string) Finding {
	return Finding{Ill, seen, "correct " + setting.WebhookAuthorization}
}

// at is an address at the receiver, with the user's query.
func at(u *url.URL, path string) *url.URL {
	to := *u
	to.Path, to.RawPath = path, ""
	return &to
}

// Question returns nil: the receiver has no question of its own.
func (common) Question(*url.URL) *url.URL { return nil }

// Examined finds nothing out.
func (common) Examined(a Answer) Finding {
	return Finding{Seen: "the answer does not tell: status " + strconv.Itoa(a.Status)}
}

// Question asks for the health of HEC (documentation of Splunk).
func (f hec) Question(u *url.URL) *url.URL {
	base, _, ok := strings.Cut(f.Address(u).Path, "/services/collector")
	if !ok {
		return nil // another receiver's path
	}
	return at(u, base+"/services/collector/health")
}

// Examined reads the codes of siem.md: 17 to 20 are about the health, and those below 5, 21 and 22 about the token.
func (f hec) Examined(a Answer) Finding {
	var said struct {
		Text string `json:"text"`
		Code *int   `json:"code"`
	}
	if json.Unmarshal(a.Body, &said) != nil || said.Code == nil {
		return Finding{Seen: "the answer is not one of HEC"}
	}
	switch code := *said.Code; {
	case a.Status == 200 && (code == 17 || code == 0):
		return Finding{Health: Well, Seen: "HEC is healthy"}
	case code >= 18 && code <= 20:
		return Finding{Doubtful, a.Quote(said.Text), "look at the indexers' queues; Houndtrail sends its batches again until Splunk takes them"}
	case code >= 1 && code <= 4, code == 21, code == 22:
		return refused("Splunk does not take the token: " + a.Quote(said.Text))
	default:
		return Finding{Seen: a.Quote(said.Text)}
	}
}

// Question asks for the data stream of the batches.
func (f bulk) Question(u *url.URL) *url.URL {
	stream := path.Dir(f.Address(u).Path)
	return at(u, path.Join(path.Dir(stream), "_data_stream", path.Base(stream)))
}

// Examined finds a stream that is not there: without a template, a server makes a plain index of its own, and answers 201 (measured on
// OpenSearch 2.19.6). A key that may only create documents may not look.
func (bulk) Examined(a Answer) Finding {
	var said struct {
		Streams []struct {
			Name     string `json:"name"`
			Template string `json:"template"`
		} `json:"data_streams"`
	}
	switch {
	case a.Status == 401:
		return refused("the server does not take the credential")
	case a.Status == 404:
		return Finding{
			Doubtful, "there is no such data stream yet",
			"check that an index template with data_stream matches the name: otherwise the first batch makes a plain index",
		}
	case a.Status != 200 || json.Unmarshal(a.Body, &said) != nil || len(said.Streams) == 0:
		return Finding{Seen: "the server does not tell of its data streams: status " + strconv.Itoa(a.Status)}
	}
	return Finding{Health: Well, Seen: "data stream " + a.Quote(said.Streams[0].Name) + ", template " + a.Quote(said.Streams[0].Template)}
}

// Question asks whether Loki is ready (documentation of Loki).
func (f loki) Question(u *url.URL) *url.URL {
	return at(u, strings.TrimSuffix(strings.TrimRight(f.Address(u).Path, "/"), lokiPush)+"/ready")
}

// Examined says nothing of other answers: many gateways in front of Loki pass only the path for batches.
func (loki) Examined(a Answer) Finding {
	text := strings.TrimSpace(string(a.Body))
	switch {
	case a.Status == 200 && text == "ready":
		return Finding{Health: Well, Seen: "Loki is ready"}
	case a.Status == 503:
		return Finding{Doubtful, "Loki is not ready: " + a.Quote(text), "wait for it; Houndtrail sends its batches again until Loki takes them"}
	default:
		return Finding{Seen: "it does not tell whether it is ready: status " + strconv.Itoa(a.Status)}
	}
}

// datadogIntake is the beginning of the host that takes logs. Its site comes behind it.
const datadogIntake = "http-intake.logs."

// Question asks the API of the same site whether it knows the key (documentation of Datadog).
func (datadog) Question(u *url.URL) *url.URL {
	site, ok := strings.CutPrefix(u.Host, datadogIntake)
	if !ok {
		return nil // a proxy, or another receiver
	}
	return &url.URL{Scheme: u.Scheme, Host: "api." + site, Path: "/api/v1/validate"}
}

// Examined reads the answer about the key.
func (datadog) Examined(a Answer) Finding {
	var said struct {
		Valid bool `json:"valid"`
	}
	switch {
	case a.Status == 403 || a.Status == 401:
		return refused("Datadog does not know the API key; is it of another site?")
	case a.Status == 200 && json.Unmarshal(a.Body, &said) == nil && said.Valid:
		return Finding{Health: Well, Seen: "Datadog knows the API key"}
	default:
		return Finding{Seen: "Datadog does not tell whether it knows the API key: status " + strconv.Itoa(a.Status)}
	}
}

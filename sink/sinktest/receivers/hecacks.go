package receivers

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

const channelHeader = "X-Splunk-Request-Channel"

var aUUID = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// channelOf returns the channel of a request. Documented: a header, or a parameter of the query.
func channelOf(r *http.Request) string {
	if c := r.URL.Query().Get("channel"); c != "" {
		return c
	}
	return r.Header.Get(channelHeader)
}

// refuseChannel checks the channel. It returns 0 if the channel is in order. Measured: a token without acknowledgment ignores the
// channel.
func (h *HEC) refuseChannel(r *http.Request) int {
	switch c := channelOf(r); {
	case !h.options.Acks:
		return 0
	case c == "" && h.options.Cloud:
		return codeCloudChannel
	case c == "":
		return codeNoChannel
	case !aUUID.MatchString(c):
		return codeBadChannel
	default:
		return 0
	}
}

// acknowledgment makes the next id of the request's channel. Measured: ids count from 0 in each channel.
func (h *HEC) acknowledgment(r *http.Request) int {
	c := h.channels[channelOf(r)]
	if c == nil {
		c = &channel{told: map[int]bool{}}
		h.channels[channelOf(r)] = c
	}
	c.ids = append(c.ids, time.Now())
	return len(c.ids) - 1
}

// ack answers which ids are indexed. Documented: false means not yet, failed, or unknown. Measured: an id of another channel is
// false. If the token has no acknowledgment, Splunk answers code 14 before it looks at the channel. This double answers true only
// once: a client must be ready for that.
func (h *HEC) ack(w http.ResponseWriter, r *http.Request) {
	if refused := h.refuseToken(r); refused != 0 {
		say(w, refused)
		return
	}
	if !h.options.Acks {
		say(w, codeAcksOff)
		return
	}
	if refused := h.refuseChannel(r); refused != 0 {
		say(w, refused)
		return
	}
	var question struct {
		Acks []int `json:"acks"`
	}
	plain, _, err := body(r)
	if err != nil || json.Unmarshal(plain, &question) != nil {
		say(w, codeFormat)
		return
	}
	answer := map[string]bool{}
	c := h.channels[channelOf(r)]
	for _, id := range question.Acks {
		known := c != nil && id >= 0 && id < len(c.ids)
		indexed := known && !c.told[id] && time.Since(c.ids[id]) >= h.options.Indexing
		if indexed {
			c.told[id] = true
		}
		answer[strconv.Itoa(id)] = indexed
	}
	answerJSON(w, http.StatusOK, map[string]any{"acks": answer})
}

package bloodhound

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/rest"
	"github.com/houndtrail/houndtrail/exporter/record"
)

// selfPath is the endpoint that tells which user sends the request. It needs no permission; without credentials it answers
// null.
const selfPath = "/api/v2/self"

// askAgainAfter is the pause before the client asks again which user it is, if the first question failed for a reason that may
// pass.
const askAgainAfter = time.Hour

// An identity is the user of the client's requests, as the server's audit log names that user. The client asks for it.
type identity struct {
	turn   chan struct{} // the caller that asks takes its only place; it also guards the other fields
	id     string        // "" while it is not known
	askAt  time.Time     // the client does not ask earlier; zero for now
	never  bool          // the server does not tell the user
	warned bool
}

// Own tells whether a record is the trace of this client's own requests: a GET of the audit log or of /api/v2/self, by the user
// of its credentials. Servers before PR #3049 audit no GET, so on them the client does not ask which user it is. On other
// servers it asks GET /api/v2/self when it meets the first such record. If the server does not tell, Own finds no record to be
// its own, and logs one warning. After a failure that may pass, the client asks again an hour later. In every other case it
// asks only once.
func (c *Client) Own(ctx context.Context, r *record.Record) bool {
	if !polls(r.Action) || r.ActorID == "" {
		return false
	}
	return strings.EqualFold(r.ActorID, c.self.get(ctx, c))
}

// polls recognises the actions with which the server audits the client's requests. An action is a method and a route in the
// first draft of PR
// #3049 with a space between them.
func polls(action string) bool {
	route, isGet := strings.CutPrefix(action, http.MethodGet)
	route = strings.TrimPrefix(route, " ")
	return isGet && (route == AuditPath || route == selfPath)
}

// get returns the user's id, or "". Other callers wait for the one answer.
func (s *identity) get(ctx context.Context, c *Client) string {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ""
	}
	if s.id != "" || s.never || time.Now().Before(s.askAt) {
		return s.id
	}
	id, err := c.whoAmI(ctx)
	if err != nil && ctx.Err() != nil {
		return ""
	}
	e := (*rest.Error)(nil)
	s.never = err != nil && (!errors.As(err, &e) || !e.Retryable())
	s.id, s.askAt = id, time.Now().Add(askAgainAfter)
	if err != nil && !s.warned {
		s.warned = true
		c.log.Warn("the server audits our own requests and does not say who we are, so they are exported like all "+
			"others, and count as something new in every cycle", zap.Error(err))
	}
	return s.id
}

var errNobody = errors.New("GET " + selfPath + " does not tell who is logged in")

// whoAmI asks the server once. If the request fails, it does not try again, since an export must not wait for it.
func (c *Client) whoAmI(ctx context.Context) (string, error) {
	r, err := c.conn.Get(ctx, selfPath, c.conn.UpTo(c.options.MaxPage))
	if err != nil {
		return "", err
	}
	defer r.Body.Release()
	var self struct {
		Data struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if json.Unmarshal(r.Body.Bytes, &self) != nil || self.Data.ID == "" {
		return "", errNobody
	}
	return self.Data.ID, nil
}

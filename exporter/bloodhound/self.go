package bloodhound

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
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
	user, err := c.user(ctx)
	return user.ID, err
}

// A User is the user of the client's credentials, as the server knows it.
type User struct {
	ID, Name    string
	Roles       []string // their names
	Permissions []string // of all roles, each as authority/name
}

// User asks who the user of the credentials is. The server answers this without credentials too: then the error says that they
// did not arrive.
func (c *Client) User(ctx context.Context) (u User, err error) {
	err = c.conn.Retry(ctx, func(ctx context.Context) (err error) {
		u, err = c.user(ctx)
		return err
	})
	return u, err
}

func (c *Client) user(ctx context.Context) (User, error) {
	type permission struct {
		Authority string `json:"authority"`
		Name      string `json:"name"`
	}
	var self struct {
		Data struct {
			ID          string       `json:"id"`
			Name        string       `json:"principal_name"`
			Permissions []permission `json:"permissions"`
			Roles       []struct {
				Name        string       `json:"name"`
				Permissions []permission `json:"permissions"`
			} `json:"roles"`
		} `json:"data"`
	}
	if known, err := c.object(ctx, selfPath, &self); err != nil {
		return User{}, err
	} else if !known || self.Data.ID == "" {
		return User{}, errNobody
	}
	u := User{ID: self.Data.ID, Name: self.Data.Name}
	all := self.Data.Permissions
	for _, r := range self.Data.Roles {
		u.Roles, all = append(u.Roles, r.Name), append(all, r.Permissions...)
	}
	for _, p := range all {
		u.Permissions = append(u.Permissions, p.Authority+"/"+p.Name)
	}
	slices.Sort(u.Permissions)
	u.Permissions = slices.Compact(u.Permissions)
	return u, nil
}

// versionPath is an endpoint that needs credentials, and no permission.
const versionPath = "/api/version"

// Version asks for the version that the server says it has, such as v8.4.0; "" if it tells none. It is the least request that
// the credentials have to pass.
func (c *Client) Version(ctx context.Context) (string, error) {
	var reply struct {
		Data struct {
			Version string `json:"server_version"`
		} `json:"data"`
	}
	err := c.conn.Retry(ctx, func(ctx context.Context) error {
		_, err := c.object(ctx, versionPath, &reply)
		return err
	})
	return reply.Data.Version, err
}

// object asks once for a small object of JSON. known is false if the reply has another form; its text is not quoted.
func (c *Client) object(ctx context.Context, path string, into any) (known bool, err error) {
	r, err := c.conn.Get(ctx, path, c.conn.UpTo(c.options.MaxPage))
	if err != nil {
		return false, err
	}
	defer r.Body.Release()
	return json.Unmarshal(r.Body.Bytes, into) == nil, nil
}

// Traits are habits of a server's build, as far as the records at both ends of its log show them.
type Traits struct {
	Records   int   // how many of the newest records were read to find them
	Count     int64 // how many rows the server counts; -1 if it tells no count
	Unsorted  bool  // it answers newest first, whatever it is asked: a build from before March 2024
	Unbounded bool  // it shows records of other times than those that it is asked for
	Audits    bool  // it audits every request, those of Houndtrail too
	Dark      bool  // it cannot print one of these records
}

// Traits looks for the habits, in three requests.
func (c *Client) Traits(ctx context.Context) (Traits, error) {
	const some = 5 // records: an audited request leaves two
	q := Query{Bounded: true, After: firstInstant(), Before: lastInstant(), Limit: some, SortBy: NewestFirst()}
	newest, err := c.read(ctx, q, breakdowns, c.options.MaxPage)
	if refusal(err) != nil || ofPage(err, rest.TooLarge) {
		return Traits{Count: -1, Dark: refusal(err) != nil}, nil //nolint:nilerr // that is the answer
	}
	if err != nil {
		return Traits{}, err
	}
	t := Traits{Records: len(newest.Records), Count: newest.Count, Dark: len(newest.Refused) > 0}
	for i := range newest.Records {
		t.Audits = t.Audits || strings.HasPrefix(newest.Records[i].Action, http.MethodGet)
	}
	beside, err := c.read(ctx, q.beside(), breakdowns, c.options.MaxPage) // about a time in which no record is
	if t.Unbounded = len(beside.Records) > 0; err != nil || t.Records < 2 {
		return t, err
	}
	q.Limit, q.SortBy = 1, oldestFirst()
	oldest, err := c.read(ctx, q, breakdowns, c.options.MaxPage)
	if refusal(err) != nil || ofPage(err, rest.TooLarge) {
		t.Dark = t.Dark || refusal(err) != nil
		return t, nil
	}
	if err == nil && len(oldest.Records) > 0 {
		t.Unsorted = oldest.Records[0].CreatedAt.Equal(newest.Records[0].CreatedAt) &&
			!newest.Records[0].CreatedAt.Equal(newest.Records[t.Records-1].CreatedAt)
	}
	return t, err
}

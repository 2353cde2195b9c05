package bloodhoundtest

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/houndtrail/houndtrail/exporter/bloodhound/bloodhoundtest/internal/api"
)

// Options say which server the double is. The zero value is a v8.4 server with an empty log and without credentials to read it.
type Options struct {
	// Profile is the generation; V84 when empty.
	Profile Profile
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Skew is how far the server's clock is ahead of Now. It moves the Date header, the signature check, the
	// default window and the time until which rows are visible.
	Skew time.Duration
	// Date gives the Date header instead of the server's clock, if not nil: see [Server.SetDate].
	Date DateRule
	// Seed decides all random choices.
	Seed uint64
	// Tokens are API tokens, id to key. Ids are UUIDs. They belong to the first of Users.
	Tokens map[string]string
	// Users can log in. Without any, there is one called houndtrail that owns the tokens.
	Users []User
	// SessionTTL is how long a session lasts; 8 h when zero.
	SessionTTL time.Duration
	// RateLimit allows each client address 55 requests a second on each route, and one login.
	RateLimit bool
	// Pre2024 gives entries the keys from before 2024: no commit_id, and source for source_ip_address.
	Pre2024 bool
	// Rows are in the log when the server starts.
	Rows []Row
}

// Server is the double: an [http.Handler] that is safe for concurrent use, as are its methods.
type Server struct {
	can       *abilities
	shape     shape
	clock     func() time.Time
	skew      time.Duration
	date      atomic.Pointer[DateRule]
	seed      uint64
	rateLimit bool

	mu     sync.RWMutex // guards table and pruned
	table  table
	pruned time.Time // when old months were last dropped

	people  *directory
	limiter limiter
	faults  faults

	randomMu sync.Mutex
	random   *rand.Rand

	journal  journal
	counters counters
}

// New makes a server. It panics if the profile does not exist: for a name from a user, see [ParseProfile].
func New(opts Options) *Server {
	can, ok := generations[cmp.Or(opts.Profile, V84)]
	if !ok {
		panic(fmt.Sprintf("bloodhoundtest: no profile %q", opts.Profile))
	}
	s := &Server{
		can:       &can,
		shape:     shape{commitFirst: can.commitFirst, pre2024: opts.Pre2024},
		clock:     opts.Now,
		skew:      opts.Skew,
		seed:      opts.Seed,
		rateLimit: opts.RateLimit,
		random:    rand.New(rand.NewPCG(opts.Seed, 1)),
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	s.SetDate(opts.Date)
	s.people = newDirectory(opts, s.newUUID)
	s.Add(opts.Rows...)
	if can.audited {
		s.DropMonths()
	}
	return s
}

// now is the server's own clock.
func (s *Server) now() time.Time { return s.clock().Add(s.skew) }

func (s *Server) newUUID() string {
	s.randomMu.Lock()
	defer s.randomMu.Unlock()
	return api.NewUUID(s.random)
}

// Add puts rows into the log. An id of zero takes the next one of the sequence.
func (s *Server) Add(rows ...Row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.table.add(s.dated(rows))
}

// dated gives rows the created_at that PR #3049's migration writes in place of NULL.
func (s *Server) dated(rows []Row) []Row {
	if !s.can.audited {
		return rows
	}
	rows = slices.Clone(rows)
	for i := range rows {
		if rows[i].CreatedAt.IsZero() {
			rows[i].CreatedAt = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
		}
	}
	return rows
}

// Restore replaces the log, as the restore of a database does. The sequence goes on after the highest of these ids, which may be
// lower than ids that the server handed out before.
func (s *Server) Restore(rows ...Row) {
	s.mu.Lock()
	s.table = table{}
	s.mu.Unlock()
	s.Add(rows...)
}

// Rows returns the whole log by (created_at, id), with rows that are not visible yet. Rows with a NULL created_at come first.
func (s *Server) Rows() []Row {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rows := make([]Row, 0, len(s.table.undated)+len(s.table.dated))
	for _, set := range [][]*entry{s.table.undated, s.table.dated} {
		for _, e := range set {
			rows = append(rows, e.Row)
		}
	}
	return rows
}

// call has the server's facts about one request.
type call struct {
	number    int64 // counts from 1
	requestID string
	sourceIP  string
	who       *account // nil when no user is logged in
}

// serve takes a request through the layers of the server, in their order: preference, route, rate limit,
// credentials, compression, permission, handler. The server does not compress a refusal of an earlier layer.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, c *call) {
	s.dropMonthsDaily()
	r, cancel, ok := s.applyPreference(w, r)
	if !ok {
		return
	}
	defer cancel()
	rt, ok := find(w, r)
	if !ok {
		return
	}
	if s.can.limitEarly && s.limited(w, r, rt) {
		return
	}
	if c.who, ok = s.admit(w, r, rt); !ok {
		return
	}
	w, done := api.Compress(w, r)
	if s.can.limitEarly || !s.limited(w, r, rt) {
		s.audited(w, r, c, rt)
	}
	done() // not deferred: a handler that panics must not look finished
}

// applyPreference gives the request its deadline. If it refuses the request, the answer has no request id.
func (s *Server) applyPreference(w http.ResponseWriter, r *http.Request) (*http.Request, func(), bool) {
	p, err := s.can.prefer(r.Header)
	if err != nil {
		w.Header().Del(api.RequestIDHeader)
		badRequest(err.Error()).Write(w, s.now())
		return nil, nil, false
	}
	if p.applied != "" {
		w.Header().Set("Preference-Applied", p.applied)
	}
	if !p.bounded {
		return r, func() {}, true
	}
	ctx, cancel := context.WithTimeout(r.Context(), p.limit)
	return r.WithContext(ctx), cancel, true
}

// admit checks the credentials.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, rt route) (*account, bool) {
	who, refused := s.authenticate(r)
	if refused == nil && who == nil && rt.protected {
		refused = api.ErrUnauthorized
	}
	if refused == nil {
		return who, true
	}
	refused.Write(w, s.now())
	if strings.HasPrefix(refused.Message, unexpectedScheme) && rt.protected {
		api.ErrUnauthorized.Write(w, s.now()) // the server goes on after its first answer: the body holds both
	}
	return nil, false
}

// answer checks the permission and calls the handler.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, c *call, rt route) {
	if rt.audit && !s.people.mayAudit(c.who) {
		api.ErrForbidden.Write(w, s.now())
		return
	}
	rt.handle(s, w, r, c)
}

// A DateRule gives the Date header of an answer, by the server's clock. The rest of the server does not follow it: neither the
// times of rows nor the check of signatures.
type DateRule func(now time.Time) time.Time

// DateAhead is a Date header that is ahead of the server's clock, like one from a proxy with a wrong clock.
func DateAhead(d time.Duration) DateRule {
	return func(now time.Time) time.Time { return now.Add(d) }
}

// DateFixed is a Date header that stands still, as in a cached answer, or of a clock at its end.
func DateFixed(at time.Time) DateRule {
	return func(time.Time) time.Time { return at }
}

// SetDate changes the rule of the Date header from the next request on; nil is the server's clock.
func (s *Server) SetDate(rule DateRule) { s.date.Store(&rule) }

// dateHeader is the time in the Date header at an instant of the server's clock.
func (s *Server) dateHeader(now time.Time) time.Time {
	if rule := *s.date.Load(); rule != nil {
		return rule(now)
	}
	return now
}

// Alter changes a row of the log, as an administrator of the database could. It returns false if no row has that id. Pages under
// way keep the row as it was.
func (s *Server) Alter(id int64, change func(*Row)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.table.take(func(e *entry) bool { return e.ID == id })
	rows := make([]Row, len(taken))
	for i, e := range taken {
		rows[i] = e.Row
		change(&rows[i])
	}
	s.table.add(s.dated(rows))
	return len(rows) > 0
}

// Delete takes rows out of the log by their ids and returns their number. The sequence does not go back.
func (s *Server) Delete(ids ...int64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.table.take(func(e *entry) bool { return slices.Contains(ids, e.ID) }))
}

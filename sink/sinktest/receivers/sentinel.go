package receivers

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// SentinelOptions describe a data collection rule.
type SentinelOptions struct {
	Tokens    *Tokens
	Rule      string // the immutable id of the rule
	Stream    string // Custom-...
	Columns   map[string]string
	Forbidden bool // the client lacks the role Monitoring Metrics Publisher
	// Trouble, if set, returns the status to answer to post number n, which is 1 for the first post. If it returns 0, Sentinel judges
	// the post as usual.
	Trouble func(n int) int
	// Refuse, if set, tells whether Sentinel answers 400 to a call because of this row.
	Refuse func(Row) bool
}

// These are limits of Azure Monitor.
const (
	// largestCall is the size of the largest call in bytes, before compression and as sent. Documented as 1 MB. Reported: the real
	// limit is 1,000,000.
	largestCall = 1_000_000
	// largestField is the size of the largest value in bytes. Documented: Azure cuts off the rest in silence.
	largestField = 64 << 10
)

// Sentinel is a double of the Logs Ingestion API of Azure Monitor. It is safe for concurrent use.
type Sentinel struct {
	options SentinelOptions

	mu      sync.Mutex
	posts   int
	rows    []Row
	dropped map[string]int
	cut     int
}

// A Row is a stored row, with the columns of the stream. If a value had the wrong type, it is nil.
type Row map[string]any

// NewSentinel makes a rule without rows.
func NewSentinel(o SentinelOptions) *Sentinel {
	return &Sentinel{options: o, dropped: map[string]int{}}
}

// ServeHTTP answers POST /dataCollectionRules/<rule>/streams/<stream>?api-version=2023-01-01. Documented: the path, 204 for a
// success, 400, 401, 403, 404, 413, 429. Inferred: a refused call stores nothing.
func (s *Sentinel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.posts++
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	plain, sent, err := body(r)
	trouble := 0
	if s.options.Trouble != nil {
		trouble = s.options.Trouble(s.posts)
	}
	rows, wellFormed := listOf(plain)
	switch {
	case trouble != 0:
		if trouble == http.StatusTooManyRequests || trouble == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "3")
		}
		refuse(w, trouble, "Trouble")
	case !bearer || !s.options.Tokens.alive(token):
		refuse(w, http.StatusUnauthorized, "InvalidToken")
	case s.options.Forbidden:
		refuse(w, http.StatusForbidden, "OperationFailed")
	case r.Method != http.MethodPost || r.URL.Path != "/dataCollectionRules/"+s.options.Rule+"/streams/"+s.options.Stream:
		refuse(w, http.StatusNotFound, "NotFound")
	case r.URL.Query().Get("api-version") != "2023-01-01":
		refuse(w, http.StatusBadRequest, "UnsupportedApiVersion")
	case sent > largestCall || len(plain) > largestCall:
		refuse(w, http.StatusRequestEntityTooLarge, "ContentLengthLimitExceeded")
	case err != nil || !wellFormed || s.options.Refuse != nil && slices.ContainsFunc(rows, s.options.Refuse):
		refuse(w, http.StatusBadRequest, "InvalidRequestContent")
	default:
		for _, row := range rows {
			s.rows = append(s.rows, s.row(row))
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// refuse answers with an error. The codes in the body are inferred: no documentation lists them.
func refuse(w http.ResponseWriter, status int, code string) {
	answerJSON(w, status, map[string]any{"error": map[string]any{"code": code, "message": http.StatusText(status)}})
}

// listOf reads an array of objects.
func listOf(plain []byte) (rows []Row, ok bool) {
	d := json.NewDecoder(bytes.NewReader(plain))
	d.UseNumber()
	return rows, d.Decode(&rows) == nil && rows != nil && !d.More()
}

// row stores the columns that the stream has. Documented: Azure drops another column, makes null of a value of the wrong type, and
// cuts off a long value. It does all of this in silence.
func (s *Sentinel) row(in Row) Row {
	row := Row{}
	for name, value := range in {
		kind, known := s.options.Columns[name]
		if !known {
			s.dropped[name]++
			continue
		}
		row[name] = s.value(kind, value)
	}
	return row
}

// value returns the value as a column of that kind has it.
func (s *Sentinel) value(kind string, value any) any {
	switch kind {
	case "dynamic":
		if text, err := json.Marshal(value); err == nil && len(text) > largestField {
			s.cut++
			return nil // cut JSON is no value
		}
		return value
	case "datetime":
		text, _ := value.(string)
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return at
		}
	case "long":
		number, _ := value.(json.Number)
		if n, err := number.Int64(); err == nil {
			return n
		}
	case "string":
		text, ok := value.(string)
		if !ok {
			return nil
		}
		if len(text) > largestField {
			s.cut++
			text = text[:largestField]
		}
		return text
	}
	return nil
}

// Rows returns the stored rows in the order of their arrival. If a client sent a row twice, it is there twice.
func (s *Sentinel) Rows() []Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rows)
}

// Silent returns what Sentinel threw away with a 204: how many values of each column that the stream does not have, and how many
// values it cut off.
func (s *Sentinel) Silent() (dropped map[string]int, cut int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped, s.cut
}

// Posts returns how many posts came, with those that Sentinel refused.
func (s *Sentinel) Posts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.posts
}

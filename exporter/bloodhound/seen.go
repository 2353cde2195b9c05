package bloodhound

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// seen is what one page says about where the walk stands.
type seen struct { //nolint:recvcheck // only include changes it
	records        int       // as served
	refused        int       // of them
	newest, oldest time.Time // of the others
	first, last    int64     // ids of the first and the last record as served
	newestFirst    bool
	limit          int64 // as echoed; -1 if it was not
}

// look takes it from the records.
func look(records []record.Record, limit int64) seen {
	s := seen{records: len(records), limit: limit, newestFirst: true}
	if len(records) == 0 {
		return s
	}
	s.newest, s.oldest = records[0].CreatedAt, records[len(records)-1].CreatedAt
	s.first, s.last = records[0].ID, records[len(records)-1].ID
	for i := 1; i < len(records); i++ {
		if records[i].CreatedAt.After(records[i-1].CreatedAt) {
			s.newestFirst = false
			break
		}
	}
	if s.newestFirst {
		return s // and its ends are the extremes
	}
	for i := range records {
		if at := records[i].CreatedAt; at.After(s.newest) {
			s.newest = at
		} else if at.Before(s.oldest) {
			s.oldest = at
		}
	}
	return s
}

// include counts in what was served and refused. Its times are not to be relied on: the good records say how far a page
// reaches, and without one of them the times stay zero.
func (s *seen) include(refused []refused) {
	if len(refused) == 0 {
		return
	}
	s.records += len(refused)
	s.refused = len(refused)
	if r := &refused[0]; r.fault.Index == 0 {
		s.first = r.identity()
	}
	if r := &refused[len(refused)-1]; r.fault.Index == s.records-1 {
		s.last = r.identity()
	}
}

// outside tells whether a record was created before or after what was asked for.
func (s seen) outside(after, before time.Time) bool {
	return s.records > s.refused && (s.newest.After(before) || s.oldest.Before(after))
}

// strayError is the error about a record that was not asked for.
func strayError(id int64, at, after, before time.Time) error {
	return fmt.Errorf("the server answered with the record with id %d, created at %s, when asked for %s to %s: it ignores before "+
		"and after, so no window of it can be trusted to be complete, and nothing of the answer is used; is there a proxy or "+
		"cache in between that drops the query or answers another one?", id, wireTime(at), wireTime(after), wireTime(before))
}

// since is about how many of the page's records are at or after t, if they are spread evenly.
func (s seen) since(t time.Time) int {
	switch {
	case !s.oldest.Before(t):
		return s.records
	case s.newest.Before(t):
		return 0
	default:
		return int(float64(s.records) * float64(s.newest.Sub(t)) / float64(s.newest.Sub(s.oldest)))
	}
}

// agrees tells whether the ends of a page, by which the walk went on, say what its records say. More records than
// there are is no harm: the walk asks once more than it has to.
func (s seen) agrees(found seen) bool {
	return found.newestFirst && found.records <= s.records &&
		s.newest.Equal(found.newest) && s.oldest.Equal(found.oldest) && s.first == found.first && s.last == found.last
}

var errFirst = errors.New("the first record is read")

// glance reads only the two ends of a page, so that the next one can be asked for while this one is scanned: the
// envelope and the first record from the front, the last record from the back. ok is false if the page is not as
// servers write it; then the scan has to tell. The number of records is left to [seen.guess].
func glance(body []byte) (s seen, ok bool) {
	s = seen{limit: -1, newestFirst: true}
	var first, last record.Record
	front := &scanner{buf: body}
	err := front.object(func(key []byte) error {
		switch string(key) {
		case "limit":
			return front.integer(&s.limit)
		case "data":
			return front.object(func(key []byte) error {
				if string(key) != "logs" || front.expect('[') != nil || front.peek() != '{' || front.record(&first) != nil {
					return front.fail("not as expected")
				}
				return errFirst
			})
		default:
			_, err := front.value()
			return err
		}
	})
	if !errors.Is(err, errFirst) || !lastRecord(body, &last) {
		return seen{}, false
	}
	s.newest, s.oldest, s.first, s.last = first.CreatedAt, last.CreatedAt, first.ID, last.ID
	return s, true
}

// lastRecord reads the last record of a page from the back. Its fields may hold objects that begin like a record: the
// right one is followed by the three brackets of the envelope, and by nothing else.
func lastRecord(body []byte, r *record.Record) bool {
	const tries = 16
	start := len(body)
	for range tries {
		if start = bytes.LastIndex(body[:start], []byte(`{"id":`)); start < 0 {
			return false
		}
		s := &scanner{buf: body, pos: start}
		*r = record.Record{}
		if s.record(r) == nil && s.expect(']') == nil && s.expect('}') == nil && s.expect('}') == nil && s.end() == nil {
			return true
		}
	}
	return false
}

// guess is a number of records that is at least the true one; a page that is taken for full costs one more request. It
// counts a key that each record has, and a nested object may have too. Even that takes a while, so a page of about the
// size of the full one before it is taken for full uncounted.
func guess(body []byte, limit, fullSize int) (n int) {
	if fullSize > 0 && len(body) > fullSize-fullSize/32 {
		return limit
	}
	// By the rarest byte of the key: a search for its first one, the quote, would stop at every other word.
	for {
		i := bytes.IndexByte(body, '_')
		if i < 0 {
			return n
		}
		if bytes.HasSuffix(body[:i], []byte(`"created`)) && bytes.HasPrefix(body[i:], []byte(`_at":`)) {
			n++
		}
		body = body[i+1:]
	}
}

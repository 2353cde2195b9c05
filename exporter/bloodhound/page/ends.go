package page

import (
	"bytes"
	"errors"
	"time"

	"github.com/houndtrail/houndtrail/exporter/record"
)

// Ends are the facts of one page that tell a walk through the log how far it got.
type Ends struct { //nolint:recvcheck // changed by include only
	Records        int       // as the server sent them
	Refused        int       // how many of these records are refused
	Newest, Oldest time.Time // the times at the ends, without refused records
	First, Last    int64     // ids of the first and the last record as the server sent them
	NewestFirst    bool
	Limit          int64 // as the server's answer says; -1 if it does not
}

// Ends takes them from the records that Parse read of the page.
func (p Page) Ends() Ends {
	e := look(p.Records[p.already:], p.Limit)
	e.include(p.Refused)
	return e
}

// look sets the ends from the records.
func look(records []record.Record, limit int64) Ends {
	s := Ends{Records: len(records), Limit: limit, NewestFirst: true}
	if len(records) == 0 {
		return s
	}
	s.Newest, s.Oldest = records[0].CreatedAt, records[len(records)-1].CreatedAt
	s.First, s.Last = records[0].ID, records[len(records)-1].ID
	for i := 1; i < len(records); i++ {
		if records[i].CreatedAt.After(records[i-1].CreatedAt) {
			s.NewestFirst = false
			break
		}
	}
	if s.NewestFirst {
		return s // and the times at the two ends are the extremes
	}
	for i := range records {
		if at := records[i].CreatedAt; at.After(s.Newest) {
			s.Newest = at
		} else if at.Before(s.Oldest) {
			s.Oldest = at
		}
	}
	return s
}

// include adds the refused elements. Their times are not reliable, so the times of the page are those of its good records. If
// the page has no good record, the times stay zero.
func (s *Ends) include(refused []Refused) {
	if len(refused) == 0 {
		return
	}
	s.Records += len(refused)
	s.Refused = len(refused)
	if r := &refused[0]; r.Fault.Index == 0 {
		s.First = r.identity()
	}
	if r := &refused[len(refused)-1]; r.Fault.Index == s.Records-1 {
		s.Last = r.identity()
	}
}

// Outside tells whether a record was created before or after the span that Houndtrail asked for.
func (s Ends) Outside(after, before time.Time) bool {
	return s.Records > s.Refused && (s.Newest.After(before) || s.Oldest.Before(after))
}

// Since estimates how many of the page's records are at or after t, as if they were evenly spread.
func (s Ends) Since(t time.Time) int {
	switch {
	case !s.Oldest.Before(t):
		return s.Records
	case s.Newest.Before(t):
		return 0
	default:
		return int(float64(s.Records) * float64(s.Newest.Sub(t)) / float64(s.Newest.Sub(s.Oldest)))
	}
}

// Agrees tells whether the ends of a page agree with its records. The walk went on by these ends. If the ends count too many
// records, that does no harm: the walk sends one more request than it has to.
func (s Ends) Agrees(found Ends) bool {
	return found.NewestFirst && found.Records <= s.Records &&
		s.Newest.Equal(found.Newest) && s.Oldest.Equal(found.Oldest) && s.First == found.First && s.Last == found.Last
}

var errFirst = errors.New("the first record is read")

// Glance reads only the two ends of a page: the envelope and the first record from the front, the last record from the back. So
// Houndtrail can ask for the next page while it scans this one. ok is false if the page is not as servers write it: then only
// the scan can find its ends. Glance leaves Records to [AtMost].
func Glance(body []byte) (s Ends, ok bool) {
	s = Ends{Limit: -1, NewestFirst: true}
	var first, last record.Record
	front := &scanner{buf: body}
	err := front.object(func(key []byte) error {
		switch string(key) {
		case "limit":
			return front.integer(&s.Limit)
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
		return Ends{}, false
	}
	s.Newest, s.Oldest, s.First, s.Last = first.CreatedAt, last.CreatedAt, first.ID, last.ID
	return s, true
}

// lastRecord reads the last record of a page, beginning at the page's end. The record's fields may hold objects that begin like
// a record. So lastRecord accepts only a record directly before the three brackets of the envelope.
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

// AtMost returns the number of records, or a higher number. If it is so high that the page seems full, the walk sends one more
// request. It counts a key that each record has, and that a nested object may have too. Counting takes time. So if the page is
// about as large as the previous full one, AtMost takes it for full and does not count.
func AtMost(body []byte, limit, fullSize int) (n int) {
	if fullSize > 0 && len(body) > fullSize-fullSize/32 {
		return limit
	}
	// It searches for the rarest byte of the key: a search for the first byte, the quote, would stop at every other word.
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
